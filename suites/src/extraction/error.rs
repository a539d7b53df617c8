use std::io;

use prismbench_core::{Outcome, TokenizerError};

use crate::feature_file::AddError;

/// Why one tokenizer has no features.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExtractError {
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    #[error("{rows} rows of features came back for {given} {what}")]
    Count { given: usize, rows: usize, what: &'static str },
    #[error("a feature of `{name}` is {value}; check it and the weights")]
    NotFinite { name: String, value: String },
    #[error(
        "`{name}` has {found} features, those before it {expected}: choose a crop, or a pooling \
         whose width does not depend on the size of a picture"
    )]
    Width { name: String, expected: usize, found: usize },
    #[error("write features to a temporary file")]
    Spool(#[source] io::Error),
}

impl ExtractError {
    /// What a tokenizer cannot do is left out; anything else is a failure.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Tokenizer(TokenizerError::Unsupported { .. }) => {
                Outcome::Skipped { reason: self.to_string() }
            }
            _ => Outcome::failed(self),
        }
    }
}

impl From<candle_core::Error> for ExtractError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tokenizer(error.into())
    }
}

impl From<AddError<Self>> for ExtractError {
    fn from(error: AddError<Self>) -> Self {
        match error {
            AddError::Compute(error) => error,
            AddError::Spool(error) => Self::Spool(error),
        }
    }
}
