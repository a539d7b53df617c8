use std::fs::File;
use std::path::Path;

use super::frame::read_line;
use super::{JournalError, Part};

/// How far a journal is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalProgress {
    /// Positions of pictures that are behind it.
    pub done: u64,
    /// Positions that belong in it.
    pub total: u64,
    /// Whether nothing is missing.
    pub is_whole: bool,
}

impl JournalProgress {
    /// Looks at a journal that another process may be writing, without reading what is in its blocks.
    ///
    /// # Errors
    /// [`JournalError::File`] for one that cannot be read. One without a whole first line is at its
    /// beginning.
    pub fn of(path: &Path) -> Result<Self, JournalError> {
        let at = |source| JournalError::File { path: path.to_owned(), source };
        let mut part = Part::read(path, File::open(path).map_err(at)?)?;
        let line = part.origin_line().map_err(at)?;
        let Some((range, _)) = line.as_deref().and_then(read_line) else {
            return Ok(Self::default());
        };
        part.end = line.map_or(0, |line| line.len() as u64);
        part.scan().map_err(at)?;
        let is_whole = part.is_whole();
        let next = part.last.map_or(range.start, |frame| frame.next.clamp(range.start, range.end));
        let total = range.end - range.start;
        Ok(Self { done: if is_whole { total } else { next - range.start }, total, is_whole })
    }
}
