use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use prismbench_core::Sample;

use super::decode::DecodeError;
use super::{DataError, Dataset, FileState, Limits, Pending, Samples, Stamp, check_range};

mod annotation;
mod error;
mod index;
mod pattern;
mod tar;

use annotation::Annotations;
pub use error::ShardError;
use index::{Part, Record};
pub(super) use pattern::{expand, is_pattern};

/// The file of class names beside the shards or one folder above them.
const NAMES: &str = "classnames.txt";

/// Samples in `.tar` shards, as WebDataset lays them out.
///
/// Neighbouring members of one key, which is the path up to the first dot of the file name, are a
/// sample: a picture (`.jpg`, `.jpeg`, `.png` or `.webp`) with its class (`.cls`, or `label` in
/// `.json`) and captions (the lines of `.txt`, or `caption`, `captions` or `text` in `.json`).
/// Other members are passed over. Ids are `SHARD/KEY`, in the order of the shards and of their members.
///
/// When the set is opened, the headers of members are read and their places kept; the members
/// themselves are read one sample at a time. Nothing is unpacked.
///
/// Conventions: <https://github.com/webdataset/webdataset>, `tariterators.py`; class names are those
/// of CLIP_benchmark's `classnames.txt`, a line for each label.
#[derive(Debug)]
pub(super) struct WebDataset {
    id: String,
    shards: Vec<Shard>,
    records: Vec<Record>,
    classes: Vec<String>,
    limits: Limits,
}

/// One `.tar`.
#[derive(Debug)]
struct Shard {
    path: PathBuf,
    /// One past the last of its records.
    end: usize,
}

impl WebDataset {
    /// Reads the headers of every member of the shards.
    ///
    /// # Errors
    /// [`DataError::Shard`], [`DataError::Io`] and [`DataError::NotFound`].
    pub(super) fn open(id: &str, paths: Vec<PathBuf>, limits: Limits) -> Result<Self, DataError> {
        let classes = paths.first().map_or(Ok(Vec::new()), |path| read_names(path))?;
        let mut shards: Vec<Shard> = Vec::with_capacity(paths.len());
        let mut records = Vec::new();
        for path in paths {
            let stem = shard_name(&path)?;
            // Ids are made of the names of shards.
            if let Some(other) =
                shards.iter().find(|shard| shard.path.file_stem() == path.file_stem())
            {
                let other = other.path.clone();
                return Err(failed(&path, ShardError::SameName { other }));
            }
            let file = File::open(&path).map_err(|cause| DataError::io(&path, cause))?;
            index::read(file, &stem, &mut records).map_err(|cause| failed(&path, cause))?;
            shards.push(Shard { path, end: records.len() });
        }
        match shards.first() {
            Some(shard) if records.is_empty() => Err(failed(&shard.path, ShardError::Empty)),
            _ => Ok(Self { id: id.to_owned(), shards, records, classes, limits }),
        }
    }

    fn load(&self, index: u64, record: &Record) -> Result<Sample, DataError> {
        let shard = self.shards.partition_point(|shard| shard.end as u64 <= index);
        let path = &self.shards[shard].path;
        // Whatever keeps one sample from being read leaves the others as they are.
        let unreadable = |part: &Part, cause| DataError::Unreadable {
            path: path.join(format!("{}.{}", record.key(), part.extension)),
            cause,
        };
        let mut file = File::open(path)
            .map_err(|cause| unreadable(&record.picture, DecodeError::File(cause)))?;
        let mut read = |part: &Part| {
            part.read(&mut file).map_err(|cause| unreadable(part, DecodeError::File(cause)))
        };
        let image = self
            .limits
            .decode(&read(&record.picture)?)
            .map_err(|cause| unreadable(&record.picture, cause))?;
        let mut annotations = Annotations::default();
        for part in &record.annotations {
            annotations.read(part.extension, &read(part)?).map_err(|problem| {
                let path = path.join(format!("{}.{}", record.key(), part.extension));
                DataError::Annotation { path, problem }
            })?;
        }
        let (label, captions) = annotations
            .finish(self.classes.len())
            .map_err(|problem| DataError::Annotation { path: path.join(record.key()), problem })?;
        Ok(Sample { index, id: record.id.clone(), image, label, captions })
    }
}

impl Dataset for WebDataset {
    fn id(&self) -> &str {
        &self.id
    }

    fn len(&self) -> u64 {
        self.records.len() as u64
    }

    fn name(&self, index: u64) -> Option<&str> {
        self.records.get(usize::try_from(index).ok()?).map(|record| record.id.as_str())
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn file_state(&self) -> FileState {
        let stamp = |stamp: Stamp, shard: &Shard| stamp.with(&shard.path);
        self.shards.iter().fold(Stamp::default(), stamp).finish()
    }

    fn samples(&self, range: Range<u64>) -> Result<Samples<'_>, DataError> {
        check_range(&self.id, &range, self.len())?;
        let records = &self.records[range.start as usize..range.end as usize];
        Ok(Box::new(range.zip(records).map(move |(index, record)| {
            Ok(Pending::new(index, record.id.clone(), move || self.load(index, record)))
        })))
    }
}

impl Part {
    fn read(&self, file: &mut File) -> io::Result<Vec<u8>> {
        file.seek(SeekFrom::Start(self.start))?;
        let mut bytes = Vec::new();
        // The length has been checked against the file, which may have changed since.
        if file.take(self.len).read_to_end(&mut bytes)? as u64 == self.len {
            Ok(bytes)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

/// The first part of ids: the name of a shard without `.tar`.
fn shard_name(path: &Path) -> Result<String, DataError> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.map(str::to_owned).ok_or_else(|| DataError::Name { path: path.to_owned() })
}

/// Class names, or none where there is no file of them.
fn read_names(shard: &Path) -> Result<Vec<String>, DataError> {
    for folder in shard.ancestors().skip(1).take(2) {
        let path = folder.join(NAMES);
        match fs::read_to_string(&path) {
            Ok(text) => return Ok(text.lines().map(|line| line.trim().to_owned()).collect()),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(DataError::io(path, cause)),
        }
    }
    Ok(Vec::new())
}

fn failed(path: &Path, cause: ShardError) -> DataError {
    DataError::Shard { path: path.to_owned(), cause }
}

#[cfg(test)]
mod tests;
