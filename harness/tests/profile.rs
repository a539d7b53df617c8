//! What a trace shows of a run: every stage that the suite has; and that nothing is written over by it.
//!
//! Processes of their own: a recording is of everything that its process does.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../tests/oracle/recipe.rs"]
mod recipe;
#[path = "weights/inception.rs"]
mod weights;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_prismbench");

/// A run with a trace in `trace.json`; exit code and what it said.
fn run(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(PROGRAM);
    command.args(["run", "-t", "dct:9", "--set", "size=32", "--no-cache", "--progress", "none"]);
    command.args(arguments).arg("--out").arg(folder.join("run"));
    let Output { status, stderr, .. } =
        command.arg("--profile").arg(folder.join("trace.json")).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

/// Names of the stages in a trace, none of which ends before it begins.
fn stages(folder: &Path) -> BTreeSet<String> {
    let trace = fs::read(folder.join("trace.json")).unwrap();
    let trace: serde_json::Value = serde_json::from_slice(&trace).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    assert!(events.iter().all(|event| event["dur"].as_f64().unwrap() >= 0.0));
    events.iter().map(|event| event["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_suite_shows_its_stages_and_says_how_busy_each_was() {
    for (suite, stages_of_suite) in [
        ("reconstruction", &["encode", "decode", "metric"][..]),
        ("probing", &["encode", "metric"]),
        ("retrieval", &["encode", "metric"]),
        ("spectrum", &["encode", "metric"]),
        // Times are no numbers of pictures.
        ("throughput", &["encode", "decode"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let how = ["--data", "synthetic:6:90:32", "--set", "probe=probe/ridge", "--suite", suite];
        let (code, said) = run(folder.path(), &how);
        assert_eq!(code, 0, "{suite}: {said}");
        let all = ["decode picture", "crop", "write"].iter().chain(stages_of_suite);
        let expected: BTreeSet<String> = all.map(|&stage| stage.to_owned()).collect();
        assert_eq!(stages(folder.path()), expected, "{suite}");
        for stage in &expected {
            assert!(said.contains(&format!("  {stage:14}  busy")), "{suite}: {said}");
        }
    }
}

#[test]
fn latents_that_are_judged_show_how_they_are_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    let mut make = Command::new(PROGRAM);
    make.args(["run", "--data", "synthetic:3:24:32", "-t", "dct:9", "--set", "size=32"]);
    make.args(["-m", "psnr", "--save", "latents", "--progress", "none", "--out"]).arg(&made);
    assert!(make.output().unwrap().status.success());
    let arrays = fs::read_dir(made.join("arrays")).unwrap();
    let latents = arrays.map(|entry| entry.unwrap().path().join("latents.npz"));
    let latents = latents.into_iter().find(|path| path.is_file()).unwrap();
    let latents = format!("raw:{}", latents.display());
    let inception = weights::inception(folder.path());
    let inception = format!("inception={}", inception.display());
    let judge = ["--latents", &latents, "--data", "synthetic:3:24:32", "-m", "gfid"];
    let how = [&judge[..], &["--weights", &inception]].concat();
    let (code, said) = run(folder.path(), &how);
    assert_eq!(code, 0, "{said}");
    let found = stages(folder.path());
    assert!(found.contains("decode") && found.contains("metric"), "{found:?}");
}

#[test]
fn a_trace_replaces_a_trace_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace.json");
    fs::write(&trace, "{\"mine\": 1}").unwrap();
    let how = ["--data", "synthetic:6:9:32"];
    let (code, said) = run(folder.path(), &how);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("trace.json"), "{said}");
    assert_eq!(fs::read_to_string(&trace).unwrap(), "{\"mine\": 1}");
    assert!(!folder.path().join("run").exists(), "it is told before anything is made");
    fs::remove_file(&trace).unwrap();
    // A folder that is not there is told as early.
    let nowhere = folder.path().join("nowhere");
    let (code, said) = run(&nowhere, &how);
    assert!(code == 5 && said.contains("cannot write"), "{code}: {said}");
    assert!(!nowhere.exists());
    assert_eq!(run(folder.path(), &how).0, 0);
    let first = (fs::read(&trace).unwrap(), stages(folder.path()));
    assert_eq!(run(folder.path(), &[&how[..], &["--force"]].concat()).0, 0);
    assert!(fs::read(&trace).unwrap() != first.0);
    assert_eq!(stages(folder.path()), first.1);
}
