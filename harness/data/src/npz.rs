use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use prismbench_core::{RgbImage, Sample};
use zip::ZipArchive;

use super::{DataError, Dataset, Pending, Samples, check_range};

mod array;
mod column;
mod error;

use array::Array;
pub use error::NpzError;

/// Most pixels of one picture, as for files.
const MAX_PIXELS: u64 = super::decode::MAX_PIXELS;

/// Pictures in an `.npz`: `arr_0`, u8 `[N, H, W, 3]` in C order, with labels in `arr_1` (N integers)
/// and names in `ids` (N texts) where they are there.
///
/// This is the sample file of ADM's evaluator. Pictures are read one at a time out of the zip member:
/// a stored member is sought in; a deflated one is read on from where the last walk ended, or from its
/// beginning, and what comes before the range is thrown away. Checksums are not verified, because a range is less than a member.
#[derive(Debug)]
pub(super) struct Npz {
    id: String,
    path: PathBuf,
    pictures: Array,
    len: u64,
    height: usize,
    width: usize,
    labels: Option<Vec<u32>>,
    ids: Option<Vec<String>>,
    /// Where the last walk ended.
    kept: Mutex<Option<Place>>,
}

/// A reader that stands before a picture.
struct Place {
    index: u64,
    reader: Box<dyn Read + Send>,
}

/// Pictures one after the other.
struct Walk<'a> {
    npz: &'a Npz,
    range: Range<u64>,
    /// Gone once a picture could not be read.
    place: Option<Place>,
}

impl Npz {
    /// Checks every header against what the file can hold, and reads labels and ids.
    ///
    /// # Errors
    /// [`DataError::Npz`] and [`DataError::Io`].
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|cause| DataError::io(path, cause))?;
        Self::read(path, file).map_err(|cause| DataError::Npz { path: path.to_owned(), cause })
    }

    fn read(path: &Path, file: File) -> Result<Self, NpzError> {
        let file_len = file.metadata().map_err(NpzError::Read)?.len();
        let mut archive = ZipArchive::new(BufReader::new(file)).map_err(NpzError::Zip)?;
        let pictures = Array::find(&mut archive, "arr_0", file_len)?
            .ok_or_else(|| NpzError::NoPictures { found: array::names(&archive) })?;
        let (len, height, width) = picture_shape(&pictures)?;
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
        Ok(Self {
            id,
            path: path.to_owned(),
            pictures,
            len,
            height,
            width,
            labels,
            ids,
            kept: Mutex::default(),
        })
    }

    /// Name of a sample without a name: its index, with zeros in front so that names sort like it.
    fn sample_id(&self, index: u64) -> String {
        match self.ids.as_ref().and_then(|ids| ids.get(index as usize)) {
            Some(id) => id.clone(),
            None => {
                let digits = (self.len - 1).checked_ilog10().unwrap_or(0) as usize + 1;
                format!("{index:0digits$}")
            }
        }
    }

    fn bytes_per_picture(&self) -> usize {
        3 * self.height * self.width
    }

    /// A reader before picture `index`: the kept one if it stands there or, in a deflated member,
    /// anywhere before it.
    fn place(&self, index: u64) -> Result<Place, DataError> {
        let bytes = self.bytes_per_picture() as u64;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let usable = |place: &Place| {
            place.index == index || (place.index < index && !self.pictures.is_sought_in())
        };
        let reader = match kept.filter(usable) {
            Some(Place { index: at, mut reader }) => {
                io::copy(&mut reader.by_ref().take((index - at) * bytes), &mut io::sink())
                    .map_err(|cause| self.failed(NpzError::Read(cause)))?;
                reader
            }
            None => {
                let opened = self.pictures.open(&self.path, index * bytes);
                opened.map_err(|cause| self.failed(cause))?
            }
        };
        Ok(Place { index, reader })
    }

    fn failed(&self, cause: NpzError) -> DataError {
        DataError::Npz { path: self.path.clone(), cause }
    }

    /// Copies the bytes of the next picture; decoding, such as it is, is left to the sample.
    fn next<'a>(&'a self, index: u64, reader: &mut dyn Read) -> Result<Pending<'a>, DataError> {
        let mut pixels = vec![0; self.bytes_per_picture()];
        reader.read_exact(&mut pixels).map_err(|cause| self.failed(NpzError::Read(cause)))?;
        let id = self.sample_id(index);
        let sample = id.clone();
        Ok(Pending::new(index, sample, move || {
            let image = RgbImage::new(self.width, self.height, pixels)
                .map_err(|error| self.failed(NpzError::Read(std::io::Error::other(error))))?;
            let label = self.labels.as_ref().and_then(|labels| labels.get(index as usize)).copied();
            Ok(Sample { index, id, image, label, captions: Vec::new() })
        }))
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Result<Pending<'a>, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut place = self.place.take()?;
        let Some(index) = self.range.next() else {
            self.place = Some(place);
            return None;
        };
        let picture = self.npz.next(index, &mut place.reader);
        if picture.is_ok() {
            self.place = Some(Place { index: index + 1, ..place });
        }
        Some(picture)
    }
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            *self.npz.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("index", &self.index).finish_non_exhaustive()
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

    fn samples(&self, range: Range<u64>) -> Result<Samples<'_>, DataError> {
        check_range(&self.id, &range, self.len)?;
        let place = self.place(range.start)?;
        Ok(Box::new(Walk { npz: self, range, place: Some(place) }))
    }
}

/// `(N, H, W)` of an array that can hold pictures.
fn picture_shape(pictures: &Array) -> Result<(u64, usize, usize), NpzError> {
    pictures.expect_type("u1", "8-bit pictures, as `pictures.astype(numpy.uint8)` gives")?;
    let wrong = || NpzError::Shape {
        array: pictures.name().to_owned(),
        expected: "[N, height, width, 3] with at least one picture".to_owned(),
        found: pictures.shape().to_vec(),
    };
    let &[len, height, width, 3] = pictures.shape() else { return Err(wrong()) };
    match height.checked_mul(width) {
        Some(1..=MAX_PIXELS) if len > 0 => Ok((len, height as usize, width as usize)),
        Some(pixels) if pixels > MAX_PIXELS => Err(NpzError::TooLarge { height, width }),
        None => Err(NpzError::TooLarge { height, width }),
        Some(_) => Err(wrong()),
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
