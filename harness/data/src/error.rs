use std::io;
use std::path::PathBuf;

use super::{DecodeError, NpzError};

/// Why a data set or one of its pictures cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A text that begins with `synthetic:` and does not go on as it should.
    #[error(
        "`{found}` is no synthetic set; write `synthetic:SEED:N`, N at least 1, as in `synthetic:7:64`"
    )]
    BadSpec {
        /// What was given.
        found: String,
    },
    /// The data are not there.
    #[error("there is nothing at `{}`", path.display())]
    NotFound {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// A file of an unknown kind was given as a data set.
    #[error(
        "`{}` is no folder, no `.npz` and no picture (.jpg .png .webp .bmp .gif .tif)",
        path.display()
    )]
    UnknownKind {
        /// The file.
        path: PathBuf,
    },
    /// A folder without any picture.
    #[error(
        "no pictures under `{}`: none of its {ignored} files is named .jpg, .jpeg, .png, .webp, .bmp, .gif, .tif or .tiff",
        path.display()
    )]
    Empty {
        /// The folder.
        path: PathBuf,
        /// Files of other kinds; hidden ones are not counted.
        ignored: u64,
    },
    /// The name of a picture is no text, so it cannot be an id.
    #[error("the name of `{}` is not UTF-8; rename it", path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// One picture cannot be read; the others can.
    #[error("`{}` is no usable picture", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: DecodeError,
    },
    /// An `.npz` does not hold what it should.
    #[error("`{}` is no usable .npz", path.display())]
    Npz {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        #[source]
        cause: NpzError,
    },
    /// The operating system refused a file or a folder.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's own words.
        #[source]
        cause: io::Error,
    },
    /// Samples beyond the end of a set were asked for.
    #[error("`{id}` has samples 0..{len}; {start}..{end} were asked for")]
    Range {
        /// The set.
        id: String,
        /// First sample asked for.
        start: u64,
        /// One past the last sample asked for.
        end: u64,
        /// Samples there are.
        len: u64,
    },
}

impl DataError {
    /// Whether one sample is at fault and the rest of the set can go on without it.
    #[must_use]
    pub fn is_sample(&self) -> bool {
        matches!(self, Self::Unreadable { .. })
    }

    pub(super) fn io(path: impl Into<PathBuf>, cause: io::Error) -> Self {
        let path = path.into();
        match cause.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            _ => Self::Io { path, cause },
        }
    }
}
