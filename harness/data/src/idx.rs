use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use prismbench_core::{RgbImage, Sample};

use super::decode::grey_to_rgb;
use super::rows::{RowSource, Rows, numbered};
use super::{DataError, Dataset, FileState, Limits, Pending, Samples, Stamp, check_range};

mod array;
mod error;

use array::Array;
pub use error::IdxError;

/// Grey pictures and their classes in the two files of MNIST and the sets that took its format over:
/// `idx3-ubyte` with N pictures and `idx1-ubyte` with N labels, plain or gzipped.
///
/// Format: the end of <http://yann.lecun.com/exdb/mnist/>. Grey levels become RGB of three equal
/// channels, neither inverted nor turned. Classes have no names. Ids are indices.
#[derive(Debug)]
pub(super) struct Idx {
    id: String,
    pictures: Rows<Pictures>,
    len: u64,
    height: usize,
    width: usize,
    labels: Vec<u8>,
}

/// The file of pictures.
#[derive(Debug)]
struct Pictures {
    path: PathBuf,
    array: Array,
}

impl RowSource for Pictures {
    fn open(&self, skip: u64) -> Result<Box<dyn Read + Send>, DataError> {
        self.array.open(&self.path, skip).map_err(|cause| self.failed(cause))
    }

    fn is_sought_in(&self) -> bool {
        self.array.is_sought_in()
    }

    fn failed(&self, cause: io::Error) -> DataError {
        failed(&self.path, IdxError::Read(cause))
    }
}

fn failed(path: &Path, cause: IdxError) -> DataError {
    DataError::Idx { path: path.to_owned(), cause }
}

impl Idx {
    /// Checks both headers against what the files hold, and reads the labels.
    ///
    /// # Errors
    /// [`DataError::Idx`] and [`DataError::Io`].
    pub(super) fn open(
        id: &str,
        (images, labels): (&Path, &Path),
        limits: Limits,
    ) -> Result<Self, DataError> {
        let array = Array::find(images, 3)?;
        let (len, height, width) =
            picture_shape(array.sides(), limits).map_err(|cause| failed(images, cause))?;
        let labels = read_labels(images, labels, len)?;
        let pictures = Rows::new(Pictures { path: images.to_owned(), array }, height * width);
        Ok(Self { id: id.to_owned(), pictures, len, height, width, labels })
    }

    fn pending(&self, index: u64, levels: Vec<u8>) -> Pending<'_> {
        let id = numbered(index, self.len);
        Pending::new(index, id.clone(), move || {
            let image = RgbImage::new(self.width, self.height, grey_to_rgb(levels))
                .map_err(|error| self.pictures.source().failed(io::Error::other(error)))?;
            let label = self.labels.get(index as usize).map(|&label| u32::from(label));
            Ok(Sample { index, id, image, label, captions: Vec::new() })
        })
    }
}

impl Dataset for Idx {
    fn id(&self) -> &str {
        &self.id
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn name(&self, _: u64) -> Option<&str> {
        None
    }

    fn classes(&self) -> &[String] {
        &[]
    }

    fn file_state(&self) -> FileState {
        let stamp = Stamp::default().with(&self.pictures.source().path);
        stamp.with_bytes(&self.labels).finish()
    }

    fn samples(&self, range: Range<u64>) -> Result<Samples<'_>, DataError> {
        check_range(&self.id, &range, self.len)?;
        let walk = self.pictures.walk(range)?;
        Ok(Box::new(walk.map(|row| row.map(|(index, levels)| self.pending(index, levels)))))
    }
}

fn read_labels(images: &Path, labels: &Path, len: u64) -> Result<Vec<u8>, DataError> {
    let array = Array::find(labels, 1)?;
    let count = array.sides().first().copied().unwrap_or(0);
    if count != len {
        let cause = IdxError::Count { labels: count, pictures: len, images: images.to_owned() };
        return Err(failed(labels, cause));
    }
    // The size of the file has been checked against the count. One byte more is asked for, so that
    // the checksum, which comes behind the data, is seen.
    let mut read = Vec::new();
    array
        .open(labels, 0)
        .and_then(|reader| reader.take(count.saturating_add(1)).read_to_end(&mut read))
        .map_err(|cause| failed(labels, IdxError::Read(cause)))?;
    if read.len() as u64 == count {
        Ok(read)
    } else {
        Err(failed(labels, IdxError::Size { claimed: count, there: read.len() as u64 }))
    }
}

/// `(N, H, W)` of sides that can be those of pictures.
fn picture_shape(sides: &[u64], limits: Limits) -> Result<(u64, usize, usize), IdxError> {
    match *sides {
        [len, height, width] if len > 0 => match height.checked_mul(width) {
            Some(pixels) if pixels > 0 && pixels <= limits.pixels() => {
                Ok((len, height as usize, width as usize))
            }
            // What the limit of every program refuses is damage.
            Some(pixels) if pixels > 0 && pixels <= Limits::PIXELS => {
                Err(IdxError::TooLarge { height, width, most: limits.pixels() })
            }
            _ => Err(IdxError::Shape { found: sides.to_vec() }),
        },
        _ => Err(IdxError::Shape { found: sides.to_vec() }),
    }
}

#[cfg(test)]
mod tests;
