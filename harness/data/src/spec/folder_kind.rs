//! What a folder holds other than pictures, by names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::split::Split;
use crate::{DataError, cifar10};

/// What files a folder holds, by split. Files whose names tell no split stand under `None`.
#[derive(Debug)]
pub(super) struct Holding {
    pub(super) kind: Kind,
    parts: BTreeMap<Option<Split>, Vec<PathBuf>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Folders that are named as splits, each a part of its own.
    Folders,
    /// A file of pictures and one of labels a part, in the format of MNIST.
    Idx,
    /// Batches of CIFAR-10.
    Cifar10,
    Parquet,
    /// Shards of WebDataset.
    Shards,
}

impl Holding {
    fn splits(&self) -> Vec<Split> {
        self.parts.keys().copied().flatten().collect()
    }

    /// The files of a split or, where none is named, of the only part there is.
    pub(super) fn take(
        mut self,
        folder: &Path,
        split: Option<Split>,
    ) -> Result<Vec<PathBuf>, DataError> {
        let (path, found) = (folder.to_owned(), self.splits());
        match split {
            Some(split) => {
                let files = self.parts.remove(&Some(split));
                files.ok_or(DataError::NoSplit { path, split, found })
            }
            None if self.parts.len() == 1 => Ok(self.parts.into_values().flatten().collect()),
            None => Err(DataError::Splits { path, found }),
        }
    }
}

/// The splits that a folder holds.
pub(super) fn splits(path: &Path) -> Result<Vec<Split>, DataError> {
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    Ok(find(path)?.map(|holding| holding.splits()).unwrap_or_default())
}

/// The splits in the names of a folder's files of one extension.
pub(super) fn splits_of(path: &Path, extension: &str) -> Result<Vec<Split>, DataError> {
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    let holding = Holding { kind: Kind::Shards, parts: by_split(path, &names(path)?, extension) };
    Ok(holding.splits())
}

/// What a folder holds, if it is any of what is known; pictures are not looked at.
pub(super) fn find(folder: &Path) -> Result<Option<Holding>, DataError> {
    let names = names(folder)?;
    let holdings = [
        (Kind::Folders, folders(folder, &names)),
        (Kind::Idx, idx(folder, &names)),
        (Kind::Cifar10, batches(folder, &names)),
        (Kind::Parquet, parquet(folder, &names)?),
        (Kind::Shards, by_split(folder, &names, "tar")),
    ];
    let found = holdings.into_iter().find(|(_, parts)| !parts.is_empty());
    Ok(found.map(|(kind, parts)| Holding { kind, parts }))
}

/// A folder's files of one kind; nothing where there are none.
pub(super) fn files(folder: &Path, kind: Kind) -> Result<Option<Holding>, DataError> {
    let names = names(folder)?;
    let parts = match kind {
        Kind::Parquet => parquet(folder, &names)?,
        _ => by_split(folder, &names, "tar"),
    };
    Ok((!parts.is_empty()).then_some(Holding { kind, parts }))
}

/// Names in a folder that are text and not hidden, in bytewise order.
fn names(folder: &Path) -> Result<Vec<String>, DataError> {
    let io = |cause| DataError::io(folder, cause);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        // A name that is no text is none of those that are looked for.
        if let Ok(name) = entry.map_err(io)?.file_name().into_string()
            && !name.starts_with('.')
        {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn folders(folder: &Path, names: &[String]) -> BTreeMap<Option<Split>, Vec<PathBuf>> {
    let mut parts: BTreeMap<Option<Split>, Vec<PathBuf>> = BTreeMap::new();
    for name in names {
        if let Some(split) = Split::of_word(name)
            && folder.join(name).is_dir()
        {
            // Of `val` and `validation` the first counts.
            parts.entry(Some(split)).or_insert_with(|| vec![folder.join(name)]);
        }
    }
    parts
}

/// Pairs of files as MNIST's are named: `train-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, with `.gz`
/// or without.
fn idx(folder: &Path, names: &[String]) -> BTreeMap<Option<Split>, Vec<PathBuf>> {
    let mut parts: BTreeMap<Option<Split>, Vec<PathBuf>> = BTreeMap::new();
    for name in names {
        let plain = name.strip_suffix(".gz").unwrap_or(name);
        let ends = ["-images-idx3-ubyte", "-images.idx3-ubyte"];
        let Some(first) = ends.iter().find_map(|end| plain.strip_suffix(end)) else { continue };
        let split = if first == "t10k" { Some(Split::Test) } else { Split::of_word(first) };
        let Some(split) = split else { continue };
        let labels = plain.replace("-images", "-labels").replace("idx3", "idx1");
        let packed = format!("{labels}.gz");
        let labels =
            if names.contains(&packed) && !names.contains(&labels) { packed } else { labels };
        // Where a file lies there plain and gzipped, the plain one comes first.
        parts.entry(Some(split)).or_insert_with(|| vec![folder.join(name), folder.join(labels)]);
    }
    parts
}

/// The batches of CIFAR-10. Where one training batch is there, all five are expected.
fn batches(folder: &Path, names: &[String]) -> BTreeMap<Option<Split>, Vec<PathBuf>> {
    let train = cifar10::train_batches().any(|batch| names.contains(&batch));
    let test = names.iter().any(|name| name == cifar10::TEST_BATCH);
    let paths = || cifar10::train_batches().map(|batch| folder.join(batch)).collect();
    let train = train.then(|| (Some(Split::Train), paths()));
    let test = test.then(|| (Some(Split::Test), vec![folder.join(cifar10::TEST_BATCH)]));
    train.into_iter().chain(test).collect()
}

/// Parquet files of the folder or, where it has none, of the folder `data` in it: the layout of a
/// repository of the Hugging Face hub.
fn parquet(
    folder: &Path,
    names: &[String],
) -> Result<BTreeMap<Option<Split>, Vec<PathBuf>>, DataError> {
    let here = by_split(folder, names, "parquet");
    let data = folder.join("data");
    if !here.is_empty() || !data.is_dir() {
        return Ok(here);
    }
    Ok(by_split(&data, &self::names(&data)?, "parquet"))
}

/// Files of one extension by the split in their names.
fn by_split(
    folder: &Path,
    names: &[String],
    extension: &str,
) -> BTreeMap<Option<Split>, Vec<PathBuf>> {
    let mut parts: BTreeMap<Option<Split>, Vec<PathBuf>> = BTreeMap::new();
    for name in names {
        if let Some((stem, end)) = name.rsplit_once('.')
            && end.eq_ignore_ascii_case(extension)
        {
            parts.entry(Split::of_file(stem)).or_default().push(folder.join(name));
        }
    }
    parts
}
