//! Broken and missing input: named, with a remedy, and nothing lost.

use std::fs;
use std::io::Write;
use std::path::Path;

use prismbench::Exit;

use crate::program::{Ran, png, records, run_in};

/// A fresh folder for a test, and what `run --data FOLDER/NAME` says in it.
fn run_on(folder: &Path, name: &str, more: &[&str]) -> Ran {
    let data = folder.join(name);
    let mut arguments = vec!["--data", data.to_str().unwrap(), "-t", "dct:4"];
    arguments.extend(more);
    run_in(folder, &arguments)
}

#[test]
fn a_path_without_anything_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run_on(folder.path(), "nowhere", &[]).expect(Exit::Missing);
    insta::assert_snapshot!(ran.err_without(folder.path()), @"error: there is nothing at `DIR/nowhere`");
    assert!(!folder.path().join("run").exists());
}

#[test]
fn an_empty_folder_is_named_with_what_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::write(folder.path().join("data/readme.txt"), "no picture").unwrap();
    let ran = run_on(folder.path(), "data", &[]).expect(Exit::Missing);
    insta::assert_snapshot!(ran.err_without(folder.path()));
}

#[test]
fn a_truncated_picture_stops_the_run_and_skip_bad_counts_it() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.png", "b.png", "c.png"] {
        png(&folder.path().join("data").join(name), 300, 260);
    }
    let broken = folder.path().join("data/b.png");
    let bytes = fs::read(&broken).unwrap();
    fs::write(&broken, &bytes[..bytes.len() / 2]).unwrap();
    let stopped = run_on(folder.path(), "data", &[]).expect(Exit::Usage);
    insta::assert_snapshot!(stopped.err_without(folder.path()));
    let skipped = run_on(folder.path(), "data", &["--skip-bad", "--force"]).expect(Exit::Done);
    let warning = skipped.err_without(folder.path());
    assert!(warning.contains("warning: left out `b.png`: "), "{warning}");
    assert!(warning.contains("warning: 1 of 3 pictures were left out"), "{warning}");
    let run = folder.path().join("run");
    assert_eq!(records(&run)[0]["n"], 2);
    let provenance: serde_json::Value =
        serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap();
    assert_eq!(provenance["pictures"][0]["skipped"][0]["id"], "b.png");
}

/// A bitmap whose header claims more pixels than memory has bytes for.
fn bomb(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut header = b"BM".to_vec();
    header.extend([0x100_0036_u32, 0, 54, 40, 30_000, 30_000].map(u32::to_le_bytes).concat());
    header.extend([1_u16, 24].map(u16::to_le_bytes).concat());
    header.extend([0; 64]);
    fs::write(path, header).unwrap();
}

#[test]
fn pictures_beyond_the_limit_are_refused_and_a_flag_moves_it() {
    let folder = tempfile::tempdir().unwrap();
    bomb(&folder.path().join("bomb/a.bmp"));
    let refused = run_on(folder.path(), "bomb", &[]).expect(Exit::Usage).err;
    let told = "30000x30000 pixels; at most 178956970 are decoded (--max-image-pixels)";
    assert!(refused.contains(told), "{refused}");
    // Let through, the decoder says what it is.
    let more = ["--max-image-pixels", "900000000"];
    let refused = run_on(folder.path(), "bomb", &more).expect(Exit::Usage).err;
    assert!(!refused.contains("--max-image-pixels"), "{refused}");

    png(&folder.path().join("data/a.png"), 300, 260);
    let limited = |pixels: &str, exit| {
        run_on(folder.path(), "data", &["--force", "--max-image-pixels", pixels]).expect(exit)
    };
    let refused = limited("77999", Exit::Usage).err;
    assert!(refused.contains("300x260 pixels; at most 77999"), "{refused}");
    limited("78000", Exit::Done);
    // It decides no number: the run is the same one.
    let plan = fs::read_to_string(folder.path().join("run/plan.toml")).unwrap();
    assert!(!plan.contains("78000"), "{plan}");

    // Finished reconstructions, which come by another way.
    png(&folder.path().join("made/a.png"), 256, 256);
    let recon = format!("recon:{}", folder.path().join("made").display());
    let judged = |pixels: &str| {
        let data = folder.path().join("data");
        let arguments = ["--data", data.to_str().unwrap(), "-t", &recon, "-m", "psnr", "--force"];
        run_in(folder.path(), &[&arguments[..], &["--max-image-pixels", pixels]].concat())
    };
    judged("78000").expect(Exit::Done);
    png(&folder.path().join("made/a.png"), 500, 500);
    judged("78000").expect(Exit::Partial);
    let reason = records(&folder.path().join("run"))[0]["reason"].to_string();
    assert!(reason.contains("500x500 pixels; at most 78000"), "{reason}");
}

#[test]
fn a_folder_of_bad_pictures_alone_measures_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::write(folder.path().join("data/x.jpg"), "not a picture").unwrap();
    let ran = run_on(folder.path(), "data", &["--skip-bad"]).expect(Exit::Usage);
    insta::assert_snapshot!(ran.err_without(folder.path()), @r"
    error: measure `DIR/data`
      cause: none of the 1 pictures of `DIR/data` can be used
    ");
}

#[test]
fn a_picture_smaller_than_a_plain_crop_is_named_with_its_size() {
    let folder = tempfile::tempdir().unwrap();
    png(&folder.path().join("data/small.png"), 200, 300);
    let ran = run_on(folder.path(), "data", &["--set", "crop=center"]).expect(Exit::Usage);
    insta::assert_snapshot!(ran.err_without(folder.path()));
    run_on(folder.path(), "data", &["--force"]).expect(Exit::Done);
}

#[test]
fn a_side_that_a_tokenizer_cannot_take_is_a_failed_record_and_exit_4() {
    let folder = tempfile::tempdir().unwrap();
    png(&folder.path().join("data/odd.png"), 203, 301);
    let more = ["--set", "crop=none", "-t", "identity"];
    let ran = run_on(folder.path(), "data", &more).expect(Exit::Partial);
    let records = records(&folder.path().join("run"));
    let outcomes = |tokenizer: &str| -> Vec<&str> {
        let of = records.iter().filter(|record| record["tokenizer"] == tokenizer);
        of.map(|record| record["outcome"].as_str().unwrap()).collect()
    };
    assert_eq!(outcomes("dct:4"), ["failed"; 6]);
    // One picture has no distribution.
    let expected = ["infinite", "ok", "ok", "skipped", "ok", "skipped"];
    assert_eq!(outcomes("identity"), expected);
    assert!(ran.text().contains("multiples of 8"), "{}", ran.text());
}

#[test]
fn a_metric_without_a_value_for_the_size_is_skipped_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    png(&folder.path().join("data/a.png"), 64, 64);
    run_on(folder.path(), "data", &["--set", "size=64"]).expect(Exit::Done);
    let records = records(&folder.path().join("run"));
    let of = records.iter().find(|record| record["metric"] == "ms-ssim@1").unwrap();
    assert_eq!(of["outcome"], "skipped");
    let reason = of["reason"].as_str().unwrap();
    assert!(reason.contains("64x64") && reason.contains("176"), "{reason}");
}

/// An `.npz` with one member of these bytes.
fn npz(path: &Path, member: &str, header: &str, body: &[u8]) {
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file(member, options).unwrap();
    let header = format!("{header:<117}\n");
    archive.write_all(b"\x93NUMPY\x01\x00").unwrap();
    archive.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
    archive.write_all(header.as_bytes()).unwrap();
    archive.write_all(body).unwrap();
    archive.finish().unwrap();
}

#[test]
fn an_npz_that_does_not_hold_pictures_is_told_what_is_wrong() {
    let header = |descr: &str, shape: &str| {
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}")
    };
    let body = vec![7; 2 * 64 * 64 * 3];
    let cases = [
        ("no-arr-0", "images.npy", header("|u1", "(2, 64, 64, 3)"), &body[..]),
        ("dtype", "arr_0.npy", header("<f4", "(2, 32, 32, 3)"), &body[..]),
        ("shape", "arr_0.npy", header("|u1", "(2, 3, 64, 64)"), &body[..]),
        ("cut-short", "arr_0.npy", header("|u1", "(2, 64, 64, 3)"), &body[..9_000]),
        ("huge", "arr_0.npy", header("|u1", "(1000000000000, 256, 256, 3)"), &body[..]),
    ];
    for (name, member, header, body) in cases {
        let folder = tempfile::tempdir().unwrap();
        npz(&folder.path().join("data.npz"), member, &header, body);
        let ran = run_on(folder.path(), "data.npz", &[]).expect(Exit::Usage);
        insta::assert_snapshot!(format!("npz-{name}"), ran.err_without(folder.path()));
        assert!(!folder.path().join("run").exists(), "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.npz");
    npz(&path, "arr_0.npy", &header("|u1", "(2, 64, 64, 3)"), &body);
    run_on(folder.path(), "data.npz", &["--set", "size=64"]).expect(Exit::Done);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 400]).unwrap();
    let ran = run_on(folder.path(), "data.npz", &["--force"]).expect(Exit::Usage);
    insta::assert_snapshot!("npz-truncated", ran.err_without(folder.path()));
}

/// Safetensors with these f32 tensors of zeros.
fn safetensors(path: &Path, tensors: &[(String, Vec<usize>)]) {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, shape)| vec![0; 4 * shape.iter().product::<usize>()]).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape), bytes)| {
        let view =
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
        (name.clone(), view.unwrap())
    });
    fs::write(path, safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap()).unwrap();
}

#[test]
fn weights_that_are_missing_or_do_not_fit_are_named_tensor_by_tensor() {
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("weights");
    let tokenizer = format!("taef2={}", weights.display());
    let run = || run_in(folder.path(), &["--data", "synthetic:1:1", "-t", &tokenizer]);
    let missing = run().expect(Exit::Missing);
    insta::assert_snapshot!("weights-missing", missing.err_without(folder.path()));
    fs::create_dir(&weights).unwrap();
    // One tensor misshapen, one extra, the rest missing.
    let tensors = [("0.weight".to_owned(), vec![64, 4, 3, 3]), ("teacher".to_owned(), vec![2])];
    safetensors(&weights.join("taef2_encoder.safetensors"), &tensors);
    safetensors(&weights.join("taef2_decoder.safetensors"), &tensors);
    let wrong = run().expect(Exit::Usage).err_without(folder.path());
    for part in ["0.weight", "[64, 4, 3, 3]", "[64, 3, 3, 3]", "teacher", "14.bias"] {
        assert!(wrong.contains(part), "{part} is not in: {wrong}");
    }
    fs::write(weights.join("taef2_encoder.safetensors"), b"\xff\xff\xff\xff\xff\xff\xff\x7f{}")
        .unwrap();
    let unreadable = run().expect(Exit::Usage);
    insta::assert_snapshot!("weights-unreadable", unreadable.err_without(folder.path()));
}

#[test]
fn too_few_training_pictures_are_told_with_the_flag_that_gives_more() {
    let folder = tempfile::tempdir().unwrap();
    let run = |data: &str, more: &[&str]| {
        let mut arguments = vec!["--data", data, "-t", "pca:f16:4"];
        arguments.extend(more);
        run_in(folder.path(), &arguments)
    };
    let few = run("synthetic:1:2", &[]).expect(Exit::Usage);
    insta::assert_snapshot!(few.err, @r"
    error: fit `pca:f16:4`
      cause: expected at least 769 training patches of 16x16 pixels to fit `pca:f16:4` (more or larger training pictures give more), found 256
      hint: `--fit DATA` fits on other pictures, as in `--fit synthetic:1:64`
    ");
    run("synthetic:1:2", &["--fit", "synthetic:2:4", "--force"]).expect(Exit::Done);
}
