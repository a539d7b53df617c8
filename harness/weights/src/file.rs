use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use prismbench_core::Weights;

use crate::mapped::Mapped;
use crate::stored::Stored;
use crate::torch::{self, TorchError};
use crate::{Expected, Tensors, WeightsError, hub, known, safe, sha256};

/// What batch normalisation counts while it is trained, and nothing needs afterwards.
const COUNTER: &str = "num_batches_tracked";

/// A file whose table of contents has been read and checked.
#[derive(Debug)]
pub struct WeightsFile {
    path: PathBuf,
    origin: Weights,
    bytes: Mapped,
    tensors: BTreeMap<String, Stored>,
    element: DType,
}

impl WeightsFile {
    /// Opens safetensors, or a PyTorch file of either of its formats: which one is seen from its
    /// first bytes, whatever its name.
    ///
    /// # Errors
    /// [`WeightsError::Missing`] with `remedy` when there is no such file,
    /// [`WeightsError::Digest`] when it is not the published file whose name it bears,
    /// [`WeightsError::Changed`] when it is not what the hub's client once put there,
    /// [`WeightsError::Executable`] when a pickle asks for more than tensors, and
    /// [`WeightsError::Unreadable`] when it is not well formed.
    pub fn open(path: &Path, remedy: &str) -> Result<Self, WeightsError> {
        Self::open_one_of(path, remedy, &[])
    }

    /// As [`open`](Self::open); of a PyTorch file with several dictionaries of tensors, as training
    /// leaves behind, the first of `dictionaries` is taken that it has: `["ema", "model"]`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_one_of(
        path: &Path,
        remedy: &str,
        dictionaries: &[&str],
    ) -> Result<Self, WeightsError> {
        let bytes = Mapped::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                let (path, remedy) = (path.to_owned(), remedy.to_owned());
                WeightsError::Missing { path, remedy }
            }
            _ => unreadable(path, error),
        })?;
        let sha256 = sha256(&bytes);
        known::check(path, &sha256)?;
        hub::check(path, &sha256)?;
        let tensors = if torch::is_torch(&bytes) {
            torch::index(&bytes, dictionaries).map_err(|error| match error {
                TorchError::Global(global) => {
                    WeightsError::Executable { path: path.to_owned(), global }
                }
                _ => unreadable(path, error),
            })?
        } else {
            safe::index(&bytes).map_err(|error| unreadable(path, error))?
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let origin = Weights { name, sha256 };
        Ok(Self { path: path.to_owned(), origin, bytes, tensors, element: DType::F32 })
    }

    /// The same for a network whose products are of numbers of this type.
    #[must_use]
    pub fn with_products_in(self, element: DType) -> Self {
        Self { element, ..self }
    }

    /// Name and digest of the file.
    #[must_use]
    pub fn origin(&self) -> &Weights {
        &self.origin
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Extents of a tensor, if the file has it.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|stored| &*stored.shape)
    }

    /// The names of its tensors, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The `expected` tensors, stored as f64, f32, f16 or bf16. Others may be there only when their
    /// names begin with one of `ignored`, or are counters of batch normalisation.
    ///
    /// # Errors
    /// As [`check`](Self::check) and [`load`](Self::load).
    pub fn tensors(
        &self,
        expected: &[Expected],
        ignored: &[&str],
        device: &Device,
    ) -> Result<Tensors, WeightsError> {
        self.check(expected, ignored)?;
        self.load(expected, device)
    }

    /// Whether the file holds the `expected` tensors and no others than [`tensors`](Self::tensors)
    /// allows, by its table of contents.
    ///
    /// # Errors
    /// [`WeightsError::Mismatch`] naming every tensor that is missing, misshapen, of another
    /// element type, or not part of the architecture.
    pub fn check(&self, expected: &[Expected], ignored: &[&str]) -> Result<(), WeightsError> {
        match self.problems(expected, ignored) {
            problems if problems.is_empty() => Ok(()),
            problems => Err(WeightsError::Mismatch { path: self.path.clone(), problems }),
        }
    }

    /// Some of the tensors of a file that [`check`](Self::check) was content with.
    ///
    /// # Errors
    /// [`WeightsError::Mismatch`] naming the first with NaN or an infinity in it, or all that do not
    /// fit after all.
    pub fn load(&self, expected: &[Expected], device: &Device) -> Result<Tensors, WeightsError> {
        let mut tensors = BTreeMap::new();
        for tensor in expected {
            let stored = self.fitting(tensor)?;
            let loaded = stored.load(&self.bytes, device)?;
            let loaded = self.finite(tensor, loaded)?.reshape(tensor.shape())?;
            tensors.insert(tensor.name().to_owned(), loaded);
        }
        Ok(Tensors { path: self.path.clone(), element: self.element, tensors })
    }

    /// Rows of a table `[rows, columns]`, in the order asked for: `[rows.len(), columns]` in f32.
    /// What is not asked for is not read, and stays as it is stored.
    ///
    /// # Errors
    /// [`WeightsError::Mismatch`] when the file's tensor does not fit, has no such row, or NaN or an
    /// infinity in one.
    pub fn rows(
        &self,
        table: &Expected,
        rows: &[usize],
        device: &Device,
    ) -> Result<Tensor, WeightsError> {
        let stored = self.fitting(table)?;
        let loaded = stored.load_rows(&self.bytes, rows, device)?;
        let Some(loaded) = loaded else {
            let name = table.name();
            return Err(self.mismatch(format!("`{name}` has not all of the rows {rows:?}")));
        };
        self.finite(table, loaded)
    }

    /// The file's tensor, if it fits.
    fn fitting(&self, tensor: &Expected) -> Result<&Stored, WeightsError> {
        match (self.find(tensor), self.problem_of(tensor)) {
            (Some(stored), None) => Ok(stored),
            (_, problem) => Err(self.mismatch(problem.unwrap_or_default())),
        }
    }

    fn finite(&self, expected: &Expected, tensor: Tensor) -> Result<Tensor, WeightsError> {
        // A sum is finite only if all that is summed is.
        match tensor.sum_all()?.to_scalar::<f32>()?.is_finite() {
            true => Ok(tensor),
            false => {
                let name = expected.name();
                Err(self.mismatch(format!("`{name}` has values that are not finite")))
            }
        }
    }

    fn mismatch(&self, problem: String) -> WeightsError {
        WeightsError::Mismatch { path: self.path.clone(), problems: vec![problem] }
    }

    fn find(&self, tensor: &Expected) -> Option<&Stored> {
        tensor.names.iter().find_map(|name| self.tensors.get(name))
    }

    /// Why the file's tensor is not the expected one.
    fn problem_of(&self, tensor: &Expected) -> Option<String> {
        let name = tensor.name();
        match self.find(tensor) {
            None => Some(format!("`{name}` {:?} is missing", tensor.shape)),
            Some(found) if !tensor.fits(&found.shape) => {
                let expected = tensor.describe_shapes();
                Some(format!("`{name}` is {:?}, expected {expected}", found.shape))
            }
            Some(found) if found.element.dtype().is_none() => {
                let element = found.element.name();
                Some(format!("`{name}` is {element}, expected F64, F32, F16 or BF16"))
            }
            Some(_) => None,
        }
    }

    fn problems(&self, expected: &[Expected], ignored: &[&str]) -> Vec<String> {
        let mut problems: Vec<String> =
            expected.iter().filter_map(|tensor| self.problem_of(tensor)).collect();
        let known: BTreeSet<&str> =
            expected.iter().flat_map(|tensor| tensor.names.iter().map(String::as_str)).collect();
        let extra = self.tensors.keys().filter(|name| {
            !known.contains(name.as_str())
                && !name.ends_with(COUNTER)
                && !ignored.iter().any(|prefix| name.starts_with(prefix))
        });
        problems.extend(extra.map(|name| format!("`{name}` is not part of it")));
        problems
    }
}

fn unreadable(path: &Path, cause: impl std::error::Error + Send + Sync + 'static) -> WeightsError {
    WeightsError::Unreadable { path: path.to_owned(), cause: Box::new(cause) }
}

#[cfg(test)]
mod tests;
