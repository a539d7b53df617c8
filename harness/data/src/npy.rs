//! The header of an `.npy`: a Python dictionary of three entries.
//!
//! Format: numpy's `numpy.lib.format`, versions 1.0 to 3.0. The literal is read by hand because a
//! general parser recurses as deep as a hostile header nests.

use std::io::Read;

/// Longest header that is read; numpy itself refuses to evaluate longer ones.
const MAX_LEN: usize = 10_000;

/// Digits that numpy leaves room for in the first side, so that an array can grow where it lies.
const FIRST_SIDE_DIGITS: usize = 21;

/// Most axes that every numpy reads (numpy 2 reads 64).
pub const MAX_AXES: usize = 32;

/// What numpy rounds the length of a header up to.
const ALIGNMENT: usize = 64;

/// What an `.npy` says about its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// numpy's type string: `|u1`, `<i8`, `<U12`.
    pub descr: String,
    /// Whether the first axis changes fastest.
    pub fortran_order: bool,
    /// Sides.
    pub shape: Vec<u64>,
    /// Bytes before the data.
    pub len: u64,
}

impl Header {
    /// Reads the header off the front of an `.npy`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn read(reader: &mut dyn Read) -> Result<Self, String> {
        let mut fixed = [0; 8];
        fill(reader, &mut fixed)?;
        let [0x93, b'N', b'U', b'M', b'P', b'Y', major, _] = fixed else {
            return Err("it does not begin like an .npy".to_owned());
        };
        let (size, start) = match major {
            1 => {
                let mut size = [0; 2];
                fill(reader, &mut size)?;
                (usize::from(u16::from_le_bytes(size)), 10)
            }
            2 | 3 => {
                let mut size = [0; 4];
                fill(reader, &mut size)?;
                (u32::from_le_bytes(size) as usize, 12)
            }
            other => return Err(format!("version {other} of the format is unknown")),
        };
        if size > MAX_LEN {
            return Err(format!(
                "it claims a length of {size} bytes; numpy writes under {MAX_LEN}"
            ));
        }
        let mut text = vec![0; size];
        fill(reader, &mut text)?;
        let text = String::from_utf8(text).map_err(|_| "it is no text".to_owned())?;
        let mut header = parse(&text).ok_or_else(|| format!("cannot make sense of {text:?}"))?;
        header.len = start + size as u64;
        Ok(header)
    }

    /// The bytes of a header in C order, as numpy writes them.
    ///
    /// Their number does not depend on the first side: a header that is not known yet can be
    /// written over another one. There are at most [`MAX_AXES`] sides.
    #[must_use]
    pub fn encode(descr: &str, shape: &[u64]) -> Vec<u8> {
        let sides: Vec<String> = shape.iter().map(u64::to_string).collect();
        let comma = if sides.len() == 1 { "," } else { "" };
        let mut text = format!(
            "{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}{comma}), }}",
            sides.join(", ")
        );
        let room = sides.first().map_or(0, |first| FIRST_SIDE_DIGITS - first.len());
        let magic = b"\x93NUMPY\x01\0";
        let written = magic.len() + size_of::<u16>() + text.len() + room + 1;
        let padding = room + ALIGNMENT - written % ALIGNMENT;
        text.extend(std::iter::repeat_n(' ', padding));
        text.push('\n');
        // 32 sides of 20 digits are far from 65535 bytes.
        [magic.as_slice(), &(text.len() as u16).to_le_bytes(), text.as_bytes()].concat()
    }
}

fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> Result<(), String> {
    reader.read_exact(buffer).map_err(|error| format!("it cannot be read ({error})"))
}

fn parse(text: &str) -> Option<Header> {
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    while !rest.is_empty() {
        let (key, after) = quoted(rest)?;
        let value = after.trim_start().strip_prefix(':')?.trim_start();
        let after = match key {
            "descr" => {
                let (text, after) = quoted(value)?;
                descr = Some(text.to_owned());
                after
            }
            "fortran_order" => {
                let after = value.strip_prefix("True").or_else(|| value.strip_prefix("False"))?;
                fortran_order = Some(value.starts_with("True"));
                after
            }
            "shape" => {
                let (numbers, after) = value.strip_prefix('(')?.split_once(')')?;
                shape = Some(sizes(numbers)?);
                after
            }
            _ => return None,
        };
        rest = match after.trim_start() {
            "" => "",
            more => more.strip_prefix(',')?.trim_start(),
        };
    }
    Some(Header { descr: descr?, fortran_order: fortran_order?, shape: shape?, len: 0 })
}

/// A quoted text at the front, and what follows it. Type strings and keys have no escapes.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|&c| c == '\'' || c == '"')?;
    text[1..].split_once(quote)
}

/// The inside of a tuple of sizes; old Pythons wrote `3L`.
fn sizes(numbers: &str) -> Option<Vec<u64>> {
    numbers
        .split(',')
        .map(|number| number.trim().trim_end_matches('L'))
        .filter(|number| !number.is_empty())
        .map(|number| number.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_as_numpy_writes_them_are_read() {
        let cases = [
            (
                "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 2, 3, 3), }   \n",
                vec![4, 2, 3, 3],
            ),
            ("{'descr': '|u1', 'fortran_order': False, 'shape': (7,), }\n", vec![7]),
            ("{'shape': (2L, 1L), 'fortran_order': False, \"descr\": \"|u1\"}", vec![2, 1]),
            ("{'descr': '|u1', 'fortran_order': False, 'shape': (), }", vec![]),
        ];
        for (text, shape) in cases {
            let header = parse(text).unwrap();
            assert_eq!((header.descr.as_str(), header.fortran_order), ("|u1", false));
            assert_eq!(header.shape, shape);
        }
    }

    #[test]
    fn what_is_written_is_read_and_takes_as_many_bytes_for_any_first_side() {
        let long = [1 << 40; MAX_AXES];
        for shape in [&[][..], &[7], &[0, 256, 256, 3], &[u64::MAX, 1], &long] {
            let bytes = Header::encode("<f4", shape);
            let header = Header::read(&mut bytes.as_slice()).unwrap();
            assert_eq!((header.descr.as_str(), header.fortran_order), ("<f4", false));
            assert_eq!(header.shape, shape);
            assert_eq!(header.len, bytes.len() as u64);
            assert_eq!(header.len % 64, 0);
            if let [_, rest @ ..] = shape {
                for first in [0, 9, 10, 50_000, u64::MAX] {
                    let other = Header::encode("<f4", &[&[first], rest].concat());
                    assert_eq!(other.len(), bytes.len());
                }
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for text in [
            "",
            "{}",
            "{'descr': '|u1', 'fortran_order': False}",
            "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,)}",
            "{'descr': '|u1', 'fortran_order': 0, 'shape': (1,)}",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (1,",
            "{'descr': '|u1' 'fortran_order': False, 'shape': (1,)}",
            "{'écart': 1}",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"(".repeat(9_000)), None);
    }
}
