use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::encoding::as_text;
use crate::{BadSetting, TokenizerError};

/// What an encoder knows of a batch of pictures: the input of probes and retrieval.
#[derive(Clone, Debug)]
pub struct Features {
    /// f32 `[N, rows x columns, D]`, row by row, without class and register tokens.
    pub patch_tokens: Tensor,
    /// Rows and columns of patches.
    pub grid: (usize, usize),
    /// f32 `[N, D]`, where the encoder has a class token; `[N, blocks x D]` for [`FeatureTap::Last`].
    pub class_token: Option<Tensor>,
    /// f32 `[N, D']`: the encoder's own summary of a picture, where it has one: CLIP's projected
    /// class token, SigLIP's attention pooling. Comparable with [`TextTower::embed`].
    pub pooled: Option<Tensor>,
}

/// Where features are read off: `output`, `block:11` or `last:4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FeatureTap {
    /// What the encoder gives: after the last block, and the final norm where the model has one
    /// there.
    Output,
    /// Behind a block, counted from 0, before any final norm; nothing is pooled.
    Block(usize),
    /// [`Output`](Self::Output), but with the class token behind each of the last blocks, every one
    /// through the final norm, one behind the other.
    Last(NonZeroUsize),
}

impl FeatureTap {
    /// What the value means.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Output => {
                "features are what the encoder gives, after its final norm where it has one; the \
                 latent of a tokenizer that has no others"
            }
            Self::Block(_) => {
                "features are the tokens behind a block, counted from 0, before any final norm"
            }
            Self::Last(_) => {
                "patch tokens are what the encoder gives; the class token is that behind each of \
                 its last blocks, every one through the final norm, one behind the other. Source: \
                 DINOv2, eval/linear.py"
            }
        }
    }
}

impl fmt::Display for FeatureTap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output => f.write_str("output"),
            Self::Block(number) => write!(f, "block:{number}"),
            Self::Last(blocks) => write!(f, "last:{blocks}"),
        }
    }
}

impl FromStr for FeatureTap {
    type Err = BadSetting;

    fn from_str(text: &str) -> Result<Self, BadSetting> {
        const EXPECTED: &str =
            "output, block:NUMBER or last:BLOCKS, NUMBER 0 to 999, BLOCKS 1 to 999";
        let number = |text: &str| text.parse().ok().filter(|number| *number < 1000);
        let parsed = match text.split_once(':') {
            None if text == "output" => Some(Self::Output),
            Some(("block", text)) => number(text).map(Self::Block),
            Some(("last", text)) => number(text).and_then(NonZeroUsize::new).map(Self::Last),
            _ => None,
        };
        parsed.ok_or_else(|| BadSetting::new("tap", text, EXPECTED))
    }
}

as_text!(FeatureTap);

/// Maps texts into the space of [`Features::pooled`].
pub trait TextTower: Send + Sync {
    /// f32 `[N, D']`, not normalised.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] naming a text that is longer than the tower's context; what is
    /// wrong with files that are first read when a text comes, [`TokenizerError::WeightsMissing`]
    /// among others.
    fn embed(&self, texts: &[&str]) -> Result<Tensor, TokenizerError>;

    /// Tokens that a text may have, with its marks of begin and end.
    fn context(&self) -> usize;

    /// How a cosine becomes a logit: `scale` and `bias`.
    fn logit(&self) -> (f64, f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_print_as_they_parse() {
        for text in ["output", "block:0", "block:11", "last:4"] {
            assert_eq!(text.parse::<FeatureTap>().unwrap().to_string(), text);
        }
        for text in
            ["", "block", "block:", "block:-1", "block:1000", "output:1", "Output", "last:0"]
        {
            let error = text.parse::<FeatureTap>().unwrap_err().to_string();
            assert!(
                error.contains("is no tap; it is output, block:NUMBER or last:BLOCKS"),
                "{error}"
            );
        }
    }
}
