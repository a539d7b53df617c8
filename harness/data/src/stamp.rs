use std::path::Path;
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

/// What tells that the files of a set are not what they were: their sizes and when they were last
/// written to. Quick to have, where a hash of what is in them would take as long as the measurement.
#[derive(Default)]
pub struct Stamp(Sha256);

impl Stamp {
    /// The same with a file; one that is not there is a fact like others.
    #[must_use]
    pub fn with(mut self, path: &Path) -> Self {
        let facts = path.metadata().ok();
        let written = facts.as_ref().and_then(|facts| facts.modified().ok());
        let written = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let nanoseconds = written.map_or(0, |time| time.as_nanos());
        self.0.update(facts.map_or(u64::MAX, |facts| facts.len()).to_le_bytes());
        self.0.update(nanoseconds.to_le_bytes());
        self
    }

    /// The same with what was read of a file that is not looked at again.
    #[must_use]
    pub fn with_bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// As text.
    #[must_use]
    pub fn finish(self) -> String {
        self.0.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_file_that_was_written_to_or_has_gone_has_another_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let stamp = || Stamp::default().with(&path).finish();
        let gone = stamp();
        fs::write(&path, "abc").unwrap();
        let first = stamp();
        assert_eq!(stamp(), first);
        let later = SystemTime::now() + Duration::from_secs(7);
        fs::File::options().append(true).open(&path).unwrap().set_modified(later).unwrap();
        let touched = stamp();
        fs::write(&path, "abcd").unwrap();
        let longer = stamp();
        let all = [gone, first, touched, longer];
        assert!((1..4).all(|i| !all[..i].contains(&all[i])), "{all:?}");
    }
}
