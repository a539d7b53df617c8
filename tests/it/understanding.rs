//! Probing, retrieval and spectra through the program.

use std::path::Path;

use prismbench::Exit;
use serde_json::Value;

use crate::program::{records, run_in};

/// Runs a suite on two tokenizers and gives the records.
fn run(suite: &str, data: &str, more: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = vec!["--suite", suite, "--data", data, "--set", "size=64"];
    arguments.extend(["-t", "resample:f8", "-t", "dct:9", "--no-cache"]);
    arguments.extend(more);
    run_in(folder.path(), &arguments).expect(Exit::Done);
    records(&folder.path().join("run"))
}

fn value(records: &[Value], tokenizer: &str, metric: &str, setting: &str) -> f64 {
    let is = |record: &&Value, field: &str, text: &str| record[field] == text;
    let found = records.iter().find(|record| {
        is(record, "tokenizer", tokenizer)
            && is(record, "metric", metric)
            && is(record, "setting", setting)
    });
    let found = found.unwrap_or_else(|| panic!("no {metric} {setting} of {tokenizer}"));
    found["value"].as_f64().unwrap_or_else(|| panic!("{found}"))
}

const PAIR: &str = "train=synthetic:31:96,test=synthetic:32:48";

/// Pictures of four colours with an edge somewhere, by class: a set that any probe tells apart.
fn colours(folder: &Path) -> String {
    for (split, count) in [("train", 12_u8), ("test", 5)] {
        for (class, colour) in
            [("blue", [20, 40, 200]), ("green", [30, 180, 40]), ("grey", [120; 3])]
        {
            for number in 0..count {
                let path = folder.join(split).join(class).join(format!("{number}.png"));
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                let shade = |x: u32| if x < 10 + 4 * u32::from(number) { number } else { 30 };
                let pixel = |x, y| image::Rgb(colour.map(|level: u8| level + shade(x + y) / 2));
                image::RgbImage::from_fn(64, 64, pixel).save(path).unwrap();
            }
        }
    }
    let path = |split: &str| folder.join(split).display().to_string();
    format!("train={},test={}", path("train"), path("test"))
}

#[test]
fn every_recipe_tells_colours_apart_and_depends_on_nothing_but_its_protocol() {
    let folder = tempfile::tempdir().unwrap();
    let pair = colours(folder.path());
    let found = run("probing", &pair, &[]);
    assert!((value(&found, "resample:f8", "top1@1", "") - 1.0).abs() < 1e-12);
    let again = run("probing", &pair, &["--batch", "5", "--threads", "1"]);
    assert_eq!(found, again);
    let hash = |records: &[Value]| records[0]["protocol_sha256"].clone();
    let ridge = run("probing", &pair, &["--set", "probe=probe/ridge"]);
    assert!((value(&ridge, "dct:9", "top1@1", "") - 1.0).abs() < 1e-12);
    assert_ne!(hash(&found), hash(&ridge));
    assert_eq!(ridge[0]["dialect"], "probe/ridge");
}

#[test]
fn neighbours_vote_in_columns_of_their_own() {
    let found = run("probing", PAIR, &["--set", "probe=probe/knn"]);
    for k in ["k=10", "k=20"] {
        let top1 = value(&found, "resample:f8", "top1@1", k);
        assert!((0.0..=1.0).contains(&top1));
    }
}

#[test]
fn texts_find_pictures_by_what_low_frequencies_show() {
    let pair = "train=synthetic:2027:256,test=synthetic:2026:144";
    let arguments = ["--set", "pooling=spatial-4x4", "--batch", "48"];
    let found = run("retrieval", pair, &arguments);
    let whole = value(&found, "resample:f8", "t2i-r5@1", "");
    // Five of 144 pictures by chance.
    assert!(whole > 3.0 * 5.0 / 144.0, "{whole}");
    for cutoff in ["0.05", "0.1", "0.15", "0.2", "0.3", "0.4", "0.6", "0.8", "1"] {
        let of = |pass| value(&found, "resample:f8", "filtered-r5@1", &format!("{pass} {cutoff}"));
        assert!(of("low") >= of("high"), "{cutoff}: {} and {}", of("low"), of("high"));
    }
    assert!(value(&found, "resample:f8", "low-pass-collapse@1", "") <= 0.2);
}

#[test]
fn a_filter_that_keeps_everything_changes_no_recall() {
    let metrics = ["-m", "t2i-r5", "-m", "i2t-r5", "--set", "pooling=spatial-4x4"];
    let plain = run("retrieval", PAIR, &metrics);
    let keep = ["--set", "frequency-filter=dct-square:low:1"];
    let filtered = run("retrieval", PAIR, &[&metrics[..], &keep].concat());
    assert_eq!(plain.len(), filtered.len());
    for (plain, filtered) in plain.iter().zip(&filtered) {
        assert_eq!(plain["value"], filtered["value"]);
        assert_ne!(plain["protocol_sha256"], filtered["protocol_sha256"]);
    }
}

#[test]
fn the_shares_of_a_spectrum_add_up_and_smooth_latents_are_low() {
    let found = run("spectrum", "synthetic:33:6", &[]);
    for metric in ["band-energy@1", "band-response@1"] {
        let bands =
            (1..=10).map(|band| value(&found, "resample:f8", metric, &format!("band {band}")));
        let total: f64 = bands.sum();
        assert!((total - 1.0).abs() < 1e-12, "{metric}: {total}");
    }
    assert!(value(&found, "resample:f8", "energy-below@1", "band 1") > 0.5);
    let again = run("spectrum", "synthetic:33:6", &["--batch", "4", "--threads", "1"]);
    assert_eq!(found, again);
}

#[test]
fn pictures_without_classes_or_captions_are_skipped_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str| crate::program::png(&folder.path().join("set").join(name), 64, 64);
    ["a.png", "b.png", "c.png", "d.png", "e.png"].iter().for_each(|name| write(name));
    let data = folder.path().join("set");
    for (suite, said) in [("probing", "no class labels"), ("retrieval", "no captions")] {
        let out = tempfile::tempdir().unwrap();
        let records = skipped(out.path(), suite, &data);
        let reason = records[0]["reason"].as_str().unwrap();
        assert!(reason.contains(said), "{reason}");
    }
}

fn skipped(out: &Path, suite: &str, data: &Path) -> Vec<Value> {
    let data = data.to_str().unwrap();
    let arguments = ["--suite", suite, "--data", data, "--set", "size=64", "-t", "resample:f8"];
    run_in(out, &arguments).expect(Exit::Done);
    records(&out.join("run"))
}
