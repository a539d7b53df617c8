use std::ops::Range;
use std::path::{Path, PathBuf};

use prismbench_core::Sample;

use super::decode;
use super::{DataError, Dataset, FileState, Limits, Pending, Samples, Stamp, check_range};

mod listing;

pub use listing::without_extension;

/// Pictures in a folder and the folders below it, or one picture.
///
/// Ids are paths relative to the folder with `/` between their parts, in bytewise order. The first
/// folder of an id is its class, as in torchvision's `ImageFolder`; pictures directly in the root
/// have none. The set is listed once, when it is opened.
#[derive(Debug)]
pub(super) struct Folder {
    id: String,
    root: PathBuf,
    files: Vec<File>,
    classes: Vec<String>,
    limits: Limits,
}

#[derive(Debug)]
struct File {
    id: String,
    label: Option<u32>,
}

impl Folder {
    /// Lists the pictures under `root`.
    ///
    /// # Errors
    /// [`DataError::Empty`] where there are none, [`DataError::Name`] and [`DataError::Io`].
    pub(super) fn open(root: &Path) -> Result<Self, DataError> {
        let listing = listing::list(root)?;
        if listing.ids.is_empty() {
            return Err(DataError::Empty { path: root.to_owned(), ignored: listing.ignored });
        }
        let class = |id: &str| id.split_once('/').map(|(class, _)| class.to_owned());
        let mut classes: Vec<String> = listing.ids.iter().filter_map(|id| class(id)).collect();
        classes.sort_unstable();
        classes.dedup();
        let label = |id: &str| classes.binary_search(&class(id)?).ok().map(|label| label as u32);
        let files =
            listing.ids.into_iter().map(|id| File { label: label(&id), id }).collect::<Vec<_>>();
        Ok(Self {
            id: root.display().to_string(),
            root: root.to_owned(),
            files,
            classes,
            limits: Limits::default(),
        })
    }

    /// A set of one picture, whose id is its file name.
    ///
    /// # Errors
    /// [`DataError::UnknownKind`] when the name is not one of a picture, and [`DataError::Name`].
    pub(super) fn of_one(path: &Path) -> Result<Self, DataError> {
        let unknown = || DataError::UnknownKind { path: path.to_owned() };
        if !listing::is_picture(path) {
            return Err(unknown());
        }
        let id = path.file_name().ok_or_else(unknown)?.to_str();
        let id = id.ok_or_else(|| DataError::Name { path: path.to_owned() })?.to_owned();
        Ok(Self {
            id: path.display().to_string(),
            root: path.parent().map(Path::to_owned).unwrap_or_default(),
            files: vec![File { id, label: None }],
            classes: Vec::new(),
            limits: Limits::default(),
        })
    }

    /// The same set under another id.
    pub(super) fn named(self, id: &str) -> Self {
        Self { id: id.to_owned(), ..self }
    }

    /// The same set with other limits of its pictures.
    pub(super) fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    fn load(&self, index: u64, file: &File) -> Result<Sample, DataError> {
        let image = decode::read(&self.root.join(&file.id), self.limits)?;
        let id = file.id.clone();
        Ok(Sample { index, id, image, label: file.label, captions: Vec::new() })
    }
}

impl Dataset for Folder {
    fn id(&self) -> &str {
        &self.id
    }

    fn len(&self) -> u64 {
        self.files.len() as u64
    }

    fn name(&self, index: u64) -> Option<&str> {
        self.files.get(usize::try_from(index).ok()?).map(|file| file.id.as_str())
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn file_state(&self) -> FileState {
        let stamp = |stamp: Stamp, file: &File| stamp.with(&self.root.join(&file.id));
        self.files.iter().fold(Stamp::default(), stamp).finish()
    }

    fn samples(&self, range: Range<u64>) -> Result<Samples<'_>, DataError> {
        check_range(&self.id, &range, self.len())?;
        let files = &self.files[range.start as usize..range.end as usize];
        Ok(Box::new(range.zip(files).map(move |(index, file)| {
            Ok(Pending::new(index, file.id.clone(), move || self.load(index, file)))
        })))
    }
}

#[cfg(test)]
mod tests;
