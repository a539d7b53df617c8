use std::io;
use std::path::Path;

use prismbench_core::hexadecimal;
use sha2::{Digest, Sha256};

use crate::mapped::Mapped;

/// sha256 in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(Sha256::digest(bytes))
}

/// sha256 of a file in hexadecimal.
///
/// # Errors
/// When the file cannot be read.
pub fn sha256_of_file(path: &Path) -> io::Result<String> {
    Ok(sha256(&Mapped::open(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_standards() {
        // FIPS 180-2, appendix B.1.
        assert!(sha256(b"abc").starts_with("ba7816bf8f01cfea414140de5dae2223b00361a396177a9c"));
    }
}
