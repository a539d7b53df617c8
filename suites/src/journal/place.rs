use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::frame::{self, read_line};
use super::{Journal, JournalError, Part};
use crate::origin::{Origin, is_of_files};

/// Shards are divided between blocks of so many pictures of the set, whatever a tokenizer takes at once.
const UNIT: u64 = 16;

/// Says of an origin what holds on one machine only, and shards need not agree in.
pub(crate) const LOCAL: &str = "pictures' files";

/// Where an origin was measured. The plan holds all shards to one kind of device; a merge may be on another.
pub(crate) const DEVICE: &str = "device";

/// Where the journals of a pass lie, and which pictures belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Journals {
    /// In temporary files: nothing is left of a pass that is stopped.
    Temporary,
    /// In a folder, for all pictures.
    Folder(PathBuf),
    /// In a folder, for one of several ranges of the pictures; the pass ends without numbers.
    Shard {
        /// The folder.
        folder: PathBuf,
        /// Which of them, from 0.
        index: u64,
        /// How many there are.
        count: u64,
    },
    /// In the folders of all shards, in their order: everything is there, and nothing is measured.
    Merged(Vec<PathBuf>),
}

impl Journals {
    /// Whether a pass ends without numbers.
    #[must_use]
    pub fn is_shard(&self) -> bool {
        matches!(self, Self::Shard { .. })
    }

    /// Whether a pass measures nothing itself.
    #[must_use]
    pub fn is_merge(&self) -> bool {
        matches!(self, Self::Merged(_))
    }

    /// The same under a folder of that name.
    #[must_use]
    pub fn under(&self, name: &str) -> Self {
        match self {
            Self::Temporary => Self::Temporary,
            Self::Folder(folder) => Self::Folder(folder.join(name)),
            Self::Shard { folder, index, count } => {
                Self::Shard { folder: folder.join(name), index: *index, count: *count }
            }
            Self::Merged(folders) => {
                Self::Merged(folders.iter().map(|folder| folder.join(name)).collect())
            }
        }
    }

    /// The journal of this name, of the pictures up to position `total`.
    ///
    /// # Errors
    /// Those of the files; for a merge [`JournalError::Missing`], [`JournalError::Unfinished`] and
    /// [`JournalError::Unlike`].
    pub(crate) fn open(
        &self,
        name: &str,
        (origin, total): (&Origin, u64),
        said: &mut Vec<String>,
    ) -> Result<Journal, JournalError> {
        let file = |folder: &Path| folder.join(format!("{name}.journal"));
        let make = |folder: &Path| {
            let at = |source| JournalError::File { path: folder.to_owned(), source };
            fs::create_dir_all(folder).map_err(at)
        };
        match self {
            Self::Temporary => Ok(Journal::temporary(0..total)),
            Self::Folder(folder) => {
                make(folder)?;
                Journal::in_file(&file(folder), (origin, 0..total), said)
            }
            Self::Shard { folder, index, count } => {
                make(folder)?;
                let range = range(total, *index, *count);
                let journal = Journal::in_file(&file(folder), (origin, range), said)?;
                Ok(Journal { is_shard: true, ..journal })
            }
            Self::Merged(folders) => {
                let paths: Vec<PathBuf> = folders.iter().map(|folder| file(folder)).collect();
                Journal::of_shards(&paths, origin, total)
            }
        }
    }
}

impl Journal {
    /// The journals of all shards.
    fn of_shards(paths: &[PathBuf], origin: &Origin, total: u64) -> Result<Self, JournalError> {
        let count = paths.len();
        let mut parts = Vec::with_capacity(count);
        for (index, path) in paths.iter().enumerate() {
            let expected = range(total, index as u64, count as u64);
            let shard = (index + 1, count);
            parts.push(Part::of_shard(path, shard, (origin, expected))?);
        }
        let synced = std::time::Instant::now();
        let done = parts.iter().map(|part| part.done).sum();
        Ok(Self { parts, range: 0..total, is_shard: false, done, synced, doubt: None })
    }
}

impl Part {
    fn of_shard(
        path: &Path,
        (number, count): (usize, usize),
        (origin, range): (&Origin, Range<u64>),
    ) -> Result<Self, JournalError> {
        let at = |source| JournalError::File { path: path.to_owned(), source };
        if !path.is_file() {
            return Err(JournalError::Missing { path: path.to_owned(), number, count });
        }
        let file = File::open(path).map_err(at)?;
        let mut part = Self::read(path, file)?;
        let line = part.origin_line().map_err(at)?;
        let unlike = |field: &str, found: String, expected: String| {
            let (path, field) = (path.to_owned(), field.to_owned());
            JournalError::Unlike { path, field, found, expected }
        };
        let known = line.as_deref().and_then(read_line);
        let Some((found_range, found)) = known else {
            let found = "nothing that this build reads".to_owned();
            return Err(unlike("form", found, frame::FORMAT.to_owned()));
        };
        let is_local = |field: &str| is_of_files(field, LOCAL) || field == DEVICE;
        let fields = origin.keys().chain(found.keys()).filter(|field| !is_local(field));
        for field in fields {
            if found.get(field) != origin.get(field) {
                let of = |origin: &Origin| origin.get(field).cloned().unwrap_or_default();
                return Err(unlike(field, of(&found), of(origin)));
            }
        }
        if found_range != range {
            let of = |range: &Range<u64>| format!("{} to {}", range.start, range.end);
            return Err(unlike("range of pictures", of(&found_range), of(&range)));
        }
        part.end = line.map_or(0, |line| line.len() as u64);
        part.scan().map_err(at)?;
        part.found = part.blocks();
        if !part.is_whole() {
            let done = part.last.map_or(range.start, |frame| frame.next) - range.start;
            let (path, total) = (path.to_owned(), range.end - range.start);
            return Err(JournalError::Unfinished { path, number, count, done, total });
        }
        Ok(part)
    }
}

/// The positions that belong to shard `index` of `count`: contiguous, and as even as whole units are.
pub(super) fn range(total: u64, index: u64, count: u64) -> Range<u64> {
    let units = u128::from(total.div_ceil(UNIT));
    let border = |index: u64| {
        let unit = units * u128::from(index) / u128::from(count.max(1));
        // Not above the total, which is 64 bits wide.
        (unit * u128::from(UNIT)).min(u128::from(total)) as u64
    };
    border(index)..border(index + 1)
}
