//! A budget for the features that are kept from run to run.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::SystemTime;

use crate::cli::CacheArgs;
use crate::networks;
use crate::plan::Plan;

/// Bytes that the cache of features may hold: `20GB`, `1.5GiB`, `500MB`, or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CacheLimit(u64);

/// Where features are kept from run to run, if they are.
pub(crate) fn folder(plan: &Plan, args: &CacheArgs) -> Option<PathBuf> {
    let folder = networks::cache_folder(plan).filter(|_| !args.no_cache);
    folder.map(|folder| folder.join("features"))
}

/// A text that is no size.
#[derive(Debug, thiserror::Error)]
#[error("expected a size like 20GB, 500MB or 1.5GiB")]
pub(crate) struct NoSize;

/// The variable that stands in for `--cache-limit`.
pub(crate) const VARIABLE: &str = "PRISMBENCH_CACHE_LIMIT";

const UNITS: [(&str, f64); 9] = [
    ("kib", 1024.0),
    ("mib", 1_048_576.0),
    ("gib", 1_073_741_824.0),
    ("tib", 1_099_511_627_776.0),
    ("kb", 1e3),
    ("mb", 1e6),
    ("gb", 1e9),
    ("tb", 1e12),
    ("b", 1.0),
];

impl FromStr for CacheLimit {
    type Err = NoSize;

    fn from_str(text: &str) -> Result<Self, NoSize> {
        let text = text.trim().to_ascii_lowercase();
        let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)));
        let (number, bytes) = unit.unwrap_or((&text, &1.0));
        let number: f64 = number.trim().parse().map_err(|_| NoSize)?;
        match number * bytes {
            size if (0.0..1e18).contains(&size) => Ok(Self(size as u64)),
            _ => Err(NoSize),
        }
    }
}

impl CacheLimit {
    /// What the command line says, else the environment; `None` where neither does.
    ///
    /// # Errors
    /// What the environment says is no size.
    pub(crate) fn of(given: Option<Self>) -> Result<Option<Self>, String> {
        let variable = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
        match (given, variable) {
            (Some(given), _) => Ok(Some(given)),
            (None, None) => Ok(None),
            (None, Some(text)) => match text.parse() {
                Ok(limit) => Ok(Some(limit)),
                Err(error) => Err(format!("{VARIABLE} is `{text}`: {error}")),
            },
        }
    }

    pub(crate) fn bytes(self) -> u64 {
        self.0
    }
}

/// An entry of the cache.
#[derive(Debug)]
struct Entry {
    path: PathBuf,
    bytes: u64,
    /// When it was made or, where a pass has read it since, then.
    used: SystemTime,
}

/// What is in a cache, or was taken out of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

/// The features that a folder holds; a folder that is not there holds none.
pub(crate) fn held(folder: &Path) -> Held {
    entries(folder).iter().fold(Held::default(), |held, entry| held.with(entry))
}

/// Removes the entries that were not used for longest until the others fit; one that a process has open
/// stays, and so does what cannot be removed. Gives what was removed.
///
/// # Errors
/// None for a folder that is not there: it holds nothing.
pub(crate) fn trim(folder: &Path, limit: CacheLimit) -> Held {
    let mut entries = entries(folder);
    entries.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
    let mut left: u64 = entries.iter().map(|entry| entry.bytes).sum();
    let mut removed = Held::default();
    for entry in &entries {
        if left <= limit.bytes() {
            break;
        }
        if remove(&entry.path).is_ok() {
            left -= entry.bytes;
            removed = removed.with(entry);
        }
    }
    removed
}

impl Held {
    fn with(self, entry: &Entry) -> Self {
        Self { entries: self.entries + 1, bytes: self.bytes + entry.bytes }
    }
}

/// Whoever reads an entry has a shared lock on it.
fn remove(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    match file.try_lock() {
        Ok(()) => fs::remove_file(path),
        Err(TryLockError::WouldBlock) => Err(io::ErrorKind::ResourceBusy.into()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whole entries: what is being written bears another name.
fn entries(folder: &Path) -> Vec<Entry> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let entry = |file: fs::DirEntry| {
        let (path, data) = (file.path(), file.metadata().ok()?);
        let is_entry = data.is_file() && path.extension().is_some_and(|name| name == "safetensors");
        let (bytes, used) = (data.len(), data.modified().ok()?);
        is_entry.then_some(Entry { path, bytes, used })
    };
    files.filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Entries of 100 bytes, the first not used for longest, and a file of another kind.
    fn cache(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (at, name) in names.iter().enumerate() {
            let path = folder.path().join(format!("{name}.safetensors"));
            fs::write(&path, [0; 100]).unwrap();
            let used = SystemTime::UNIX_EPOCH + Duration::from_secs(1000 + at as u64);
            File::options().append(true).open(&path).unwrap().set_modified(used).unwrap();
        }
        fs::write(folder.path().join(".writing-abc"), [0; 1000]).unwrap();
        folder
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = entries(folder)
            .iter()
            .map(|entry| entry.path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn sizes_are_read_in_units_of_a_thousand_and_of_1024() {
        let bytes = |text: &str| text.parse::<CacheLimit>().ok().map(CacheLimit::bytes);
        for (text, expected) in [
            ("20GB", 20_000_000_000),
            ("1.5GiB", 1_610_612_736),
            (" 500 mb ", 500_000_000),
            ("7B", 7),
            ("1234", 1234),
            ("0", 0),
        ] {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
        for text in ["", "GB", "-1GB", "many", "inf", "nan", "1e30TB"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first_and_only_as_much_as_must() {
        let folder = cache(&["b", "c", "a"]);
        assert_eq!(held(folder.path()), Held { entries: 3, bytes: 300 });
        assert_eq!(trim(folder.path(), CacheLimit(300)), Held::default());
        assert_eq!(trim(folder.path(), CacheLimit(250)), Held { entries: 1, bytes: 100 });
        assert_eq!(names(folder.path()), ["a", "c"]);
        assert_eq!(trim(folder.path(), CacheLimit(0)), Held { entries: 2, bytes: 200 });
        assert!(folder.path().join(".writing-abc").exists(), "what is being written is no entry");
        assert_eq!(trim(&folder.path().join("nowhere"), CacheLimit(0)), Held::default());
    }

    #[test]
    fn an_entry_that_somebody_reads_stays() {
        let folder = cache(&["b", "c", "a"]);
        let reader = File::open(folder.path().join("b.safetensors")).unwrap();
        reader.lock_shared().unwrap();
        assert_eq!(trim(folder.path(), CacheLimit(100)), Held { entries: 2, bytes: 200 });
        assert_eq!(names(folder.path()), ["b"]);
        drop(reader);
        assert_eq!(trim(folder.path(), CacheLimit(0)), Held { entries: 1, bytes: 100 });
    }
}
