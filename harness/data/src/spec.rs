use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::split::Split;
use super::{DataError, SceneSide};

mod folder_kind;
mod opening;

pub use opening::{OpenParquet, ParquetFiles, open, open_with, open_within};

/// What `--data` takes: a path, or a kind with what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataSpec {
    /// A folder of pictures or of another kind's files, or one file: what lies there tells which.
    Path(PathBuf),
    /// One split of what holds several: `PATH#train`.
    Split {
        /// The folder.
        path: PathBuf,
        /// The split.
        split: Split,
    },
    /// Procedural scenes: `synthetic:SEED:N`, or `synthetic:SEED:N:SIDE` of another size.
    Synthetic {
        /// Seed of the set.
        seed: u64,
        /// Pictures in the set; at least 1.
        count: u64,
        /// Size of the pictures.
        side: SceneSide,
    },
    /// Captions and the folder of their pictures: `coco:JSON:IMAGES` or, of Karpathy's splits,
    /// `coco:JSON:IMAGES#test`.
    Coco {
        /// `captions_*.json` or `dataset_*.json`.
        captions: PathBuf,
        /// The folder of pictures.
        images: PathBuf,
        /// The split of Karpathy's.
        split: Option<Split>,
    },
    /// Two files in the format of MNIST: `idx:IMAGES:LABELS`.
    Idx {
        /// The pictures, `idx3-ubyte`.
        images: PathBuf,
        /// The labels, `idx1-ubyte`.
        labels: PathBuf,
    },
    /// `webdataset:SHARDS`: a `.tar`, a folder of them, or a range as in `train-{000..012}.tar`.
    WebDataset {
        /// The shards.
        shards: PathBuf,
        /// The split in the names of a folder's shards.
        split: Option<Split>,
    },
    /// `parquet:FILES`: a `.parquet` or a folder of them.
    Parquet {
        /// The files.
        files: PathBuf,
        /// The split in the names of a folder's files.
        split: Option<Split>,
    },
}

impl DataSpec {
    /// The splits that the set brings along, by what lies there.
    ///
    /// # Errors
    /// What looking at the set can give.
    pub fn splits(&self) -> Result<Vec<Split>, DataError> {
        match self {
            Self::Path(path) => folder_kind::splits(path),
            Self::Coco { captions, split: None, .. } => super::coco::splits(captions),
            Self::WebDataset { shards: path, split: None } => folder_kind::splits_of(path, "tar"),
            Self::Parquet { files: path, split: None } => folder_kind::splits_of(path, "parquet"),
            _ => Ok(Vec::new()),
        }
    }

    /// The spec of one of its splits; nothing where it is not divided or names one already.
    #[must_use]
    pub fn with_split(&self, split: Split) -> Option<Self> {
        let (mut spec, some) = (self.clone(), Some(split));
        match &mut spec {
            Self::Path(path) => return Some(Self::Split { path: path.clone(), split }),
            Self::Coco { split: none @ None, .. }
            | Self::WebDataset { split: none @ None, .. }
            | Self::Parquet { split: none @ None, .. } => *none = some,
            _ => return None,
        }
        Some(spec)
    }

    /// The same set with its paths taken from `folder` where they are relative.
    #[must_use]
    pub fn beside(mut self, folder: &Path) -> Self {
        let (first, second) = match &mut self {
            Self::Synthetic { .. } => (None, None),
            Self::Path(path)
            | Self::Split { path, .. }
            | Self::WebDataset { shards: path, .. }
            | Self::Parquet { files: path, .. } => (Some(path), None),
            Self::Coco { captions, images, .. } => (Some(captions), Some(images)),
            Self::Idx { images, labels } => (Some(images), Some(labels)),
        };
        for path in [first, second].into_iter().flatten() {
            *path = folder.join(&*path);
        }
        self
    }
}

impl FromStr for DataSpec {
    type Err = DataError;

    /// Anything that does not begin with a kind is a path; `./synthetic:x` is one, too.
    fn from_str(text: &str) -> Result<Self, DataError> {
        let bad = |expected| DataError::BadSpec { found: text.to_owned(), expected };
        let kind = text.split_once(':').unwrap_or_default();
        let (path, split) = divide(if kind.0.is_empty() { text } else { kind.1 });
        let pair = || path.split_once(':').filter(|(a, b)| !a.is_empty() && !b.is_empty());
        match kind.0 {
            "synthetic" => synthetic(kind.1).ok_or_else(|| bad(SYNTHETIC)),
            "coco" => {
                let (captions, images) =
                    pair().ok_or_else(|| bad("`coco:JSON:IMAGES` or `coco:JSON:IMAGES#SPLIT`"))?;
                Ok(Self::Coco { captions: captions.into(), images: images.into(), split })
            }
            "idx" => {
                let (images, labels) =
                    pair().filter(|_| split.is_none()).ok_or_else(|| bad("`idx:IMAGES:LABELS`"))?;
                Ok(Self::Idx { images: images.into(), labels: labels.into() })
            }
            "webdataset" if !path.is_empty() => Ok(Self::WebDataset { shards: path.into(), split }),
            "webdataset" => {
                Err(bad("`webdataset:FOLDER` or shards as in `webdataset:train-{000..012}.tar`"))
            }
            "parquet" if !path.is_empty() => Ok(Self::Parquet { files: path.into(), split }),
            "parquet" => Err(bad("`parquet:FILE` or `parquet:FOLDER`")),
            _ => Ok(match divide(text) {
                (path, Some(split)) if !path.is_empty() => Self::Split { path: path.into(), split },
                _ => Self::Path(text.into()),
            }),
        }
    }
}

impl fmt::Display for DataSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let split = match self {
            Self::Path(path) => return write!(f, "{}", path.display()),
            Self::Synthetic { seed, count, side } if *side == SceneSide::default() => {
                return write!(f, "synthetic:{seed}:{count}");
            }
            Self::Synthetic { seed, count, side } => {
                return write!(f, "synthetic:{seed}:{count}:{side}");
            }
            Self::Idx { images, labels } => {
                return write!(f, "idx:{}:{}", images.display(), labels.display());
            }
            Self::Split { path, split } => {
                write!(f, "{}", path.display())?;
                Some(*split)
            }
            Self::Coco { captions, images, split } => {
                write!(f, "coco:{}:{}", captions.display(), images.display())?;
                *split
            }
            Self::WebDataset { shards, split } => {
                write!(f, "webdataset:{}", shards.display())?;
                *split
            }
            Self::Parquet { files, split } => {
                write!(f, "parquet:{}", files.display())?;
                *split
            }
        };
        split.map_or(Ok(()), |split| write!(f, "#{split}"))
    }
}

/// What stands behind `synthetic:`.
const SYNTHETIC: &str = "`synthetic:SEED:N`, N at least 1, as in `synthetic:7:64`, or \
                         `synthetic:SEED:N:SIDE` with a shorter side of 32 to 1024 pixels";

fn synthetic(numbers: &str) -> Option<DataSpec> {
    let (seed, rest) = numbers.split_once(':')?;
    let (count, side) = match rest.split_once(':') {
        Some((count, side)) => (count, SceneSide::new(side.parse().ok()?)?),
        None => (rest, SceneSide::default()),
    };
    let (seed, count) = (seed.parse().ok()?, count.parse().ok()?);
    (count > 0).then_some(DataSpec::Synthetic { seed, count, side })
}

/// A path and the split behind its last `#`; a `#` before another word is a part of the path.
fn divide(text: &str) -> (&str, Option<Split>) {
    match text.rsplit_once('#').map(|(path, word)| (path, Split::of_word(word))) {
        Some((path, Some(split))) => (path, Some(split)),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests;
