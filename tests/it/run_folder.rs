//! What a run leaves behind: nothing lost, nothing overwritten, nothing half-written.

use std::fs;
use std::sync::atomic::AtomicBool;

use prismbench::Exit;

use crate::program::{prismbench, records, run_in, with_signal};

const TWO: [&str; 6] = ["--data", "synthetic:1:3", "-t", "jpeg:50", "-t", "dct:4"];

#[test]
fn the_folder_holds_the_plan_the_provenance_the_records_and_the_samples() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &TWO).expect(Exit::Done);
    let run = folder.path().join("run");
    let mut files: Vec<String> = fs::read_dir(&run)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["plan.toml", "records.jsonl", "run.json", "run.lock", "samples.parquet"]);
    let provenance: serde_json::Value =
        serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap();
    assert_eq!(provenance["status"], "complete");
    assert_eq!(provenance["pictures"][0]["n"], 3);
    let samples = prismbench_reports::read_samples(&run.join("samples.parquet")).unwrap();
    let names: Vec<&str> = samples.iter().map(|table| table.tokenizer.as_str()).collect();
    assert_eq!(names, ["jpeg:50", "dct:4"]);
    assert_eq!(samples[0].ids.len(), 3);
    // The mean of the samples is the value of the record.
    let psnr = &samples[0].metrics.iter().find(|(metric, _)| metric == "psnr@1").unwrap().1;
    let mean = psnr.iter().sum::<f64>() / 3.0;
    assert_eq!(records(&run)[0]["value"].as_f64().unwrap().to_bits(), mean.to_bits());
    // The resolved plan is a plan: running it measures the same.
    let plan = run.join("plan.toml");
    let again = folder.path().join("again");
    let (plan, again) = (plan.to_str().unwrap(), again.to_str().unwrap());
    prismbench(&["run", plan, "--out", again, "--progress", "none"]).expect(Exit::Done);
    assert_eq!(records(again.as_ref()), records(&run));
}

#[test]
fn the_same_command_again_measures_nothing_and_prints_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    let first = run_in(folder.path(), &TWO).expect(Exit::Done);
    let before = fs::read(folder.path().join("run/records.jsonl")).unwrap();
    let second = run_in(folder.path(), &TWO).expect(Exit::Done);
    assert_eq!(first.out, second.out);
    assert!(second.err.contains("everything was measured before"), "{}", second.err);
    assert_eq!(fs::read(folder.path().join("run/records.jsonl")).unwrap(), before);
}

#[test]
fn another_plan_leaves_the_folder_alone_unless_forced() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &TWO).expect(Exit::Done);
    let before = records(&folder.path().join("run"));
    let refused = run_in(folder.path(), &["--data", "synthetic:1:3", "-t", "dct:5"]);
    insta::assert_snapshot!(refused.err_without(folder.path()), @r"
    error: `DIR/run` holds another run
      hint: choose another folder with --out, or replace it with --force
    ");
    assert_eq!(refused.exit, Exit::Usage);
    assert_eq!(records(&folder.path().join("run")), before);
    run_in(folder.path(), &["--data", "synthetic:1:3", "-t", "dct:5", "--force"])
        .expect(Exit::Done);
    assert_eq!(records(&folder.path().join("run"))[0]["tokenizer"], "dct:5");
}

#[test]
fn a_folder_that_no_run_made_is_left_alone_even_if_forced() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("run")).unwrap();
    fs::write(folder.path().join("run/thesis.tex"), "years of work").unwrap();
    let mut forced = TWO.to_vec();
    forced.push("--force");
    let refused = run_in(folder.path(), &forced).expect(Exit::Usage);
    insta::assert_snapshot!(refused.err_without(folder.path()), @r"
    error: `DIR/run` holds another run
      hint: choose an empty or new folder with --out
    ");
    assert!(folder.path().join("run/thesis.tex").is_file());
    // What somebody put into a run folder survives a forced run, too.
    fs::remove_file(folder.path().join("run/thesis.tex")).unwrap();
    run_in(folder.path(), &TWO).expect(Exit::Done);
    fs::write(folder.path().join("run/notes.md"), "mine").unwrap();
    run_in(folder.path(), &forced).expect(Exit::Done);
    assert!(folder.path().join("run/notes.md").is_file());
}

#[test]
fn an_interrupted_run_keeps_what_is_finished_and_the_same_command_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    // Two data sets are two passes: the signal comes before the second.
    let plan = ["--data", "synthetic:1:3", "--data", "synthetic:2:40", "-t", "dct:4"];
    let mut arguments =
        vec!["run", "--out", out.to_str().unwrap(), "--progress", "none", "--batch", "3"];
    arguments.extend(plan);
    let interrupted = with_signal(&arguments, &AtomicBool::new(true));
    assert_eq!(interrupted.exit, Exit::Interrupted, "{}", interrupted.err);
    insta::assert_snapshot!(interrupted.err_without(folder.path()), @r"
    warning: fd-random: 3 samples are too few for 128 features: the distance is biased high, and only to be compared at the same number of samples
    error: measure `synthetic:2:40`
      cause: interrupted after 3 of 40 pictures
      hint: the same command goes on behind them
    to go on: prismbench run --out DIR/run --progress none --batch 3 --data synthetic:1:3 --data synthetic:2:40 -t dct:4
    ");
    let finished = records(&out);
    assert!(finished.iter().all(|record| record["dataset"] == "synthetic:1:3"));
    assert_eq!(finished.len(), 6);
    prismbench(&arguments).expect(Exit::Done);
    let all = records(&out);
    assert_eq!((all.len(), &all[..6]), (12, &finished[..]));
    let straight = tempfile::tempdir().unwrap();
    run_in(straight.path(), &plan).expect(Exit::Done);
    assert_eq!(records(&straight.path().join("run")), all);
}

#[test]
fn two_processes_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &TWO).expect(Exit::Done);
    let lock = fs::File::open(folder.path().join("run/run.lock")).unwrap();
    lock.lock().unwrap();
    let refused = run_in(folder.path(), &TWO).expect(Exit::Usage);
    insta::assert_snapshot!(refused.err_without(folder.path()), @r"
    error: `DIR/run` is being written by another process
      hint: wait for it, or choose another folder with --out
    ");
}

#[test]
fn a_plan_that_cannot_be_read_is_named_and_nothing_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    std::fs::create_dir(&run).unwrap();
    std::fs::write(run.join("plan.toml"), [0xff, 0xfe]).unwrap();
    std::fs::write(run.join("records.jsonl"), "mine").unwrap();
    let arguments = ["--data", "synthetic:1:4:32", "--set", "size=32", "-t", "dct:4"];
    for shard in ["none", "1/2"] {
        let ran = run_in(folder.path(), &[&arguments[..], &["--shard", shard]].concat());
        let ran = ran.expect(Exit::Usage);
        assert!(ran.err.contains("plan.toml"), "{}", ran.err);
        assert_eq!(std::fs::read(run.join("plan.toml")).unwrap(), [0xff, 0xfe]);
        assert_eq!(std::fs::read_to_string(run.join("records.jsonl")).unwrap(), "mine");
    }
}
