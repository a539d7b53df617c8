use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use prismbench_core::Sample;

use super::decode;
use super::split::Split;
use super::{DataError, Dataset, FileState, Limits, Pending, Samples, Stamp, check_range};

mod error;
mod json;

pub use error::CaptionsError;
use json::{Captioned, Listing};

/// Pictures of a folder with the captions of a JSON file.
///
/// Two formats are read: COCO's `captions_*.json`, whose pictures come in the order of their numbers,
/// as with torchvision's `CocoCaptions`; and Karpathy and Fei-Fei's `dataset_coco.json`
/// (`dataset_flickr30k.json`, `dataset_flickr8k.json`), whose pictures come in the order of the file,
/// a split at a time. Its `restval` belongs to the training split, as is usual since. Ids are file names
/// as the JSON has them. Captions are in the order of the file, with the spaces that they have there.
#[derive(Debug)]
pub(super) struct Coco {
    id: String,
    folder: PathBuf,
    pictures: Vec<Captioned>,
    limits: Limits,
}

impl Coco {
    /// Reads the captions, and checks that the folder has their pictures.
    ///
    /// # Errors
    /// [`DataError::Captions`], [`DataError::Io`]; [`DataError::Splits`] and [`DataError::NoSplit`] where
    /// the file holds others than are asked for.
    pub(super) fn open(
        id: &str,
        (captions, folder): (&Path, &Path),
        split: Option<Split>,
        limits: Limits,
    ) -> Result<Self, DataError> {
        let failed = |cause| DataError::Captions { path: captions.to_owned(), cause };
        let listing = read(captions)?;
        let path = captions.to_owned();
        let mut pictures = match (listing, split) {
            (Listing::Whole(pictures), None) => pictures,
            (Listing::Whole(_), Some(split)) => {
                return Err(DataError::NoSplit { path, split, found: Vec::new() });
            }
            (Listing::Splits(splits), None) => {
                return Err(DataError::Splits { path, found: splits.into_keys().collect() });
            }
            (Listing::Splits(mut splits), Some(split)) => match splits.remove(&split) {
                Some(pictures) => pictures,
                None => {
                    let found = splits.into_keys().collect();
                    return Err(DataError::NoSplit { path, split, found });
                }
            },
        };
        if pictures.is_empty() {
            return Err(failed(CaptionsError::None));
        }
        check(&pictures).map_err(failed)?;
        let missing = find(folder, &mut pictures)?;
        if let Some(first) = missing.first() {
            let (first, count) = (first.clone(), missing.len());
            let folder = folder.to_owned();
            return Err(failed(CaptionsError::Missing { first, count, folder }));
        }
        Ok(Self { id: id.to_owned(), folder: folder.to_owned(), pictures, limits })
    }

    fn load(&self, index: u64, picture: &Captioned) -> Result<Sample, DataError> {
        let image = decode::read(&self.folder.join(&picture.path), self.limits)?;
        let (id, captions) = (picture.id.clone(), picture.captions.clone());
        Ok(Sample { index, id, image, label: None, captions })
    }
}

impl Dataset for Coco {
    fn id(&self) -> &str {
        &self.id
    }

    fn len(&self) -> u64 {
        self.pictures.len() as u64
    }

    fn name(&self, index: u64) -> Option<&str> {
        self.pictures.get(usize::try_from(index).ok()?).map(|picture| picture.id.as_str())
    }

    fn classes(&self) -> &[String] {
        &[]
    }

    fn file_state(&self) -> FileState {
        let stamp = |stamp: Stamp, picture: &Captioned| {
            let captions = picture.captions.iter().map(String::as_bytes);
            let stamp = stamp.with(&self.folder.join(&picture.path));
            captions.fold(stamp, Stamp::with_bytes)
        };
        self.pictures.iter().fold(Stamp::default(), stamp).finish()
    }

    fn samples(&self, range: Range<u64>) -> Result<Samples<'_>, DataError> {
        check_range(&self.id, &range, self.len())?;
        let pictures = &self.pictures[range.start as usize..range.end as usize];
        Ok(Box::new(range.zip(pictures).map(move |(index, picture)| {
            Ok(Pending::new(index, picture.id.clone(), move || self.load(index, picture)))
        })))
    }
}

/// The splits that a file of captions holds; none where it is not divided.
///
/// # Errors
/// [`DataError::Captions`] and [`DataError::Io`].
pub(super) fn splits(captions: &Path) -> Result<Vec<Split>, DataError> {
    Ok(match read(captions)? {
        Listing::Whole(_) => Vec::new(),
        Listing::Splits(splits) => splits.into_keys().collect(),
    })
}

fn read(captions: &Path) -> Result<Listing, DataError> {
    let file = File::open(captions).map_err(|cause| DataError::io(captions, cause))?;
    json::read(BufReader::new(file))
        .map_err(|cause| DataError::Captions { path: captions.to_owned(), cause })
}

/// Ids that are distinct, and paths that stay in the folder.
fn check(pictures: &[Captioned]) -> Result<(), CaptionsError> {
    let mut seen = HashSet::with_capacity(pictures.len());
    for picture in pictures {
        let id = picture.id.clone();
        let path = Path::new(&picture.path);
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(CaptionsError::Escapes { picture: picture.path.clone() });
        }
        if !seen.insert(picture.id.as_str()) {
            return Err(CaptionsError::Twice { picture: id });
        }
    }
    Ok(())
}

/// Settles where each picture lies, `SUBFOLDER/NAME` or `NAME`; gives the ids of those that are nowhere.
///
/// Each folder is listed once: to ask for every file takes minutes where the folder is remote.
fn find(folder: &Path, pictures: &mut [Captioned]) -> Result<Vec<String>, DataError> {
    let mut listed: HashMap<PathBuf, HashSet<OsString>> = HashMap::new();
    listed.insert(PathBuf::new(), list(folder)?);
    let mut missing = Vec::new();
    for picture in pictures {
        let mut is_there = |path: &str| -> Result<bool, DataError> {
            let path = Path::new(path);
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                return Ok(false);
            };
            if !listed.contains_key(parent) {
                listed.insert(parent.to_owned(), list_any(&folder.join(parent))?);
            }
            Ok(listed.get(parent).is_some_and(|names| names.contains(name)))
        };
        if is_there(&picture.path)? {
            continue;
        }
        if picture.path != picture.id && is_there(&picture.id)? {
            picture.path.clone_from(&picture.id);
        } else {
            missing.push(picture.id.clone());
        }
    }
    Ok(missing)
}

fn list(folder: &Path) -> Result<HashSet<OsString>, DataError> {
    let io = |cause| DataError::io(folder, cause);
    fs::read_dir(folder).map_err(io)?.map(|entry| Ok(entry.map_err(io)?.file_name())).collect()
}

/// The names in a folder; none where there is no such folder.
fn list_any(folder: &Path) -> Result<HashSet<OsString>, DataError> {
    match list(folder) {
        Err(DataError::NotFound { .. }) => Ok(HashSet::new()),
        Err(DataError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotADirectory => {
            Ok(HashSet::new())
        }
        names => names,
    }
}

#[cfg(test)]
mod tests;
