use std::path::PathBuf;

use prismbench_core::TokenizerError;

/// Why weights cannot be had from a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file is not there.
    #[error("no weights at `{}`", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// What to do: which file of which repository goes where.
        remedy: String,
    },
    /// The file does not hold what the architecture needs. Every problem is listed.
    #[error("`{}` does not fit the architecture: {}", path.display(), problems.join("; "))]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// One entry per tensor: missing, misshapen or extra, with both shapes.
        problems: Vec<String>,
    },
    /// The file is neither well-formed safetensors nor a well-formed PyTorch file.
    #[error("`{}` cannot be read as weights", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reader's own words.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A pickle asks for something that is not a tensor.
    #[error(
        "`{}` asks for `{global}`, and nothing in a weights file is executed: \
         save the `state_dict()` alone, best as safetensors",
        path.display()
    )]
    Executable {
        /// The file.
        path: PathBuf,
        /// What the pickle wants to call or build.
        global: String,
    },
    /// The file bears the name of a published one and is not it.
    #[error(
        "`{}` bears the name of a published file whose sha256 begins with {expected}, but its own \
         is {found}: fetch it again, or give it another name",
        path.display()
    )]
    Digest {
        /// The file.
        path: PathBuf,
        /// First digits of the published file's sha256.
        expected: &'static str,
        /// The sha256 that was found.
        found: String,
    },
    /// The file lies in the hub's cache under a sha256 that is not its own.
    #[error(
        "`{}` should have the sha256 {expected} but has {found}: it is half a download, or was \
         changed; remove `{}` and fetch it again",
        path.display(),
        blob.display()
    )]
    Changed {
        /// The file, by the name in its snapshot.
        path: PathBuf,
        /// Where its bytes lie.
        blob: PathBuf,
        /// The sha256 that the hub gave for it.
        expected: String,
        /// The sha256 that was found.
        found: String,
    },
    /// The tensor library refused an operation.
    #[error("a tensor operation failed")]
    // Boxed: candle's error is over 100 bytes and would make every result that large.
    Tensor(#[source] Box<candle_core::Error>),
}

impl From<candle_core::Error> for WeightsError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(Box::new(error))
    }
}

impl From<WeightsError> for TokenizerError {
    fn from(error: WeightsError) -> Self {
        match error {
            WeightsError::Missing { path, remedy } => Self::WeightsMissing { path, remedy },
            WeightsError::Mismatch { path, problems } => Self::WeightsMismatch { path, problems },
            WeightsError::Unreadable { path, cause } => Self::WeightsUnreadable { path, cause },
            WeightsError::Tensor(error) => Self::Tensor(error),
            WeightsError::Executable { ref path, .. }
            | WeightsError::Digest { ref path, .. }
            | WeightsError::Changed { ref path, .. } => {
                Self::WeightsUnreadable { path: path.clone(), cause: Box::new(error) }
            }
        }
    }
}
