use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::BadSetting;
use crate::choice::choice;
use crate::encoding::as_text;

/// How texts and pictures come into the one space where retrieval compares them: `own`,
/// `bag-of-words` or `tower:ID`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum JointSpace {
    /// The model's own: its summary of a picture and its text tower.
    Own,
    /// Pictures are aligned to bags of words.
    BagOfWords,
    /// Pictures are aligned to what the text tower of the tokenizer with this id says.
    Tower(String),
}

impl JointSpace {
    /// What the value means.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Own => {
                "the model's own summary of a picture (pooling `own`) against its own text tower; \
                 tokenizers without one are skipped"
            }
            Self::BagOfWords => {
                "ridge regression, fitted on the training pictures, from their pooled features to the \
                 weighted bag of words of their captions (TF-IDF, vocabulary of the training captions)"
            }
            Self::Tower(_) => {
                "ridge regression, fitted on the training pictures, from their pooled features to what \
                 the named text tower says of their captions"
            }
        }
    }
}

impl fmt::Display for JointSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("own"),
            Self::BagOfWords => f.write_str("bag-of-words"),
            Self::Tower(id) => write!(f, "tower:{id}"),
        }
    }
}

impl FromStr for JointSpace {
    type Err = BadSetting;

    fn from_str(text: &str) -> Result<Self, BadSetting> {
        match (text, text.strip_prefix("tower:")) {
            ("own", _) => Ok(Self::Own),
            ("bag-of-words", _) => Ok(Self::BagOfWords),
            (_, Some(id)) if !id.is_empty() => Ok(Self::Tower(id.to_owned())),
            _ => {
                let expected = "own, bag-of-words or tower:ID, as in tower:clip-l";
                Err(BadSetting::new("joint-space", text, expected))
            }
        }
    }
}

as_text!(JointSpace);

choice! {
    /// What texts look for pictures.
    pub enum RetrievalQueries = "queries" {
        /// The pictures' captions.
        Captions = "captions": "every caption looks for its picture, and every picture for any of its \
            captions. Source: LAION-AI/CLIP_benchmark, zeroshot_retrieval.py",
        /// The names of the classes.
        ClassNames = "class-names": "`the image of CLASS` looks for the pictures of the class, and \
            every picture for its class; a hit is any picture of the class. Source: WeichenFan/UAE \
            main, prelim_analysis/retrival_exp.py",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_print_as_they_parse() {
        for text in ["own", "bag-of-words", "tower:clip-l", "tower:siglip2-b"] {
            assert_eq!(text.parse::<JointSpace>().unwrap().to_string(), text);
        }
        for text in ["", "tower:", "tower", "words"] {
            let error = text.parse::<JointSpace>().unwrap_err().to_string();
            assert!(
                error.ends_with("it is own, bag-of-words or tower:ID, as in tower:clip-l"),
                "{error}"
            );
        }
    }
}
