//! Rows of one length in a file, one after the other: the pictures of an array.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::DataError;

/// Where rows lie and how they are packed.
pub(super) trait RowSource: Send + Sync {
    /// A reader of the rows from byte `skip` of the first one on.
    ///
    /// # Errors
    /// What opening the file again can give.
    fn open(&self, skip: u64) -> Result<Box<dyn Read + Send>, DataError>;

    /// Whether the middle can be gone to without reading what comes before.
    fn is_sought_in(&self) -> bool;

    /// The error of the set for one of its reader.
    fn failed(&self, cause: io::Error) -> DataError;
}

/// Rows of one length, handed out in order.
///
/// A plain file is sought in; a packed one is read on from where the last walk ended, or from its
/// beginning, and what comes before the range is thrown away. Checksums are not verified, because a
/// range is less than a file.
#[derive(Debug)]
pub(super) struct Rows<S> {
    source: S,
    bytes: usize,
    /// Where the last walk ended.
    kept: Mutex<Option<Place>>,
}

/// A reader that stands before a row.
struct Place {
    index: u64,
    reader: Box<dyn Read + Send>,
}

/// Rows one after the other.
pub(super) struct Walk<'a, S> {
    rows: &'a Rows<S>,
    range: Range<u64>,
    /// Gone once a row could not be read.
    place: Option<Place>,
}

impl<S: RowSource> Rows<S> {
    /// Rows of `bytes` bytes each.
    pub(super) fn new(source: S, bytes: usize) -> Self {
        Self { source, bytes, kept: Mutex::default() }
    }

    /// Where the rows come from.
    pub(super) fn source(&self) -> &S {
        &self.source
    }

    /// Rows `range` with their indices; after an error the walk ends.
    ///
    /// # Errors
    /// What opening the file again can give.
    pub(super) fn walk(&self, range: Range<u64>) -> Result<Walk<'_, S>, DataError> {
        let place = self.place(range.start)?;
        Ok(Walk { rows: self, range, place: Some(place) })
    }

    /// A reader before row `index`: the kept one if it stands there or, in a packed file, anywhere
    /// before it.
    fn place(&self, index: u64) -> Result<Place, DataError> {
        let bytes = self.bytes as u64;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let usable = |place: &Place| {
            place.index == index || (place.index < index && !self.source.is_sought_in())
        };
        let reader = match kept.filter(usable) {
            Some(Place { index: at, mut reader }) => {
                io::copy(&mut reader.by_ref().take((index - at) * bytes), &mut io::sink())
                    .map_err(|cause| self.source.failed(cause))?;
                reader
            }
            None => self.source.open(index * bytes)?,
        };
        Ok(Place { index, reader })
    }
}

impl<S: RowSource> Iterator for Walk<'_, S> {
    type Item = Result<(u64, Vec<u8>), DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut place = self.place.take()?;
        let Some(index) = self.range.next() else {
            self.place = Some(place);
            return None;
        };
        let mut row = vec![0; self.rows.bytes];
        match place.reader.read_exact(&mut row) {
            Ok(()) => {
                self.place = Some(Place { index: index + 1, ..place });
                Some(Ok((index, row)))
            }
            Err(cause) => Some(Err(self.rows.source.failed(cause))),
        }
    }
}

impl<S> Drop for Walk<'_, S> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            *self.rows.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("index", &self.index).finish_non_exhaustive()
    }
}

/// The id of a sample without a name: its index, with zeros in front so that ids sort like it.
#[must_use]
pub fn numbered(index: u64, len: u64) -> String {
    let digits = len.saturating_sub(1).checked_ilog10().unwrap_or(0) as usize + 1;
    format!("{index:0digits$}")
}
