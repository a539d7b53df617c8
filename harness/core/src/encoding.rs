//! How a latent is read out of an encoder: posterior, latent noise, band mask.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::choice::choice;
use crate::thousandths::Thousandths;
use crate::{Stream, TokenizerError};

choice! {
    /// Which latent of the posterior is decoded.
    pub enum PosteriorRule = "posterior" {
        /// The mode.
        Mode = "mode": "the mode (mean) of the encoder's posterior; what reconstruction tables use",
        /// One draw.
        Sample = "sample": "one seeded draw per image, keyed by the image's index; a tokenizer \
            without a posterior gives its one latent",
    }
}

/// Everything besides the pixels that decides a latent.
///
/// The default is the deterministic setting of evaluations: mode, no noise, no mask.
#[derive(Clone, Copy, Debug)]
pub struct Encoding<'a> {
    /// Which latent of the posterior.
    pub posterior: PosteriorRule,
    /// What is added to it.
    pub noise: LatentNoise,
    /// Which of its frequencies are kept.
    pub band_mask: BandMask,
    /// Seed of the run.
    pub seed: u64,
    /// Each picture of the batch; may be empty where nothing is drawn or looked up.
    pub samples: &'a [SampleKey<'a>],
}

/// Who a picture of a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleKey<'a> {
    /// Position in its data set: what random streams are keyed by, so that a run gives the same
    /// numbers for any batch size or shard count.
    pub index: u64,
    /// Name within its data set.
    pub id: &'a str,
}

impl Encoding<'_> {
    /// Mode, no noise, no mask.
    #[must_use]
    pub const fn deterministic() -> Self {
        Self {
            posterior: PosteriorRule::Mode,
            noise: LatentNoise::None,
            band_mask: BandMask::None,
            seed: 0,
            samples: &[],
        }
    }

    /// One random stream for each of `count` pictures.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] unless the pictures are known by as many [`SampleKey`]s.
    pub fn streams(&self, purpose: &str, count: usize) -> Result<Vec<Stream>, TokenizerError> {
        if self.samples.len() != count {
            return Err(TokenizerError::Shape {
                expected: format!("keys of {count} samples to draw by"),
                found: self.samples.len().to_string(),
            });
        }
        let stream = |sample: &SampleKey<'_>| Stream::new(purpose, self.seed, sample.index);
        Ok(self.samples.iter().map(stream).collect())
    }

    /// Refuses latent noise and band mask, for a tokenizer that has neither.
    ///
    /// # Errors
    /// [`TokenizerError::Unsupported`] naming the tokenizer.
    pub fn refuse_extras(&self, tokenizer: &str) -> Result<(), TokenizerError> {
        self.refuse_noise(tokenizer)?;
        self.refuse_band_mask(tokenizer)
    }

    /// Refuses a latent noise that is asked of a tokenizer without one.
    ///
    /// # Errors
    /// [`TokenizerError::Unsupported`] naming the tokenizer.
    pub fn refuse_noise(&self, tokenizer: &str) -> Result<(), TokenizerError> {
        match self.noise {
            LatentNoise::None => Ok(()),
            _ => Err(unsupported(tokenizer, "latent noise")),
        }
    }

    /// Refuses a band mask that is asked of a tokenizer without bands.
    ///
    /// # Errors
    /// [`TokenizerError::Unsupported`] naming the tokenizer.
    pub fn refuse_band_mask(&self, tokenizer: &str) -> Result<(), TokenizerError> {
        match self.band_mask {
            BandMask::None => Ok(()),
            _ => Err(unsupported(tokenizer, "frequency bands to mask")),
        }
    }
}

fn unsupported(tokenizer: &str, capability: &'static str) -> TokenizerError {
    TokenizerError::Unsupported { tokenizer: tokenizer.to_owned(), capability }
}

/// Noise added to latents before they are normalised: `z + s n`, n standard normal, one `s` for
/// each image.
///
/// What RAE, UAE and OpenVision 3 are trained with; at evaluation it is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LatentNoise {
    /// Nothing is added.
    None,
    /// `s = tau u`, u uniform in `[0, 1)`: RAE's code (src/stage1/rae.py).
    Uniform(Tau),
    /// `s = |tau n'|`, n' standard normal: RAE's text (arXiv 2510.11690).
    HalfNormal(Tau),
}

/// Largest scale of latent noise, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tau(Thousandths);

/// Which frequencies of a latent grid are kept; the others become 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum BandMask {
    /// All.
    None,
    /// The first so many coefficients of the orthonormal DCT-II in zigzag order: UAE's
    /// `keep_low` with `reorder_1d` (src/stage1/uae.py, main).
    Zigzag(usize),
    /// The first so many rings of the FFT: the first generation of UAE, whose two are the mean and
    /// the rest.
    Rings(usize),
}

/// A text is no value of a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no {field}; it is {expected}")]
pub struct BadSetting {
    pub(crate) field: &'static str,
    pub(crate) found: String,
    pub(crate) expected: &'static str,
}

impl BadSetting {
    pub(crate) fn new(field: &'static str, found: &str, expected: &'static str) -> Self {
        Self { field, found: found.to_owned(), expected }
    }
}

impl LatentNoise {
    /// What the value means.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::None => "nothing is added to latents: the setting of evaluations",
            Self::Uniform(_) => {
                "z + s n before normalisation, s = tau u with u uniform in [0, 1) for each image. \
                 Source: bytetriper/RAE, src/stage1/rae.py"
            }
            Self::HalfNormal(_) => {
                "z + s n before normalisation, s = |tau n'| with n' normal for each image. Source: \
                 the text of RAE, arXiv 2510.11690"
            }
        }
    }

    /// The scale for one image, drawn from its stream before anything else; `None` without noise.
    #[must_use]
    pub fn scale(self, stream: &mut Stream) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Uniform(tau) => Some(tau.get() * stream.uniform()),
            Self::HalfNormal(tau) => Some((tau.get() * stream.normal()).abs()),
        }
    }
}

impl Tau {
    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0.get()
    }
}

impl BandMask {
    /// What the value means.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::None => "every frequency of the latent is kept: the setting of evaluations",
            Self::Zigzag(_) => {
                "only the first coefficients of the latent's orthonormal DCT-II in zigzag order, \
                 (0,0), (1,0), (0,1), (0,2), (1,1), (2,0), ... by (row, column). Source: \
                 WeichenFan/UAE main, src/stage1/uae.py"
            }
            Self::Rings(_) => {
                "only the first rings of the latent's FFT. Source: WeichenFan/UAE old_uae, \
                 unified_ae/uae_frequency.py"
            }
        }
    }
}

impl fmt::Display for Tau {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Tau {
    type Err = ();

    /// A decimal from 0.001 to 100 with at most three places.
    fn from_str(text: &str) -> Result<Self, ()> {
        let tau: Thousandths = text.parse()?;
        if (1..=100_000).contains(&tau.0) { Ok(Self(tau)) } else { Err(()) }
    }
}

impl fmt::Display for LatentNoise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Uniform(tau) => write!(f, "uniform:{tau}"),
            Self::HalfNormal(tau) => write!(f, "half-normal:{tau}"),
        }
    }
}

impl FromStr for LatentNoise {
    type Err = BadSetting;

    fn from_str(text: &str) -> Result<Self, BadSetting> {
        let parsed = match text.split_once(':') {
            None if text == "none" => Some(Self::None),
            Some(("uniform", tau)) => tau.parse().ok().map(Self::Uniform),
            Some(("half-normal", tau)) => tau.parse().ok().map(Self::HalfNormal),
            _ => None,
        };
        parsed.ok_or_else(|| BadSetting {
            field: "latent-noise",
            found: text.to_owned(),
            expected: "none, uniform:TAU or half-normal:TAU, TAU 0.001 to 100",
        })
    }
}

impl fmt::Display for BandMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Zigzag(count) => write!(f, "zigzag:{count}"),
            Self::Rings(count) => write!(f, "rings:{count}"),
        }
    }
}

impl FromStr for BandMask {
    type Err = BadSetting;

    fn from_str(text: &str) -> Result<Self, BadSetting> {
        let count = |text: &str| text.parse().ok().filter(|count| (1..=65_536).contains(count));
        let parsed = match text.split_once(':') {
            None if text == "none" => Some(Self::None),
            Some(("zigzag", text)) => count(text).map(Self::Zigzag),
            Some(("rings", text)) => count(text).map(Self::Rings),
            _ => None,
        };
        parsed.ok_or_else(|| BadSetting {
            field: "band-mask",
            found: text.to_owned(),
            expected: "none, zigzag:COUNT or rings:COUNT, COUNT 1 to 65536",
        })
    }
}

/// Serialises as text.
macro_rules! as_text {
    ($name:ty) => {
        impl TryFrom<String> for $name {
            type Error = $crate::BadSetting;

            fn try_from(text: String) -> Result<Self, $crate::BadSetting> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    };
}
pub(crate) use as_text;

as_text!(LatentNoise);
as_text!(BandMask);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_print_as_they_parse() {
        for text in ["none", "uniform:0.8", "half-normal:1.25", "uniform:100", "uniform:0.001"] {
            assert_eq!(text.parse::<LatentNoise>().unwrap().to_string(), text);
        }
        assert_eq!("uniform:0.80".parse::<LatentNoise>().unwrap().to_string(), "uniform:0.8");
        for text in ["none", "zigzag:36", "rings:1"] {
            assert_eq!(text.parse::<BandMask>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_answered_with_what_would_be_right() {
        for text in ["uniform", "uniform:", "uniform:0", "uniform:-1", "uniform:1e3", "normal:1"] {
            let error = text.parse::<LatentNoise>().unwrap_err().to_string();
            assert!(error.ends_with("TAU 0.001 to 100"), "{error}");
        }
        for text in ["zigzag", "zigzag:0", "zigzag:x", "low:36", "zigzag:70000"] {
            let error = text.parse::<BandMask>().unwrap_err().to_string();
            assert!(error.contains("zigzag:COUNT"), "{error}");
        }
    }

    #[test]
    fn streams_need_a_key_for_every_picture() {
        let samples = [SampleKey { index: 7, id: "a" }, SampleKey { index: 9, id: "b" }];
        let encoding = Encoding { samples: &samples, seed: 3, ..Encoding::deterministic() };
        let mut streams = encoding.streams("noise", 2).unwrap();
        let alone = Encoding { samples: &samples[1..], ..encoding };
        let mut second = alone.streams("noise", 1).unwrap();
        assert_eq!(streams[1].next_u64(), second[0].next_u64());
        assert!(encoding.streams("noise", 3).is_err());
    }

    #[test]
    fn the_scale_of_the_noise_follows_its_law() {
        let mut stream = Stream::new("test", 1, 0);
        let mut mean = |noise: LatentNoise| {
            (0..20_000).filter_map(|_| noise.scale(&mut stream)).sum::<f64>() / 20_000.0
        };
        // Means of the two laws, tau / 2 and tau sqrt(2 / pi), within five standard errors.
        assert!((mean("uniform:0.8".parse().unwrap()) - 0.4).abs() < 0.01);
        assert!((mean("half-normal:0.8".parse().unwrap()) - 0.638).abs() < 0.02);
        assert_eq!(LatentNoise::None.scale(&mut stream), None);
    }
}
