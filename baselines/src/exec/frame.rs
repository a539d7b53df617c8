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
        let header_of: Metadata = serde_json::from_slice(&text).map_err(FrameError::Header)?;
        let (arrays, there) = (header_of.data_len() as u64, len - LENGTH - header);
        if arrays != there {
            return Err(FrameError::Data { arrays, there });
        }
        let mut frame = Self::default();
        if let Some(texts) = header_of.metadata() {
            frame.texts = texts.clone().into_iter().collect();
        }
        // In the order of their bytes.
        for name in header_of.offset_keys() {
            let Some(info) = header_of.info(&name) else { continue };
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(frame: &Outgoing<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let count = AtomicU64::new(0);
        frame.write(&mut bytes, &count).unwrap();
        assert_eq!(count.into_inner(), bytes.len() as u64);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Frame, FrameError> {
        Frame::read(&mut &*bytes, 1 << 24)
    }

    fn example(text: &str, floats: &[f32], bytes: &[u8]) -> Vec<u8> {
        let mut frame = Outgoing::default().with("message", text);
        // The names are not in the order of the data.
        frame.arrays.push(("z".to_owned(), vec![floats.len(), 1], Slice::F32(floats)));
        frame.arrays.push(("a".to_owned(), vec![bytes.len()], Slice::U8(bytes)));
        written(&frame)
    }

    /// A frame with a header of our choice and as many bytes of data.
    fn hostile(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (8 + (header.len() + data) as u64).to_le_bytes().to_vec();
        bytes.extend((header.len() as u64).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 7);
        bytes
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            text in any::<String>(),
            floats in proptest::collection::vec(any::<u32>(), 0..40_000),
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let floats: Vec<f32> = floats.into_iter().map(f32::from_bits).collect();
            let frame = read(&example(&text, &floats, &bytes)).unwrap();
            prop_assert_eq!(frame.text("message"), text);
            let Values::F32(found) = &frame.arrays["z"].values else { panic!("expected floats") };
            prop_assert!(found.iter().map(|x| x.to_bits()).eq(floats.iter().map(|x| x.to_bits())));
            prop_assert_eq!(&frame.arrays["z"].shape, &[floats.len(), 1]);
            let Values::U8(found) = &frame.arrays["a"].values else { panic!("expected bytes") };
            prop_assert_eq!(found, &bytes);
        }

        #[test]
        fn a_frame_that_is_cut_anywhere_is_an_error(share in 0.0..1.0_f64) {
            let whole = example("encode", &[1.0; 50], &[1; 50]);
            let cut = (share * whole.len() as f64) as usize;
            let error = read(&whole[..cut]).unwrap_err();
            let ended = matches!(&error, FrameError::Read(error)
                if error.kind() == io::ErrorKind::UnexpectedEof);
            prop_assert!(ended, "{}", error);
        }

        #[test]
        fn a_frame_that_is_damaged_anywhere_is_an_error_or_holds_as_many_bytes(
            at in 0_usize..400,
            byte in any::<u8>(),
        ) {
            let mut bytes = example("encode", &[1.0; 50], &[1; 50]);
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(frame) = read(&bytes) {
                let held: usize = frame
                    .arrays
                    .values()
                    .map(|array| match &array.values {
                        Values::F32(values) => 4 * values.len(),
                        Values::U8(values) => values.len(),
                    })
                    .sum();
                prop_assert_eq!(held, 250);
            }
        }

        #[test]
        fn any_bytes_are_a_frame_or_an_error(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = read(&bytes);
            // With lengths that are believable, so that the header itself is looked at.
            let _ = read(&hostile(&String::from_utf8_lossy(&bytes), 16));
        }
    }

    #[test]
    fn what_a_header_claims_is_not_believed() {
        let long = hostile("{}", 1 << 24);
        assert!(matches!(read(&long), Err(FrameError::Length { .. })));
        let mut header = hostile("{}", 0);
        header[8..16].copy_from_slice(&(1_u64 << 60).to_le_bytes());
        assert!(matches!(read(&header), Err(FrameError::HeaderLength { limit: 2, .. })));
        assert!(matches!(read(&hostile("{}", 3)), Err(FrameError::Data { arrays: 0, there: 3 })));
        for (entry, data) in [
            // Shape and span differ; the product overflows; spans overlap or leave a gap.
            (r#""a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}"#, 8),
            (r#""a":{"dtype":"U8","shape":[4294967296,4294967297],"data_offsets":[0,1]}"#, 1),
            (
                r#""a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
                   "b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}"#,
                3,
            ),
            (r#""a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}"#, 3),
            (r#""a":{"dtype":"U8","shape":[-1],"data_offsets":[0,0]}"#, 0),
            (r#""__metadata__":{"message":1}"#, 0),
            (&"[".repeat(10_000), 0),
        ] {
            let error = read(&hostile(&format!("{{{entry}}}"), data)).unwrap_err();
            assert!(matches!(error, FrameError::Header(_)), "{entry}: {error}");
        }
        let wide = r#"{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#;
        let error = read(&hostile(wide, 8)).unwrap_err();
        assert_eq!(error.to_string(), "`a` is of type F64; expected F32 or U8");
    }
}
