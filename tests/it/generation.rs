//! Samples of generators against references, through the program and with generated weights.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use prismbench::Exit;
use serde_json::Value;

use crate::hashed::picture;
use crate::networks::weights;
use crate::program::{Ran, prismbench, records, run_in};

/// Runs a command with the generated weights and a cache of the test's own; `@` stands for the folder.
pub(crate) fn program(folder: &Path, arguments: &[&str]) -> Ran {
    let inception = format!("inception={}", weights().join("inception.safetensors").display());
    let here = |argument: &&str| argument.replace('@', &format!("{}/", folder.display()));
    let always = ["--weights", &inception, "--cache", "@cache", "--progress", "none"];
    let all: Vec<String> = arguments.iter().chain(&always).map(here).collect();
    prismbench(&all.iter().map(String::as_str).collect::<Vec<_>>())
}

pub(crate) fn judge(folder: &Path, arguments: &[&str]) -> Ran {
    let run = ["run", "--set", "size=64", "--force", "--out", "@run"];
    program(folder, &[&run[..], arguments].concat())
}

/// Saves what a tokenizer makes of procedural scenes; the file of pictures and that of latents.
pub(crate) fn made(folder: &Path, name: &str, data: &str, tokenizer: &str) -> (PathBuf, PathBuf) {
    let arguments = ["--data", data, "-t", tokenizer, "--set", "size=64", "-m", "psnr"];
    let save = ["--save", "reconstructions,latents"];
    run_in(&folder.join(name), &[&arguments[..], &save].concat()).expect(Exit::Done);
    let arrays = fs::read_dir(folder.join(name).join("run/arrays")).unwrap();
    // Beside those of the tokenizer lie the original pictures.
    let mut arrays = arrays.map(|entry| entry.unwrap().path());
    let arrays = arrays.find(|folder| folder.join("latents.npz").is_file()).unwrap();
    (arrays.join("reconstructions.npz"), arrays.join("latents.npz"))
}

fn value(folder: &Path, metric: &str) -> f64 {
    let records = records(&folder.join("run"));
    let found = records
        .iter()
        .find(|record| record["metric"].as_str().unwrap().starts_with(&format!("{metric}@")));
    found.unwrap_or_else(|| panic!("no {metric}"))["value"]
        .as_f64()
        .unwrap_or_else(|| panic!("{metric}: {found:?}"))
}

fn words(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}

/// The pixels of 1,000 pictures.
fn pixels(path: &Path) -> Vec<u8> {
    const BYTES: usize = 1000 * 64 * 64 * 3;
    let mut archive = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    let mut bytes = Vec::new();
    std::io::copy(&mut archive.by_name("arr_0.npy").unwrap(), &mut bytes).unwrap();
    bytes.split_off(bytes.len() - BYTES)
}

/// Against torch-fidelity, pytorch-fid, torchmetrics, prdc and a numpy re-statement of ADM's evaluator
/// on the same 1,000 samples and 1,000 real pictures with the same weights; tolerances of section 14 of
/// the specification: relative 1e-4 for FID, KID and IS, 1e-3 for sFID, one sample for the counts.
#[test]
fn the_reference_evaluators_say_the_same_of_a_thousand_samples() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/generation/generation.json");
    let golden: Value = serde_json::from_slice(&fs::read(golden).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (real, _) = made(folder.path(), "real", "synthetic:91:1000", "identity");
    let (samples, _) = made(folder.path(), "samples", "synthetic:92:1000", "dct:16");
    let digest = prismbench_weights::sha256(&[pixels(&real), pixels(&samples)].concat());
    assert_eq!(digest, golden["pictures"], "the pictures are others than the oracle's");
    let (real, samples) = (real.display().to_string(), samples.display().to_string());
    program(folder.path(), &["stats", &real, "-o", "@ref.npz", "--set", "size=64"])
        .expect(Exit::Done);
    let metrics = "-m gfid -m sfid -m is -m kid -m precision -m recall -m density -m coverage";
    let reference = ["--samples", &samples, "--reference", "@ref.npz", "--data", &real];
    let against = [&reference[..], &["--set", "kid-subset=200"]].concat();
    judge(folder.path(), &[&against[..], &words(metrics)].concat()).expect(Exit::Done);
    let near = |metric: &str, expected: &Value, tolerance: f64| {
        let (found, expected) = (value(folder.path(), metric), expected.as_f64().unwrap());
        assert!((found - expected).abs() <= tolerance, "{metric}: {found}, {expected} expected");
    };
    for package in ["torch-fidelity", "pytorch-fid", "torchmetrics", "singular-values"] {
        let expected = &golden["fid"][package];
        near("gfid", expected, 1e-4 * expected.as_f64().unwrap());
    }
    let sfid = &golden["sfid"]["singular-values"];
    near("sfid", sfid, 1e-3 * sfid.as_f64().unwrap());
    let score = &golden["is"]["tfid-mean"];
    near("is", score, 1e-4 * score.as_f64().unwrap());
    let kid = &golden["kid"]["mean"];
    near("kid", kid, 1e-4 * kid.as_f64().unwrap().abs());
    let neighbours = &golden["neighbours"];
    near("precision", &neighbours["exact"]["precision"], 1.5e-3);
    near("recall", &neighbours["exact"]["recall"], 1.5e-3);
    near("density", &neighbours["density"], 1.5e-3);
    near("coverage", &neighbours["coverage"], 1.5e-3);
    // ADM's own rules, from the features that are kept by now.
    let adm =
        "--set inception-score=adm --set precision-recall=adm-fp16 -m is -m precision -m recall";
    judge(folder.path(), &[&against[..], &words(adm)].concat()).expect(Exit::Done);
    let score = &golden["is"]["adm"];
    near("is", score, 1e-4 * score.as_f64().unwrap());
    // In half precision, too, no more than one sample.
    near("precision", &neighbours["adm-fp16"]["precision"], 1.5e-3);
    near("recall", &neighbours["adm-fp16"]["recall"], 1.5e-3);
}

/// Records without what differs between two runs on purpose.
pub(crate) fn numbers(folder: &Path) -> Vec<(String, String, Value)> {
    let text = |record: &Value, field: &str| record[field].as_str().unwrap().to_owned();
    let all = records(&folder.join("run"));
    all.iter()
        .map(|record| (text(record, "metric"), text(record, "dialect"), record["value"].clone()))
        .collect()
}

#[test]
fn warnings_are_part_of_the_records() {
    let folder = tempfile::tempdir().unwrap();
    let (pictures, _) = made(folder.path(), "made", "synthetic:3:24", "dct:16");
    let pictures = pictures.display().to_string();
    let against =
        ["--samples", &pictures, "--data", "synthetic:4:30", "-m", "gfid", "-m", "recall"];
    judge(folder.path(), &against).expect(Exit::Done);
    let records = records(&folder.path().join("run"));
    let warnings = |metric: &str| {
        let record = records.iter().find(|record| record["metric"] == metric).unwrap();
        record["warnings"].to_string()
    };
    assert!(warnings("gfid@1").contains("too few for 2048 features"));
    assert!(warnings("gfid@1").contains("of 24 samples, where published"));
    assert!(warnings("recall@1").contains("24 samples against 30 references"));
}

#[test]
fn what_a_generator_cannot_be_blamed_for_stands_beside_each_gfid() {
    let folder = tempfile::tempdir().unwrap();
    let stats = ["stats", "synthetic:4:24", "-o", "@ref.npz", "--set", "size=64"];
    program(folder.path(), &stats).expect(Exit::Done);
    let of = |arguments: &[&str]| {
        judge(folder.path(), &[arguments, &["-m", "gfid"]].concat()).expect(Exit::Done);
        let records = records(&folder.path().join("run"));
        let named = records
            .iter()
            .map(|record| (record["metric"].as_str().unwrap().to_owned(), record["value"].clone()));
        named.collect::<BTreeMap<_, _>>()
    };
    // Real pictures as samples: they are as far from the reference as real pictures are.
    let (pictures, _) = made(folder.path(), "real", "synthetic:3:24", "identity");
    let pictures = pictures.display().to_string();
    let real = ["--samples", &pictures, "--data", &pictures];
    let found = of(&[&real[..], &["--reference", "@ref.npz"]].concat());
    assert!(found.keys().eq(["floor-fid@1", "gfid@1"]), "{found:?}");
    assert!(found["gfid@1"].as_f64().unwrap() > 0.1, "{found:?}");
    // Other sums of the same features: 2e-13 apart.
    let near = |a: &str, b: &str, found: &BTreeMap<String, Value>| {
        let [a, b] = [a, b].map(|metric| found[metric].as_f64().unwrap());
        assert!((a - b).abs() < 1e-10 * b, "{found:?}");
    };
    near("floor-fid@1", "gfid@1", &found);
    // Against the pictures themselves there is no floor, and without any no bound.
    assert!(of(&real).keys().eq(["gfid@1"]));
    let found = of(&["--samples", &pictures, "--reference", "@ref.npz"]);
    assert!(found.keys().eq(["gfid@1"]), "{found:?}");
    // Latents of real pictures: all of their distance is the decoder's.
    let (_, latents) = made(folder.path(), "made", "synthetic:3:24", "dct:16");
    let latents = format!("raw:{}", latents.display());
    let found = of(&["--latents", &latents, "-t", "dct:16", "--data", &pictures]);
    assert!(found.keys().eq(["gfid@1", "rfid@1"]), "{found:?}");
    near("rfid@1", "gfid@1", &found);
}

/// Writes an `.npz` of arrays: name, type, shape as Python writes it, bytes.
pub(crate) fn npz(path: &Path, arrays: &[(&str, &str, &str, Vec<u8>)]) {
    let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for (name, descr, shape, bytes) in arrays {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        zip.start_file(format!("{name}.npy"), options).unwrap();
        let header =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        zip.write_all(b"\x93NUMPY\x01\0").unwrap();
        zip.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
        zip.write_all(header.as_bytes()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// Latents of zeros, with one value changed.
fn latents(path: &Path, shape: [usize; 4], change: Option<(usize, f32)>) {
    let mut values = vec![0.0_f32; shape.iter().product()];
    if let Some((at, value)) = change {
        values[at] = value;
    }
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let [n, c, h, w] = shape;
    npz(path, &[("latents", "<f4", &format!("({n}, {c}, {h}, {w})"), bytes)]);
}

#[test]
fn what_cannot_be_judged_is_named_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // dct:16 at 64 pixels has 48 x 8 x 8.
    latents(&path("other.npz"), [2, 4, 8, 8], None);
    latents(&path("nan.npz"), [3, 48, 8, 8], Some((2 * 48 * 64 + 7, f32::NAN)));
    fs::write(path("features.safetensors"), "").unwrap();
    let real = ["--data", "synthetic:4:24", "-m", "gfid"];
    let refused = |arguments: &[&str], exit: Exit, words: &[&str]| {
        let said = judge(folder.path(), arguments).expect(exit).err_without(folder.path());
        for word in words {
            assert!(said.contains(word), "`{word}` is not in: {said}");
        }
    };
    let with = |arguments: &[&'static str]| [arguments, &real[..]].concat();
    refused(
        &["--samples", "synthetic:3:8"],
        Exit::Usage,
        &["nothing to compare them with", "--reference"],
    );
    refused(
        &with(&["--latents", "raw:@nan.npz"]),
        Exit::Usage,
        &["names no tokenizer that decodes"],
    );
    refused(
        &with(&["--latents", "@nan.npz", "-t", "dct:16"]),
        Exit::Usage,
        &["normalised:FILE", "raw:FILE"],
    );
    refused(
        &with(&["--latents", "raw:@other.npz", "-t", "dct:16"]),
        Exit::Usage,
        &["are 4x8x8 each", "`dct:16` takes 48x8x8"],
    );
    refused(
        &with(&["--latents", "raw:@nan.npz", "-t", "dct:16"]),
        Exit::Usage,
        &["latent 2 of `DIR/nan.npz` has NaN at place 7"],
    );
    let absent = ["--samples", "synthetic:3:8", "--reference", "@absent.npz", "-m", "gfid"];
    refused(&absent, Exit::Missing, &["there is nothing at `DIR/absent.npz`"]);
    let absent = with(&["--latents", "raw:@absent.npz", "-t", "dct:16"]);
    refused(&absent, Exit::Missing, &["cannot read the latents `DIR/absent.npz`"]);
    refused(
        &["--samples", "synthetic:3:8", "--reference", "@features.safetensors", "-m", "gfid"],
        Exit::Usage,
        &["a reconstruction run saved", "prismbench stats IMAGES"],
    );
    refused(
        &with(&["--samples", "synthetic:3:8", "--set", "size=32"]),
        Exit::Usage,
        &["pixels and the protocol's size is 32", "--set size=N"],
    );
    refused(&with(&["--suite", "generation"]), Exit::Usage, &["no samples, latents or generators"]);
    refused(
        &with(&["--samples", "synthetic:3:8", "--suite", "reconstruction", "-t", "dct:16"]),
        Exit::Usage,
        &["nothing judges what --samples gives", "add `--suite generation`"],
    );
}

#[test]
fn a_generator_that_cannot_be_run_is_refused_before_anything_is_computed() {
    let folder = tempfile::tempdir().unwrap();
    let real = ["--data", "synthetic:4:24", "-m", "gfid", "-t", "dct:16"];
    let refused = |arguments: &[&str], exit: Exit, words: &[&str]| {
        let said = judge(folder.path(), &[arguments, &real].concat()).expect(exit).err;
        for word in words {
            assert!(said.contains(word), "`{word}` is not in: {said}");
        }
    };
    refused(&["--generator", "ditdh-xxl"], Exit::Usage, &["did you mean `ditdh-xl`?"]);
    let path = "lightningdit-s=@absent.safetensors";
    refused(&["--generator", path], Exit::Missing, &["no weights at"]);
    let heun = ["--generator", path, "--sampling", "heun:50"];
    refused(&heun, Exit::Usage, &["heun2:POINTS"]);
    let config = ["--generator", path, "--sampling", "@absent.yaml"];
    refused(&config, Exit::Missing, &["cannot read the configuration", "absent.yaml"]);
    let auto = ["--generator", path, "--sampling", "euler:50,autoguidance:1.42"];
    refused(&auto, Exit::Usage, &["needs a weaker generator to guide it"]);
    refused(&["--generator", path, "--labels", "equal"], Exit::Usage, &["balanced", "uniform"]);
}

/// Numpy's texts, padded to eight characters.
fn texts(all: &[String]) -> Vec<u8> {
    let padded = all.iter().flat_map(|text| {
        text.chars().chain(std::iter::repeat('\0')).take(8).map(u32::from).collect::<Vec<_>>()
    });
    padded.flat_map(u32::to_le_bytes).collect()
}

/// 24 pictures with their names and classes, in this order.
fn shuffled(path: &Path, seed: u64, order: &[usize]) {
    const SIDE: usize = 64;
    let all = order.iter().flat_map(|&at| picture(SIDE, SIDE, seed + at as u64, 50)).collect();
    let names: Vec<String> = order.iter().map(|at| format!("s{at:03}")).collect();
    let classes = order.iter().flat_map(|&at| (at as i64 / 5).to_le_bytes()).collect();
    let shape = format!("({}, {SIDE}, {SIDE}, 3)", order.len());
    let count = format!("({},)", order.len());
    npz(
        path,
        &[
            ("arr_0", "|u1", &shape, all),
            ("arr_1", "<i8", &count, classes),
            ("ids", "<U8", &count, texts(&names)),
        ],
    );
}

#[test]
fn order_batch_and_threads_leave_every_metric_bit_identical() {
    let folder = tempfile::tempdir().unwrap();
    let forwards: Vec<usize> = (0..24).collect();
    let stride: Vec<usize> = (0..24).map(|at| at * 7 % 24).collect();
    let backwards: Vec<usize> = (0..24).rev().collect();
    let all = "-m gfid -m sfid -m is -m precision -m recall -m kid -m density -m coverage -m \
               fid-infinity --set kid-subset=10 --no-cache";
    let run = |order: [&[usize]; 2], threads: &str, batch: &str| {
        shuffled(&folder.path().join("made.npz"), 1000, order[0]);
        shuffled(&folder.path().join("real.npz"), 2000, order[1]);
        let sets = ["--samples", "@made.npz", "--data", "@real.npz"];
        let how = ["--threads", threads, "--batch", batch];
        judge(folder.path(), &[&sets[..], &words(all), &how].concat()).expect(Exit::Done);
        let mut all = records(&folder.path().join("run"));
        for record in &mut all {
            // It names the real pictures in their order.
            record["reference_sha256"].take();
            assert_eq!(record["outcome"], "ok", "{record}");
        }
        all
    };
    let expected = run([&forwards, &forwards], "2", "8");
    assert_eq!(expected.len(), 9);
    assert_eq!(run([&stride, &backwards], "1", "5"), expected);
    assert_eq!(run([&backwards, &stride], "2", "24"), expected);
}

#[test]
fn saved_samples_are_judged_again_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let (_, latents) = made(folder.path(), "made", "synthetic:3:24", "dct:16");
    let latents = format!("raw:{}", latents.display());
    let against = "--data synthetic:4:24 -m gfid -m is -m precision";
    let drawn = ["--latents", &latents, "-t", "dct:16", "--save", "samples"];
    let said = judge(folder.path(), &[&drawn[..], &words(against)].concat()).expect(Exit::Done).err;
    let mut decoded = numbers(folder.path());
    // Pictures that come from elsewhere have no decoder to be blamed.
    decoded.retain(|(metric, ..)| metric != "rfid@1");
    assert_eq!(decoded.len(), 3);
    let arrays = fs::read_dir(folder.path().join("run/arrays")).unwrap();
    let saved = arrays.map(|entry| entry.unwrap().path()).next().unwrap().join("samples.npz");
    assert!(said.contains(&format!("saved {}", saved.display())), "{said}");
    assert!(!folder.path().join("run/parts").exists());
    let copy = folder.path().join("copy.npz");
    fs::copy(&saved, &copy).unwrap();
    let copy = copy.display().to_string();
    let again = ["--samples", &copy, "--save", "samples"];
    let said = judge(folder.path(), &[&again[..], &words(against)].concat()).expect(Exit::Done).err;
    assert_eq!(numbers(folder.path()), decoded);
    assert!(said.contains("not made here are not saved again"), "{said}");
    let refused = |arguments: &[&str], word: &str| {
        let said = judge(folder.path(), arguments).expect(Exit::Usage).err;
        assert!(said.contains(word), "{said}");
    };
    let latent = ["--samples", &copy, "--save", "latents"];
    refused(&[&latent[..], &words(against)].concat(), "which has `samples` to save");
    let alone = "--data synthetic:4:4 -t dct:4 -m psnr --save samples";
    refused(&words(alone), "without the suite `generation`");
}

#[test]
fn what_does_not_belong_together_is_refused_before_anything_is_computed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (made, real) = ("@made.npz", ["--data", "synthetic:4:24", "-m", "gfid"]);
    let refused = |arguments: &[&str], words: &[&str]| {
        let said = judge(folder.path(), arguments).expect(Exit::Usage).err_without(folder.path());
        for word in words {
            assert!(said.contains(word), "`{word}` is not in: {said}");
        }
    };
    let pixels: Vec<u8> = (0..3).flat_map(|seed| picture(64, 64, seed, 50)).collect();
    let labelled = |labels: &[i64]| {
        let bytes = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
        let count = format!("({},)", labels.len());
        let pictures = ("arr_0", "|u1", "(3, 64, 64, 3)", pixels.clone());
        npz(&path("made.npz"), &[pictures, ("arr_1", "<i8", &count, bytes)]);
    };
    labelled(&[1, 2]);
    refused(&[&["--samples", made][..], &real].concat(), &["`arr_1`", "[2]", "3"]);
    labelled(&[1, -1, 2]);
    refused(&[&["--samples", made][..], &real].concat(), &["`arr_1`, label 1 is not in 0..2^32"]);
    labelled(&[0, 1, 1 << 40]);
    refused(&[&["--samples", made][..], &real].concat(), &["`arr_1`, label 2 is not in 0..2^32"]);
    labelled(&[0, 1, 2]);
    // A reference whose pictures have another size than the run's.
    let f64s = |count: usize| vec![0_u8; 8 * count];
    let mut sigma = f64s(2048 * 2048);
    for row in 0..2048 {
        sigma[8 * 2049 * row..][..8].copy_from_slice(&1.0_f64.to_le_bytes());
    }
    let moments = |sigma: Vec<u8>, pictures: &str, bytes: Vec<u8>| {
        npz(
            &path("ref.npz"),
            &[
                ("arr_0", "|u1", pictures, bytes),
                ("mu", "<f8", "(2048,)", f64s(2048)),
                ("sigma", "<f8", "(2048, 2048)", sigma),
            ],
        );
    };
    let against = ["--samples", made, "--reference", "@ref.npz", "-m", "gfid", "-m", "recall"];
    moments(sigma.clone(), "(2, 32, 32, 3)", vec![9; 2 * 32 * 32 * 3]);
    refused(&against, &["has 32x32 pixels and the protocol's size is 64"]);
    // A covariance that is not symmetric, and means of other features.
    sigma[8..16].copy_from_slice(&0.5_f64.to_le_bytes());
    moments(sigma, "(2, 64, 64, 3)", vec![9; 2 * 64 * 64 * 3]);
    refused(&against, &["entries (1, 0) and (0, 1) differ"]);
    npz(
        &path("ref.npz"),
        &[
            ("mu", "<f8", "(2047,)", f64s(2047)),
            ("sigma", "<f8", "(2048, 2048)", f64s(2048 * 2048)),
        ],
    );
    refused(&against, &["`mu`", "shape [2047]; [2048] is that of the features of Inception"]);
}
