use prismbench_core::TokenizerError;
use prismbench_kernels::nn::NnError;

/// Why a tokenizer or a generator could not be made from its reference.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No tokenizer has this name.
    #[error("unknown tokenizer `{found}`{}", suggestion(*nearest, "tokenizers"))]
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
    /// No generator has this name.
    #[error("unknown generator `{found}`{}", suggestion(*nearest, "generators"))]
    UnknownGenerator {
        /// The name that was given, without revision and weights.
        found: String,
        /// The name that was most likely meant.
        nearest: Option<&'static str>,
    },
    /// The generator exists; what follows its name does not fit.
    #[error("`{reference}` does not name a generator; expected {expected}")]
    BadGenerator {
        /// The whole reference.
        reference: String,
        /// Its syntax.
        expected: String,
    },
    /// A generator cannot be sampled as was asked.
    #[error("`{generator}` cannot be sampled so: {problem}")]
    Sampling {
        /// Id of the generator.
        generator: String,
        /// What is missing or does not fit, and what would.
        problem: String,
    },
    /// The weights are missing or do not fit.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

fn suggestion(nearest: Option<&str>, what: &str) -> String {
    match nearest {
        Some(name) => format!("; did you mean `{name}`?"),
        None => format!("; `prismbench list {what}` shows what there is"),
    }
}

/// A layer's error as a tokenizer's.
pub(crate) fn layer(error: NnError) -> TokenizerError {
    match error {
        NnError::Tensor(error) => error.into(),
        error => candle_core::Error::wrap(error).into(),
    }
}
