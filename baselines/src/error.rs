use prismbench_core::TokenizerError;
use prismbench_kernels::nn::NnError;

/// Why a tokenizer could not be made from its reference.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No tokenizer has this name.
    #[error("unknown tokenizer `{found}`{}", suggestion(*nearest))]
    UnknownTokenizer {
        /// The name that was given, without options and weights.
        found: String,
        /// The name that was most likely meant.
        nearest: Option<&'static str>,
    },
    /// The tokenizer exists; what follows its name does not fit.
    #[error("`{reference}` does not name a tokenizer; expected {expected}")]
    BadOption {
        /// The whole reference.
        reference: String,
        /// Its syntax, with the range of each option.
        expected: String,
    },
    /// The weights are missing or do not fit.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

fn suggestion(nearest: Option<&str>) -> String {
    match nearest {
        Some(name) => format!("; did you mean `{name}`?"),
        None => "; `prismbench list tokenizers` shows what there is".to_owned(),
    }
}

/// A layer's error as a tokenizer's.
pub(crate) fn layer(error: NnError) -> TokenizerError {
    match error {
        NnError::Tensor(error) => error.into(),
        error => candle_core::Error::wrap(error).into(),
    }
}
