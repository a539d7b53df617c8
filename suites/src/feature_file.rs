//! Features of pictures on disk: safetensors with their provenance, found again by content.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use prismbench_core::{Choice, Protocol};
use prismbench_metrics::{FeatureNetwork, Features, Tap};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::spool::Spool;

const FORMAT: &str = "prismbench-features-1";
/// Longest header that is read: names and a few dozen words.
const MAX_HEADER: u64 = 1 << 20;
const DIGEST: usize = 32;

/// What features are of, besides the pictures: two files with equal origins have comparable rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin(BTreeMap<String, String>);

/// A features file does not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureFileError {
    /// It cannot be read.
    #[error("cannot read features from `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not what this program writes, or has been cut short or changed.
    #[error("`{}` is no features file of prismbench, or is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Its features were made under another protocol or by another network.
    #[error(
        "the reference `{}` was made with {field} = {found}, this run has {expected}: make it anew \
         with `--save features` under this protocol",
        path.display()
    )]
    Origin {
        /// The file.
        path: PathBuf,
        /// The field that differs.
        field: String,
        /// Its value in the file.
        found: String,
        /// Its value here.
        expected: String,
    },
    /// It holds moments, which serve generation and not reconstruction.
    #[error(
        "`{}` holds moments (mu, sigma) of a reference; reconstruction metrics need the features of \
         the pictures: leave --reference out, or give a file made with `--save features`",
        path.display()
    )]
    MomentsOnly {
        /// The file.
        path: PathBuf,
    },
}

impl Origin {
    pub(crate) fn new(network: &dyn FeatureNetwork, protocol: &Protocol) -> Self {
        let weights: Vec<&str> = network.weights().iter().map(|file| &*file.sha256).collect();
        let fields = [
            ("network", network.id().to_owned()),
            ("weights", weights.join("+")),
            ("inception", protocol.inception.id().to_owned()),
            ("arithmetic", protocol.arithmetic.id().to_owned()),
            ("crop", protocol.crop.id().to_owned()),
            ("size", protocol.size.to_string()),
            ("filter", protocol.filter.id().to_owned()),
            ("resampler", protocol.resampler.id().to_owned()),
        ];
        Self(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Names a cache entry: the origin and the set that the pictures are of.
    pub(crate) fn key(&self, dataset: &str) -> String {
        let text = format!("{:?}\n{dataset}", self.0);
        Sha256::digest(text)[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A features file that is open: its rows are read when they are asked for.
pub(crate) struct FeatureFile {
    path: PathBuf,
    origin: Origin,
    rows: HashMap<[u8; DIGEST], usize>,
    taps: BTreeMap<String, Layer>,
    file: Mutex<File>,
}

#[derive(Clone, Copy)]
struct Layer {
    columns: usize,
    start: u64,
}

impl FeatureFile {
    /// Opens and checks a file: its form, its lengths, and the sha256 of everything in it.
    ///
    /// # Errors
    /// [`FeatureFileError`] but for `Origin`.
    pub(crate) fn open(path: &Path) -> Result<Self, FeatureFileError> {
        let read = |source| FeatureFileError::Read { path: path.to_owned(), source };
        let damaged =
            |problem: String| FeatureFileError::Damaged { path: path.to_owned(), problem };
        let mut file = BufReader::new(File::open(path).map_err(read)?);
        let length = file.get_ref().metadata().map_err(read)?.len();
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(read)?;
        if size.starts_with(b"PK") {
            return Err(FeatureFileError::MomentsOnly { path: path.to_owned() });
        }
        let size = u64::from_le_bytes(size);
        if size > MAX_HEADER.min(length) {
            return Err(damaged(format!("its header claims {size} bytes")));
        }
        let mut header = vec![0; size as usize];
        file.read_exact(&mut header).map_err(read)?;
        let header: Header =
            serde_json::from_slice(&header).map_err(|error| damaged(error.to_string()))?;
        let data = 8 + size;
        let (rows, taps) = header.layout(length - data, data).map_err(damaged)?;
        let mut hash = Sha256::new();
        let mut digests = vec![0; rows * DIGEST];
        file.read_exact(&mut digests).map_err(read)?;
        hash.update(&digests);
        let mut hash = Hashing(hash);
        io::copy(&mut file, &mut hash).map_err(read)?;
        let found: String = hash.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut origin = header.metadata;
        let (format, expected) = (origin.remove("format"), origin.remove("sha256"));
        if format.as_deref() != Some(FORMAT) || expected.as_deref() != Some(&*found) {
            return Err(damaged(
                "the sha256 of its rows is not the one it was written with".into(),
            ));
        }
        let rows = digests.as_chunks().0.iter().copied().zip(0..).collect();
        let file = Mutex::new(file.into_inner());
        Ok(Self { path: path.to_owned(), origin: Origin(origin), rows, taps, file })
    }

    /// Refuses a file whose rows do not compare with those of `origin`, naming the first field
    /// that differs.
    ///
    /// # Errors
    /// [`FeatureFileError::Origin`].
    pub(crate) fn check(&self, origin: &Origin) -> Result<(), FeatureFileError> {
        for (field, expected) in &origin.0 {
            let found = self.origin.0.get(field).map_or("nothing", String::as_str);
            if found != expected {
                return Err(FeatureFileError::Origin {
                    path: self.path.clone(),
                    field: field.clone(),
                    found: found.to_owned(),
                    expected: expected.clone(),
                });
            }
        }
        Ok(())
    }

    /// Refuses a file without the features `tap`.
    ///
    /// # Errors
    /// [`FeatureFileError::Damaged`].
    pub(crate) fn demand(&self, tap: Tap) -> Result<(), FeatureFileError> {
        if self.taps.contains_key(tap.id()) {
            return Ok(());
        }
        let problem = format!(
            "it has no `{}` features; make it by a run that measures the same metrics",
            tap.id()
        );
        Err(FeatureFileError::Damaged { path: self.path.clone(), problem })
    }

    /// The row of the picture with this digest in the features `tap`.
    pub(crate) fn row(&self, digest: &[u8; DIGEST], tap: Tap) -> Option<io::Result<Vec<f32>>> {
        let row = *self.rows.get(digest)?;
        let columns = self.taps.get(tap.id())?.columns;
        let mut values = vec![0.0; columns];
        Some(self.read(tap, row, &mut values).map(|()| values))
    }

    /// Pictures in the file.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows of a layer as features.
    pub(crate) fn layer(&self, tap: Tap) -> Option<LayerOfFile<'_>> {
        self.taps.contains_key(tap.id()).then_some(LayerOfFile { file: self, tap })
    }

    fn read(&self, tap: Tap, first: usize, into: &mut [f32]) -> io::Result<()> {
        let layer = self.taps.get(tap.id()).ok_or(io::ErrorKind::InvalidInput)?;
        let rows = into.len().checked_div(layer.columns).unwrap_or(0);
        if rows * layer.columns != into.len() || first + rows > self.len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut bytes = vec![0; size_of_val(into)];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(layer.start + (first * layer.columns * 4) as u64))?;
        file.read_exact(&mut bytes)?;
        drop(file);
        let values = bytes.as_chunks().0;
        into.iter_mut().zip(values).for_each(|(value, &bytes)| *value = f32::from_le_bytes(bytes));
        Ok(())
    }
}

/// One layer of a features file.
pub(crate) struct LayerOfFile<'a> {
    file: &'a FeatureFile,
    tap: Tap,
}

impl Features for LayerOfFile<'_> {
    fn rows(&self) -> usize {
        self.file.len()
    }

    fn columns(&self) -> usize {
        self.file.taps.get(self.tap.id()).map_or(0, |layer| layer.columns)
    }

    fn read(&self, first: usize, into: &mut [f32]) -> io::Result<()> {
        self.file.read(self.tap, first, into)
    }
}

/// Writes features of pictures: `digests[i]` is that of the picture of row i of every layer. The
/// file appears whole or not at all.
pub(crate) fn write(
    path: &Path,
    origin: &Origin,
    digests: &[[u8; DIGEST]],
    layers: &[(Tap, &Spool)],
) -> io::Result<()> {
    let mut hash = Hashing(Sha256::new());
    digests.iter().for_each(|digest| hash.0.update(digest));
    for (_, spool) in layers {
        spool.copy_to(&mut hash)?;
    }
    let sha256: String = hash.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut metadata = origin.0.clone();
    metadata.insert("format".to_owned(), FORMAT.to_owned());
    metadata.insert("sha256".to_owned(), sha256);
    let mut tensors = BTreeMap::new();
    let mut end = digests.len() * DIGEST;
    let entry = |dtype: &str, columns: usize, offsets: [usize; 2]| Entry {
        dtype: dtype.to_owned(),
        shape: [digests.len(), columns],
        data_offsets: offsets.map(|offset| offset as u64),
    };
    tensors.insert("digests".to_owned(), entry("U8", DIGEST, [0, end]));
    for (tap, spool) in layers {
        let (start, columns) = (end, spool.columns());
        end += digests.len() * columns * size_of::<f32>();
        tensors.insert(tap.id().to_owned(), entry("F32", columns, [start, end]));
    }
    let mut header = serde_json::to_vec(&Header { metadata, tensors })?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let folder = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder)?;
    let mut file = BufWriter::new(NamedTempFile::new_in(folder)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    digests.iter().try_for_each(|digest| file.write_all(digest))?;
    for (_, spool) in layers {
        spool.copy_to(&mut file)?;
    }
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
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

/// The header of a safetensors file as this module writes it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    metadata: BTreeMap<String, String>,
    #[serde(flatten)]
    tensors: BTreeMap<String, Entry>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Entry {
    dtype: String,
    shape: [usize; 2],
    data_offsets: [u64; 2],
}

impl Header {
    /// Rows and layers, when everything fits the `length` bytes of data that start at `data`.
    fn layout(&self, length: u64, data: u64) -> Result<(usize, BTreeMap<String, Layer>), String> {
        let digests = self.tensors.get("digests").ok_or("it has no digests")?;
        let rows = digests.shape[0];
        let mut taps = BTreeMap::new();
        let mut total = 0_u64;
        for (name, Entry { dtype, shape, data_offsets: [start, end] }) in &self.tensors {
            let width = if dtype == "U8" { 1 } else { 4 };
            let bytes = (shape[0] as u64)
                .checked_mul(shape[1] as u64)
                .and_then(|values| values.checked_mul(width));
            if shape[0] != rows || end.checked_sub(*start) != bytes || *end > length {
                return Err(format!("`{name}` does not fit"));
            }
            total = total.saturating_add(end - start);
            if name == "digests" {
                if dtype != "U8" || shape[1] != DIGEST || *start != 0 {
                    return Err("its digests are not what they should be".to_owned());
                }
            } else if dtype == "F32" {
                taps.insert(name.clone(), Layer { columns: shape[1], start: data + start });
            } else {
                return Err(format!("`{name}` is of type {dtype}"));
            }
        }
        if total != length {
            return Err(format!("{length} bytes of data, {total} expected"));
        }
        Ok((rows, taps))
    }
}
