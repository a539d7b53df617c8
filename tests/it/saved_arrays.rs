//! `--save`: what is written is what was measured.

use std::io::Read;

use prismbench::Exit;

use crate::program::{prismbench, records, run_in};

#[test]
fn saved_reconstructions_are_pictures_that_measure_as_the_run_did() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--data", "synthetic:9:5", "-t", "dct:6", "--save", "reconstructions,latents"];
    run_in(folder.path(), &arguments).expect(Exit::Done);
    let arrays = folder.path().join("run/arrays/synthetic-9-5.default.dct-6");
    // A reconstruction of a reconstruction by the identity is itself: the archive reads as data.
    let data = arrays.join("reconstructions.npz");
    let again = folder.path().join("again");
    let arguments =
        ["run", "--out", again.to_str().unwrap(), "--progress", "none", "-t", "identity"];
    let mut arguments = arguments.to_vec();
    arguments.extend(["--data", data.to_str().unwrap()]);
    prismbench(&arguments).expect(Exit::Done);
    assert_eq!(records(&again)[0]["infinite"], 5);
    let mut archive =
        zip::ZipArchive::new(std::fs::File::open(arrays.join("latents.npz")).unwrap()).unwrap();
    let mut header = [0; 128];
    archive.by_name("arr_0.npy").unwrap().read_exact(&mut header).unwrap();
    let header = String::from_utf8_lossy(&header);
    assert!(header.contains("'<f4'") && header.contains("(5, 18, 32, 32)"), "{header}");
}

#[test]
fn the_originals_are_kept_once_and_measure_as_the_data_set_does() {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["--data", "synthetic:9:5", "-t", "dct:6", "-t", "jpeg:50", "--save", "reconstructions"];
    run_in(folder.path(), &arguments).expect(Exit::Done);
    let arrays = folder.path().join("run/arrays");
    assert_eq!(std::fs::read_dir(&arrays).unwrap().count(), 3, "two tokenizers and the pictures");
    let originals = arrays.join("synthetic-9-5.default.pictures/originals.npz");
    let again = folder.path().join("again");
    let arguments = [
        "run",
        "--out",
        again.to_str().unwrap(),
        "--progress",
        "none",
        "-t",
        "dct:6",
        "--data",
        originals.to_str().unwrap(),
    ];
    prismbench(&arguments).expect(Exit::Done);
    let (first, second) = (records(&folder.path().join("run")), records(&again));
    assert_eq!(first[0]["metric"], "psnr@1");
    for field in ["value", "low", "high", "n", "reference_sha256"] {
        assert_eq!(first[0][field], second[0][field], "{field}");
    }
}

#[test]
fn a_bit_stream_has_no_latents_to_save_and_the_program_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--data", "synthetic:9:2", "-t", "jpeg", "--save", "latents"];
    let ran = run_in(folder.path(), &arguments).expect(Exit::Done);
    assert!(
        ran.err.contains("no latents.npz for `jpeg:75`: its latents are no numbers"),
        "{}",
        ran.err
    );
}

#[test]
fn tokenizers_that_cannot_do_what_is_asked_for_have_their_records_and_no_arrays() {
    let folder = tempfile::tempdir().unwrap();
    let plan = ["--data", "synthetic:1:4:32", "--set", "size=32", "-t", "jpeg:75", "-t", "dct:4"];
    let noise = ["--set", "latent-noise=uniform:0.1", "-m", "psnr", "--save", "reconstructions"];
    run_in(folder.path(), &[&plan[..], &noise].concat()).expect(Exit::Done);
    let outcomes = records(&folder.path().join("run")).into_iter();
    let outcomes: Vec<_> = outcomes.map(|record| record["outcome"].clone()).collect();
    assert_eq!(outcomes, ["skipped", "skipped"]);
    assert!(crate::shards::arrays(folder.path()).is_empty());
}
