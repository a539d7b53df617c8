use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::array::{self, Array};
use super::{NpzError, column};
use crate::DataError;
use crate::numbers::Float;

/// Arrays of an `.npz` that are no pictures: moments, labels, short texts.
///
/// Headers are checked against what the file can hold before anything is read.
#[derive(Debug)]
pub struct NpzArrays {
    path: PathBuf,
    names: Vec<String>,
}

/// Numbers of an array, in C order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Floats {
    /// Sides.
    pub shape: Vec<usize>,
    /// As many values as the sides say.
    pub values: Vec<f64>,
}

impl NpzArrays {
    /// Looks at the directory of the file.
    ///
    /// # Errors
    /// [`DataError::Npz`] for what is no zip file, and what opening a file can give.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let names = array::names(&archive(path)?.0);
        Ok(Self { path: path.to_owned(), names })
    }

    /// Names of the arrays.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether there is an array of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// Sides and values, in f64, of an array of floating-point numbers; `None` where there is none
    /// of this name.
    ///
    /// # Errors
    /// [`DataError::Npz`] for another type, more than `most` values, and data that end early.
    pub fn floats(&self, name: &str, most: u64) -> Result<Option<Floats>, DataError> {
        let Some(array) = self.find(name)? else { return Ok(None) };
        let read = || -> Result<_, NpzError> {
            let float = Float::of_numpy(array.descr())
                .ok_or_else(|| array.wrong_type("floating-point numbers of 16, 32 or 64 bits"))?;
            let count = count(&array, most)?;
            let mut bytes = vec![0; count * float.bytes()];
            let mut reader = array.open(&self.path, 0)?;
            reader.read_exact(&mut bytes).map_err(NpzError::Read)?;
            let shape = array.shape().iter().map(|&side| side as usize).collect();
            Ok(Floats { shape, values: float.widen(&bytes) })
        };
        read().map(Some).map_err(|cause| self.failed(cause))
    }

    /// One text or several; `None` where there is no array of this name.
    ///
    /// # Errors
    /// [`DataError::Npz`] for another type, more than `most` texts, and data that end early.
    pub fn texts(&self, name: &str, most: u64) -> Result<Option<Vec<String>>, DataError> {
        let Some(array) = self.find(name)? else { return Ok(None) };
        let texts = count(&array, most)
            .and_then(|count| column::texts_of(&array, &self.path, count as u64));
        texts.map(Some).map_err(|cause| self.failed(cause))
    }

    /// Whole numbers from 0 on; `None` where there is no array of this name.
    ///
    /// # Errors
    /// [`DataError::Npz`] for another type or shape than `[len]`, and data that end early.
    pub fn labels(&self, name: &str, len: u64) -> Result<Option<Vec<u32>>, DataError> {
        let Some(array) = self.find(name)? else { return Ok(None) };
        let labels = column::labels(&array, &self.path, len);
        labels.map(Some).map_err(|cause| self.failed(cause))
    }

    pub(crate) fn find(&self, name: &str) -> Result<Option<Array>, DataError> {
        let (mut archive, file_len) = archive(&self.path)?;
        Array::find(&mut archive, name, file_len).map_err(|cause| self.failed(cause))
    }

    pub(crate) fn failed(&self, cause: NpzError) -> DataError {
        DataError::Npz { path: self.path.clone(), cause }
    }
}

fn archive(path: &Path) -> Result<(ZipArchive<BufReader<File>>, u64), DataError> {
    let file = File::open(path).map_err(|cause| DataError::io(path, cause))?;
    let file_len = file.metadata().map_err(|cause| DataError::io(path, cause))?.len();
    let archive = ZipArchive::new(BufReader::new(file))
        .map_err(|cause| DataError::Npz { path: path.to_owned(), cause: NpzError::Zip(cause) })?;
    Ok((archive, file_len))
}

/// How many elements there are, which the file was seen to have room for.
fn count(array: &Array, most: u64) -> Result<usize, NpzError> {
    let count = array.shape().iter().try_fold(1_u64, |count, &side| count.checked_mul(side));
    match count.filter(|&count| count <= most) {
        Some(count) => Ok(count as usize),
        None => Err(NpzError::Shape {
            array: array.name().to_owned(),
            expected: format!("at most {most} elements"),
            found: array.shape().to_vec(),
        }),
    }
}
