use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use prismbench_core::{RgbImage, Sample};

use super::rows::numbered;
use super::{DataError, Dataset, FileState, Pending, Samples, Stamp, check_range};

/// Columns and rows of every picture.
const SIDE: usize = 32;

/// Bytes of one channel.
const PLANE: usize = SIDE * SIDE;

/// A label and the three planes of a picture, from row to row.
const RECORD: usize = 1 + 3 * PLANE;

/// Classes of the set.
const CLASSES: usize = 10;

/// The file of class names beside the batches.
const NAMES: &str = "batches.meta.txt";

/// CIFAR-10 in its binary version: batches of records of 3,073 bytes.
///
/// Format: <https://www.cs.toronto.edu/~kriz/cifar.html>, "Binary version". Ids are indices over all
/// batches. Class names come from `batches.meta.txt` where it lies beside them.
#[derive(Debug)]
pub(super) struct Cifar10 {
    id: String,
    batches: Vec<Batch>,
    len: u64,
    classes: Vec<String>,
}

#[derive(Debug)]
struct Batch {
    path: PathBuf,
    /// Index of its first picture in the set.
    first: u64,
    len: u64,
}

/// Why a file cannot be read as a batch of CIFAR-10.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cifar10Error {
    /// The size is not one of whole records.
    #[error(
        "it has {found} bytes, which is no whole number of records of {RECORD}; it is cut short, or of another set than CIFAR-10"
    )]
    Size {
        /// Bytes of the file.
        found: u64,
    },
    /// A label is out of range.
    #[error("record {record} has label {found}; expected 0 to 9")]
    Label {
        /// Place in the file.
        record: u64,
        /// The label.
        found: u8,
    },
    /// The list of names has another length.
    #[error("it names {found} classes; expected {CLASSES}")]
    Names {
        /// Lines that are not empty.
        found: usize,
    },
    /// One of the five training batches is not there.
    #[error("it is not there; the training split is five batches")]
    Batch,
}

/// Names of the five training batches.
pub(super) fn train_batches() -> impl Iterator<Item = String> {
    (1..=5).map(|number| format!("data_batch_{number}.bin"))
}

/// Name of the test batch.
pub(super) const TEST_BATCH: &str = "test_batch.bin";

impl Cifar10 {
    /// Checks the size of every batch and reads the names of the classes.
    ///
    /// # Errors
    /// [`DataError::Cifar10`] and [`DataError::Io`].
    pub(super) fn open(id: &str, paths: Vec<PathBuf>) -> Result<Self, DataError> {
        let classes = match paths.first() {
            Some(path) => read_names(&path.with_file_name(NAMES))?,
            None => Vec::new(),
        };
        let mut batches = Vec::with_capacity(paths.len());
        let mut first = 0;
        for path in paths {
            let found = match std::fs::metadata(&path) {
                Ok(facts) => facts.len(),
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                    return Err(failed(&path, Cifar10Error::Batch));
                }
                Err(cause) => return Err(DataError::io(path, cause)),
            };
            let len = found / RECORD as u64;
            if len == 0 || !found.is_multiple_of(RECORD as u64) {
                return Err(failed(&path, Cifar10Error::Size { found }));
            }
            batches.push(Batch { path, first, len });
            first += len;
        }
        Ok(Self { id: id.to_owned(), batches, len: first, classes })
    }

    fn load(&self, index: u64) -> Result<Sample, DataError> {
        let at = self.batches.partition_point(|batch| batch.first + batch.len <= index);
        let batch = &self.batches[at];
        let record = index - batch.first;
        let bytes = read_record(&batch.path, record * RECORD as u64)
            .map_err(|cause| DataError::io(&batch.path, cause))?;
        let label = bytes[0];
        if usize::from(label) >= CLASSES {
            return Err(failed(&batch.path, Cifar10Error::Label { record, found: label }));
        }
        let planes = &bytes[1..];
        let pixels = (0..PLANE).flat_map(|i| [planes[i], planes[PLANE + i], planes[2 * PLANE + i]]);
        let image = RgbImage::new(SIDE, SIDE, pixels.collect())
            .map_err(|error| DataError::io(&batch.path, io::Error::other(error)))?;
        let id = numbered(index, self.len);
        Ok(Sample { index, id, image, label: Some(u32::from(label)), captions: Vec::new() })
    }
}

impl Dataset for Cifar10 {
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
        &self.classes
    }

    fn file_state(&self) -> FileState {
        let stamp = |stamp: Stamp, batch: &Batch| stamp.with(&batch.path);
        self.batches.iter().fold(Stamp::default(), stamp).finish()
    }

    fn samples(&self, range: Range<u64>) -> Result<Samples<'_>, DataError> {
        check_range(&self.id, &range, self.len)?;
        let pending = move |index| {
            Ok(Pending::new(index, numbered(index, self.len), move || self.load(index)))
        };
        Ok(Box::new(range.map(pending)))
    }
}

fn read_record(path: &Path, start: u64) -> io::Result<[u8; RECORD]> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = [0; RECORD];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The class names, or none where the file is not there.
fn read_names(path: &Path) -> Result<Vec<String>, DataError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(DataError::io(path, cause)),
    };
    let names: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    match names.len() {
        CLASSES => Ok(names),
        found => Err(failed(path, Cifar10Error::Names { found })),
    }
}

fn failed(path: &Path, cause: Cifar10Error) -> DataError {
    DataError::Cifar10 { path: path.to_owned(), cause }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{DataSpec, open};

    /// Records whose label and bytes follow from their place.
    fn batch(first: u64, count: u64) -> Vec<u8> {
        (first..first + count)
            .flat_map(|index| {
                let byte = move |i: usize| ((index as usize * 31 + i * 7) % 251) as u8;
                std::iter::once((index % 10) as u8).chain((0..3 * PLANE).map(byte))
            })
            .collect()
    }

    /// The whole set with three pictures a batch.
    fn folder() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, first) in train_batches().zip((0..).step_by(3)) {
            fs::write(root.path().join(name), batch(first, 3)).unwrap();
        }
        fs::write(root.path().join(TEST_BATCH), batch(40, 2)).unwrap();
        fs::write(root.path().join(NAMES), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n").unwrap();
        root
    }

    fn refusal(text: &str) -> String {
        let error = open(&text.parse().unwrap()).err().unwrap();
        assert!(!error.is_sample());
        crate::chain(&error)
    }

    #[test]
    fn five_batches_are_one_split_and_planes_become_pixels() {
        let root = folder();
        let text = format!("{}#train", root.path().display());
        let set = open(&text.parse().unwrap()).unwrap();
        assert_eq!((set.id(), set.len(), set.classes().len()), (text.as_str(), 15, 10));
        let samples: Vec<Sample> =
            set.samples(2..15).unwrap().map(|p| p.unwrap().load().unwrap()).collect();
        for (sample, index) in samples.iter().zip(2..) {
            assert_eq!((sample.index, sample.label), (index, Some((index % 10) as u32)));
            assert_eq!(sample.id, format!("{index:02}"));
            let planes = &batch(index, 1)[1..];
            let pixel = |i: usize| [planes[i], planes[PLANE + i], planes[2 * PLANE + i]];
            let expected: Vec<u8> = (0..PLANE).flat_map(pixel).collect();
            assert_eq!(sample.image.pixels(), expected);
        }
        let test = open(&format!("{}#test", root.path().display()).parse().unwrap()).unwrap();
        assert_eq!((test.len(), &test.classes()[0]), (2, &"a".to_owned()));
        let one = root.path().join("data_batch_2.bin");
        assert_eq!(open(&DataSpec::Path(one)).unwrap().len(), 3);
    }

    #[test]
    fn files_of_wrong_size_missing_ones_and_wrong_labels_are_named() {
        let root = folder();
        let path = |name: &str| root.path().join(name);
        let train = format!("{}#train", root.path().display());
        fs::write(path(NAMES), "a\nb\n").unwrap();
        assert!(refusal(&train).contains("it names 2 classes; expected 10"));
        fs::remove_file(path(NAMES)).unwrap();

        fs::write(path(TEST_BATCH), &batch(0, 2)[..6145]).unwrap();
        let text = refusal(&format!("{}#test", root.path().display()));
        assert!(text.contains("test_batch.bin") && text.contains("6145 bytes"), "{text}");
        fs::write(path(TEST_BATCH), []).unwrap();
        assert!(refusal(&path(TEST_BATCH).display().to_string()).contains("0 bytes"));

        fs::remove_file(path("data_batch_4.bin")).unwrap();
        let text = refusal(&train);
        assert!(text.contains("data_batch_4.bin") && text.contains("five batches"), "{text}");

        let mut bytes = batch(0, 3);
        bytes[RECORD] = 10;
        fs::write(path("data_batch_1.bin"), bytes).unwrap();
        let set = open(&DataSpec::Path(path("data_batch_1.bin"))).unwrap();
        let mut loads = set.samples(0..3).unwrap().map(|p| p.unwrap().load());
        assert!(loads.next().unwrap().is_ok());
        let text = crate::chain(&loads.next().unwrap().unwrap_err());
        assert!(text.contains("record 1 has label 10; expected 0 to 9"), "{text}");
    }
}
