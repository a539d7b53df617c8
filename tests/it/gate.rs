//! `prismbench gate` over runs that the program made: exit codes are what people build on.

use std::path::{Path, PathBuf};

use prismbench::Exit;

use crate::program::prismbench;

/// A run of a few pictures and a baseline of it.
struct Gated {
    folder: tempfile::TempDir,
}

impl Gated {
    fn new() -> Self {
        let gated = Self { folder: tempfile::tempdir().unwrap() };
        gated.run("a", &["-t", "jpeg:75", "-t", "dct:4"]);
        let (run, file) = (gated.path("a"), gated.path("ci.toml"));
        let update = ["gate", text(&run), "--baseline", text(&file), "--update"];
        let written = prismbench(&update).expect(Exit::Done);
        assert!(written.err.contains("wrote "), "{}", written.err);
        gated
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, name: &str, more: &[&str]) {
        let out = self.path(name);
        let fixed = ["run", "--out", text(&out), "--progress", "none", "--data", "synthetic:5:24"];
        prismbench(&[&fixed, more].concat()).expect(Exit::Done);
    }

    fn gate(&self, run: &str, more: &[&str]) -> crate::program::Ran {
        let (run, file) = (self.path(run), self.path("ci.toml"));
        prismbench(&[&["gate", text(&run), "--baseline", text(&file)], more].concat())
    }

    /// Changes the records of a copy of run `a`.
    fn changed(&self, name: &str, change: impl Fn(String) -> String) {
        let (from, to) = (self.path("a"), self.path(name));
        std::fs::create_dir(&to).unwrap();
        std::fs::copy(from.join("samples.parquet"), to.join("samples.parquet")).unwrap();
        let records = std::fs::read_to_string(from.join("records.jsonl")).unwrap();
        std::fs::write(to.join("records.jsonl"), change(records)).unwrap();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_same_command_passes_and_less_quality_fails() {
    let gated = Gated::new();
    gated.run("b", &["-t", "jpeg:75", "-t", "dct:4", "--threads", "1", "--batch", "5"]);
    let passed = gated.gate("b", &[]).expect(Exit::Done);
    assert!(passed.text().starts_with("gate: pass · 12 pass"), "{}", passed.text());
    // The file is what another quality would have been measured as.
    gated.run("c", &["-t", "jpeg:60", "-t", "dct:4"]);
    for name in ["records.jsonl", "run.json"] {
        let path = gated.path("c").join(name);
        let records = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, records.replace("jpeg:60", "jpeg:75")).unwrap();
    }
    let worse = gated.gate("c", &[]).expect(Exit::Regressed);
    assert!(worse.text().contains("regressed"), "{}", worse.text());
    assert!(worse.err.contains("--update"), "{}", worse.err);
}

#[test]
fn missing_another_protocol_and_empty_runs_never_pass() {
    let gated = Gated::new();
    gated.run("fewer", &["-t", "jpeg:75"]);
    gated.gate("fewer", &[]).expect(Exit::Regressed);
    gated.run("other", &["-t", "jpeg:75", "-t", "dct:4", "--protocol", "rae"]);
    let other = gated.gate("other", &["--format", "json"]).expect(Exit::Inconclusive);
    assert!(other.text().contains("another protocol"), "{}", other.text());
    gated.run("fewer pictures", &["-t", "jpeg:75", "-t", "dct:4", "--limit", "20"]);
    gated.gate("fewer pictures", &[]).expect(Exit::Inconclusive);
    gated.changed("empty", |_| String::new());
    let empty = gated.gate("empty", &[]).expect(Exit::Inconclusive);
    assert!(empty.err.contains("holds no record"), "{}", empty.err);
    let empty = gated.gate("empty", &["--format", "junit"]).expect(Exit::Inconclusive);
    assert!(empty.text().contains("tests=\"1\" failures=\"0\" errors=\"1\""), "{}", empty.text());
    gated.changed("failed", |records| {
        let line = records.lines().next().unwrap();
        let broken = line.replace("\"outcome\":\"ok\"", "\"outcome\":\"failed\",\"reason\":\"x\"");
        let cut: serde_json::Value = serde_json::from_str(&broken).unwrap();
        let mut cut = cut.as_object().unwrap().clone();
        ["value", "low", "high"].iter().for_each(|key| drop(cut.remove(*key)));
        records.replace(line, &serde_json::to_string(&cut).unwrap())
    });
    gated.gate("failed", &[]).expect(Exit::Regressed);
    gated.gate("no such run", &[]).expect(Exit::Missing);
}

#[test]
fn records_that_lie_are_bad_input() {
    let gated = Gated::new();
    gated.changed("turned", |records| {
        records.replace("\"better\":\"higher\"", "\"better\":\"lower\"")
    });
    let turned = gated.gate("turned", &[]).expect(Exit::Usage);
    assert!(turned.err.contains("better is Higher"), "{}", turned.err);
    gated.changed("twice", |records| {
        let line = records.lines().next().unwrap().to_owned();
        format!("{records}{line}\n")
    });
    let twice = gated.gate("twice", &[]).expect(Exit::Usage);
    assert!(twice.err.contains("has two records of psnr@1"), "{}", twice.err);
    let value = "\"value\":";
    for bad in ["NaN", "1e999", "Infinity"] {
        gated.changed(bad, |records| {
            let at = records.find(value).unwrap() + value.len();
            let end = at + records[at..].find(',').unwrap();
            format!("{}{bad}{}", &records[..at], &records[end..])
        });
        gated.gate(bad, &[]).expect(Exit::Usage);
    }
}

#[test]
fn baselines_are_written_on_request_alone_and_never_over_something_else() {
    let gated = Gated::new();
    let file = gated.path("ci.toml");
    let before = std::fs::read_to_string(&file).unwrap();
    gated.gate("a", &[]).expect(Exit::Done);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    gated.gate("a", &["--update"]).expect(Exit::Done);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before, "the same run, the same file");
    std::fs::write(&file, "[package]\nname = \"mine\"\n").unwrap();
    let refused = gated.gate("a", &["--update"]).expect(Exit::Usage);
    assert!(refused.err.contains("left alone"), "{}", refused.err);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "[package]\nname = \"mine\"\n");
    std::fs::write(&file, before.replace("format = 1", "format = 9")).unwrap();
    let newer = gated.gate("a", &[]).expect(Exit::Usage);
    assert!(newer.err.contains("use a newer prismbench"), "{}", newer.err);
    gated.gate("a", &["--update"]).expect(Exit::Usage);
    std::fs::remove_file(&file).unwrap();
    let missing = gated.gate("a", &[]).expect(Exit::Missing);
    assert!(missing.err.contains("--update"), "{}", missing.err);
}

#[test]
fn reports_go_to_new_files_and_an_unwritable_one_is_no_pass() {
    let gated = Gated::new();
    let out = gated.path("report.xml");
    gated.gate("a", &["--format", "junit", "--out", text(&out)]).expect(Exit::Done);
    assert!(std::fs::read_to_string(&out).unwrap().contains("tests=\"12\" failures=\"0\""));
    gated.gate("a", &["--format", "junit", "--out", text(&out)]).expect(Exit::Usage);
    let nowhere = gated.path("no/such/folder/report.xml");
    let refused = gated.gate("a", &["--out", text(&nowhere)]).expect(Exit::Missing);
    assert!(refused.err.contains("cannot write"), "{}", refused.err);
    let (run, file) = (gated.path("a"), gated.path("no/such/folder/ci.toml"));
    let update = ["gate", text(&run), "--baseline", text(&file), "--update"];
    prismbench(&update).expect(Exit::Missing);
    let format = gated.gate("a", &["--format", "xml"]).expect(Exit::Usage);
    assert!(format.err.contains("there is no gate format called `xml`"), "{}", format.err);
}

#[test]
fn parquet_baselines_and_floors_from_history_decide_too() {
    let gated = Gated::new();
    let (run, file) = (gated.path("a"), gated.path("ci.parquet"));
    let held = |run: &Path, more: &[&str]| {
        prismbench(&[&["gate", text(run), "--baseline", text(&file)], more].concat())
    };
    held(&run, &[]).expect(Exit::Missing);
    held(&run, &["--update"]).expect(Exit::Done);
    assert!(held(&run, &[]).expect(Exit::Done).text().starts_with("gate: pass · 12 pass"));
    // Eleven nights, of which the values scatter by a tenth of a decibel.
    let nights = gated.path("nights");
    std::fs::create_dir(&nights).unwrap();
    for night in 0..11 {
        let shift = f64::from(night % 3) * 0.1;
        gated.changed(&format!("nights/{night:02}"), |records| shifted(&records, shift));
    }
    gated.changed("worse", |records| shifted(&records, -0.15));
    std::fs::remove_file(gated.path("worse").join("samples.parquet")).unwrap();
    let alone = ["--from-history", text(&nights)];
    held(&run, &alone).expect(Exit::Usage);
    let updated = held(&run, &[&["--update"][..], &alone].concat()).expect(Exit::Done);
    assert!(updated.err.contains("2 floors are wider than by default"), "{}", updated.err);
    let rules = std::fs::read_to_string(gated.path("ci.rules.toml")).unwrap();
    assert!(rules.contains("metric = \"psnr\"") && rules.contains("11 runs"), "{rules}");
    let report = held(&gated.path("worse"), &["--format", "json"]);
    assert_ne!(report.exit, Exit::Regressed, "{}", report.text());
    let few = ["--update", "--from-history", text(&run)];
    assert!(held(&run, &few).expect(Exit::Done).err.contains("insufficient history"));
}

/// Records whose PSNR is another.
fn shifted(records: &str, shift: f64) -> String {
    let line = |line: &str| {
        let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
        if record["metric"] == "psnr@1" {
            for key in ["value", "low", "high"] {
                // Of a picture that is reproduced without error there is none.
                if let Some(number) = record[key].as_f64() {
                    record[key] = (number + shift).into();
                }
            }
        }
        record.to_string() + "\n"
    };
    records.lines().map(line).collect()
}

/// What `.ci/run` holds every change against: the embedded default is bit for bit as it was.
#[test]
fn the_committed_baseline_is_of_the_embedded_default() {
    let folder = tempfile::tempdir().unwrap();
    crate::program::run_in(folder.path(), &[]).expect(Exit::Done);
    let run = folder.path().join("run");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/gates/default.toml");
    let gated = prismbench(&["gate", text(&run), "--baseline", text(&file)]);
    assert!(gated.text().starts_with("gate: pass · 66 pass"), "{}", gated.text());
    assert_eq!(gated.exit, Exit::Done);
    // The smallest change is no pass, for the better or the worse.
    let lines = std::fs::read_to_string(run.join("records.jsonl")).unwrap();
    for shift in [1e-9, -1e-9] {
        let moved = folder.path().join("moved.jsonl");
        std::fs::write(&moved, shifted(&lines, shift)).unwrap();
        let gated = prismbench(&["gate", text(&moved), "--baseline", text(&file)]);
        assert_eq!(gated.exit, Exit::Inconclusive, "{}", gated.text());
    }
}
