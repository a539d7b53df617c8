use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Metadata, TensorInfo};

use super::{ARRAYS, LABELS, LatentFileError, MAX_VALUES, take};
use crate::DataError;
use crate::npz::{Array, NpzArrays, NpzError};
use crate::numbers::Float;
use crate::rows::{RowSource, Rows};

/// Longest header of a safetensors file that is read.
const MAX_HEADER: u64 = 1 << 24;

/// One file of latents.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    rows: Rows<Source>,
    float: Float,
    shape: Vec<usize>,
    len: u64,
    labels: Option<Vec<u32>>,
}

/// Where in a file the array lies.
#[derive(Debug)]
enum Source {
    Npz { path: PathBuf, array: Array },
    Plain { path: PathBuf, start: u64 },
}

/// Whether the name of a file is one that latents have.
pub(super) fn is_known(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "npz" || extension == "safetensors")
}

impl Part {
    pub(super) fn open(path: &Path) -> Result<Self, LatentFileError> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("npz") => Self::npz(path),
            Some("safetensors") => Self::safetensors(path),
            _ => match std::fs::metadata(path) {
                Ok(_) => Err(LatentFileError::Kind { path: path.to_owned() }),
                Err(cause) => Err(LatentFileError::Io { path: path.to_owned(), cause }),
            },
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn labels(&self) -> Option<&[u32]> {
        self.labels.as_deref()
    }

    /// Appends latents `range`.
    pub(super) fn read(
        &self,
        range: Range<u64>,
        values: &mut Vec<f32>,
    ) -> Result<(), LatentFileError> {
        for row in self.rows.walk(range)? {
            let (_, bytes) = row?;
            values.extend(self.float.widen(&bytes).into_iter().map(|value| value as f32));
        }
        Ok(())
    }

    fn npz(path: &Path) -> Result<Self, LatentFileError> {
        let arrays = NpzArrays::open(path)?;
        let mut floats = Vec::new();
        for name in arrays.names() {
            if let Some(array) = arrays.find(name)?
                && let Some(float) = Float::of_numpy(array.descr())
            {
                floats.push((name.as_str(), (array, float)));
            }
        }
        let absent =
            || LatentFileError::NoLatents { path: path.to_owned(), found: arrays.names().to_vec() };
        let (name, (array, float)) = chosen(floats).ok_or_else(absent)?;
        let (len, shape) = sides(path, name, array.shape())?;
        let mut labels = None;
        for name in LABELS {
            labels = match arrays.labels(name, len) {
                Err(DataError::Npz { cause: NpzError::Shape { array, found, .. }, .. }) => {
                    let (path, expected) = (path.to_owned(), len);
                    return Err(LatentFileError::Labels { path, array, found, expected });
                }
                found => labels.or(found?),
            };
        }
        let source = Source::Npz { path: path.to_owned(), array };
        Ok(Self::new(path, source, float, (len, shape), labels))
    }

    fn safetensors(path: &Path) -> Result<Self, LatentFileError> {
        let (metadata, start) = header(path)?;
        let tensors = metadata.tensors();
        let mut names: Vec<&str> = tensors.keys().map(String::as_str).collect();
        names.sort_unstable();
        let floats = names.iter().filter_map(|&name| {
            let info = *tensors.get(name)?;
            Some((name, (info, Float::of_safetensors(info.dtype)?)))
        });
        let absent = || LatentFileError::NoLatents {
            path: path.to_owned(),
            found: names.iter().map(|&name| name.to_owned()).collect(),
        };
        let (name, (info, float)) = chosen(floats.collect()).ok_or_else(absent)?;
        let (len, shape) = sides(path, name, &wide(info))?;
        let start_of = |info: &TensorInfo| start + info.data_offsets.0 as u64;
        let source = Source::Plain { path: path.to_owned(), start: start_of(info) };
        let mut labels = None;
        if let Some((name, info)) =
            LABELS.iter().find_map(|&name| Some((name, *tensors.get(name)?)))
        {
            if wide(info) != [len] {
                let (path, array) = (path.to_owned(), name.to_owned());
                let (found, expected) = (wide(info), len);
                return Err(LatentFileError::Labels { path, array, found, expected });
            }
            labels = Some(whole_numbers(path, start_of(info), info)?);
        }
        Ok(Self::new(path, source, float, (len, shape), labels))
    }

    fn new(
        path: &Path,
        source: Source,
        float: Float,
        (len, shape): (u64, Vec<usize>),
        labels: Option<Vec<u32>>,
    ) -> Self {
        let rows = Rows::new(source, shape.iter().product::<usize>() * float.bytes());
        Self { path: path.to_owned(), rows, float, shape, len, labels }
    }
}

/// The array of a name that latents have, else the only one.
fn chosen<T>(mut floats: Vec<(&str, T)>) -> Option<(&str, T)> {
    let named = ARRAYS.iter().find_map(|&name| floats.iter().position(|(found, _)| *found == name));
    match named {
        Some(place) => Some(floats.swap_remove(place)),
        None if floats.len() == 1 => floats.pop(),
        None => None,
    }
}

/// The number of latents, and the sides of one.
fn sides(path: &Path, array: &str, found: &[u64]) -> Result<(u64, Vec<usize>), LatentFileError> {
    let wrong = || LatentFileError::Shape {
        path: path.to_owned(),
        array: array.to_owned(),
        found: found.to_vec(),
    };
    let (&len, shape) = found.split_first().ok_or_else(wrong)?;
    let values = shape.iter().try_fold(1_u64, |values, &side| values.checked_mul(side));
    match values {
        Some(1..=MAX_VALUES) if len > 0 && !shape.is_empty() => {
            Ok((len, shape.iter().map(|&side| side as usize).collect()))
        }
        _ => Err(wrong()),
    }
}

fn wide(info: &TensorInfo) -> Vec<u64> {
    info.shape.iter().map(|&side| side as u64).collect()
}

/// What the header of a safetensors file says, and where its data begin. Claims that the file is too
/// short for are refused.
fn header(path: &Path) -> Result<(Metadata, u64), LatentFileError> {
    let io = |cause| LatentFileError::Io { path: path.to_owned(), cause };
    let bad = |problem: String| LatentFileError::Safetensors { path: path.to_owned(), problem };
    let mut file = BufReader::new(File::open(path).map_err(io)?);
    let there = file.get_ref().metadata().map_err(io)?.len();
    let length = take(&mut file, 8).map_err(|_| bad("it ends in its header".to_owned()))?;
    let length = little_endian(&length);
    if length > MAX_HEADER || length + 8 > there {
        return Err(bad(format!("its header claims {length} bytes")));
    }
    let header = take(&mut file, length as usize).map_err(io)?;
    // Sizes and offsets of each tensor are checked against each other here.
    let metadata: Metadata =
        serde_json::from_slice(&header).map_err(|error| bad(error.to_string()))?;
    let end = metadata.tensors().values().map(|info| info.data_offsets.1 as u64).max();
    let data = there - 8 - length;
    match end {
        Some(end) if end > data => {
            Err(bad(format!("its tensors claim {end} bytes and {data} are there")))
        }
        _ => Ok((metadata, 8 + length)),
    }
}

/// Labels of a safetensors file, one after the other from byte `start` on.
fn whole_numbers(path: &Path, start: u64, info: &TensorInfo) -> Result<Vec<u32>, LatentFileError> {
    let io = |cause| LatentFileError::Io { path: path.to_owned(), cause };
    let bad = |problem: String| LatentFileError::Safetensors { path: path.to_owned(), problem };
    let width = match info.dtype {
        safetensors::Dtype::I64 | safetensors::Dtype::U64 => 8,
        safetensors::Dtype::I32 | safetensors::Dtype::U32 => 4,
        other => return Err(bad(format!("its labels are {other:?}; expected whole numbers"))),
    };
    let mut file = File::open(path).map_err(io)?;
    file.seek(SeekFrom::Start(start)).map_err(io)?;
    let size = info.data_offsets.1.saturating_sub(info.data_offsets.0);
    let bytes = take(&mut file, size).map_err(io)?;
    let label = |(place, bytes): (usize, &[u8])| {
        let label = u32::try_from(little_endian(bytes)).ok().filter(|&label| label < 1 << 31);
        label.ok_or_else(|| bad(format!("label {place} is not in 0..2^31")))
    };
    bytes.chunks_exact(width).enumerate().map(label).collect()
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

impl RowSource for Source {
    fn open(&self, skip: u64) -> Result<Box<dyn Read + Send>, DataError> {
        match self {
            Self::Npz { path, array } => {
                array.open(path, skip).map_err(|cause| DataError::Npz { path: path.clone(), cause })
            }
            Self::Plain { path, start } => {
                let open = || -> std::io::Result<_> {
                    let mut file = File::open(path)?;
                    file.seek(SeekFrom::Start(start.saturating_add(skip)))?;
                    Ok(BufReader::with_capacity(1 << 18, file))
                };
                match open() {
                    Ok(reader) => Ok(Box::new(reader)),
                    Err(cause) => Err(DataError::io(path, cause)),
                }
            }
        }
    }

    fn is_sought_in(&self) -> bool {
        match self {
            Self::Npz { array, .. } => array.is_sought_in(),
            Self::Plain { .. } => true,
        }
    }

    fn failed(&self, cause: std::io::Error) -> DataError {
        let (Self::Npz { path, .. } | Self::Plain { path, .. }) = self;
        DataError::io(path, cause)
    }
}
