//! A run in parts is the run: the same records, bit for bit, or a reason why not.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use prismbench::Exit;
use serde_json::Value;

use crate::program::{Ran, png, prismbench, records, with_signal};

/// Every suite that has shards but `generation`, which needs weights; what is learnt and what is drawn.
const PLAN: [&str; 26] = [
    "--data",
    "synthetic:6:90",
    "-t",
    "dct:9",
    "-t",
    "jpeg:60",
    "-t",
    "pca:f8:7",
    "-t",
    "identity",
    "--suite",
    "reconstruction",
    "-s",
    "probing",
    "-s",
    "retrieval",
    "-s",
    "spectrum",
    "--set",
    "size=32",
    "--set",
    "probe=probe/ridge",
    "--set",
    "posterior=mode",
    "--progress",
    "none",
];

pub(crate) fn out(folder: &Path) -> String {
    folder.join("run").display().to_string()
}

/// One shard of a plan in `folder/run`.
pub(crate) fn shard(folder: &Path, plan: &[&str], which: &str, batch: &str) -> Ran {
    let out = out(folder);
    let mut arguments = vec!["run", "--out", &out, "--shard", which, "--batch", batch];
    arguments.extend(plan);
    prismbench(&arguments)
}

fn merge(folder: &Path) -> Ran {
    prismbench(&["merge", &out(folder), "--progress", "none"])
}

pub(crate) fn whole(folder: &Path, plan: &[&str]) -> Vec<Value> {
    let out = out(folder);
    let mut arguments = vec!["run", "--out", &out];
    arguments.extend(plan);
    prismbench(&arguments).expect(Exit::Done);
    records(&folder.join("run"))
}

/// Files and folders of a run, but for what is in its shards.
fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder.join("run"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn shards_of_any_number_and_batch_merge_to_the_records_of_the_whole_run() {
    let straight = tempfile::tempdir().unwrap();
    let expected = whole(straight.path(), &PLAN);
    let suites: std::collections::BTreeSet<&str> =
        expected.iter().map(|record| record["suite"].as_str().unwrap()).collect();
    assert_eq!(suites.len(), 4, "{suites:?}");
    let samples = |folder: &Path| {
        prismbench_reports::read_samples(&folder.join("run/samples.parquet")).unwrap()
    };
    for (count, batch) in [(1, "8"), (3, "5"), (6, "16")] {
        let folder = tempfile::tempdir().unwrap();
        for number in (1..=count).rev() {
            let ran = shard(folder.path(), &PLAN, &format!("{number}/{count}"), batch);
            let ran = ran.expect(Exit::Done);
            let first = ran.err.lines().next().unwrap();
            assert_eq!(first, format!("shard {number} of {count} (--shard)"));
            assert!(ran.out.is_empty(), "a shard has no table");
        }
        merge(folder.path()).expect(Exit::Done);
        assert_eq!(records(&folder.path().join("run")), expected, "{count} shards");
        assert_eq!(samples(folder.path()), samples(straight.path()));
        assert_eq!(
            files(folder.path()),
            ["plan.toml", "records.jsonl", "run.json", "run.lock", "samples.parquet", "shards"]
        );
    }
}

#[test]
fn shards_of_several_folders_are_merged_into_a_new_one() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let plan = ["--data", "synthetic:5:40", "-t", "dct:9", "--progress", "none"];
    let expected = whole(folders[2].path(), &plan);
    for (folder, which) in folders.iter().zip(["1/2", "2/2"]) {
        shard(folder.path(), &plan, which, "8").expect(Exit::Done);
    }
    let [first, second] = [&folders[0], &folders[1]].map(|folder| out(folder.path()));
    let nowhere = prismbench(&["merge", &first, &second]).expect(Exit::Usage);
    assert!(nowhere.err.contains("--out says where"), "{}", nowhere.err);
    let merged = folders[0].path().join("merged");
    let merged = merged.to_str().unwrap();
    prismbench(&["merge", &second, &first, "-o", merged, "--progress", "none"]).expect(Exit::Done);
    assert_eq!(records(Path::new(merged)), expected);
}

#[test]
fn a_merge_reads_pictures_of_no_more_pixels_than_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let make = ["--data", "synthetic:5:9", "-t", "dct:9", "--save", "reconstructions"];
    let made = tempfile::tempdir().unwrap();
    whole(made.path(), &[&make[..], &["--set", "size=32", "--progress", "none"]].concat());
    let originals =
        arrays(made.path()).into_iter().find(|(name, _)| name.ends_with("originals.npz"));
    let data = folder.path().join("originals.npz");
    fs::write(&data, originals.unwrap().1).unwrap();
    let data = data.display().to_string();
    let plan = ["--data", &data, "-t", "dct:9", "--set", "size=32", "--progress", "none"];
    for which in ["1/2", "2/2"] {
        shard(folder.path(), &plan, which, "8").expect(Exit::Done);
    }
    let run = out(folder.path());
    let refused = prismbench(&["merge", &run, "--max-image-pixels", "1023"]).expect(Exit::Usage);
    assert!(refused.err.contains("32x32 pixels; at most 1023 are read"), "{}", refused.err);
    prismbench(&["merge", &run, "--max-image-pixels", "1024"]).expect(Exit::Done);
}

#[test]
fn what_is_missing_of_a_merge_is_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let plan = ["--data", "synthetic:5:60", "-t", "dct:9", "--progress", "none"];
    let refused = |exit| {
        let ran = merge(folder.path()).expect(exit);
        assert!(!folder.path().join("run/records.jsonl").exists());
        ran.err_without(folder.path())
    };
    shard(folder.path(), &plan, "2/3", "8").expect(Exit::Done);
    insta::assert_snapshot!(refused(Exit::Missing), @"error: 2 of 3 shards are missing: 1, 3
");
    shard(folder.path(), &plan, "1/3", "8").expect(Exit::Done);
    let path = out(folder.path());
    let mut arguments = vec!["run", "--out", &path, "--shard", "3/3", "--batch", "8"];
    arguments.extend(plan);
    let stopped = with_signal(&arguments, &AtomicBool::new(true));
    assert_eq!(stopped.exit, Exit::Interrupted, "{}", stopped.err);
    let unfinished = refused(Exit::Missing);
    assert!(unfinished.contains("shard 3 of 3 is not finished"), "{unfinished}");
    assert!(unfinished.contains("ends with picture 8 of 28"), "{unfinished}");
    prismbench(&arguments).expect(Exit::Done);
    merge(folder.path()).expect(Exit::Done);
    // Shards of another run beside them are not guessed about.
    shard(folder.path(), &plan, "1/2", "8").expect(Exit::Done);
    let ran = merge(folder.path()).expect(Exit::Usage);
    assert!(ran.err.contains("remove those of the run that is not meant"), "{}", ran.err);
    let other = ["--data", "synthetic:5:60", "-t", "dct:10", "--progress", "none"];
    let ran = shard(folder.path(), &other, "1/3", "8").expect(Exit::Usage);
    assert!(ran.err.contains("holds another run"), "{}", ran.err);
    let none = prismbench(&["merge", folder.path().to_str().unwrap()]).expect(Exit::Missing);
    assert!(none.err.contains("holds no shards"), "{}", none.err);
}

#[test]
fn what_cannot_be_divided_is_refused_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let plan = ["--data", "synthetic:5:9", "-t", "dct:9", "-s", "throughput"];
    let ran = shard(folder.path(), &plan, "1/2", "8").expect(Exit::Usage);
    assert!(ran.err.contains("times one machine"), "{}", ran.err);
    assert!(!folder.path().join("run").exists());
}

/// Everything below `arrays`, by its path there.
pub(crate) fn arrays(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let root = folder.join("run/arrays");
    let mut found = Vec::new();
    for entry in
        fs::read_dir(&root).unwrap().flat_map(|of| fs::read_dir(of.unwrap().path()).unwrap())
    {
        let path = entry.unwrap().path();
        found.push((
            path.strip_prefix(&root).unwrap().display().to_string(),
            fs::read(path).unwrap(),
        ));
    }
    found.sort();
    found
}

#[test]
fn saved_arrays_are_the_same_bytes_from_shards_and_from_a_run_that_was_stopped() {
    // JPEG has no latents that are numbers.
    let plan = [
        "--data",
        "synthetic:5:40",
        "-t",
        "dct:9",
        "-t",
        "jpeg:60",
        "--set",
        "size=32",
        "--save",
        "reconstructions",
        "--save",
        "latents",
        "--progress",
        "none",
    ];
    let straight = tempfile::tempdir().unwrap();
    let records_of_whole = whole(straight.path(), &plan);
    let expected = arrays(straight.path());
    let names: Vec<&str> =
        expected.iter().map(|(name, _)| name.rsplit('/').next().unwrap()).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    let four = ["latents.npz", "originals.npz", "reconstructions.npz", "reconstructions.npz"];
    assert_eq!(sorted, four, "{names:?}");

    let shards = tempfile::tempdir().unwrap();
    for which in ["2/3", "1/3", "3/3"] {
        shard(shards.path(), &plan, which, "5").expect(Exit::Done);
    }
    merge(shards.path()).expect(Exit::Done);
    assert_eq!(records(&shards.path().join("run")), records_of_whole);
    assert!(arrays(shards.path()) == expected);

    let stopped = tempfile::tempdir().unwrap();
    let path = out(stopped.path());
    let mut arguments = vec!["run", "--out", &path, "--batch", "7"];
    arguments.extend(plan);
    for done in [7, 14] {
        let ran = with_signal(&arguments, &AtomicBool::new(true)).expect(Exit::Interrupted);
        assert!(ran.err.contains(&format!("interrupted after {done} of 40")), "{}", ran.err);
    }
    prismbench(&arguments).expect(Exit::Done);
    assert_eq!(records(&stopped.path().join("run")), records_of_whole);
    assert!(arrays(stopped.path()) == expected);
}

#[test]
fn a_block_is_measured_once_however_often_a_run_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let plan = ["--data", "synthetic:5:23", "-t", "dct:9", "-t", "jpeg:60", "--progress", "none"];
    let straight = tempfile::tempdir().unwrap();
    let expected = whole(straight.path(), &plan);
    let path = out(folder.path());
    let mut arguments = vec!["run", "--out", &path, "--batch", "5"];
    arguments.extend(plan);
    for done in [5, 10, 15, 20] {
        let stopped = with_signal(&arguments, &AtomicBool::new(true));
        assert_eq!(stopped.exit, Exit::Interrupted);
        let cause = format!("interrupted after {done} of 23 pictures");
        assert!(stopped.err.contains(&cause), "{}", stopped.err);
        let status = prismbench(&["status", &path]).expect(Exit::Partial);
        let share = 100 * done / 23;
        let expected = format!("DIR/run: stopped, {share} %, 0 records\n");
        assert_eq!(status.text().replace(&folder.path().display().to_string(), "DIR"), expected);
    }
    prismbench(&arguments).expect(Exit::Done);
    assert_eq!(records(&folder.path().join("run")), expected);
    assert!(!folder.path().join("run/parts").exists());
    let status = prismbench(&["status", &path]).expect(Exit::Done);
    assert!(status.text().contains("complete"), "{}", status.text());
}

#[test]
fn pictures_that_change_while_a_run_is_stopped_are_measured_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("pictures");
    let picture = |number: usize| -> PathBuf { pictures.join(format!("{number:02}.png")) };
    (0..12).for_each(|number| png(&picture(number), 40 + number as u32, 40));
    let data = pictures.display().to_string();
    let plan = ["--data", &data, "-t", "dct:9", "--set", "size=32", "--progress", "none"];
    let path = out(folder.path());
    let mut arguments = vec!["run", "--out", &path, "--batch", "4"];
    arguments.extend(plan);
    with_signal(&arguments, &AtomicBool::new(true)).expect(Exit::Interrupted);
    png(&picture(0), 90, 77);
    let ran = prismbench(&arguments).expect(Exit::Done);
    assert!(ran.err.contains("is measured again: pictures' files changed"), "{}", ran.err);
    let straight = tempfile::tempdir().unwrap();
    assert_eq!(records(&folder.path().join("run")), whole(straight.path(), &plan));
}

#[test]
fn the_status_names_every_shard_that_has_begun() {
    let folder = tempfile::tempdir().unwrap();
    let plan = ["--data", "synthetic:5:64", "-t", "dct:9", "--progress", "none"];
    shard(folder.path(), &plan, "2/4", "4").expect(Exit::Done);
    let path = out(folder.path());
    let mut arguments = vec!["run", "--out", &path, "--shard", "4/4", "--batch", "4"];
    arguments.extend(plan);
    with_signal(&arguments, &AtomicBool::new(true)).expect(Exit::Interrupted);
    let text = |format: &str| {
        let ran = prismbench(&["status", &path, "--format", format]).expect(Exit::Partial);
        ran.text().replace(&folder.path().display().to_string(), "DIR")
    };
    insta::assert_snapshot!(text("text"), @r"
    DIR/run: 1 of 4 shards complete, 0 running, 1 stopped, 0 failed, 2 not begun; 0 records
      shards/2-of-4  complete
      shards/4-of-4  stopped, 25 %
    ");
    let json: Value = serde_json::from_str(&text("json")).unwrap();
    assert_eq!(json["shards"][1]["state"], "stopped");
    assert_eq!(json["shards"][1]["done"], 0.25);
    let lock = fs::File::open(folder.path().join("run/shards/4-of-4/run.lock")).unwrap();
    lock.lock().unwrap();
    assert!(text("text").contains("shards/4-of-4  running, 25 %"), "{}", text("text"));
    let ran = prismbench(&arguments).expect(Exit::Usage);
    assert!(ran.err.contains("is being written by another process"), "{}", ran.err);
    let nothing = prismbench(&["status", folder.path().to_str().unwrap()]).expect(Exit::Missing);
    assert!(nothing.err.contains("there is no run in"), "{}", nothing.err);
}

#[test]
fn a_shard_that_an_error_ended_is_failed_and_not_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let picture = |number: usize| data.join(format!("{number:02}.png"));
    // The second shard has the last 4.
    (0..20).for_each(|number| png(&picture(number), 64, 48));
    let whole = fs::read(picture(18)).unwrap();
    fs::write(picture(18), &whole[..whole.len() / 2]).unwrap();
    let data = data.display().to_string();
    let plan = ["--data", &data, "-t", "dct:9", "--set", "size=32", "--progress", "none"];
    shard(folder.path(), &plan, "1/2", "1").expect(Exit::Done);
    let ran = shard(folder.path(), &plan, "2/2", "1").expect(Exit::Usage);
    assert!(ran.err.contains("18.png"), "{}", ran.err);
    let path = out(folder.path());
    let text = |format: &str, exit| {
        let ran = prismbench(&["status", &path, "--format", format]).expect(exit);
        ran.text().replace(&folder.path().display().to_string(), "DIR")
    };
    insta::assert_snapshot!(text("text", Exit::Partial), @r"
    DIR/run: 1 of 2 shards complete, 0 running, 0 stopped, 1 failed, 0 not begun; 0 records
      shards/1-of-2  complete
      shards/2-of-2  failed, 50 %
    ");
    let json: Value = serde_json::from_str(&text("json", Exit::Partial)).unwrap();
    let second = &json["shards"][1];
    assert_eq!((&second["shard"], &second["state"]), (&2.into(), &"failed".into()));
    // The picture is mended, and the same command ends the shard.
    fs::write(picture(18), whole).unwrap();
    shard(folder.path(), &plan, "2/2", "1").expect(Exit::Done);
    assert!(text("text", Exit::Done).contains("2 of 2 shards complete"));
}
