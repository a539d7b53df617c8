//! Files that look untouched by size and time, and were not: what they hold decides, by its sha256.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use prismbench::Exit;

use crate::generation::program;
use crate::latents::sd_vae;
use crate::program::{png, prismbench, records, run_in, with_signal};
use crate::shards::{out, whole};

/// Files of one size whatever they show, in two classes: the odd ones, and the others.
fn bitmaps(folder: &Path, count: u32) -> (PathBuf, Vec<PathBuf>) {
    let folder = folder.join("pictures");
    let place = |number: u32| {
        let class = if number < count / 2 { "a" } else { "b" };
        folder.join(class).join(format!("{number:02}.bmp"))
    };
    let places: Vec<PathBuf> = (0..count).map(place).collect();
    for (number, place) in places.iter().enumerate() {
        png(place, 36 + number as u32 % 5, 40);
    }
    (folder, places)
}

/// Writes a file again with the byte in its middle changed by `bits`, and sets the time back to what it was.
fn write_over(path: &Path, bits: u8) {
    // Kernels keep times by their ticks, of at most 10 ms.
    std::thread::sleep(Duration::from_millis(30));
    let facts = fs::metadata(path).unwrap();
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= bits;
    fs::write(path, bytes).unwrap();
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(facts.modified().unwrap()).unwrap();
    let now = fs::metadata(path).unwrap();
    assert_eq!((now.len(), now.modified().unwrap()), (facts.len(), facts.modified().unwrap()));
}

/// The records of a plan that is followed straight through.
fn straight(plan: &[&str]) -> Vec<serde_json::Value> {
    whole(tempfile::tempdir().unwrap().path(), plan)
}

#[test]
fn finished_numbers_stay_while_the_pictures_hold_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (data, places) = bitmaps(folder.path(), 8);
    let data = data.display().to_string();
    let plan = ["--data", &data, "-t", "dct:9", "-t", "jpeg:60", "--set", "size=32", "-m", "psnr"];
    run_in(folder.path(), &plan).expect(Exit::Done);
    let before = fs::read(folder.path().join("run/records.jsonl")).unwrap();

    write_over(&places[3], 0);
    let again = run_in(folder.path(), &plan).expect(Exit::Done);
    for tokenizer in ["dct:9", "jpeg:60"] {
        let said = format!(
            "`{tokenizer}` on `{data}` stays: pictures' files hold the same by their sha256"
        );
        assert!(again.err.contains(&said), "{}", again.err);
    }
    assert!(fs::read(folder.path().join("run/records.jsonl")).unwrap() == before);
    let third = run_in(folder.path(), &plan).expect(Exit::Done);
    assert!(!third.err.contains("touched"), "nobody looks twice: {}", third.err);

    // Each tokenizer's numbers are of what it was shown, whatever others were shown later.
    let state = folder.path().join("run/run.json");
    let text = fs::read_to_string(&state).unwrap();
    let mut noted: serde_json::Value = serde_json::from_str(&text).unwrap();
    noted["made_of"][0]["contents_sha256"] = "of other pictures".into();
    fs::write(&state, noted.to_string()).unwrap();
    write_over(&places[3], 0);
    let again = run_in(folder.path(), &plan).expect(Exit::Done);
    assert!(again.err.contains(&format!("`jpeg:60` on `{data}` stays")), "{}", again.err);
    let said = format!("`dct:9` on `{data}` was measured before and is measured again");
    assert!(again.err.contains(&said), "{}", again.err);

    write_over(&places[3], 1);
    let again = run_in(folder.path(), &plan).expect(Exit::Done);
    assert!(again.err.contains("and is measured again: pictures' files changed"), "{}", again.err);
    assert!(fs::read(folder.path().join("run/records.jsonl")).unwrap() != before);
    assert_eq!(records(&folder.path().join("run")), straight(&plan));
}

#[test]
fn what_is_learnt_from_pictures_that_were_touched_is_learnt_again() {
    let folder = tempfile::tempdir().unwrap();
    let (data, places) = bitmaps(folder.path(), 24);
    let data = data.display().to_string();
    let plan = ["--suite", "probing", "--data", &data, "-t", "dct:9", "--set", "size=32"];
    run_in(folder.path(), &plan).expect(Exit::Done);
    // Every fourth is learnt from: those that are measured hold the same.
    write_over(&places[4], 1);
    let again = run_in(folder.path(), &plan).expect(Exit::Done);
    let said = "is measured again: pictures' files changed";
    assert!(again.err.contains(said), "{}", again.err);
    assert_eq!(records(&folder.path().join("run")), straight(&plan));

    // Where only a fit learns from them, what is not fitted stays.
    let plan = ["--data", &data, "-t", "pca:f8:3", "-t", "dct:9", "--set", "size=64", "-m", "psnr"];
    let fitted = folder.path().join("fitted");
    run_in(&fitted, &plan).expect(Exit::Done);
    write_over(&places[1], 0);
    let again = run_in(&fitted, &plan).expect(Exit::Done);
    let said = format!("`dct:9` on `{data}` stays: pictures' files hold the same");
    assert!(again.err.contains(&said), "{}", again.err);
    let said = format!("`pca:f8:3` on `{data}` was measured before and is measured again");
    assert!(again.err.contains(&said), "{}", again.err);
}

#[test]
fn a_stopped_run_keeps_what_it_measured_of_pictures_that_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (data, places) = bitmaps(folder.path(), 20);
    let data = data.display().to_string();
    let plan = ["--data", &data, "-t", "dct:9", "--set", "size=32", "--progress", "none"];
    let path = out(folder.path());
    let arguments = [&["run", "--out", &path, "--batch", "4"][..], &plan].concat();
    let stop = || {
        with_signal(&arguments, &AtomicBool::new(true)).expect(Exit::Interrupted);
    };
    for _ in 0..3 {
        stop();
    }
    write_over(&places[5], 0);
    // A stop while pictures are compared costs nothing.
    stop();
    write_over(&places[19], 0);
    let ran = prismbench(&arguments).expect(Exit::Done);
    let said = "the 12 pictures that were measured are the same by their sha256";
    assert!(ran.err.contains(said), "{}", ran.err);
    assert_eq!(records(&folder.path().join("run")), straight(&plan));

    fs::remove_dir_all(&path).unwrap();
    for _ in 0..3 {
        stop();
    }
    write_over(&places[5], 1);
    let ran = prismbench(&arguments).expect(Exit::Done);
    let said = "is measured again from position 4 on: pictures have changed, by their sha256";
    assert!(ran.err.contains(said), "{}", ran.err);
    assert_eq!(records(&folder.path().join("run")), straight(&plan));
}

#[test]
fn a_shard_of_pictures_that_changed_is_measured_again_and_the_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (data, places) = bitmaps(folder.path(), 40);
    let data = data.display().to_string();
    let plan = ["--data", &data, "-t", "dct:9", "--set", "size=32", "--progress", "none"];
    let path = out(folder.path());
    let shard = |which| {
        let arguments = [&["run", "--out", &path, "--shard", which][..], &plan].concat();
        prismbench(&arguments).expect(Exit::Done).err
    };
    assert!(["1/2", "2/2"].map(shard).iter().all(|said| !said.contains("sha256")));
    write_over(&places[39], 1);
    let [first, second] = ["1/2", "2/2"].map(shard);
    assert!(first.contains("are the same by their sha256"), "{first}");
    assert!(second.contains("pictures have changed, by their sha256"), "{second}");
    prismbench(&["merge", &path, "--progress", "none"]).expect(Exit::Done);
    assert_eq!(records(&folder.path().join("run")), straight(&plan));
}

#[test]
fn weights_are_looked_into_and_programs_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("vae.safetensors");
    fs::copy(sd_vae(), &weights).unwrap();
    let tokenizer = format!("sd-vae={}", weights.display());
    let plan = ["--data", "synthetic:1:2:32", "--set", "size=32", "-t", &tokenizer, "-m", "psnr"];
    run_in(folder.path(), &plan).expect(Exit::Done);
    write_over(&weights, 0);
    let again = run_in(folder.path(), &plan).expect(Exit::Done);
    assert!(again.err.contains("stays: its files hold the same"), "{}", again.err);
    write_over(&weights, 1);
    let again = run_in(folder.path(), &plan).expect(Exit::Done);
    assert!(again.err.contains("is measured again: its files changed"), "{}", again.err);
    assert_eq!(records(&folder.path().join("run")), straight(&plan));

    let saved = folder.path().join("saved/000000.bmp");
    png(&saved, 32, 32);
    let recon = format!("recon:{}", saved.parent().unwrap().display());
    let plan = ["--data", "synthetic:1:1:32", "--set", "size=32", "-t", &recon, "-m", "psnr"];
    let other = folder.path().join("other");
    run_in(&other, &plan).expect(Exit::Done);
    write_over(&saved, 1);
    let again = run_in(&other, &plan).expect(Exit::Done);
    assert!(again.err.contains("is measured again: its files changed"), "{}", again.err);
    assert_eq!(records(&other.join("run")), straight(&plan));
}

#[test]
fn samples_and_what_they_are_compared_with_are_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str, number: u8| folder.path().join(name).join(format!("{number}.bmp"));
    for (name, count) in [("samples", 4), ("real", 6)] {
        for number in 0..count {
            png(&place(name, number), 64, 64);
            write_over(&place(name, number), 8 * number);
        }
    }
    let judge = |out: &str| {
        let run = ["run", "--set", "size=64", "--out", out, "--samples", "@samples"];
        let against = ["--data", "@real", "-m", "gfid"];
        program(folder.path(), &[&run[..], &against].concat()).expect(Exit::Done).err
    };
    judge("@run");
    let before = records(&folder.path().join("run"));
    write_over(&place("samples", 1), 0);
    let said = judge("@run");
    assert!(said.contains("stays: the files of the samples hold the same"), "{said}");
    write_over(&place("real", 1), 0);
    let said = judge("@run");
    assert!(said.contains("stays: pictures' files hold the same"), "{said}");
    assert!(!judge("@run").contains("touched"));
    assert_eq!(records(&folder.path().join("run")), before);
    for (name, field) in [("samples", "the files of the samples"), ("real", "pictures' files")] {
        write_over(&place(name, 2), 3);
        let said = judge("@run");
        assert!(said.contains(&format!("is judged again: {field} changed")), "{said}");
        judge(&format!("@straight-{name}"));
        let straight = records(&folder.path().join(format!("straight-{name}")));
        assert_eq!(records(&folder.path().join("run")), straight);
    }
}
