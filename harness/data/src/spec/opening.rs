use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::DataSpec;
use super::folder_kind::{self, Holding, Kind};
use crate::cifar10::Cifar10;
use crate::coco::Coco;
use crate::folder::Folder;
use crate::idx::Idx;
use crate::npz::Npz;
use crate::split::Split;
use crate::webdataset::{self, WebDataset};
use crate::{DataError, Dataset, Limits, Synthetic};

/// Opens Parquet files. The crate `prismbench-parquet` has the one there is; it stands apart because
/// Polars takes longer to build than all else that knows data.
pub type OpenParquet = fn(ParquetFiles) -> Result<Box<dyn Dataset>, DataError>;

/// The Parquet files of a set, in the order of their rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParquetFiles {
    /// The set as it was asked for.
    pub id: String,
    /// The files; at least one.
    pub paths: Vec<PathBuf>,
    /// What their pictures may be.
    pub limits: Limits,
}

/// Opens a data set of any kind but Parquet; see [`open_with`].
///
/// # Errors
/// [`DataError::NoParquet`] for Parquet, and those of [`open_with`].
pub fn open(spec: &DataSpec) -> Result<Box<dyn Dataset>, DataError> {
    open_with(spec, |files| Err(DataError::NoParquet { id: files.id }))
}

/// Opens a data set: lists a folder, or checks the headers of files. No picture is decoded yet.
///
/// A folder with pictures in it or below it is a folder of pictures, whatever else it holds. Only where
/// there are none do the names of other files count.
///
/// # Errors
/// A [`DataError`] that is not [`DataError::is_sample`]: the set as a whole cannot be read.
pub fn open_with(spec: &DataSpec, parquet: OpenParquet) -> Result<Box<dyn Dataset>, DataError> {
    open_within(spec, parquet, Limits::default())
}

/// [`open_with`] with other limits of the pictures.
///
/// # Errors
/// Those of [`open_with`]; where all pictures have one size, one that is too large, too.
pub fn open_within(
    spec: &DataSpec,
    parquet: OpenParquet,
    limits: Limits,
) -> Result<Box<dyn Dataset>, DataError> {
    let opening = Opening { id: spec.to_string(), parquet, limits };
    match spec {
        DataSpec::Synthetic { count: 0, .. } => Err(DataError::BadSpec {
            found: opening.id,
            expected: "`synthetic:SEED:N`, N at least 1",
        }),
        DataSpec::Synthetic { seed, count, side } => {
            Ok(Box::new(Synthetic::new(*seed, *count).with_side(*side)))
        }
        DataSpec::Path(path) => opening.path(path),
        DataSpec::Split { path, split } => opening.split(path, *split),
        DataSpec::Coco { captions, images, split } => {
            Ok(Box::new(Coco::open(&opening.id, (captions, images), *split, limits)?))
        }
        DataSpec::Idx { images, labels } => {
            Ok(Box::new(Idx::open(&opening.id, (images, labels), limits)?))
        }
        DataSpec::WebDataset { shards, split } => opening.files(shards, *split, Kind::Shards),
        DataSpec::Parquet { files, split } => opening.files(files, *split, Kind::Parquet),
    }
}

/// A set that is being opened.
struct Opening {
    /// As it was asked for.
    id: String,
    parquet: OpenParquet,
    limits: Limits,
}

impl Opening {
    fn path(&self, path: &Path) -> Result<Box<dyn Dataset>, DataError> {
        let facts = match fs::metadata(path) {
            Err(cause)
                if cause.kind() == io::ErrorKind::NotFound && webdataset::is_pattern(path) =>
            {
                return self.files(path, None, Kind::Shards);
            }
            facts => facts.map_err(|cause| DataError::io(path, cause))?,
        };
        if facts.is_dir() {
            return self.folder(path);
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("npz") => Ok(Box::new(Npz::open(path, self.limits)?)),
            Some("tar") => self.files(path, None, Kind::Shards),
            Some("parquet") => self.files(path, None, Kind::Parquet),
            Some("bin") => Ok(Box::new(Cifar10::open(&self.id, vec![path.to_owned()])?)),
            _ => Ok(Box::new(Folder::of_one(path)?.within(self.limits))),
        }
    }

    fn folder(&self, path: &Path) -> Result<Box<dyn Dataset>, DataError> {
        let empty = match Folder::open(path) {
            Ok(folder) => return Ok(Box::new(folder.named(&self.id).within(self.limits))),
            Err(error @ DataError::Empty { .. }) => error,
            Err(error) => return Err(error),
        };
        match folder_kind::find(path)? {
            Some(holding) => self.holding(path, holding, None),
            None => Err(empty),
        }
    }

    fn split(&self, path: &Path, split: Split) -> Result<Box<dyn Dataset>, DataError> {
        let facts = fs::metadata(path).map_err(|cause| DataError::io(path, cause))?;
        let holding = if facts.is_dir() { folder_kind::find(path)? } else { None };
        match holding {
            Some(holding) => self.holding(path, holding, Some(split)),
            None => Err(DataError::NoSplit { path: path.to_owned(), split, found: Vec::new() }),
        }
    }

    fn holding(
        &self,
        folder: &Path,
        holding: Holding,
        split: Option<Split>,
    ) -> Result<Box<dyn Dataset>, DataError> {
        let kind = holding.kind;
        let files = holding.take(folder, split)?;
        match (kind, &files[..]) {
            (Kind::Idx, [images, labels]) => {
                Ok(Box::new(Idx::open(&self.id, (images, labels), self.limits)?))
            }
            (Kind::Cifar10, _) => Ok(Box::new(Cifar10::open(&self.id, files)?)),
            (Kind::Parquet, _) => self.parquet(files),
            (Kind::Shards, _) => Ok(Box::new(WebDataset::open(&self.id, files, self.limits)?)),
            (_, [folder, ..]) => self.folder(folder),
            (_, []) => Err(DataError::Empty { path: folder.to_owned(), ignored: 0 }),
        }
    }

    /// Shards or Parquet files: one, a range of them, or those of a folder.
    fn files(
        &self,
        path: &Path,
        split: Option<Split>,
        kind: Kind,
    ) -> Result<Box<dyn Dataset>, DataError> {
        if path.is_dir() {
            return match folder_kind::files(path, kind)? {
                Some(holding) => self.holding(path, holding, split),
                None => Err(DataError::NoFiles {
                    path: path.to_owned(),
                    extension: if kind == Kind::Parquet { ".parquet" } else { ".tar" },
                }),
            };
        }
        if let Some(split) = split {
            return Err(DataError::NoSplit { path: path.to_owned(), split, found: Vec::new() });
        }
        let paths = webdataset::expand(path)
            .map_err(|problem| DataError::Pattern { path: path.to_owned(), problem })?;
        match kind {
            Kind::Parquet => self.parquet(paths),
            _ => Ok(Box::new(WebDataset::open(&self.id, paths, self.limits)?)),
        }
    }

    fn parquet(&self, paths: Vec<PathBuf>) -> Result<Box<dyn Dataset>, DataError> {
        (self.parquet)(ParquetFiles { id: self.id.clone(), paths, limits: self.limits })
    }
}
