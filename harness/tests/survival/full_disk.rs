//! Disks that are full at any write, of everything that writes: runs, shards, merges, references, features that
//! are kept, and what lies in temporary files.
//!
//! A limit on the size of files stands in for a full disk: the same call fails the same way.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::{
    PROGRAM, RUNS, Straight, command, ended, files, inception, judged, long_form, may_mount,
    mounted, records,
};

/// A command that may write no file of more than so many blocks of 512 or 1024 bytes.
fn limited(command: &Command, blocks: u64) -> Output {
    let words = command.get_args().map(|word| word.to_str().unwrap());
    let words: Vec<String> = words.map(|word| format!("'{word}'")).collect();
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec '{PROGRAM}' {}", words.join(" "));
    Command::new("sh").args(["-c", &script]).output().unwrap()
}

/// Raises the limit from nothing until everything fits, so that every write fails once; whatever failed is ended by
/// the same command without a limit, and `check` holds what is there against what has to be.
fn at_every_limit(
    what: &str,
    begin: impl Fn() -> TempDir,
    make: impl Fn(&Path) -> Command,
    check: impl Fn(&Path, &str),
) {
    let (mut limit, mut refused) = (0_u64, 0);
    loop {
        let folder = begin();
        let output = limited(&make(folder.path()), limit);
        let error = String::from_utf8(output.stderr).unwrap();
        let name = format!("{what} at {limit}");
        if output.status.success() {
            check(folder.path(), &name);
            break;
        }
        assert_eq!(output.status.code(), Some(5), "{name}: {error}");
        assert!(error.contains("free some space"), "{name}: {error}");
        refused += 1;
        ended(&make(folder.path()).output().unwrap());
        check(folder.path(), &name);
        limit += if long_form().is_some() { 1 + limit / 2 } else { 1 + 3 * limit };
    }
    assert!(refused > 2, "{what}: only {refused} limits were too small");
}

fn nothing_yet() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_disk_that_is_full_at_any_write_is_named_and_the_run_ends_when_there_is_room() {
    let runs = if long_form().is_some() { &RUNS[..] } else { &RUNS[..1] };
    for &run in runs {
        let straight = Straight::of(run);
        let check = |folder: &Path, name: &str| straight.check(folder, name);
        at_every_limit(run.0, nothing_yet, |folder| command(folder, run), check);
    }
}

fn shard(folder: &Path, which: &str) -> Command {
    let mut shard = command(folder, RUNS[0]);
    shard.args(["--shard", which]);
    shard
}

fn merge(folder: &Path) -> Command {
    let mut merge = Command::new(PROGRAM);
    merge.args(["merge", "--progress", "none", "--no-cache"]).arg(folder.join("run"));
    merge
}

/// What a merge leaves is what the run in one piece does, beside the shards.
fn check_merged(folder: &Path, straight: &Straight, name: &str) {
    assert_eq!(records(folder), straight.records, "{name}");
    let found = files(folder);
    let own = found.iter().filter(|(file, _)| !file.starts_with("run/shards/"));
    assert!(own.eq(&straight.files), "{name}: {:?}", found.keys());
    assert!(found.keys().all(|file| !file.contains("/.")), "{name}: {:?}", found.keys());
}

#[test]
fn a_disk_that_is_full_at_any_write_of_a_shard_costs_no_bit_of_the_merge() {
    let straight = Straight::of(RUNS[0]);
    let first = tempfile::tempdir().unwrap();
    ended(&shard(first.path(), "1/2").output().unwrap());
    let begin = || copy_of(first.path());
    at_every_limit(
        "a shard",
        begin,
        |folder| shard(folder, "2/2"),
        |folder, name| {
            ended(&merge(folder).output().unwrap());
            check_merged(folder, &straight, name);
        },
    );
}

#[test]
fn a_disk_that_is_full_at_any_write_of_a_merge_is_named_and_the_merge_ends_when_there_is_room() {
    let straight = Straight::of(RUNS[0]);
    let shards = tempfile::tempdir().unwrap();
    for which in ["1/2", "2/2"] {
        ended(&shard(shards.path(), which).output().unwrap());
    }
    let begin = || copy_of(shards.path());
    at_every_limit("a merge", begin, merge, |folder, name| check_merged(folder, &straight, name));
}

fn copy_of(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let mut command = Command::new("cp");
    command.arg("-r").arg(folder.join("run")).arg(copy.path());
    assert!(command.status().unwrap().success());
    copy
}

#[test]
fn a_disk_that_is_full_at_any_write_of_samples_that_are_judged_is_named() {
    let (_made, latents, weights) = judged();
    let arguments = ["-t", "dct:16", "--set", "size=64", "-m", "is"];
    let given = ["--latents", latents.as_str(), "--weights", weights.as_str()];
    let arguments = [&arguments[..], &given].concat();
    let run = ("generation", arguments.as_slice());
    let straight = Straight::of(run);
    let check = |folder: &Path, name: &str| straight.check(folder, name);
    at_every_limit(run.0, nothing_yet, |folder| command(folder, run), check);
}

#[test]
fn a_disk_that_is_full_at_any_write_of_a_reference_leaves_no_half_of_one() {
    let place = tempfile::tempdir().unwrap();
    let weights = format!("inception={}", inception(place.path()).display());
    let stats = |folder: &Path| {
        let mut stats = Command::new(PROGRAM);
        stats.args(["stats", "synthetic:91:6:32", "--set", "size=32", "--weights", &weights]);
        stats.args(["--progress", "none", "--no-cache", "-o"]).arg(folder.join("reference.npz"));
        stats
    };
    let straight = tempfile::tempdir().unwrap();
    ended(&stats(straight.path()).output().unwrap());
    let all = |folder: &Path| {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let read = |file: std::path::PathBuf| {
            (file.file_name().unwrap().to_owned(), fs::read(&file).unwrap())
        };
        files.map(read).collect::<Vec<_>>()
    };
    let expected = all(straight.path());
    assert_eq!(expected.len(), 1);
    at_every_limit("stats", nothing_yet, stats, |folder, name| {
        assert!(all(folder) == expected, "{name}");
    });
}

/// Features of originals are kept on a disk of their own, which has no room for them.
const BESIDE_A_FULL_CACHE: &str = r#"
mount -t tmpfs -o size=8k tmpfs "$PLACE" || exit 78
"$@" --cache "$PLACE"
code=$?
find "$PLACE" -type f | grep -q . && exit 77
exit "$code"
"#;

#[test]
fn a_cache_that_is_full_costs_a_warning_and_no_number() {
    if !may_mount("a cache that is full") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let weights = format!("inception={}", inception(place.path()).display());
    let arguments = ["-t", "dct:9", "-m", "rfid", "--weights", &weights, "-n", "8"];
    let run = ("reconstruction", &arguments[..]);
    let straight = Straight::of(run);
    let [cache, kept] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let all = command(kept.path(), run);
    let words: Vec<_> = all.get_args().filter(|word| *word != "--no-cache").collect();
    let mut measure = Command::new(PROGRAM);
    measure.args(words);
    let mut beside = mounted(BESIDE_A_FULL_CACHE, &measure, cache.path(), kept.path());
    let output = beside.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    assert!(error.contains("warning: cannot keep features in"), "{error}");
    straight.check(kept.path(), "a full cache");
}

/// Temporary files go to a disk of their own, which is too small for them.
const BESIDE_FULL_TEMPORARY_FILES: &str = r#"
mount -t tmpfs -o size=16k tmpfs "$PLACE" || exit 78
TMPDIR="$PLACE" "$@"
code=$?
[ -z "$(ls -A "$PLACE")" ] || exit 77
exit "$code"
"#;

#[test]
fn temporary_files_that_find_no_room_are_named_and_the_run_ends_when_they_do() {
    if !may_mount("temporary files that find no room") {
        return;
    }
    // So many that what is known of each does not stay in memory.
    let run = |folder: &Path| {
        let mut run = Command::new(PROGRAM);
        run.args(["run", "--data", "synthetic:6:8000:32", "-t", "identity", "-m", "psnr"]);
        run.args(["--set", "size=32", "--progress", "none", "--no-cache", "--out"]);
        run.arg(folder.join("run"));
        run
    };
    let [straight, folder, place] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    ended(&run(straight.path()).output().unwrap());
    let mut beside =
        mounted(BESIDE_FULL_TEMPORARY_FILES, &run(folder.path()), place.path(), folder.path());
    let output = beside.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{error}");
    assert!(error.contains("No space left on device") && error.contains("TMPDIR"), "{error}");
    ended(&run(folder.path()).output().unwrap());
    assert_eq!(records(folder.path()), records(straight.path()));
    assert!(files(folder.path()) == files(straight.path()));
}
