//! A number depends on tokenizer, pictures and protocol, and on nothing else.

use prismbench::Exit;

use crate::program::{prismbench, records, run_in};

const SMALL: [&str; 10] = [
    "--data",
    "synthetic:5:13",
    "-t",
    "jpeg:60",
    "-t",
    "dct:9",
    "-t",
    "pca:f8:7",
    "-t",
    "identity",
];

#[test]
fn records_are_the_same_for_any_batch_size_and_number_of_threads() {
    let mut expected = None;
    for (batch, threads) in [("1", "1"), ("4", "3"), ("13", "2"), ("64", "1")] {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = SMALL.to_vec();
        arguments.extend(["--batch", batch, "--threads", threads]);
        run_in(folder.path(), &arguments).expect(Exit::Done);
        let found = records(&folder.path().join("run"));
        let expected = expected.get_or_insert_with(|| found.clone());
        assert_eq!(&found, expected, "batch {batch}, threads {threads}");
    }
}

#[test]
fn records_do_not_depend_on_which_tokenizers_share_the_pass() {
    let together = tempfile::tempdir().unwrap();
    let plain = ["--data", "synthetic:5:6", "-t", "jpeg:60", "-t", "dct:9"];
    run_in(together.path(), &plain).expect(Exit::Done);
    let mut apart = Vec::new();
    for tokenizer in ["jpeg:60", "dct:9"] {
        let folder = tempfile::tempdir().unwrap();
        run_in(folder.path(), &["--data", "synthetic:5:6", "-t", tokenizer]).expect(Exit::Done);
        apart.extend(records(&folder.path().join("run")));
    }
    assert_eq!(records(&together.path().join("run")), apart);
}

#[test]
fn a_set_field_moves_the_hash_and_the_name_and_only_the_numbers_it_decides() {
    let folder = tempfile::tempdir().unwrap();
    let data = ["--data", "synthetic:5:4", "-t", "dct:9"];
    let (plain, set) = (folder.path().join("plain"), folder.path().join("set"));
    let run = |out: &std::path::Path, more: &[&str]| {
        let mut arguments = vec!["run", "--progress", "none", "--out", out.to_str().unwrap()];
        arguments.extend(data);
        arguments.extend(more);
        prismbench(&arguments).expect(Exit::Done);
        records(out)
    };
    let plain = run(&plain, &[]);
    let set = run(&set, &["--set", "ssim=wang"]);
    for (plain, set) in plain.iter().zip(&set) {
        assert_eq!(set["protocol"], "default+ssim=wang");
        assert_ne!(plain["protocol_sha256"], set["protocol_sha256"]);
        assert_eq!(plain["reference_sha256"], set["reference_sha256"]);
        assert_eq!(plain["value"] == set["value"], plain["metric"] != "ssim@1", "{plain} {set}");
    }
}

#[test]
fn the_identity_is_exact_and_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &["--data", "synthetic:5:3", "-t", "identity"]).expect(Exit::Done);
    let records = records(&folder.path().join("run"));
    let of = |metric: &str| records.iter().find(|record| record["metric"] == metric).unwrap();
    assert_eq!(of("psnr@1")["outcome"], "infinite");
    assert_eq!(of("psnr@1")["infinite"], 3);
    assert_eq!(of("ssim@1")["value"], 1.0);
    assert_eq!(of("ms-ssim@1")["value"], 1.0);
    assert_eq!(of("latent-floats@1")["value"], 3.0 * 256.0 * 256.0);
    assert_eq!(of("bpp@1")["outcome"], "skipped");
}

#[test]
fn pictures_of_different_sizes_share_a_run_without_a_crop() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (name, width, height) in [("a", 192, 256), ("b", 256, 192), ("c", 192, 256)] {
        crate::program::png(&data.join(format!("{name}.png")), width, height);
    }
    let mut values = Vec::new();
    for batch in ["1", "8"] {
        let arguments = [
            "--data",
            data.to_str().unwrap(),
            "-t",
            "dct:9",
            "--set",
            "crop=none",
            "--force",
            "--batch",
            batch,
        ];
        run_in(folder.path(), &arguments).expect(Exit::Done);
        let records = records(&folder.path().join("run"));
        assert_eq!(records[0]["resolution"], "native");
        assert_eq!(records[0]["latent"], "mixed");
        assert_eq!(records[0]["n"], 3);
        values.push(records);
    }
    assert_eq!(values[0], values[1]);
}

#[test]
fn a_folder_and_an_archive_of_the_same_pictures_give_the_same_values() {
    let folder = tempfile::tempdir().unwrap();
    let measured = |name: &str, data: &str, more: &[&str]| {
        let out = folder.path().join(name);
        let mut arguments = vec![
            "run",
            "--out",
            out.to_str().unwrap(),
            "--progress",
            "none",
            "--data",
            data,
            "-t",
            "jpeg:40",
        ];
        arguments.extend(more);
        prismbench(&arguments).expect(Exit::Done);
        records(&out)
    };
    let first =
        measured("first", "synthetic:8:3", &["-t", "identity", "--save", "reconstructions"]);
    let archive = folder.path().join("first/arrays/synthetic-8-3.default.identity");
    let archive = archive.join("reconstructions.npz");
    let second = measured("second", archive.to_str().unwrap(), &[]);
    for (first, second) in first.iter().zip(&second) {
        assert_eq!(first["value"], second["value"]);
        // Ids travel with the archive, so even the pictures' hash is the same.
        assert_eq!(first["reference_sha256"], second["reference_sha256"]);
    }
}
