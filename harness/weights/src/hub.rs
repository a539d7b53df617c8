//! Files in the hub's cache, whose place says what they must be.

use std::path::Path;

use crate::WeightsError;

/// Refuses a file of the hub's cache that has changed since it was downloaded: large files lie in
/// `blobs/` under their sha256, and a snapshot links to them.
pub(crate) fn check(path: &Path, sha256: &str) -> Result<(), WeightsError> {
    let Ok(blob) = path.canonicalize() else { return Ok(()) };
    let of_cache = blob.parent().and_then(Path::file_name).is_some_and(|name| name == "blobs");
    let name = blob.file_name().unwrap_or_default().to_string_lossy();
    // Small files lie there under a git hash of 40 digits.
    let is_digest = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if of_cache && is_digest && name != sha256 {
        let (path, found) = (path.to_owned(), sha256.to_owned());
        let expected = name.into_owned();
        return Err(WeightsError::Changed { path, blob, expected, found });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sha256;

    #[test]
    fn a_blob_must_have_the_digest_that_it_is_called_by() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = folder.path().join("blobs");
        std::fs::create_dir(&blobs).unwrap();
        let (digest, other) = (sha256(b"weights"), sha256(b"half"));
        let write = |name: &str| {
            std::fs::write(blobs.join(name), "weights").unwrap();
            blobs.join(name)
        };
        assert!(check(&write(&digest), &digest).is_ok());
        assert!(check(&write(&digest[..40]), &digest).is_ok());
        let Err(WeightsError::Changed { expected, found, .. }) = check(&write(&other), &digest)
        else {
            panic!("expected a refusal");
        };
        assert_eq!((expected, found), (other, digest));
    }
}
