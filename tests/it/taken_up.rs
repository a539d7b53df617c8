//! What a second process makes of what a first one has left: finished numbers of files that are others now, a
//! finished run that stays as it is, and what tokenizers have learnt.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use prismbench::Exit;

use crate::networks::weights;
use crate::program::{png, prismbench, records, run_in, with_signal};
use crate::shards::{out, shard, whole};

/// Pictures of two classes of sizes, so that no two sets are alike.
fn pictures(folder: &Path, count: u32) -> PathBuf {
    let folder = folder.join("pictures");
    (0..count).for_each(|number| png(&folder.join(format!("{number:02}.png")), 64 + number, 64));
    folder
}

#[test]
fn finished_numbers_of_pictures_that_have_changed_are_measured_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 12);
    let other = folder.path().join("other/0.png");
    png(&other, 50, 50);
    let (data_name, other) =
        (data.display().to_string(), other.parent().unwrap().display().to_string());
    let plan = ["--data", &data_name, "--data", &other, "-t", "dct:9", "-t", "jpeg:60"];
    let plan =
        [&plan[..], &["--set", "size=32", "-m", "psnr", "--save", "reconstructions"]].concat();
    run_in(folder.path(), &plan).expect(Exit::Done);
    let before = records(&folder.path().join("run"));
    png(&data.join("03.png"), 99, 77);
    let again = run_in(folder.path(), &plan).expect(Exit::Done);
    for tokenizer in ["dct:9", "jpeg:60"] {
        let said = format!(
            "`{tokenizer}` on `{data_name}` was measured before and is measured again: pictures' files \
             changed"
        );
        assert!(again.err.contains(&said), "{}", again.err);
    }
    assert!(!again.err.contains(&format!("on `{other}`")), "{}", again.err);
    let straight = tempfile::tempdir().unwrap();
    run_in(straight.path(), &plan).expect(Exit::Done);
    let sorted = |folder: &Path| {
        let mut lines: Vec<String> =
            records(&folder.join("run")).iter().map(ToString::to_string).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(folder.path()), sorted(straight.path()));
    assert_ne!(records(&folder.path().join("run")), before);
    let samples = |folder: &Path| {
        let path = folder.join("run/samples.parquet");
        let mut tables = prismbench_reports::read_samples(&path).unwrap();
        tables.sort_by_key(|table| (table.dataset.clone(), table.tokenizer.clone()));
        tables
    };
    assert_eq!(samples(folder.path()), samples(straight.path()));
    let originals = |folder: &Path| {
        let arrays = fs::read_dir(folder.join("run/arrays")).unwrap();
        let mut found: Vec<_> = arrays
            .map(|entry| entry.unwrap().path().join("originals.npz"))
            .filter(|file| file.is_file())
            .map(|file| (file.strip_prefix(folder).unwrap().to_owned(), fs::read(&file).unwrap()))
            .collect();
        found.sort();
        found
    };
    assert!(originals(folder.path()) == originals(straight.path()));
    let third = run_in(folder.path(), &plan).expect(Exit::Done);
    assert!(third.err.contains("everything was measured before"), "{}", third.err);
}

#[test]
fn finished_numbers_by_weights_that_have_changed_are_measured_again() {
    let folder = tempfile::tempdir().unwrap();
    let network = folder.path().join("inception.safetensors");
    fs::copy(weights().join("inception.safetensors"), &network).unwrap();
    let named = format!("inception={}", network.display());
    let saved = folder.path().join("saved");
    (0..3).for_each(|number| png(&saved.join(format!("{number:05}.png")), 64, 64));
    let recon = format!("recon:{}", saved.display());
    let plan = ["--data", "synthetic:1:3", "--set", "size=64", "-t", "dct:4", "-m", "rfid"];
    let plan = [&plan[..], &["--weights", &named, "--no-cache"]].concat();
    run_in(folder.path(), &plan).expect(Exit::Done);
    let before = records(&folder.path().join("run"));
    // The last number of the last tensor.
    let mut bytes = fs::read(&network).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 0x40;
    fs::write(&network, bytes).unwrap();
    let again = run_in(folder.path(), &plan).expect(Exit::Done);
    assert!(again.err.contains("is measured again: weights of inception"), "{}", again.err);
    let straight = tempfile::tempdir().unwrap();
    run_in(straight.path(), &plan).expect(Exit::Done);
    let after = records(&folder.path().join("run"));
    assert_eq!(after, records(&straight.path().join("run")));
    assert_eq!(after.len(), before.len());

    let of_recon = folder.path().join("of-recon");
    let plan = ["--data", saved.to_str().unwrap(), "--set", "size=64", "-t", &recon, "-m", "psnr"];
    let first = run_in(&of_recon, &plan);
    assert_eq!(first.exit, Exit::Done, "{}", first.err);
    png(&saved.join("00001.png"), 64, 64);
    let again = run_in(&of_recon, &plan).expect(Exit::Done);
    assert!(again.err.contains("and is measured again"), "{}", again.err);
}

#[test]
fn a_finished_run_and_a_finished_shard_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let plan = ["--data", "synthetic:5:90:32", "-t", "dct:9", "-t", "pca:f8:7", "--set", "size=32"];
    let state = |path: &str| fs::read(folder.path().join(path).join("run.json")).unwrap();
    run_in(folder.path(), &plan).expect(Exit::Done);
    let before = state("run");
    // With other threads, which the file would tell.
    let again =
        run_in(folder.path(), &[&plan[..], &["--threads", "3"]].concat()).expect(Exit::Done);
    assert!(again.err.contains("everything was measured before"), "{}", again.err);
    assert!(state("run") == before);

    let parts = folder.path().join("parts");
    for which in ["1/2", "2/2"] {
        shard(&parts, &plan, which, "8").expect(Exit::Done);
    }
    let before = state("parts/run/shards/1-of-2");
    shard(&parts, &[&plan[..], &["--threads", "3"]].concat(), "1/2", "8").expect(Exit::Done);
    assert!(state("parts/run/shards/1-of-2") == before);
    let path = out(&parts);
    prismbench(&["merge", &path, "--progress", "none"]).expect(Exit::Done);
    let before = state("parts/run");
    let again = prismbench(&["merge", &path, "--progress", "none", "--threads", "3"]);
    let again = again.expect(Exit::Done);
    assert!(again.err.contains("everything was merged before; --out"), "{}", again.err);
    assert!(state("parts/run") == before);
    assert_eq!(records(&parts.join("run")), records(&folder.path().join("run")));
}

#[test]
fn a_merge_names_no_flag_that_it_has_not() {
    let folder = tempfile::tempdir().unwrap();
    let plan = ["--data", "synthetic:5:20:32", "-t", "dct:9", "--set", "size=32"];
    shard(folder.path(), &plan, "1/1", "8").expect(Exit::Done);
    let other = folder.path().join("other");
    run_in(&other, &["--data", "synthetic:5:3:32", "-t", "dct:8"]).expect(Exit::Done);
    let into = other.join("run").display().to_string();
    let refused = prismbench(&["merge", &out(folder.path()), "--out", &into, "--progress", "none"]);
    let refused = refused.expect(Exit::Usage);
    assert!(refused.err.contains("choose another folder with --out"), "{}", refused.err);
    assert!(!refused.err.contains("--force"), "{}", refused.err);
}

/// Pictures to fit on of which nobody can read the first ones any more, though they look untouched from outside.
fn spoil(folder: &Path, first: usize) {
    let mut all: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    for path in &all[..first] {
        let facts = fs::metadata(path).unwrap();
        fs::write(path, vec![0; facts.len() as usize]).unwrap();
        let file = fs::File::options().append(true).open(path).unwrap();
        file.set_modified(facts.modified().unwrap()).unwrap();
    }
}

fn fits(parts: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parts.join("fits")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn what_was_learnt_is_not_learnt_again_by_the_next_process_nor_by_the_merge() {
    let folder = tempfile::tempdir().unwrap();
    let fit_on = pictures(folder.path(), 14).display().to_string();
    let plan = ["--data", "synthetic:5:40:32", "-t", "pca:f8:7", "--set", "size=32"];
    let plan = [&plan[..], &["--fit", &fit_on, "--progress", "none"]].concat();
    let straight = tempfile::tempdir().unwrap();
    let expected = whole(straight.path(), &plan);

    // One block of what is learnt from, three of what is measured.
    let path = out(folder.path());
    let arguments = [&["run", "--out", &path, "--batch", "16"][..], &plan].concat();
    let stopped = with_signal(&arguments, &AtomicBool::new(true)).expect(Exit::Interrupted);
    assert!(stopped.err.contains("interrupted after 16 of 40 pictures"), "{}", stopped.err);
    let parts = folder.path().join("run/parts");
    let kept = fits(&parts);
    assert_eq!(kept.len(), 1);
    // One that is damaged is not believed.
    let mut bytes = fs::read(&kept[0]).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&kept[0], bytes).unwrap();
    let damaged = with_signal(&arguments, &AtomicBool::new(true)).expect(Exit::Interrupted);
    assert!(
        damaged.err.contains("`pca:f8:7` is fitted again: its file is damaged"),
        "{}",
        damaged.err
    );
    assert!(damaged.err.contains("interrupted after 32 of 40 pictures"), "{}", damaged.err);
    let shards = tempfile::tempdir().unwrap();
    for which in ["2/2", "1/2"] {
        shard(shards.path(), &plan, which, "8").expect(Exit::Done);
    }
    spoil(Path::new(&fit_on), 14);
    prismbench(&arguments).expect(Exit::Done);
    assert_eq!(records(&folder.path().join("run")), expected);
    assert!(!parts.exists(), "nothing is left lying about");
    prismbench(&["merge", &out(shards.path()), "--progress", "none"]).expect(Exit::Done);
    assert_eq!(records(&shards.path().join("run")), expected);
    // Without what was kept the pictures are looked at.
    let bare = tempfile::tempdir().unwrap();
    let looked = prismbench(&[&["run", "--out", &out(bare.path())][..], &plan].concat());
    assert!(looked.exit != Exit::Done && looked.err.contains("00.png"), "{}", looked.err);
}

#[test]
fn a_fit_is_interrupted_between_its_blocks_and_goes_on_behind_them() {
    let folder = tempfile::tempdir().unwrap();
    let fit_on = pictures(folder.path(), 14).display().to_string();
    let plan =
        ["--data", "synthetic:5:10:32", "-t", "pca:f8:7", "--set", "size=32", "--fit", &fit_on];
    let path = out(folder.path());
    let more = ["run", "--out", &path, "--batch", "5", "--progress", "none"];
    let arguments = [&more[..], &plan].concat();
    let stopped = with_signal(&arguments, &AtomicBool::new(true)).expect(Exit::Interrupted);
    insta::assert_snapshot!(stopped.err_without(folder.path()), @r"
    error: fit `pca:f8:7`
      cause: interrupted after 5 of 14 training pictures
      hint: the same command goes on behind them
    to go on: prismbench run --out DIR/run --batch 5 --progress none --data synthetic:5:10:32 -t pca:f8:7 --set 'size=32' --fit DIR/pictures
    ");
    let straight = tempfile::tempdir().unwrap();
    let expected = whole(straight.path(), &plan);
    // What it has seen it does not look at again.
    spoil(Path::new(&fit_on), 5);
    let stopped = with_signal(&arguments, &AtomicBool::new(true)).expect(Exit::Interrupted);
    assert!(stopped.err.contains("interrupted after 10 of 14 training"), "{}", stopped.err);
    spoil(Path::new(&fit_on), 10);
    prismbench(&arguments).expect(Exit::Done);
    assert_eq!(records(&folder.path().join("run")), expected);
}
