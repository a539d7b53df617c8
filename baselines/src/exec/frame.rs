//! Frames: a length (u64, little-endian), then a safetensors file of that length whose
//! `__metadata__` carries a message as texts.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use prismbench_core::ImageBatch;
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde_json::{Map, Value, json};

/// Bytes that are converted at once.
pub(super) const CHUNK: usize = 1 << 18;

/// Longest header that is read: texts and the shapes of a few thousand arrays.
const MAX_HEADER: u64 = 1 << 20;

/// Bytes of a length.
const LENGTH: u64 = 8;

/// A message as it came.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) texts: BTreeMap<String, String>,
    pub(super) arrays: BTreeMap<String, Array>,
}

/// An array on the host, in C order.
#[derive(Debug)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) values: Values,
}

#[derive(Debug)]
pub(super) enum Values {
    F32(Vec<f32>),
    U8(Vec<u8>),
}

impl Values {
    /// The type, as safetensors names it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::F32(_) => "F32",
            Self::U8(_) => "U8",
        }
    }
}

/// A message to be sent; its arrays are borrowed and never copied as a whole.
#[derive(Debug, Default)]
pub(super) struct Outgoing<'a> {
    pub(super) texts: BTreeMap<&'static str, String>,
    pub(super) arrays: Vec<(String, Vec<usize>, Slice<'a>)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Slice<'a> {
    F32(&'a [f32]),
    U8(&'a [u8]),
}

/// Why bytes are no frame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// They end early, or could not be had.
    #[error("its bytes cannot be had to their end")]
    Read(#[source] io::Error),
    /// The length is none that was to be expected: this is no frame at all, or far too long.
    #[error("a length of {claimed} bytes is claimed where at most {limit} fit the question")]
    Length {
        /// Bytes that it claims.
        claimed: u64,
        /// Most bytes that an answer to the question has.
        limit: u64,
    },
    /// The header is longer than the frame, or than any header.
    #[error("its header claims {claimed} bytes; at most {limit} fit")]
    HeaderLength {
        /// Bytes that it claims.
        claimed: u64,
        /// Most bytes that there could be.
        limit: u64,
    },
    /// The header is not that of a safetensors file.
    #[error("its header is not that of a safetensors file")]
    Header(#[source] serde_json::Error),
    /// Header and length contradict each other.
    #[error("its arrays take {arrays} bytes and {there} are left for them")]
    Data {
        /// Bytes by the header.
        arrays: u64,
        /// Bytes by the length of the frame.
        there: u64,
    },
    /// An array is neither f32 nor u8.
    #[error("`{array}` is of type {found}; expected F32 or U8")]
    Type {
        /// The array.
        array: String,
        /// Its type, as safetensors names it.
        found: String,
    },
}

impl Frame {
    /// Reads one frame of at most `limit` bytes. Nothing is allocated on the word of a header that
    /// claims more.
    pub(super) fn read(reader: &mut dyn Read, limit: u64) -> Result<Self, FrameError> {
        let len = length(reader)?;
        if len > limit || len < LENGTH {
            return Err(FrameError::Length { claimed: len, limit });
        }
        let (header, most) = (length(reader)?, MAX_HEADER.min(len - LENGTH));
        if header > most {
            return Err(FrameError::HeaderLength { claimed: header, limit: most });
        }
        let mut text = vec![0; header as usize];
        reader.read_exact(&mut text).map_err(FrameError::Read)?;
        // Shapes must fit their spans, and spans lie side by side without gap or overlap.
        let metadata: Metadata = serde_json::from_slice(&text).map_err(FrameError::Header)?;
        let (arrays, there) = (metadata.data_len() as u64, len - LENGTH - header);
        if arrays != there {
            return Err(FrameError::Data { arrays, there });
        }
        let mut frame = Self::default();
        if let Some(texts) = metadata.metadata() {
            frame.texts = texts.clone().into_iter().collect();
        }
        // In the order of their bytes.
        for name in metadata.offset_keys() {
            let Some(info) = metadata.info(&name) else { continue };
            let bytes = info.data_offsets.1 - info.data_offsets.0;
            let values = match info.dtype {
                Dtype::F32 => Values::F32(read_f32(reader, bytes)?),
                Dtype::U8 => Values::U8(read_u8(reader, bytes)?),
                other => {
                    return Err(FrameError::Type { array: name, found: other.to_string() });
                }
            };
            frame.arrays.insert(name, Array { shape: info.shape.clone(), values });
        }
        Ok(frame)
    }

    /// A text, or nothing.
    pub(super) fn text(&self, key: &str) -> &str {
        self.texts.get(key).map_or("", String::as_str)
    }
}

fn length(reader: &mut dyn Read) -> Result<u64, FrameError> {
    let mut bytes = [0; LENGTH as usize];
    reader.read_exact(&mut bytes).map_err(FrameError::Read)?;
    Ok(u64::from_le_bytes(bytes))
}

fn read_f32(reader: &mut dyn Read, bytes: usize) -> Result<Vec<f32>, FrameError> {
    let mut values = Vec::with_capacity(bytes / size_of::<f32>());
    let mut chunk = vec![0; CHUNK.min(bytes)];
    let mut left = bytes;
    while left > 0 {
        let part = &mut chunk[..left.min(CHUNK)];
        reader.read_exact(part).map_err(FrameError::Read)?;
        let (words, _) = part.as_chunks::<4>();
        values.extend(words.iter().map(|&word| f32::from_le_bytes(word)));
        left -= part.len();
    }
    Ok(values)
}

fn read_u8(reader: &mut dyn Read, bytes: usize) -> Result<Vec<u8>, FrameError> {
    let mut values = Vec::with_capacity(bytes);
    reader.take(bytes as u64).read_to_end(&mut values).map_err(FrameError::Read)?;
    match values.len() == bytes {
        true => Ok(values),
        false => Err(FrameError::Read(io::ErrorKind::UnexpectedEof.into())),
    }
}

impl<'a> Outgoing<'a> {
    /// Adds a text.
    pub(super) fn with(mut self, key: &'static str, text: impl ToString) -> Self {
        self.texts.insert(key, text.to_string());
        self
    }

    /// Adds pictures whose `values` are in C order.
    pub(super) fn with_pictures(mut self, images: &ImageBatch, values: &'a [f32]) -> Self {
        let shape = images.tensor().dims().to_vec();
        self.arrays.push(("images".to_owned(), shape, Slice::F32(values)));
        self
    }

    /// Writes the frame; `written` counts its bytes as they leave.
    pub(super) fn write(&self, writer: &mut dyn Write, written: &AtomicU64) -> io::Result<()> {
        let mut all = |bytes: &[u8]| {
            writer.write_all(bytes)?;
            written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            Ok::<(), io::Error>(())
        };
        let (header, data) = self.header();
        let len = LENGTH + header.len() as u64 + data;
        all(&len.to_le_bytes())?;
        all(&(header.len() as u64).to_le_bytes())?;
        all(header.as_bytes())?;
        let mut bytes = vec![[0; 4]; CHUNK / 4];
        for (_, _, values) in &self.arrays {
            match values {
                Slice::U8(values) => values.chunks(CHUNK).try_for_each(&mut all)?,
                Slice::F32(values) => {
                    for values in values.chunks(CHUNK / 4) {
                        let bytes = &mut bytes[..values.len()];
                        bytes
                            .iter_mut()
                            .zip(values)
                            .for_each(|(b, value)| *b = value.to_le_bytes());
                        all(bytes.as_flattened())?;
                    }
                }
            }
        }
        writer.flush()
    }

    /// The header of the safetensors file, and the bytes that its arrays take.
    fn header(&self) -> (String, u64) {
        let mut entries = Map::new();
        entries.insert("__metadata__".to_owned(), json!(self.texts));
        let mut start = 0;
        for (name, shape, values) in &self.arrays {
            let (kind, bytes) = match values {
                Slice::F32(values) => ("F32", size_of_val(*values)),
                Slice::U8(values) => ("U8", values.len()),
            };
            let end = start + bytes;
            let entry = json!({ "dtype": kind, "shape": shape, "data_offsets": [start, end] });
            entries.insert(name.clone(), entry);
            start = end;
        }
        let mut header = Value::Object(entries).to_string();
        // The data begin at a multiple of 8, as the format asks for.
        header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
        (header, start as u64)
    }
}

#[cfg(test)]
mod tests;
