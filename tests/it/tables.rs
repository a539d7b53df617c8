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
fn runs_of_one_name_are_told_apart_and_a_turned_direction_is_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    for place in ["a", "b"] {
        let place = folder.path().join(place);
        std::fs::create_dir(&place).unwrap();
        run_in(&place, &["--data", "synthetic:3:2", "-t", "dct", "-m", "psnr"]).expect(Exit::Done);
    }
    let runs = ["a/run", "b/run"].map(|run| folder.path().join(run));
    let [a, b] = runs.each_ref().map(|run| run.to_str().unwrap());
    let both = prismbench(&["table", a, b]).expect(Exit::Done).text();
    assert!(both.contains("dct:16 [1 of 2]") && both.contains("dct:16 [2 of 2]"), "{both}");
    let records = runs[1].join("records.jsonl");
    let turned = std::fs::read_to_string(&records).unwrap().replace("higher", "lower");
    std::fs::write(&records, turned).unwrap();
    for arguments in [vec!["table", a, b], vec!["table", "--history", "psnr", b]] {
        let refused = prismbench(&arguments).expect(Exit::Usage);
        assert!(refused.err.contains("better is Higher"), "{}", refused.err);
    }
    let nowhere = folder.path().join("no/such/folder/table.csv");
    let arguments = ["table", a, "--format", "csv", "--out", nowhere.to_str().unwrap()];
    assert!(prismbench(&arguments).expect(Exit::Missing).err.contains("cannot write"));
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
