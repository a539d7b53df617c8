//! What a run survives: kills at any moment, disks that are full at any write, folders that cannot be
//! written or vanish, two processes at once. Each time the same command ends it, with the same bits.
//!
//! Short by default. `PRISMBENCH_KILLS=200 cargo test --release --workspace --test survival -- --nocapture`
//! is the long form; SCALING.md has its result.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "a campaign says how far it is")]

mod full_disk;
#[path = "../../../tests/oracle/recipe.rs"]
mod recipe;
#[path = "../weights/inception.rs"]
mod weights;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use prismbench_core::Stream;
use weights::inception;

const PROGRAM: &str = env!("CARGO_BIN_EXE_prismbench");

/// Small runs that together reach every suite that leaves journals, but `generation`, which needs files; the
/// network of `fd-random` is built in.
const RUNS: [(&str, &[&str]); 5] = [
    ("reconstruction", &["-t", "dct:9", "-t", "jpeg:60", "-m", "psnr", "-m", "fd-random"]),
    ("probing", &["-t", "dct:9", "--set", "probe=probe/ridge"]),
    ("retrieval", &["-t", "dct:9", "-m", "t2i-r5", "-m", "filtered-r5"]),
    ("spectrum", &["-t", "dct:9", "-t", "pca:f8:7"]),
    ("reconstruction", &["-t", "dct:9", "-m", "psnr", "--save", "reconstructions,latents"]),
];

fn command(folder: &Path, (suite, arguments): (&str, &[&str])) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["run", "--data", "synthetic:6:90:32", "--suite", suite, "--set", "size=32"]);
    command.args(arguments);
    command.args(["--batch", "3", "--progress", "none", "--no-cache", "--out"]);
    command.arg(folder.join("run"));
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn ended(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The records without what no two runs share: the seconds, rates, and at how many batch sizes they were
/// taken before they were flat.
fn records(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("run/records.jsonl")).unwrap();
    let shared = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let serde_json::Value::Object(mut record) = record else { panic!("no record: {line}") };
        record.remove("seconds").unwrap();
        if record["metric"].as_str().unwrap().contains("-rate@") {
            if record["setting"].as_str().unwrap().starts_with("batch") {
                return None;
            }
            for timed in ["value", "low", "high"] {
                record.remove(timed).unwrap();
            }
        }
        Some(serde_json::Value::Object(record).to_string())
    };
    text.lines().filter_map(shared).collect()
}

/// Every file that a run has left, by its path, with the bytes of those that no two runs have differently.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.join("run")];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            let is_same = name.ends_with("samples.parquet") || name.ends_with(".npz");
            found.insert(name, if is_same { fs::read(&path).unwrap() } else { Vec::new() });
        }
    }
    found
}

/// What a run leaves that nothing happens to, and how long it takes.
struct Straight {
    records: Vec<String>,
    files: BTreeMap<String, Vec<u8>>,
    took: Duration,
}

impl Straight {
    fn of(run: (&str, &[&str])) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start = Instant::now();
        ended(&command(folder.path(), run).output().unwrap());
        let took = start.elapsed();
        let files = files(folder.path());
        let names = || files.keys().map(|name| name.strip_prefix("run/").unwrap());
        let top: Vec<&str> = names().filter(|name| !name.starts_with("arrays/")).collect();
        assert_eq!(top, ["plan.toml", "records.jsonl", "run.json", "run.lock", "samples.parquet"]);
        assert!(names().all(|name| !name.contains("/.")), "{:?}", names().collect::<Vec<_>>());
        Self { records: records(folder.path()), files, took }
    }

    /// Another run has left the same, and nothing else.
    #[track_caller]
    fn check(&self, folder: &Path, what: &str) {
        assert_eq!(records(folder), self.records, "{what}");
        let found = files(folder);
        assert!(found.keys().eq(self.files.keys()), "{what}: {:?}", found.keys());
        let differ = found.iter().filter(|&(name, bytes)| self.files[name] != *bytes);
        let differ: Vec<&String> = differ.map(|file| file.0).collect();
        assert!(differ.is_empty(), "{what}: {differ:?}");
    }
}

/// Kills that the long form asks for.
fn long_form() -> Option<u64> {
    std::env::var("PRISMBENCH_KILLS").ok().map(|text| text.parse().unwrap())
}

fn kill_after(mut child: Child, time: Duration) -> bool {
    std::thread::sleep(time);
    let killed = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    killed
}

/// Latents to be judged, made once, and Inception with generated weights.
fn judged() -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    let latents = Command::new(PROGRAM)
        .args(["run", "--data", "synthetic:3:24", "-t", "dct:16", "--set", "size=64", "-m", "psnr"])
        .args(["--save", "latents", "--progress", "none", "--out"])
        .arg(&made)
        .output();
    ended(&latents.unwrap());
    let latents = format!("raw:{}", wait_for(&made, "latents.npz").display());
    let weights = inception(folder.path());
    (folder, latents, format!("inception={}", weights.display()))
}

#[test]
fn a_run_that_is_killed_at_random_moments_ends_with_the_same_bits_and_nothing_left_over() {
    let kills = long_form().unwrap_or(6);
    let mut moments = Stream::new("kills", 9, 0);
    let mut killed = 0;
    let (_folder, latents, inception) = judged();
    let generation = ["-t", "dct:16", "--set", "size=64", "-m", "gfid", "-m", "is", "-m", "rfid"];
    let files = ["--latents", latents.as_str(), "--weights", inception.as_str()];
    let generation = [&generation[..], &files].concat();
    let timed = ["-t", "dct:9", "-t", "pca:f8:7", "-m", "encode-rate", "-m", "parameters"];
    let more = [("generation", generation.as_slice()), ("throughput", timed.as_slice())];
    let runs: Vec<_> = RUNS.into_iter().chain(more).collect();
    let straight: Vec<_> = runs.iter().map(|&run| Straight::of(run)).collect();
    let mut of_each = vec![0; runs.len()];
    while killed < kills {
        for (place, (&run, straight)) in runs.iter().zip(&straight).enumerate() {
            let folder = tempfile::tempdir().unwrap();
            // Up to three times on the way to the end of one run, of which each does a part.
            let mut left = straight.took;
            for _ in 0..3 {
                let child = command(folder.path(), run).spawn().unwrap();
                let after = left.mul_f64(moments.uniform());
                let was_killed = u64::from(kill_after(child, after));
                (killed, of_each[place]) = (killed + was_killed, of_each[place] + was_killed);
                left = left.saturating_sub(after / 2);
            }
            ended(&command(folder.path(), run).output().unwrap());
            straight.check(folder.path(), run.0);
        }
        let names = runs.iter().map(|run| run.0).zip(&of_each);
        println!("{killed} kills: {:?}", names.collect::<Vec<_>>());
    }
}

/// On a disk of `$SIZE` in memory, which grows once the run has failed; what the run leaves is copied to `$KEPT`.
const ON_A_SMALL_DISK: &str = r#"
mount -t tmpfs -o size="$SIZE" tmpfs "$PLACE" || exit 78
"$@"
code=$?
if [ "$code" != 0 ]; then
    mount -o remount,size=64m "$PLACE" && "$@" || exit 78
fi
cp -r "$PLACE/run" "$KEPT" || exit 78
exit "$code"
"#;

/// Whether this user may mount a disk in memory; says so where not.
fn may_mount(what: &str) -> bool {
    let place = tempfile::tempdir().unwrap();
    let mut mount = Command::new("unshare");
    mount.args(["-rm", "mount", "-t", "tmpfs", "tmpfs"]).arg(place.path());
    let may = mount.output().is_ok_and(|output| output.status.success());
    if !may {
        // Past the capture of tests that succeed.
        let line = format!("left out: {what}: this user may not mount one\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    may
}

/// A command behind a script that mounts something in a place of its own, `$PLACE`, and copies what the run leaves
/// to `$KEPT`.
fn mounted(script: &str, run: &Command, place: &Path, kept: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", script, "sh", PROGRAM]).args(run.get_args());
    command.env("PLACE", place).env("KEPT", kept);
    command
}

#[test]
fn a_disk_that_fills_up_is_named_and_the_run_ends_when_it_has_grown() {
    if !may_mount("a disk that fills up") {
        return;
    }
    let runs = if long_form().is_some() { &RUNS[..] } else { &RUNS[4..] };
    for &run in runs {
        let straight = Straight::of(run);
        let (mut size, mut refused) = (4096_u64, 0);
        loop {
            let [place, kept] = [(); 2].map(|()| tempfile::tempdir().unwrap());
            let measure = command(place.path(), run);
            let mut disk = mounted(ON_A_SMALL_DISK, &measure, place.path(), kept.path());
            let output = disk.env("SIZE", size.to_string()).output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(matches!(output.status.code(), Some(0 | 5)), "{} {size}: {error}", run.0);
            straight.check(kept.path(), &format!("{} on {size} bytes", run.0));
            if output.status.success() {
                break;
            }
            assert!(error.contains("free some space"), "{} {size}: {error}", run.0);
            refused += 1;
            size += 4096 + size / 4096 / 4 * 4096;
        }
        assert!(refused > 2, "{}: only {refused} sizes were too small", run.0);
    }
}

/// `$PLACE` is there and cannot be written; then it can be.
const ON_A_DISK_THAT_IS_READ_ONLY: &str = r#"
mount -t tmpfs tmpfs "$PLACE" && mkdir "$PLACE/run" || exit 78
mount -o remount,ro "$PLACE" || exit 78
"$@"
code=$?
mount -o remount,rw "$PLACE" && "$@" && cp -r "$PLACE/run" "$KEPT" || exit 78
exit "$code"
"#;

#[test]
fn a_disk_that_cannot_be_written_is_named_and_the_run_ends_when_it_can() {
    if !may_mount("a disk that is read-only") {
        return;
    }
    let straight = Straight::of(RUNS[0]);
    let [place, kept] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let measure = command(place.path(), RUNS[0]);
    let mut disk = mounted(ON_A_DISK_THAT_IS_READ_ONLY, &measure, place.path(), kept.path());
    let output = disk.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{error}");
    assert!(error.contains("cannot write") && error.contains("Read-only file system"), "{error}");
    straight.check(kept.path(), "read-only");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    for place in ["/proc/prismbench", "/dev/null/run"] {
        let mut command = command(Path::new(place), RUNS[0]);
        let output = command.output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(5), "{error}");
        assert!(error.contains(&format!("cannot write `{place}")), "{error}");
    }
}

/// Waits until a file lies below a folder whose name ends so.
fn wait_for(folder: &Path, end: &str) -> PathBuf {
    fn find(folder: &Path, end: &str) -> Option<PathBuf> {
        fs::read_dir(folder).ok()?.filter_map(Result::ok).find_map(|entry| {
            let path = entry.path();
            let is_it = path.to_str().is_some_and(|name| name.ends_with(end));
            if is_it { Some(path) } else { find(&path, end) }
        })
    }
    for _ in 0..20_000 {
        if let Some(found) = find(folder, end) {
            return found;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("nothing that ends with {end} in {}", folder.display());
}

/// Sends a signal to a process.
fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
}

/// A run that stands still in the midst of its first pass, whatever else this machine does: journals are there, and
/// records are not.
fn halted(run: (&str, &[&str])) -> (tempfile::TempDir, Child) {
    for _ in 0..50 {
        let folder = tempfile::tempdir().unwrap();
        let mut child = command(folder.path(), run).spawn().unwrap();
        wait_for(folder.path(), ".journal");
        signal(&child, "-STOP");
        if !folder.path().join("run/records.jsonl").exists() && child.try_wait().unwrap().is_none()
        {
            return (folder, child);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    panic!("fifty runs were over before they could be halted");
}

#[test]
fn a_folder_that_is_removed_under_way_ends_the_run_and_not_the_next_one() {
    let straight = Straight::of(RUNS[0]);
    let (folder, child) = halted(RUNS[0]);
    fs::remove_dir_all(folder.path().join("run")).unwrap();
    signal(&child, "-CONT");
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{error}");
    assert!(error.contains("cannot write"), "{error}");
    assert!(!folder.path().join("run").exists(), "nothing comes back");
    ended(&command(folder.path(), RUNS[0]).output().unwrap());
    straight.check(folder.path(), "the end");
}

#[test]
fn of_two_processes_on_one_run_the_second_is_refused_and_the_first_goes_on() {
    let straight = Straight::of(RUNS[0]);
    let (folder, first) = halted(RUNS[0]);
    let second = command(folder.path(), RUNS[0]).output().unwrap();
    let error = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(2), "{error}");
    assert!(error.contains("is being written by another process"), "{error}");
    signal(&first, "-CONT");
    ended(&first.wait_with_output().unwrap());
    straight.check(folder.path(), "the end");
}

/// Shards that begin in the same moment make one run folder between them.
#[test]
fn shards_that_begin_at_once_share_a_folder_and_the_environment_numbers_them() {
    let straight = Straight::of(RUNS[0]);
    for (rank, size) in [("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"), ("RANK", "WORLD_SIZE")] {
        let folder = tempfile::tempdir().unwrap();
        let spawn = |number: u32| {
            let mut command = command(folder.path(), RUNS[0]);
            command.env(rank, number.to_string()).env(size, "4").spawn().unwrap()
        };
        let children: Vec<Child> = (0..4).map(spawn).collect();
        for (child, number) in children.into_iter().zip(1..) {
            let output = child.wait_with_output().unwrap();
            ended(&output);
            let error = String::from_utf8(output.stderr).unwrap();
            let first = format!("shard {number} of 4 ({rank})");
            assert_eq!(error.lines().next(), Some(first.as_str()), "{error}");
        }
        let run = folder.path().join("run");
        let mut merge = Command::new(PROGRAM);
        merge.args(["merge", "--progress", "none", "--no-cache"]).arg(&run);
        ended(&merge.output().unwrap());
        assert_eq!(records(folder.path()), straight.records);
        let samples = "run/samples.parquet";
        assert!(files(folder.path())[samples] == straight.files[samples]);
    }
}
