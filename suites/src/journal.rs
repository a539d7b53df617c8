//! What a pass has measured so far, block by block, in files that outlive it.
//!
//! A pass writes what each block of pictures gave into a journal and makes its numbers of the journal
//! alone. So a run that was stopped goes on behind the last whole block, a shard is a journal of some of
//! the pictures, and a merge makes the numbers of all shards' journals: by the same code, with the same
//! bits.

mod doubt;
mod error;
mod frame;
mod part;
mod place;
mod progress;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use prismbench_metrics::{FeatureRows, Store};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::origin::Origin;
use crate::pictures::{Prepared, Skipped};
use crate::spool::StoredRows;
pub use error::JournalError;
use frame::Frame;
use part::Part;
pub use place::Journals;
pub(crate) use place::{DEVICE, LOCAL};
pub use progress::JournalProgress;

/// How much of the newest blocks a power cut may take.
const SYNC: Duration = Duration::from_secs(2);

/// The blocks of a pass, as far as they are measured.
pub(crate) struct Journal {
    /// In the order of the pictures; the last is written to.
    parts: Vec<Part>,
    /// Positions of the pictures that belong in it.
    range: Range<u64>,
    /// Whether other journals hold the rest.
    is_shard: bool,
    /// Pictures that are measured or left out.
    done: u64,
    synced: Instant,
    /// The line about its origin, where that differs from the one in the file only in that the pictures'
    /// files were touched.
    doubt: Option<Vec<u8>>,
}

/// What a block of pictures gave.
pub(crate) struct Block<S> {
    pub(crate) state: S,
    /// Features, a matrix for each layer, in an order that the pass knows.
    pub(crate) rows: Vec<FeatureRows>,
    /// Why something failed that may go well another time.
    pub(crate) failures: Vec<String>,
}

/// A picture that has been measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) index: u64,
    pub(crate) id: String,
    pub(crate) label: Option<u32>,
    pub(crate) captions: Vec<String>,
    pub(crate) original: Option<(u32, u32)>,
    pub(crate) digest: [u8; 32],
}

/// What is written of a block besides features.
#[derive(Serialize, Deserialize)]
struct Head<S> {
    pictures: Vec<Entry>,
    skipped: Vec<Skipped>,
    /// `None` at the end of a range, where only pictures that are left out may follow.
    // In a tuple: a state that is itself nothing must not be taken for none.
    state: Option<(S,)>,
    /// Columns and rows of each layer's features.
    layers: Vec<(u32, u32)>,
}

/// A block that has been read back.
pub(crate) struct Recalled<'j, S> {
    pub(crate) pictures: Vec<Entry>,
    pub(crate) skipped: Vec<Skipped>,
    pub(crate) state: Option<S>,
    layers: Vec<StoredRows<'j>>,
}

impl Journal {
    /// In a temporary file.
    fn temporary(range: Range<u64>) -> Self {
        let part = Part::new(Store::temporary(), None);
        let synced = Instant::now();
        Self { parts: vec![part], range, is_shard: false, done: 0, synced, doubt: None }
    }

    /// In a file that is made where there is none. What is in it of the same origin stays, up to the
    /// first block that is not whole or in which something failed. `said` hears why anything is left.
    fn in_file(
        path: &Path,
        (origin, range): (&Origin, Range<u64>),
        said: &mut Vec<String>,
    ) -> Result<Self, JournalError> {
        let at = |source| JournalError::File { path: path.to_owned(), source };
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(at)?;
        let line = frame::origin_line(origin, &range).map_err(at)?;
        let mut part = Part::read(path, file)?;
        let found = part.origin_line().map_err(at)?;
        let is_same = found.as_deref() == Some(line.as_slice());
        let is_in_doubt = !is_same
            && found.as_deref().is_some_and(|found| doubt::leaves_in_doubt(found, &line, origin));
        if is_same || is_in_doubt {
            part.end = line.len() as u64;
            part.scan().map_err(at)?;
            part.drop_damaged().map_err(at)?;
            part.drop_failed().map_err(at)?;
        } else {
            if let Some(field) = found.and_then(|found| frame::differs(&found, origin)) {
                said.push(format!(
                    "what was measured before this run was stopped is measured again: {field} changed"
                ));
            }
            part.set_len(0).map_err(at)?;
            part.store.write(0, &[&line]).map_err(at)?;
            part.end = line.len() as u64;
        }
        part.set_len(part.end).map_err(at)?;
        part.found = part.blocks();
        let done = part.done;
        let (synced, doubt) = (Instant::now(), is_in_doubt.then_some(line));
        Ok(Self { parts: vec![part], range, is_shard: false, done, synced, doubt })
    }

    /// Positions of the pictures that are not measured yet.
    pub(crate) fn missing(&self) -> Range<u64> {
        match self.parts.iter().rev().find_map(|part| part.last) {
            Some(frame) if frame.is_end() => self.range.end..self.range.end,
            Some(frame) => frame.next.clamp(self.range.start, self.range.end)..self.range.end,
            None => self.range.clone(),
        }
    }

    /// Positions of the pictures that belong in it.
    pub(crate) fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Whether every block is there.
    pub(crate) fn is_whole(&self) -> bool {
        self.parts.iter().all(Part::is_whole)
    }

    /// Whether other journals hold the rest of the pictures.
    pub(crate) fn is_shard(&self) -> bool {
        self.is_shard
    }

    /// Pictures that are measured or left out.
    pub(crate) fn done(&self) -> u64 {
        self.done
    }

    /// Adds what a block gave, and the pictures that were left out on the way to it.
    pub(crate) fn push<S: Serialize>(
        &mut self,
        pictures: &[Prepared],
        skipped: Vec<Skipped>,
        block: Block<S>,
    ) -> Result<(), JournalError> {
        let next = pictures.last().map_or(self.range.start, |picture| picture.index + 1);
        let layer = |rows: &FeatureRows| (rows.width() as u32, rows.rows().len() as u32);
        let head = Head {
            pictures: pictures.iter().map(Entry::of).collect(),
            skipped,
            state: Some((block.state,)),
            layers: block.rows.iter().map(layer).collect(),
        };
        let flags = if block.failures.is_empty() { 0 } else { frame::FAILED };
        self.write(&head, (flags, next), &block.rows)
    }

    /// Says that no block follows.
    pub(crate) fn finish(&mut self, skipped: Vec<Skipped>) -> Result<(), JournalError> {
        let head = Head::<()> { pictures: Vec::new(), skipped, state: None, layers: Vec::new() };
        self.write(&head, (frame::END, self.range.end), &[])?;
        self.sync()
    }

    fn write<S: Serialize>(
        &mut self,
        head: &Head<S>,
        (flags, next): (u32, u64),
        rows: &[FeatureRows],
    ) -> Result<(), JournalError> {
        let pictures = (head.pictures.len() + head.skipped.len()) as u32;
        let path = self.parts.last().and_then(|part| part.file.as_ref());
        let path = path.map_or_else(PathBuf::new, |(path, _)| path.clone());
        let at = |source| JournalError::File { path: path.clone(), source };
        let head = rmp_serde::to_vec_named(head).map_err(|error| at(io::Error::other(error)))?;
        let values = rows.iter().flat_map(|rows| rows.values());
        let bytes: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
        let frame = Frame::new((flags, pictures, next), &head, &bytes);
        let Some(part) = self.parts.last_mut() else { return Ok(()) };
        part.store.write(part.end, &[&frame.header(), &head, &bytes]).map_err(at)?;
        part.push(frame.at(part.end));
        self.done += u64::from(pictures);
        if self.synced.elapsed() > SYNC {
            self.sync()?;
        }
        Ok(())
    }

    /// Waits until what was written is on the disk.
    pub(crate) fn sync(&mut self) -> Result<(), JournalError> {
        for (path, file) in self.parts.iter().filter_map(|part| part.file.as_ref()) {
            let at = |source| JournalError::File { path: path.clone(), source };
            file.sync_data().map_err(at)?;
        }
        self.synced = Instant::now();
        Ok(())
    }

    /// Reads the blocks back, in order.
    pub(crate) fn recall<S: DeserializeOwned, E: From<JournalError>>(
        &self,
        mut take: impl FnMut(Recalled<'_, S>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.parts.iter().try_for_each(|part| part.each(&mut take))
    }
}

impl Entry {
    pub(crate) fn of(picture: &Prepared) -> Self {
        Self {
            index: picture.index,
            id: picture.id.clone(),
            label: picture.label,
            captions: picture.captions.clone(),
            original: picture.original,
            digest: picture.digest,
        }
    }
}

impl<'j, S> Recalled<'j, S> {
    /// The names of the pictures, as rows are called.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.pictures.iter().map(|picture| picture.id.as_str())
    }

    pub(crate) fn digests(&self) -> impl Iterator<Item = [u8; 32]> {
        self.pictures.iter().map(|picture| picture.digest)
    }

    /// The features of layer number `place`, one row for each picture.
    pub(crate) fn layer(&self, place: usize) -> io::Result<&StoredRows<'j>> {
        self.layers.get(place).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}
