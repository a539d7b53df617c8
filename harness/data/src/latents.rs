//! Latents that somebody's generator wrote: arrays of floating-point numbers, one row for each sample.

mod error;
mod part;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

pub use error::LatentFileError;
use part::Part;

/// Latents in files: an `.npz`, a `.safetensors`, or a folder of such files, which are read in the
/// order of their names as one array.
///
/// The array is the one called `latents`, else `arr_0`, `z`, `samples`, else the only one of floating
/// point; its first side counts the samples. Labels, where there are any, are `labels`, `arr_1` or `y`,
/// one whole number for each sample. Nothing but headers and labels is read before it is asked for.
#[derive(Debug)]
pub struct LatentFiles {
    id: String,
    parts: Vec<Part>,
    shape: Vec<usize>,
    len: u64,
    labels: Option<Vec<u32>>,
}

/// Names that the array of latents may have, before others.
const ARRAYS: [&str; 4] = ["latents", "arr_0", "z", "samples"];

/// Names that labels may have.
const LABELS: [&str; 3] = ["labels", "arr_1", "y"];

/// Most numbers of one latent: 1 GB in f32.
const MAX_VALUES: u64 = 1 << 28;

impl LatentFiles {
    /// Checks headers, shapes and labels.
    ///
    /// # Errors
    /// [`LatentFileError`] naming the file: one that cannot be read, without such an array, of another
    /// shape than those before it, or with labels of another number.
    pub fn open(path: &Path) -> Result<Self, LatentFileError> {
        let parts: Vec<Part> =
            files(path)?.iter().map(|file| Part::open(file)).collect::<Result<_, _>>()?;
        let Some(first) = parts.first() else {
            return Err(LatentFileError::Empty { path: path.to_owned() });
        };
        let shape = first.shape().to_vec();
        if let Some(other) = parts.iter().find(|part| part.shape() != shape) {
            return Err(LatentFileError::Shapes {
                first: first.path().to_owned(),
                expected: shape,
                path: other.path().to_owned(),
                found: other.shape().to_vec(),
            });
        }
        let labelled = parts.iter().filter(|part| part.labels().is_some()).count();
        if labelled != 0 && labelled != parts.len() {
            let lacking = parts.iter().find(|part| part.labels().is_none());
            let path = lacking.map_or(path, Part::path).to_owned();
            return Err(LatentFileError::SomeLabels { path });
        }
        let labels = (labelled > 0).then(|| {
            parts.iter().filter_map(Part::labels).flatten().copied().collect::<Vec<u32>>()
        });
        let len = parts.iter().map(Part::len).sum();
        Ok(Self { id: path.display().to_string(), parts, shape, len, labels })
    }

    /// The path as it was given.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Samples in all files; never 0.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Always false: files without a latent cannot be opened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sides of one latent.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The class of each sample.
    #[must_use]
    pub fn labels(&self) -> Option<&[u32]> {
        self.labels.as_deref()
    }

    /// The latents of samples `range`, one after the other, in f32.
    ///
    /// # Errors
    /// [`LatentFileError::NotFinite`] naming the sample; what reading the files can give;
    /// [`LatentFileError::Range`] for samples that do not exist.
    pub fn read(&self, range: Range<u64>) -> Result<Vec<f32>, LatentFileError> {
        if range.start > range.end || range.end > self.len {
            let (id, len) = (self.id.clone(), self.len);
            return Err(LatentFileError::Range { id, end: range.end, len });
        }
        let width: usize = self.shape.iter().product();
        let mut values = Vec::with_capacity((range.end - range.start) as usize * width);
        let mut first = 0;
        for part in &self.parts {
            let here = range.start.max(first)..range.end.min(first + part.len());
            if here.start < here.end {
                part.read(here.start - first..here.end - first, &mut values)?;
            }
            first += part.len();
        }
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(at) => Err(LatentFileError::NotFinite {
                id: self.id.clone(),
                sample: range.start + (at / width.max(1)) as u64,
                place: at % width.max(1),
                value: values[at].to_string(),
            }),
        }
    }
}

/// The file itself, or those of a folder in the order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>, LatentFileError> {
    let failed = |cause| LatentFileError::Io { path: path.to_owned(), cause };
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if part::is_known(&file) {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// Fills a vector with what a reader gives; it is as long as a checked header says.
fn take(reader: &mut dyn Read, bytes: usize) -> std::io::Result<Vec<u8>> {
    let mut buffer = vec![0; bytes];
    reader.read_exact(&mut buffer)?;
    Ok(buffer)
}
