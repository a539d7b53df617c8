use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::BadSetting;
use crate::encoding::as_text;

/// The encoder whose space `fd-encoder` compares pictures in: `none` or the id of a tokenizer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FdEncoder {
    /// None: the metric cannot be asked for.
    #[default]
    None,
    /// The tokenizer with this id, which must have features besides its latents.
    Tokenizer(String),
}

impl FdEncoder {
    /// How a protocol names the field.
    pub const FIELD: &str = "fd-encoder";
    const NONE: &str = "none";

    /// What the value means.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self {
            Self::None => "the metric `fd-encoder` has no encoder",
            Self::Tokenizer(_) => {
                "the metric `fd-encoder` compares pictures by what this encoder says of them as it is probed: \
                 the square as the protocol crops it, and the encoder's own summary, else its class \
                 token, else the mean of its patch tokens"
            }
        }
    }

    /// Whether a value of the field, as text, decides no number.
    pub(crate) fn decides_nothing(value: &str) -> bool {
        value == Self::NONE
    }
}

impl fmt::Display for FdEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => Self::NONE,
            Self::Tokenizer(id) => id,
        })
    }
}

impl FromStr for FdEncoder {
    type Err = BadSetting;

    fn from_str(text: &str) -> Result<Self, BadSetting> {
        match text {
            "" => {
                let expected = "none or the id of a tokenizer, as in siglip2-b";
                Err(BadSetting::new(Self::FIELD, text, expected))
            }
            Self::NONE => Ok(Self::None),
            id => Ok(Self::Tokenizer(id.to_owned())),
        }
    }
}

as_text!(FdEncoder);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoders_print_as_they_parse() {
        for text in ["none", "siglip2-b"] {
            assert_eq!(text.parse::<FdEncoder>().unwrap().to_string(), text);
        }
        let error = "".parse::<FdEncoder>().unwrap_err().to_string();
        assert!(error.ends_with("none or the id of a tokenizer, as in siglip2-b"), "{error}");
    }
}
