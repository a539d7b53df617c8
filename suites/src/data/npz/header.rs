//! The header of an `.npy`: a Python dictionary of three entries.
//!
//! Format: numpy's `numpy.lib.format`, versions 1.0 to 3.0. The literal is read by hand because a
//! general parser recurses as deep as a hostile header nests.

use std::io::Read;

/// Longest header that is read; numpy itself refuses to evaluate longer ones.
const MAX_LEN: usize = 10_000;

/// What an `.npy` says about its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// numpy's type string: `|u1`, `<i8`, `<U12`.
    pub(super) descr: String,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<u64>,
    /// Bytes before the data.
    pub(super) len: u64,
}

impl Header {
    /// Reads the header off the front of an `.npy`; what is wrong is said in words.
    pub(super) fn read(reader: &mut dyn Read) -> Result<Self, String> {
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
