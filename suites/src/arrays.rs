//! Arrays on disk: what a run saves of each tokenizer, as `numpy.savez` would write it.

use std::fs;
use std::io::{self, BufWriter, Seek, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use prismbench_data::npy::{Header, MAX_AXES};

mod archive;
mod element;
mod error;

pub(crate) use archive::Archive;
use archive::Member;
pub use element::Element;
pub use error::ArrayError;

/// Bytes that are written to the file at once.
const BUFFER: usize = 1 << 18;

/// An `.npz` in the making: `arr_0`, the items `[N, ...shape of one]`, `arr_1`, the classes of the
/// items where these are given, and `ids`, N texts.
///
/// Items go straight to a file beside the target; only the ids are kept in memory, and N need not
/// be known beforehand. The target appears whole or not at all, and never in the place of another
/// file; a writer that is dropped, or that could not write, leaves nothing behind.
#[derive(Debug)]
pub struct ArrayWriter<T> {
    path: PathBuf,
    /// Gone, with its file, once a write has failed.
    archive: Option<Archive<BufWriter<NamedTempFile>>>,
    /// What the first item has fixed.
    items: Option<Items>,
    ids: Vec<String>,
    /// One item as bytes, kept for its allocation.
    bytes: Vec<u8>,
    element: PhantomData<T>,
}

#[derive(Debug)]
struct Items {
    shape: Vec<usize>,
    member: Member,
}

impl<T: Element> ArrayWriter<T> {
    /// Makes the file that becomes `path` when it is finished.
    ///
    /// # Errors
    /// [`ArrayError::Exists`], [`ArrayError::NoFolder`], [`ArrayError::Full`] and
    /// [`ArrayError::Write`]: nothing is computed for a target that cannot be.
    pub fn create(path: &Path) -> Result<Self, ArrayError> {
        // A dangling link is in the way, too.
        if fs::symlink_metadata(path).is_ok() {
            return Err(ArrayError::Exists { path: path.to_owned() });
        }
        let file = beside(path).map_err(|cause| ArrayError::io(path, cause))?;
        Ok(Self::into_file(path, file))
    }

    fn into_file(path: &Path, file: NamedTempFile) -> Self {
        Self {
            path: path.to_owned(),
            archive: Some(Archive::new(BufWriter::with_capacity(BUFFER, file))),
            items: None,
            ids: Vec::new(),
            bytes: Vec::new(),
            element: PhantomData,
        }
    }

    /// Appends one item: `values` in C order, of the `shape` that all items share.
    ///
    /// # Errors
    /// [`ArrayError::Id`], [`ArrayError::Axes`], [`ArrayError::Shape`] and [`ArrayError::Length`]
    /// for an item that does not fit: it is left out and the others stay. [`ArrayError::Full`] and
    /// [`ArrayError::Write`] for a file that cannot be written: it is given up, and every later
    /// call is [`ArrayError::GivenUp`].
    pub fn push(&mut self, id: &str, shape: &[usize], values: &[T]) -> Result<(), ArrayError> {
        let Some(archive) = &mut self.archive else {
            return Err(ArrayError::GivenUp { path: self.path.clone() });
        };
        check(&self.path, self.items.as_ref(), id, shape, values.len())?;
        self.bytes.clear();
        T::append(values, &mut self.bytes);
        let written = append(archive, &mut self.items, T::DESCR, shape, &self.bytes);
        if let Err(cause) = written {
            self.archive = None;
            return Err(ArrayError::io(&self.path, cause));
        }
        self.ids.push(id.to_owned());
        Ok(())
    }

    /// Completes the file and moves it to the target, which it returns.
    ///
    /// # Errors
    /// [`ArrayError::Empty`] when there is no item, [`ArrayError::Exists`] when something has come
    /// to lie at the target, and as [`push`](Self::push) for a file that cannot be written.
    pub fn finish(self) -> Result<PathBuf, ArrayError> {
        self.complete(None)
    }

    /// The same with `arr_1`, the class of each item, as ADM's evaluator has it.
    ///
    /// # Errors
    /// As [`finish`](Self::finish); [`ArrayError::Labels`] when there is not one for each item.
    pub fn finish_labelled(self, labels: &[u32]) -> Result<PathBuf, ArrayError> {
        if labels.len() != self.ids.len() {
            let (path, items) = (self.path, self.ids.len());
            return Err(ArrayError::Labels { path, items, found: labels.len() });
        }
        self.complete(Some(labels))
    }

    fn complete(self, labels: Option<&[u32]>) -> Result<PathBuf, ArrayError> {
        let Some(archive) = self.archive else {
            return Err(ArrayError::GivenUp { path: self.path });
        };
        let Some(items) = self.items else {
            return Err(ArrayError::Empty { path: self.path });
        };
        let failed = |cause| ArrayError::io(&self.path, cause);
        let sink = complete(archive, items, T::DESCR, (&self.ids, labels)).map_err(failed)?;
        let file = sink.into_inner().map_err(|error| failed(error.into_error()))?;
        // A disk may find out that it is full only when it has to hold what it took.
        file.as_file().sync_all().map_err(failed)?;
        file.persist_noclobber(&self.path).map_err(|error| failed(error.error))?;
        Ok(self.path)
    }
}

/// Refuses an item that does not fit those before it, or that would not read back as it is.
fn check(
    path: &Path,
    items: Option<&Items>,
    id: &str,
    shape: &[usize],
    values: usize,
) -> Result<(), ArrayError> {
    let (path, id) = (path.to_owned(), id.to_owned());
    // numpy pads texts with NUL, and a text without characters reads back as none.
    if id.is_empty() || id.contains('\0') {
        return Err(ArrayError::Id { path, id });
    }
    // One axis counts the items.
    if shape.len() >= MAX_AXES {
        return Err(ArrayError::Axes { path, id, axes: shape.len() });
    }
    match items {
        Some(items) if items.shape != shape => {
            let expected = items.shape.clone();
            return Err(ArrayError::Shape { path, id, expected, found: shape.to_owned() });
        }
        _ => {}
    }
    let takes = shape.iter().try_fold(1_usize, |values, &side| values.checked_mul(side));
    if takes != Some(values) {
        return Err(ArrayError::Length { path, id, shape: shape.to_owned(), found: values });
    }
    Ok(())
}

/// How names of files begin that are not whole yet.
pub(crate) const UNFINISHED: &str = ".writing-";

/// A new file in the folder of `path`, removed unless it is kept.
pub(crate) fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    {
        // The library makes files for their owner only; this one is a result like any other, and
        // the user's umask decides.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder.unwrap_or(Path::new(".")))
}

/// Writes an item; the first one opens `arr_0` with room for a header that will say N.
fn append<W: Write + Seek>(
    archive: &mut Archive<W>,
    items: &mut Option<Items>,
    descr: &str,
    shape: &[usize],
    bytes: &[u8],
) -> io::Result<()> {
    let items = match items {
        Some(items) => items,
        None => {
            let room = header(descr, 0, shape).len();
            let member = archive.begin("arr_0.npy", room)?;
            items.insert(Items { shape: shape.to_owned(), member })
        }
    };
    archive.write(&mut items.member, bytes)
}

/// Ends `arr_0`, writes `ids` and the directory.
fn complete<W: Write + Seek>(
    mut archive: Archive<W>,
    items: Items,
    descr: &str,
    (ids, labels): (&[String], Option<&[u32]>),
) -> io::Result<W> {
    archive.end(items.member, &header(descr, ids.len(), &items.shape))?;
    if let Some(labels) = labels {
        let bytes: Vec<u8> =
            labels.iter().flat_map(|&label| i64::from(label).to_le_bytes()).collect();
        archive.add("arr_1.npy", &header("<i8", labels.len(), &[]), &bytes)?;
    }
    let longest = ids.iter().map(|id| id.chars().count()).max().unwrap_or(0);
    let header = header(&format!("<U{longest}"), ids.len(), &[]);
    let mut member = archive.begin("ids.npy", header.len())?;
    let mut text = Vec::new();
    for id in ids {
        text.clear();
        text.extend(id.chars().flat_map(|character| u32::from(character).to_le_bytes()));
        text.resize(size_of::<u32>() * longest, 0);
        archive.write(&mut member, &text)?;
    }
    archive.end(member, &header)?;
    archive.finish()
}

fn header(descr: &str, items: usize, shape: &[usize]) -> Vec<u8> {
    let sides: Vec<u64> =
        std::iter::once(items).chain(shape.iter().copied()).map(|side| side as u64).collect();
    Header::encode(descr, &sides)
}

#[cfg(test)]
mod tests;
