use std::fs::Metadata;
use std::path::Path;
use std::time::UNIX_EPOCH;

use prismbench_core::hexadecimal;
use sha2::{Digest, Sha256};

/// What tells of files, without reading them, whether they are what they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileState {
    /// A hash over sizes and the times when they were last written to. Of another one the files have
    /// changed. Copies that keep times have the same.
    pub written: String,
    /// A hash over the times when anything about them changed, their owner say, which nobody can set
    /// back; the same for all files where the system keeps no such time. Of another one, with the same
    /// `written`, only what is in the files can tell whether they have changed.
    pub touched: String,
}

/// Makes a [`FileState`]. Quick to have, where a hash of what is in the files would take as long as
/// the measurement.
#[derive(Default)]
pub struct Stamp {
    written: Sha256,
    touched: Sha256,
}

impl Stamp {
    /// The same with a file; one that is not there is a fact like others.
    #[must_use]
    pub fn with(mut self, path: &Path) -> Self {
        let facts = path.metadata().ok();
        let written = facts.as_ref().and_then(|facts| facts.modified().ok());
        let written = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let nanoseconds = written.map_or(0, |time| time.as_nanos());
        let touched = facts.as_ref().map_or([0; 2], touched);
        self.written.update(facts.map_or(u64::MAX, |facts| facts.len()).to_le_bytes());
        self.written.update(nanoseconds.to_le_bytes());
        self.touched.update(touched.map(i64::to_le_bytes).as_flattened());
        self
    }

    /// The same with what was read of a file that is not looked at again.
    #[must_use]
    pub fn with_bytes(mut self, bytes: &[u8]) -> Self {
        self.written.update((bytes.len() as u64).to_le_bytes());
        self.written.update(bytes);
        self
    }

    /// As text.
    #[must_use]
    pub fn finish(self) -> FileState {
        let text = |hash: Sha256| hexadecimal(&hash.finalize()[..16]);
        FileState { written: text(self.written), touched: text(self.touched) }
    }
}

/// Seconds and nanoseconds.
#[cfg(unix)]
fn touched(facts: &Metadata) -> [i64; 2] {
    use std::os::unix::fs::MetadataExt as _;
    [facts.ctime(), facts.ctime_nsec()]
}

#[cfg(not(unix))]
fn touched(_: &Metadata) -> [i64; 2] {
    [0; 2]
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_file_that_was_written_to_or_has_gone_has_another_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let state = || Stamp::default().with(&path).finish().written;
        let gone = state();
        fs::write(&path, "abc").unwrap();
        let first = state();
        assert_eq!(state(), first);
        let later = SystemTime::now() + Duration::from_secs(7);
        fs::File::options().append(true).open(&path).unwrap().set_modified(later).unwrap();
        let later = state();
        fs::write(&path, "abcd").unwrap();
        let longer = state();
        let all = [gone, first, later, longer];
        assert!((1..4).all(|i| !all[..i].contains(&all[i])), "{all:?}");
    }

    #[test]
    #[cfg(unix)]
    fn a_file_whose_time_was_set_back_was_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let state = || Stamp::default().with(&path).finish();
        fs::write(&path, "abc").unwrap();
        let (before, time) = (state(), path.metadata().unwrap().modified().unwrap());
        assert_eq!(state(), before);
        // Kernels keep times by their ticks, of at most 10 ms.
        std::thread::sleep(Duration::from_millis(30));
        fs::write(&path, "abd").unwrap();
        fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
        assert_eq!(state().written, before.written);
        assert_ne!(state().touched, before.touched);
    }
}
