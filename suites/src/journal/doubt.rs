//! Whether pictures are still those that a journal was measured of, where their files were touched since.

use std::ops::Range;

use serde::de::IgnoredAny;

use super::frame::read_line;
use super::{Entry, Head, Journal, JournalError, Origin, Part};
use crate::origin::Difference;

/// Whether a first line speaks of another origin only in that files were touched.
pub(super) fn leaves_in_doubt(found: &[u8], line: &[u8], origin: &Origin) -> bool {
    // The new line takes the place of the old one.
    let same_length = found.len() == line.len();
    let (Some((range, then)), Some((expected, _))) = (read_line(found), read_line(line)) else {
        return false;
    };
    let difference = Difference::between(&then, origin);
    same_length && range == expected && matches!(difference, Difference::Doubt(_))
}

impl Journal {
    /// Whether [`settle`](Self::settle) has anything to do.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// Asks of each block, in order, whether the pictures at its positions are those that it was measured
    /// of, and lets go of everything from the first on that is of others. Returns where that begins.
    ///
    /// # Errors
    /// Those of the file, and of `is_same`.
    pub(crate) fn settle<E: From<JournalError>>(
        &mut self,
        mut is_same: impl FnMut(Range<u64>, &[Entry]) -> Result<bool, E>,
    ) -> Result<Option<u64>, E> {
        let (Some(line), Some(part)) = (self.doubt.take(), self.parts.last_mut()) else {
            return Ok(None);
        };
        let (mut position, mut done, mut changed) = (self.range.start, 0, None);
        for number in 0..part.blocks() {
            let (next, pictures, entries) = part.pictures_of(number)?;
            if !is_same(position..next, &entries)? {
                part.let_go_from(number, done)?;
                changed = Some(position);
                break;
            }
            (position, done) = (next, done + pictures);
        }
        let path = part.path();
        part.store.write(0, &[&line]).map_err(|source| JournalError::File { path, source })?;
        self.done = part.done;
        Ok(changed)
    }
}

impl Part {
    /// Where block number `number` ends, the pictures measured in it or left out before, and the measured
    /// ones.
    fn pictures_of(&self, number: usize) -> Result<(u64, u64, Vec<Entry>), JournalError> {
        let at = |source| JournalError::File { path: self.path(), source };
        let frame = self.frame(number).map_err(at)?;
        let damaged = |problem: String| JournalError::Damaged {
            path: self.path(),
            offset: frame.start,
            problem,
        };
        let head = self.head(&frame).map_err(at)?;
        let head = head.ok_or_else(|| damaged("its sha256 is another".to_owned()))?;
        let head: Head<IgnoredAny> =
            rmp_serde::from_slice(&head).map_err(|error| damaged(error.to_string()))?;
        Ok((frame.next, u64::from(frame.pictures), head.pictures))
    }

    fn let_go_from(&mut self, number: usize, done: u64) -> Result<(), JournalError> {
        let path = self.path();
        let at = |source| JournalError::File { path, source };
        let cut = self.truncate(number, done).and_then(|()| self.set_len(self.end));
        self.found = self.blocks();
        cut.map_err(at)
    }
}
