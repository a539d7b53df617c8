use std::path::PathBuf;

/// Why a tokenizer could not do what was asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The tokenizer lacks a capability. Suites turn this into a skipped record, not a failed run.
    #[error("`{tokenizer}` has no {capability}")]
    Unsupported {
        /// Id of the tokenizer.
        tokenizer: String,
        /// What was asked for: `decoder`.
        capability: &'static str,
    },
    /// An image or a latent broke the shape contract.
    #[error("expected {expected}, found {found}")]
    Shape {
        /// The contract in words: `height and width multiples of 16`.
        expected: String,
        /// What came.
        found: String,
    },
    /// The tokenizer gave a number that is not finite.
    #[error("the {stage} gave {value} for sample {sample} of the batch")]
    NotFinite {
        /// `decoder` or `encoder`.
        stage: &'static str,
        /// The number, as text: `NaN` or `inf`.
        value: String,
        /// Position in the batch.
        sample: usize,
    },
    /// A codec refused its own stream or picture.
    #[error("the codec failed")]
    Codec(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A program that stands for a tokenizer did not do its part.
    #[error("the program of `{tokenizer}` did not do its part")]
    Program {
        /// Id of the tokenizer.
        tokenizer: String,
        /// What it did instead.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no usable reconstruction of a picture.
    #[error("`{tokenizer}` has no usable reconstruction")]
    Reconstruction {
        /// Id of the tokenizer.
        tokenizer: String,
        /// Of which picture, and why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A weights file is not there.
    #[error("no weights at `{}`", path.display())]
    WeightsMissing {
        /// Where it was looked for.
        path: PathBuf,
        /// What to do: which file of which repository goes where.
        remedy: String,
    },
    /// A weights file does not hold what the architecture needs. Every problem is listed.
    #[error("`{}` does not fit the architecture: {}", path.display(), problems.join("; "))]
    WeightsMismatch {
        /// The file.
        path: PathBuf,
        /// One entry per tensor: missing, misshapen or extra, with both shapes.
        problems: Vec<String>,
    },
    /// A weights file, or a JSON beside it, cannot be read as what it claims to be.
    #[error("`{}` cannot be read", path.display())]
    WeightsUnreadable {
        /// The file.
        path: PathBuf,
        /// The reader's own words.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file that says how a network is built says something that cannot be built, or that its
    /// weights contradict.
    #[error("`{}` does not describe a network that can be built: {problem}", path.display())]
    Config {
        /// The configuration.
        path: PathBuf,
        /// Which entry, what it is and what it may be.
        problem: String,
    },
    /// The tensor library refused an operation.
    #[error("a tensor operation failed")]
    // Boxed: candle's error is over 100 bytes and would make every result that large.
    Tensor(#[source] Box<candle_core::Error>),
}

impl From<candle_core::Error> for TokenizerError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(Box::new(error))
    }
}
