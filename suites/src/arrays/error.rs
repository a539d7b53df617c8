use std::io;
use std::path::{Path, PathBuf};

use prismbench_data::npy::MAX_AXES;

/// Why an array cannot be saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArrayError {
    /// There is not one class for each item.
    #[error("`{}` gets {found} classes for {items} items", path.display())]
    Labels {
        /// The file.
        path: PathBuf,
        /// Items.
        items: usize,
        /// Classes.
        found: usize,
    },
    /// Something lies at the target already.
    #[error(
        "`{}` exists and is never overwritten: move it, or save elsewhere with --out",
        path.display()
    )]
    Exists {
        /// The target.
        path: PathBuf,
    },
    /// The target's folder is not there.
    #[error("there is no folder to save `{}` in: make it first", path.display())]
    NoFolder {
        /// The target.
        path: PathBuf,
    },
    /// The disk is full, or the user's share of it is.
    #[error("no space left for `{}`: free some, or save elsewhere with --out", path.display())]
    Full {
        /// The target.
        path: PathBuf,
    },
    /// The operating system refused to write.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The target.
        path: PathBuf,
        /// The system's own words.
        #[source]
        cause: io::Error,
    },
    /// A write has failed before this call.
    #[error("`{}` was given up when it could not be written", path.display())]
    GivenUp {
        /// The target.
        path: PathBuf,
    },
    /// An item has another shape than the first one.
    #[error(
        "`{id}` has shape {found:?} and the items before it in `{}` have {expected:?}; an array holds one shape",
        path.display()
    )]
    Shape {
        /// The target.
        path: PathBuf,
        /// The item.
        id: String,
        /// Shape of the first item.
        expected: Vec<usize>,
        /// Shape of this one.
        found: Vec<usize>,
    },
    /// An item has more or fewer values than its shape says.
    #[error("`{id}` of shape {shape:?} came with {found} values for `{}`", path.display())]
    Length {
        /// The target.
        path: PathBuf,
        /// The item.
        id: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its values.
        found: usize,
    },
    /// An item has more axes than numpy reads.
    #[error(
        "`{id}` has {axes} axes, too many for `{}`: numpy reads {MAX_AXES}, and one counts the items",
        path.display()
    )]
    Axes {
        /// The target.
        path: PathBuf,
        /// The item.
        id: String,
        /// Its axes.
        axes: usize,
    },
    /// An id would not read back as it was.
    #[error("{id:?} cannot be an id in `{}`: it must have characters, and no NUL", path.display())]
    Id {
        /// The target.
        path: PathBuf,
        /// The id.
        id: String,
    },
    /// There is no item, hence no shape.
    #[error("`{}` would hold nothing, so it is not written", path.display())]
    Empty {
        /// The target.
        path: PathBuf,
    },
}

impl ArrayError {
    /// What kind of error of the system is at the bottom; nothing where the items are at fault.
    #[must_use]
    pub fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Exists { .. } => Some(io::ErrorKind::AlreadyExists),
            Self::NoFolder { .. } => Some(io::ErrorKind::NotFound),
            Self::Full { .. } => Some(io::ErrorKind::StorageFull),
            Self::Write { cause, .. } => Some(cause.kind()),
            _ => None,
        }
    }

    pub(super) fn io(path: &Path, cause: io::Error) -> Self {
        let path = path.to_owned();
        match cause.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            io::ErrorKind::NotFound => Self::NoFolder { path },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Write { path, cause },
        }
    }
}
