//! Arrays of one value a picture: labels and ids.

use std::io::{BufReader, Read};
use std::path::Path;

use super::NpzError;
use super::array::Array;

/// Longest id in characters: the length of the longest path of Linux.
const MAX_TEXT: usize = 4096;

/// Class labels out of N integers of any width.
pub(super) fn labels(array: &Array, path: &Path, len: u64) -> Result<Vec<u32>, NpzError> {
    let (big_endian, kind) = split_type(array);
    let (signed, bytes) = match kind {
        "u1" => (false, 1),
        "u2" => (false, 2),
        "u4" => (false, 4),
        "u8" => (false, 8),
        "i1" => (true, 1),
        "i2" => (true, 2),
        "i4" => (true, 4),
        "i8" => (true, 8),
        _ => return Err(array.wrong_type("class labels, as `labels.astype(numpy.int64)` gives")),
    };
    check_len(array, len)?;
    let mut labels = Vec::new();
    each(array, path, len, bytes, |element| {
        let value = integer(element, big_endian);
        // The sign bit of a narrow integer is not where that of a wide one is.
        let negative = signed && value >> (8 * bytes - 1) & 1 == 1;
        match u32::try_from(value) {
            Ok(label) if !negative => labels.push(label),
            _ => return Err(format!("label {} is not in 0..2^32", labels.len())),
        }
        Ok(())
    })?;
    Ok(labels)
}

/// Texts out of N strings of numpy's fixed-width UTF-32.
pub(super) fn texts(array: &Array, path: &Path, len: u64) -> Result<Vec<String>, NpzError> {
    text_width(array)?;
    check_len(array, len)?;
    texts_of(array, path, len)
}

/// The same whatever the shape of the array, which has `len` elements.
pub(super) fn texts_of(array: &Array, path: &Path, len: u64) -> Result<Vec<String>, NpzError> {
    let (big_endian, _) = split_type(array);
    let mut texts = Vec::new();
    each(array, path, len, 4 * text_width(array)?, |element| {
        let characters = element.chunks_exact(4).map(|word| integer(word, big_endian) as u32);
        // Shorter texts are padded with zeros.
        let text: Option<String> =
            characters.take_while(|&code| code != 0).map(char::from_u32).collect();
        match text {
            Some(text) if !text.is_empty() => texts.push(text),
            Some(_) => return Err(format!("id {} is empty", texts.len())),
            None => return Err(format!("id {} is no text", texts.len())),
        }
        Ok(())
    })?;
    Ok(texts)
}

fn text_width(array: &Array) -> Result<usize, NpzError> {
    let (_, kind) = split_type(array);
    let width = kind.strip_prefix('U').and_then(|width| width.parse().ok());
    let width = width.filter(|&width| width <= MAX_TEXT);
    width.ok_or_else(|| array.wrong_type("ids, as `numpy.array(ids, dtype=str)` gives"))
}

fn split_type(array: &Array) -> (bool, &str) {
    let descr = array.descr();
    (descr.starts_with('>'), descr.trim_start_matches(['|', '<', '>', '=']))
}

fn check_len(array: &Array, len: u64) -> Result<(), NpzError> {
    if array.shape() == [len] {
        return Ok(());
    }
    Err(NpzError::Shape {
        array: array.name().to_owned(),
        expected: format!("one entry for each of the {len} pictures of `arr_0`"),
        found: array.shape().to_vec(),
    })
}

fn each(
    array: &Array,
    path: &Path,
    len: u64,
    bytes: usize,
    mut take: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), NpzError> {
    let mut reader = BufReader::new(array.open(path, 0)?);
    let mut element = vec![0; bytes];
    for _ in 0..len {
        reader.read_exact(&mut element).map_err(NpzError::Read)?;
        take(&element)
            .map_err(|problem| NpzError::Value { array: array.name().to_owned(), problem })?;
    }
    Ok(())
}

fn integer(bytes: &[u8], big_endian: bool) -> u64 {
    let join = |value: u64, &byte: &u8| value << 8 | u64::from(byte);
    if big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
}
