use std::error::Error;
use std::io;
use std::path::PathBuf;

use super::split::Split;
use super::{CaptionsError, Cifar10Error, DecodeError, IdxError, NpzError, ShardError};

/// Why a data set or one of its pictures cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A text that begins like a kind of data and does not go on as it should.
    #[error("`{found}` is no data set; write {expected}")]
    BadSpec {
        /// What was given.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The data are not there.
    #[error("there is nothing at `{}`", path.display())]
    NotFound {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// A file of an unknown kind was given as a data set.
    #[error(
        "`{}` is no folder, no `.npz`, `.tar`, `.parquet` or `.bin` and no picture (.jpg .png .webp .bmp .gif .tif); captions are `coco:JSON:IMAGES`, files like MNIST's `idx:IMAGES:LABELS`",
        path.display()
    )]
    UnknownKind {
        /// The file.
        path: PathBuf,
    },
    /// A folder without any picture.
    #[error(
        "no pictures under `{}`: none of its {ignored} files is named .jpg, .jpeg, .png, .webp, .bmp, .gif, .tif or .tiff, and none lies there as .tar, .parquet or a set of its own",
        path.display()
    )]
    Empty {
        /// The folder.
        path: PathBuf,
        /// Files of other kinds; hidden ones are not counted.
        ignored: u64,
    },
    /// The name of a picture is no text, so it cannot be an id.
    #[error("the name of `{}` is not UTF-8; rename it", path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// One picture cannot be read; the others can.
    #[error("`{}` is no usable picture", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: DecodeError,
    },
    /// An `.npz` does not hold what it should.
    #[error("`{}` is no usable .npz", path.display())]
    Npz {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        #[source]
        cause: NpzError,
    },
    /// A file in the format of MNIST does not hold what it should.
    #[error("`{}` is no usable IDX file", path.display())]
    Idx {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        #[source]
        cause: IdxError,
    },
    /// A batch of CIFAR-10 does not hold what it should.
    #[error("`{}` is no usable part of CIFAR-10", path.display())]
    Cifar10 {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        #[source]
        cause: Cifar10Error,
    },
    /// A shard does not hold what it should.
    #[error("`{}` is no usable shard", path.display())]
    Shard {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        #[source]
        cause: ShardError,
    },
    /// A file of captions does not hold what it should, or the folder lacks its pictures.
    #[error("the captions of `{}` cannot be used", path.display())]
    Captions {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        #[source]
        cause: CaptionsError,
    },
    /// A Parquet file does not hold what it should.
    #[error("`{}` is no usable Parquet of pictures", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// Parquet where it is not read.
    #[error(
        "`{id}` is Parquet, which is read as data to measure on and nowhere else; save the pictures in a folder or as `.npz`"
    )]
    NoParquet {
        /// The set.
        id: String,
    },
    /// What is known about one picture cannot be used; the others can.
    #[error("`{}` cannot be used: {problem}", path.display())]
    Annotation {
        /// The member, row or file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A range of numbers in a path names no shards, or too many.
    #[error("the range in `{}` cannot be meant: {problem}", path.display())]
    Pattern {
        /// The path with the range.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A folder was said to hold shards or Parquet files, and does not.
    #[error("no `{extension}` in `{}`", path.display())]
    NoFiles {
        /// The folder.
        path: PathBuf,
        /// The extension looked for.
        extension: &'static str,
    },
    /// Several splits, and none was named.
    #[error(
        "`{}` holds splits ({}); name one, as in `{}#{}`",
        path.display(), list(found), path.display(), found.first().unwrap_or(&Split::Test)
    )]
    Splits {
        /// What holds them.
        path: PathBuf,
        /// The splits.
        found: Vec<Split>,
    },
    /// A split that is not there.
    #[error("`{}` has no split `{split}` (it has {})", path.display(), list(found))]
    NoSplit {
        /// Where it was looked for.
        path: PathBuf,
        /// The split asked for.
        split: Split,
        /// The splits there are.
        found: Vec<Split>,
    },
    /// A set that brings no training and test split along.
    #[error(
        "`{id}` cannot be split into train and test (its splits: {}); name two sets as `train=DATA,test=DATA`",
        list(found)
    )]
    Unsplittable {
        /// The set.
        id: String,
        /// The splits there are.
        found: Vec<Split>,
    },
    /// Training and test set are one.
    #[error("`{id}` is given as train and as test: what was learnt from would be measured on")]
    SameSplit {
        /// The set.
        id: String,
    },
    /// A class that only one of two splits has.
    #[error(
        "class `{class}` is in the {has} split and not in the {lacks} split; both need the same classes"
    )]
    Class {
        /// The class.
        class: String,
        /// The split that has it.
        has: Split,
        /// The split that lacks it.
        lacks: Split,
    },
    /// Classes with names in one split and without in the other: numbers alone do not say what they mean.
    #[error(
        "`{named}` names its classes and `{unnamed}` only numbers them; give both in one format"
    )]
    ClassNames {
        /// The set with names.
        named: String,
        /// The set without.
        unnamed: String,
    },
    /// The operating system refused a file or a folder.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's own words.
        #[source]
        cause: io::Error,
    },
    /// Samples beyond the end of a set were asked for.
    #[error("`{id}` has samples 0..{len}; {start}..{end} were asked for")]
    Range {
        /// The set.
        id: String,
        /// First sample asked for.
        start: u64,
        /// One past the last sample asked for.
        end: u64,
        /// Samples there are.
        len: u64,
    },
}

impl DataError {
    /// Whether one sample is at fault and the rest of the set can go on without it.
    #[must_use]
    pub fn is_sample(&self) -> bool {
        matches!(self, Self::Unreadable { .. } | Self::Annotation { .. })
    }

    /// The error of a file or folder that the system refuses; [`DataError::NotFound`] where it is not there.
    pub fn io(path: impl Into<PathBuf>, cause: io::Error) -> Self {
        let path = path.into();
        match cause.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            _ => Self::Io { path, cause },
        }
    }
}

fn list(splits: &[Split]) -> String {
    let words: Vec<String> = splits.iter().map(Split::to_string).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}
