//! The shards that lie in run folders.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{BadShard, Shard};
use crate::run_folder::{PLAN, SHARDS};

/// Shards of one run, by their numbers.
pub(crate) type Found = BTreeMap<u32, PathBuf>;

/// Why shards are not those of one run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ShardsError {
    #[error("`{}` holds no shards; `prismbench run --shard I/N --out` makes them", path.display())]
    None { path: PathBuf },
    #[error("cannot look for shards in `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "`{}` is one of {found} shards and `{}` one of {expected}: remove those of the run that is not \
         meant", other.display(), first.display()
    )]
    Counts { first: PathBuf, expected: u32, other: PathBuf, found: u32 },
    #[error("shard {number} is there twice: `{}` and `{}`", first.display(), other.display())]
    Twice { number: u32, first: PathBuf, other: PathBuf },
    #[error("{} of {count} shards are missing: {}", missing.len(), numbers(missing))]
    Missing { missing: Vec<u32>, count: u32 },
    #[error("`{}` and `{}` are of different plans", first.display(), other.display())]
    Plans { first: PathBuf, other: PathBuf },
    #[error("shards lie in several folders; --out says where the records go")]
    NoOut,
}

/// The shards in some run folders, and how many there ought to be.
pub(crate) fn shards(runs: &[PathBuf]) -> Result<(Found, u32), ShardsError> {
    let mut found: Vec<(Shard, PathBuf)> = Vec::new();
    for run in runs {
        let folder = run.join(SHARDS);
        let read = |source| ShardsError::Read { path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ShardsError::None { path: run.clone() });
            }
            Err(error) => return Err(read(error)),
        };
        for entry in entries {
            let entry = entry.map_err(read)?;
            // What else somebody has put there is left alone.
            if let Ok(shard) = named(&entry.file_name().to_string_lossy()) {
                found.push((shard, entry.path()));
            }
        }
    }
    let none = || ShardsError::None { path: runs.first().cloned().unwrap_or_default() };
    let (first, place) = found.first().cloned().ok_or_else(none)?;
    let mut all = Found::new();
    for (shard, path) in found {
        if shard.count() != first.count() {
            let (expected, found) = (first.count(), shard.count());
            return Err(ShardsError::Counts { first: place, expected, other: path, found });
        }
        let number = shard.index();
        if let Some(first) = all.insert(number, path.clone()) {
            return Err(ShardsError::Twice { number, first, other: path });
        }
    }
    Ok((all, first.count()))
}

/// All shards in their order, which are of one plan.
pub(crate) fn complete(runs: &[PathBuf]) -> Result<Vec<PathBuf>, ShardsError> {
    let (found, count) = shards(runs)?;
    let missing: Vec<u32> = (1..=count).filter(|number| !found.contains_key(number)).collect();
    if !missing.is_empty() {
        return Err(ShardsError::Missing { missing, count });
    }
    let all: Vec<PathBuf> = found.into_values().collect();
    let Some(first) = all.first() else { return Ok(all) };
    let plan = |shard: &Path| fs::read_to_string(shard.join(PLAN)).ok();
    let expected = plan(first);
    match all.iter().find(|shard| plan(shard) != expected) {
        None => Ok(all),
        Some(other) => Err(ShardsError::Plans { first: first.clone(), other: other.clone() }),
    }
}

/// `3-of-8`.
fn named(name: &str) -> Result<Shard, BadShard> {
    let (index, count) = name.split_once("-of-").ok_or(BadShard::Form)?;
    format!("{index}/{count}").parse()
}

/// `2, 5, 7 and 12 more`.
fn numbers(numbers: &[u32]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = numbers.iter().take(SHOWN).map(ToString::to_string).collect();
    match numbers.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(shards: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, plan) in shards {
            let shard = folder.path().join(SHARDS).join(name);
            fs::create_dir_all(&shard).unwrap();
            fs::write(shard.join(PLAN), plan).unwrap();
        }
        folder
    }

    fn refusal(runs: &[&tempfile::TempDir]) -> String {
        let paths: Vec<PathBuf> = runs.iter().map(|run| run.path().to_owned()).collect();
        complete(&paths).unwrap_err().to_string()
    }

    #[test]
    fn shards_of_several_folders_come_in_their_order() {
        let (first, second) =
            (run(&[("2-of-10", "p"), ("10-of-10", "p")]), tempfile::tempdir().unwrap());
        for number in [1, 3, 4, 5, 6, 7, 8, 9] {
            let shard = second.path().join(SHARDS).join(format!("{number}-of-10"));
            fs::create_dir_all(&shard).unwrap();
            fs::write(shard.join(PLAN), "p").unwrap();
        }
        let paths = [first.path().to_owned(), second.path().to_owned()];
        let found = complete(&paths).unwrap();
        let names: Vec<String> =
            found.iter().map(|path| path.file_name().unwrap().to_string_lossy().into()).collect();
        let expected: Vec<String> = (1..=10).map(|number| format!("{number}-of-10")).collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn what_is_not_all_of_one_run_is_refused() {
        assert!(refusal(&[&run(&[])]).contains("holds no shards"));
        assert!(refusal(&[&run(&[("notes", "")])]).contains("holds no shards"));
        let gaps = refusal(&[&run(&[("2-of-14", "p"), ("7-of-14", "p")])]);
        assert_eq!(gaps, "12 of 14 shards are missing: 1, 3, 4, 5, 6, 8, 9, 10, 11, 12 and 2 more");
        assert!(refusal(&[&run(&[("1-of-2", "p"), ("2-of-3", "p")])]).contains("shards and"));
        assert!(refusal(&[&run(&[("1-of-2", "p"), ("2-of-2", "q")])]).contains("different plans"));
        let (one, two) = (run(&[("1-of-2", "p"), ("2-of-2", "p")]), run(&[("2-of-2", "p")]));
        assert!(refusal(&[&one, &two]).contains("shard 2 is there twice"));
    }
}
