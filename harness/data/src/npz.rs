use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use prismbench_core::{RgbImage, Sample};
use zip::ZipArchive;

use super::rows::{RowSource, Rows, numbered};
use super::{DataError, Dataset, FileState, Limits, Pending, Samples, Stamp, check_range};

mod array;
mod arrays;
mod column;
mod error;

pub(super) use array::Array;
pub use arrays::{Floats, NpzArrays};
pub use error::NpzError;

/// Pictures in an `.npz`: `arr_0`, u8 `[N, H, W, 3]` in C order, with labels in `arr_1` (N integers)
/// and names in `ids` (N texts) where they are there.
///
/// This is the sample file of ADM's evaluator. Pictures are read one at a time out of the zip member.
#[derive(Debug)]
pub(super) struct Npz {
    id: String,
    pictures: Rows<Member>,
    len: u64,
    height: usize,
    width: usize,
    labels: Option<Vec<u32>>,
    ids: Option<Vec<String>>,
}

/// The member of the archive that holds the pictures.
#[derive(Debug)]
struct Member {
    path: PathBuf,
    array: Array,
}

impl RowSource for Member {
    fn open(&self, skip: u64) -> Result<Box<dyn Read + Send>, DataError> {
        self.array.open(&self.path, skip).map_err(|cause| self.failure(cause))
    }

    fn is_sought_in(&self) -> bool {
        self.array.is_sought_in()
    }

    fn failed(&self, cause: io::Error) -> DataError {
        self.failure(NpzError::Read(cause))
    }
}

impl Member {
    fn failure(&self, cause: NpzError) -> DataError {
        DataError::Npz { path: self.path.clone(), cause }
    }
}

impl Npz {
    /// Checks every header against what the file can hold, and reads labels and ids.
    ///
    /// # Errors
    /// [`DataError::Npz`] and [`DataError::Io`].
    pub(super) fn open(path: &Path, limits: Limits) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|cause| DataError::io(path, cause))?;
        Self::read(path, file, limits)
            .map_err(|cause| DataError::Npz { path: path.to_owned(), cause })
    }

    fn read(path: &Path, file: File, limits: Limits) -> Result<Self, NpzError> {
        let file_len = file.metadata().map_err(NpzError::Read)?.len();
        let mut archive = ZipArchive::new(BufReader::new(file)).map_err(NpzError::Zip)?;
        let pictures = Array::find(&mut archive, "arr_0", file_len)?
            .ok_or_else(|| NpzError::NoPictures { found: array::names(&archive) })?;
        let (len, height, width) = picture_shape(&pictures, limits)?;
        let labels = Array::find(&mut archive, "arr_1", file_len)?
            .map(|array| column::labels(&array, path, len))
            .transpose()?;
        let ids = Array::find(&mut archive, "ids", file_len)?
            .map(|array| column::texts(&array, path, len))
            .transpose()?;
        if let Some(ids) = &ids {
            check_distinct(ids)?;
        }
        let id = path.display().to_string();
        let member = Member { path: path.to_owned(), array: pictures };
        let pictures = Rows::new(member, 3 * height * width);
        Ok(Self { id, pictures, len, height, width, labels, ids })
    }

    fn sample_id(&self, index: u64) -> String {
        match self.ids.as_ref().and_then(|ids| ids.get(index as usize)) {
            Some(id) => id.clone(),
            None => numbered(index, self.len),
        }
    }

    /// A picture whose bytes are there; decoding, such as it is, is left to the sample.
    fn pending(&self, index: u64, pixels: Vec<u8>) -> Pending<'_> {
        let id = self.sample_id(index);
        Pending::new(index, id.clone(), move || {
            let image = RgbImage::new(self.width, self.height, pixels)
                .map_err(|error| self.pictures.source().failed(io::Error::other(error)))?;
            let label = self.labels.as_ref().and_then(|labels| labels.get(index as usize)).copied();
            Ok(Sample { index, id, image, label, captions: Vec::new() })
        })
    }
}

impl Dataset for Npz {
    fn id(&self) -> &str {
        &self.id
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn name(&self, index: u64) -> Option<&str> {
        self.ids.as_ref()?.get(usize::try_from(index).ok()?).map(String::as_str)
    }

    fn classes(&self) -> &[String] {
        &[]
    }

    fn file_state(&self) -> FileState {
        Stamp::default().with(&self.pictures.source().path).finish()
    }

    fn samples(&self, range: Range<u64>) -> Result<Samples<'_>, DataError> {
        check_range(&self.id, &range, self.len)?;
        let walk = self.pictures.walk(range)?;
        Ok(Box::new(walk.map(|row| row.map(|(index, pixels)| self.pending(index, pixels)))))
    }
}

/// `(N, H, W)` of an array that can hold pictures.
fn picture_shape(pictures: &Array, limits: Limits) -> Result<(u64, usize, usize), NpzError> {
    pictures.expect_type("u1", "8-bit pictures, as `pictures.astype(numpy.uint8)` gives")?;
    let wrong = || NpzError::Shape {
        array: pictures.name().to_owned(),
        expected: "[N, height, width, 3] with at least one picture".to_owned(),
        found: pictures.shape().to_vec(),
    };
    let &[len, height, width, 3] = pictures.shape() else { return Err(wrong()) };
    match height.checked_mul(width) {
        Some(pixels) if pixels > 0 && pixels <= limits.pixels() && len > 0 => {
            Ok((len, height as usize, width as usize))
        }
        Some(pixels) if pixels <= limits.pixels() => Err(wrong()),
        _ => Err(NpzError::TooLarge { height, width, most: limits.pixels() }),
    }
}

/// Results are paired by id, so one id must not stand for two pictures.
fn check_distinct(ids: &[String]) -> Result<(), NpzError> {
    let mut seen = HashSet::with_capacity(ids.len());
    match ids.iter().find(|id| !seen.insert(id.as_str())) {
        None => Ok(()),
        Some(id) => Err(NpzError::Value {
            array: "ids".to_owned(),
            problem: format!("`{id}` names two pictures"),
        }),
    }
}

#[cfg(test)]
mod tests;
