//! Features of pictures and texts on disk: safetensors with their provenance, found again by content.

mod error;
mod header;
mod kept;
mod origin;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use prismbench_core::hexadecimal;
use prismbench_metrics::{Features, Tap};
use sha2::{Digest, Sha256};

pub use error::FeatureFileError;
pub(crate) use kept::{AddError, Item, Kept};
pub(crate) use origin::Origin;

use crate::arrays::{UNFINISHED, beside};
use crate::column::Column;
use crate::spool::Spool;
use header::{Header, Layer, Layout};

const FORMAT: &str = "prismbench-features-1";
/// Longest header that is read: names and a few dozen words.
const MAX_HEADER: u64 = 1 << 20;
const DIGEST: usize = 32;
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A features file that is open: its rows are read when they are asked for.
#[derive(Debug)]
pub(crate) struct FeatureFile {
    path: PathBuf,
    origin: Origin,
    rows: usize,
    row_of: HashMap<[u8; DIGEST], usize>,
    pictures_sha256: String,
    layers: BTreeMap<String, Layer>,
    file: Mutex<File>,
}

impl FeatureFile {
    /// Opens and checks a file: its form, its lengths, and the sha256 of everything in it.
    ///
    /// # Errors
    /// [`FeatureFileError`] but for `Origin` and `NoTap`.
    pub(crate) fn open(path: &Path) -> Result<Self, FeatureFileError> {
        let damaged =
            |problem: String| FeatureFileError::Damaged { path: path.to_owned(), problem };
        let read = |source: io::Error| match source.kind() {
            io::ErrorKind::UnexpectedEof => damaged("it ends too early".to_owned()),
            _ => FeatureFileError::Read { path: path.to_owned(), source },
        };
        let mut file = BufReader::new(File::open(path).map_err(read)?);
        let length = file.get_ref().metadata().map_err(read)?.len();
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(read)?;
        if size.starts_with(b"PK") {
            return Err(archive(path));
        }
        let size = u64::from_le_bytes(size);
        let data = size.saturating_add(8);
        let Some(length) = length.checked_sub(data).filter(|_| size <= MAX_HEADER) else {
            return Err(damaged(format!("its header claims {size} bytes")));
        };
        let mut header = vec![0; size as usize];
        file.read_exact(&mut header).map_err(read)?;
        let header: Header =
            serde_json::from_slice(&header).map_err(|error| damaged(error.to_string()))?;
        let found = header.metadata.get("format").map_or("", String::as_str);
        if found != FORMAT {
            let (path, found) = (path.to_owned(), found.to_owned());
            return Err(FeatureFileError::Format { path, found, expected: FORMAT });
        }
        let Layout { rows, layers } = header.layout(length, data).map_err(damaged)?;
        let mut digests = vec![0; rows * DIGEST];
        file.read_exact(&mut digests).map_err(read)?;
        let pictures_sha256 = hexadecimal(Sha256::digest(&digests));
        let mut hash = Hashing(Sha256::new_with_prefix(&digests));
        io::copy(&mut file, &mut hash).map_err(read)?;
        let mut origin = header.metadata;
        origin.remove("format");
        if origin.remove("sha256") != Some(hexadecimal(hash.0.finalize())) {
            let problem = "the sha256 of its rows is not the one it was written with";
            return Err(damaged(problem.to_owned()));
        }
        let row_of = digests.as_chunks().0.iter().copied().zip(0..).collect();
        let (path, file) = (path.to_owned(), Mutex::new(file.into_inner()));
        Ok(Self { path, origin: Origin(origin), rows, row_of, pictures_sha256, layers, file })
    }

    /// Says to whoever clears the cache that this entry is read, now and while it is open.
    pub(crate) fn mark_as_used(&self) {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A file system without locks or times loses nothing but the order in which entries go.
        let _ = file.try_lock_shared();
        let _ = file.set_modified(SystemTime::now());
    }

    /// Refuses a file whose rows do not compare with those of `origin`, naming the first field
    /// that differs.
    ///
    /// # Errors
    /// [`FeatureFileError::Origin`].
    pub(crate) fn check(&self, origin: &Origin) -> Result<(), FeatureFileError> {
        match self.unlike(origin).next() {
            None => Ok(()),
            Some((field, found, expected)) => Err(FeatureFileError::Origin {
                path: self.path.clone(),
                field: field.to_owned(),
                found: found.to_owned(),
                expected: expected.to_owned(),
            }),
        }
    }

    /// The fields in which it was made otherwise than `origin`, its value and the other.
    pub(crate) fn unlike<'f>(
        &'f self,
        origin: &'f Origin,
    ) -> impl Iterator<Item = (&'f str, &'f str, &'f str)> {
        origin.fields().filter_map(|(field, expected)| {
            let found = self.origin.0.get(field).map_or("nothing", String::as_str);
            (found != expected).then_some((field, found, expected))
        })
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses a file without the features `tap`, `width` numbers each.
    ///
    /// # Errors
    /// [`FeatureFileError::NoTap`].
    pub(crate) fn demand(&self, tap: Tap, width: Option<usize>) -> Result<(), FeatureFileError> {
        let found = self.layers.get(tap.id()).map(|layer| layer.columns);
        if found.is_some() && found == width {
            return Ok(());
        }
        Err(FeatureFileError::NoTap { path: self.path.clone(), tap: tap.id() })
    }

    /// sha256 over the digests of the pictures in their order.
    pub(crate) fn pictures_sha256(&self) -> &str {
        &self.pictures_sha256
    }

    /// Pictures in the file.
    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// Whether the picture with this digest is in the file.
    pub(crate) fn knows(&self, digest: &[u8; DIGEST]) -> bool {
        self.row_of.contains_key(digest)
    }

    /// Names of the features in the file, and how many numbers each has.
    pub(crate) fn layers(&self) -> impl Iterator<Item = (&str, usize)> {
        self.layers.iter().map(|(name, layer)| (name.as_str(), layer.columns))
    }

    /// The row of the picture with this digest in the layer of this name.
    pub(crate) fn row(&self, digest: &[u8; DIGEST], layer: &str) -> Option<io::Result<Vec<f32>>> {
        let row = *self.row_of.get(digest)?;
        let mut values = vec![0.0; self.layers.get(layer)?.columns];
        Some(self.read(layer, row, &mut values).map(|()| values))
    }

    /// The rows of a layer as features.
    pub(crate) fn layer(&self, tap: Tap) -> Option<LayerOfFile<'_>> {
        self.layers.contains_key(tap.id()).then_some(LayerOfFile { file: self, tap })
    }

    fn read(&self, layer: &str, first: usize, into: &mut [f32]) -> io::Result<()> {
        let Layer { columns, start } =
            *self.layers.get(layer).ok_or(io::ErrorKind::InvalidInput)?;
        let end = first.checked_add(into.len() / columns);
        if !into.len().is_multiple_of(columns) || end.is_none_or(|end| end > self.rows) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut bytes = vec![0; size_of_val(into)];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(start + (first * columns * size_of::<f32>()) as u64))?;
        file.read_exact(&mut bytes)?;
        drop(file);
        let values = bytes.as_chunks().0;
        into.iter_mut().zip(values).for_each(|(value, &bytes)| *value = f32::from_le_bytes(bytes));
        if into.iter().all(|value| value.is_finite()) {
            return Ok(());
        }
        let problem = format!("`{}` has features that are not finite", self.path.display());
        Err(io::Error::new(io::ErrorKind::InvalidData, problem))
    }
}

/// What is said of a zip archive: most likely a reference of moments.
fn archive(path: &Path) -> FeatureFileError {
    let moments = File::open(path)
        .ok()
        .and_then(|file| zip::ZipArchive::new(BufReader::new(file)).ok())
        .is_some_and(|zip| {
            ["mu.npy", "sigma.npy"].iter().all(|&name| zip.index_for_name(name).is_some())
        });
    let path = path.to_owned();
    if moments {
        return FeatureFileError::MomentsOnly { path };
    }
    FeatureFileError::Damaged { path, problem: "it is a zip archive".to_owned() }
}

/// One layer of a features file.
pub(crate) struct LayerOfFile<'a> {
    file: &'a FeatureFile,
    tap: Tap,
}

impl Features for LayerOfFile<'_> {
    fn rows(&self) -> usize {
        self.file.rows
    }

    fn columns(&self) -> usize {
        self.file.layers.get(self.tap.id()).map_or(0, |layer| layer.columns)
    }

    fn read(&self, first: usize, into: &mut [f32]) -> io::Result<()> {
        self.file.read(self.tap.id(), first, into)
    }
}

/// Writes features of pictures: `digests[i]` is that of the picture of row i of every layer. The
/// file appears whole or not at all.
pub(crate) fn write(
    path: &Path,
    origin: &Origin,
    digests: &Column<[u8; DIGEST]>,
    layers: &[(&str, &Spool)],
) -> io::Result<()> {
    let mut hash = Hashing(Sha256::new());
    digests.iter().try_for_each(|digest| hash.write_all(&digest?))?;
    for (_, spool) in layers {
        spool.copy_to(&mut hash)?;
    }
    let mut metadata = origin.0.clone();
    metadata.insert("format".to_owned(), FORMAT.to_owned());
    metadata.insert("sha256".to_owned(), hexadecimal(hash.0.finalize()));
    let columns = layers.iter().map(|(name, spool)| (*name, spool.columns()));
    let mut header = serde_json::to_vec(&Header::new(metadata, digests.len(), columns))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let folder = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder)?;
    sweep(folder);
    let mut file = BufWriter::new(beside(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    digests.iter().try_for_each(|digest| file.write_all(&digest?))?;
    for (_, spool) in layers {
        spool.copy_to(&mut file)?;
    }
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Removes what processes that were killed have left of files: nobody writes for a day without writing.
fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let written = entry.metadata().and_then(|facts| facts.modified()).ok();
        let age = written.and_then(|time| time.elapsed().ok()).unwrap_or_default();
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) && age > A_DAY {
            // It lies there in the worst case: no file that is whole depends on it.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Bytes written to it are hashed.
struct Hashing(Sha256);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
