//! Pictures to measure on, with their classes and captions: folders, arrays, archives and procedural
//! scenes behind one trait.
//!
//! A set is listed once and decoded late: [`Dataset::samples`] walks it in order and hands out
//! [`Pending`] samples, which any thread may load. No source here holds more than a few pictures.
//!
//! It stands below both the suites, which measure on these pictures, and the baselines, which read
//! finished reconstructions with the same eyes.
//!
//! **Invariant:** nothing here knows a tokenizer or a metric, and no size in a header is believed.

use std::ops::Range;

use prismbench_core::Sample;

mod cifar10;
mod coco;
mod decode;
mod error;
mod folder;
mod idx;
mod latents;
mod limits;
pub mod npy;
mod npz;
mod numbers;
mod rows;
mod spec;
mod split;
mod stamp;
mod synthetic;
mod webdataset;

pub use cifar10::Cifar10Error;
pub use coco::CaptionsError;
pub use decode::{DecodeError, decode};
pub use error::DataError;
pub use folder::without_extension;
pub use idx::IdxError;
pub use latents::{LatentFileError, LatentFiles};
pub use limits::Limits;
pub use npz::{Floats, NpzArrays, NpzError};
pub use rows::numbered;
pub use spec::{DataSpec, OpenParquet, ParquetFiles, open, open_with, open_within};
pub use split::{Split, SplitSpec, Splits};
pub use stamp::{FileState, Stamp};
pub use synthetic::{SceneSide, Synthetic};
pub use webdataset::ShardError;

/// A finite, ordered set of pictures with stable ids.
///
/// Two walks over one set give equal samples, whatever the ranges and threads.
pub trait Dataset: Send + Sync {
    /// The set as it was asked for: the path as written, or `synthetic:7:64`.
    fn id(&self) -> &str;

    /// Samples in the set; never 0.
    fn len(&self) -> u64;

    /// Always false, because an empty set cannot be opened.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name that sample `index` bears in the set itself; nothing where it is only numbered, and
    /// beyond the end.
    fn name(&self, index: u64) -> Option<&str>;

    /// Class names by label; empty where there are no classes or they have no names.
    fn classes(&self) -> &[String];

    /// What tells that its files are not what they were when a run began; empty for a set without files.
    fn file_state(&self) -> FileState;

    /// Samples `range`, in order.
    ///
    /// The iterator is cheap (it lists or copies bytes); [`Pending::load`] is not (it decodes).
    ///
    /// # Errors
    /// [`DataError::Range`] when `range` leaves `0..len`, and what opening a file again can give.
    fn samples(&self, range: Range<u64>) -> Result<Samples<'_>, DataError>;
}

/// Samples of a set in order, not decoded yet.
///
/// After an error that is not [`DataError::is_sample`] the walk ends.
pub type Samples<'a> = Box<dyn Iterator<Item = Result<Pending<'a>, DataError>> + Send + 'a>;

/// A sample that is known by index and id, and not decoded yet.
pub struct Pending<'a> {
    /// Position in the data set.
    pub index: u64,
    /// Stable name within the data set.
    pub id: String,
    load: Box<dyn FnOnce() -> Result<Sample, DataError> + Send + 'a>,
}

impl<'a> Pending<'a> {
    /// A sample that `load` makes when it is wanted.
    pub fn new(
        index: u64,
        id: String,
        load: impl FnOnce() -> Result<Sample, DataError> + Send + 'a,
    ) -> Self {
        Self { index, id, load: Box::new(load) }
    }

    /// Decodes or draws the picture.
    ///
    /// # Errors
    /// An error with [`DataError::is_sample`] when this picture cannot be read.
    pub fn load(self) -> Result<Sample, DataError> {
        (self.load)()
    }
}

impl std::fmt::Debug for Pending<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("index", &self.index).field("id", &self.id).finish()
    }
}

/// Checks a range of samples against the length of the set `id`.
///
/// # Errors
/// [`DataError::Range`].
pub fn check_range(id: &str, range: &Range<u64>, len: u64) -> Result<(), DataError> {
    if range.start <= range.end && range.end <= len {
        return Ok(());
    }
    Err(DataError::Range { id: id.to_owned(), start: range.start, end: range.end, len })
}

/// An error with its causes, as a person sees it.
#[cfg(test)]
fn chain(error: &dyn std::error::Error) -> String {
    prismbench_core::Outcome::chain(error)
}
