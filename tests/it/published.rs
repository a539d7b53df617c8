//! Published numbers beside measured ones.

use prismbench::Exit;

use crate::program::{prismbench, run_in};

#[test]
fn published_sources_are_listed() {
    let list = prismbench(&["list", "published"]).expect(Exit::Done).text();
    let line = list.lines().find(|line| line.contains("arXiv:2512.19693 v5")).unwrap();
    assert!(line.contains(" values of ") && line.contains("reconstruction"), "{line}");
    assert!(prismbench(&["list"]).expect(Exit::Done).text().contains("list published"));
}

#[test]
fn a_table_of_a_paper_is_printed_and_never_ranked() {
    let text = prismbench(&["table", "--published=2601.15369v2 table 2"]).expect(Exit::Done).text();
    assert!(text.starts_with("† published · arXiv 2601.15369v2"), "{text}");
    let row = text.lines().find(|line| line.starts_with("openvision3-b")).unwrap();
    for value in ["30.92", "0.902", "0.053", "0.187"] {
        assert!(row.contains(value), "{value} in {row}");
    }
    assert!(text.contains("nothing is ranked") && !text.contains("* best"), "{text}");
    let all = prismbench(&["table", "--published", "--format", "csv"]).expect(Exit::Done).text();
    assert!(all.lines().count() > 1_215, "{}", all.lines().count());
    let none = prismbench(&["table", "--published=no-such-paper"]).expect(Exit::Usage);
    assert!(none.err.contains("list published"), "{}", none.err);
}

#[test]
fn measured_rows_come_first_and_published_ones_carry_a_dagger() {
    let folder = tempfile::tempdir().unwrap();
    // A program that calls itself by a published name: nothing else here needs weights.
    run_in(folder.path(), &["--data", "synthetic:3:4", "-t", "dct:4", "-t", "identity"])
        .expect(Exit::Done);
    let run = folder.path().join("run");
    let records = std::fs::read_to_string(run.join("records.jsonl")).unwrap();
    std::fs::write(run.join("records.jsonl"), records.replace("dct:4", "sd-vae")).unwrap();
    let run = run.to_str().unwrap();
    let plain = prismbench(&["table", run]).expect(Exit::Done).text();
    let cited = prismbench(&["table", run, "--published"]).expect(Exit::Done).text();
    assert!(!plain.contains('†'));
    let rows: Vec<_> = cited.lines().filter(|line| line.starts_with("† sd-vae")).collect();
    assert!(rows.len() > 3 && rows.iter().any(|row| row.contains("25.68")), "{cited}");
    assert!(rows.iter().all(|row| !row.contains('*') && !row.contains('°')), "{rows:?}");
    assert!(cited.contains("by a protocol that nobody stated: not ranked"), "{cited}");
}
