use std::io;
use std::path::PathBuf;

use crate::DataError;

/// Why a file serves as no latents.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LatentFileError {
    /// The operating system refused a file or a folder.
    #[error("cannot read the latents `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's own words.
        #[source]
        cause: io::Error,
    },
    /// A file of another kind.
    #[error("`{}` is no `.npz` and no `.safetensors`", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// A folder without latents.
    #[error("no `.npz` and no `.safetensors` in `{}`", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// An `.npz` that cannot be read.
    #[error(transparent)]
    Npz(#[from] DataError),
    /// A `.safetensors` that cannot be read.
    #[error("`{}` is no usable safetensors file: {problem}", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// No array that can be meant.
    #[error(
        "`{}` has no array `latents` of floating-point numbers (it has: {})",
        path.display(), if found.is_empty() { "none".to_owned() } else { found.join(", ") }
    )]
    NoLatents {
        /// The file.
        path: PathBuf,
        /// Its arrays.
        found: Vec<String>,
    },
    /// An array that is no list of latents.
    #[error(
        "`{array}` of `{}` has shape {found:?}; expected [N, ...shape of one latent], N at least 1",
        path.display()
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// The array.
        array: String,
        /// Its shape.
        found: Vec<u64>,
    },
    /// Labels that are not one for each latent.
    #[error(
        "`{array}` of `{}` has shape {found:?}; expected one label for each of {expected} latents",
        path.display()
    )]
    Labels {
        /// The file.
        path: PathBuf,
        /// The array.
        array: String,
        /// Its shape.
        found: Vec<u64>,
        /// Latents in the file.
        expected: u64,
    },
    /// Labels in some of the files.
    #[error("`{}` has no labels and other files beside it have", path.display())]
    SomeLabels {
        /// The file without.
        path: PathBuf,
    },
    /// Files of different latents.
    #[error(
        "`{}` has latents of shape {found:?} and `{}` of {expected:?}; files of one folder are read as one array",
        path.display(), first.display()
    )]
    Shapes {
        /// The first file.
        first: PathBuf,
        /// Shape of its latents.
        expected: Vec<usize>,
        /// The file that differs.
        path: PathBuf,
        /// Shape of its latents.
        found: Vec<usize>,
    },
    /// A number that is not finite.
    #[error(
        "latent {sample} of `{id}` has {value} at place {place}; the generator that wrote it failed there"
    )]
    NotFinite {
        /// The files.
        id: String,
        /// The sample.
        sample: u64,
        /// The place within it, in C order.
        place: usize,
        /// The number.
        value: String,
    },
    /// Samples beyond the end.
    #[error("`{id}` has {len} latents; sample {end} was asked for")]
    Range {
        /// The files.
        id: String,
        /// One past the last sample asked for.
        end: u64,
        /// Samples there are.
        len: u64,
    },
}
