use std::fmt::Write as _;

/// Bytes as two digits each, as sums are written: `00ff`.
#[must_use]
pub fn hexadecimal(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_two_digits() {
        assert_eq!(hexadecimal([0, 1, 0x9a, 0xff]), "00019aff");
        assert_eq!(hexadecimal(b""), "");
    }
}
