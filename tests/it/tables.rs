//! `prismbench table` over the records of a run.

use prismbench::Exit;

use crate::program::{prismbench, run_in};

#[test]
fn every_format_tells_the_same_records() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "--data",
        "synthetic:3:4",
        "-t",
        "identity",
        "-t",
        "jpeg:50",
        "-p",
        "default",
        "-p",
        "rae",
    ];
    let ran = run_in(folder.path(), &arguments).expect(Exit::Done);
    let run = folder.path().join("run");
    let run = run.to_str().unwrap();
    let text = prismbench(&["table", run]).expect(Exit::Done);
    assert_eq!(text.out, ran.out, "run prints what table prints");
    assert_eq!(text.text().matches("reconstruction@1 · synthetic:3:4").count(), 2);
    let markdown = prismbench(&["table", run, "--format", "markdown"]).expect(Exit::Done).text();
    assert!(markdown.contains("| jpeg:50"), "{markdown}");
    let csv = prismbench(&["table", run, "--format", "csv"]).expect(Exit::Done).text();
    // Two protocols, two tokenizers, six metrics, and the head.
    assert_eq!(csv.lines().count(), 25);
    assert!(csv.starts_with("run,tokenizer,variant,latent,suite,dataset,"), "{csv}");
    let parquet = prismbench(&["table", run, "--format", "parquet"]).expect(Exit::Done);
    assert!(parquet.out.starts_with(b"PAR1") && parquet.out.ends_with(b"PAR1"));
}

#[test]
fn a_table_is_never_written_over_a_file() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &["--data", "synthetic:3:2", "-t", "dct"]).expect(Exit::Done);
    let (run, out) = (folder.path().join("run"), folder.path().join("table.csv"));
    let (run, out) = (run.to_str().unwrap(), out.to_str().unwrap());
    let arguments = ["table", run, "--format", "csv", "--out", out];
    prismbench(&arguments).expect(Exit::Done);
    let before = std::fs::read(out).unwrap();
    let refused = prismbench(&arguments).expect(Exit::Usage);
    assert!(refused.err.contains("exists already and is kept"), "{}", refused.err);
    assert_eq!(std::fs::read(out).unwrap(), before);
}

#[test]
fn mistakes_of_table_are_named() {
    let missing = prismbench(&["table", "no/such/run"]).expect(Exit::Missing);
    insta::assert_snapshot!(missing.err, @"error: no file `no/such/run`; give a run folder, or the `records.jsonl` of one");
    let format = prismbench(&["table", "x", "--format", "markdwn"]).expect(Exit::Usage);
    insta::assert_snapshot!(format.err, @r"
    error: there is no table format called `markdwn`
      hint: did you mean `markdown`?
    ");
}
