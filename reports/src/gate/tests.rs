use std::path::{Path, PathBuf};

use prismbench_core::{Better, Outcome, Record};

use super::*;
use crate::fixtures::record;
use crate::{SampleColumns, write_samples};

/// A run folder with a JPEG, its PSNR by image shifted, and an identity; it lives as long as the folder.
struct Run {
    folder: tempfile::TempDir,
    records: Vec<Record>,
    psnr: Vec<f64>,
}

const IMAGES: u64 = 40;

impl Run {
    fn new(shift: f64) -> Self {
        let psnr: Vec<f64> =
            (0..IMAGES).map(|i| 30.0 + (i * i % 17) as f64 / 3.0 + shift).collect();
        let mean = psnr.iter().sum::<f64>() / IMAGES as f64;
        let ok = |value| Outcome::Ok { value, low: Some(value - 0.4), high: Some(value + 0.4) };
        let skipped = Outcome::Skipped { reason: "no bit stream \"at\" all\n".to_owned() };
        let exact = Outcome::Infinite { infinite: IMAGES, finite_mean: None };
        let mut records = vec![
            record("jpeg:75", "psnr@1", ok(mean)),
            record("jpeg:75", "ssim@1", ok(0.9)),
            record("identity", "psnr@1", exact),
            record("identity", "bpp@1", skipped),
        ];
        records.iter_mut().for_each(|record| record.n = IMAGES);
        Self { folder: tempfile::tempdir().unwrap(), records, psnr }
    }

    fn written(self) -> Self {
        let lines = self.records.iter().map(|r| serde_json::to_string(r).unwrap() + "\n");
        std::fs::write(self.path().join("records.jsonl"), lines.collect::<String>()).unwrap();
        let table = |tokenizer: &str, values: &[f64]| SampleColumns {
            tokenizer: tokenizer.to_owned(),
            dataset: "kodak".to_owned(),
            protocol: "default".to_owned(),
            protocol_sha256: self.records[0].protocol_sha256.clone(),
            indices: (0..IMAGES).collect(),
            ids: (0..IMAGES).map(|i| format!("{i}.png")).collect(),
            labels: (0..IMAGES).map(|i| Some((i % 2) as u32)).collect(),
            sizes: Vec::new(),
            metrics: vec![("psnr@1".to_owned(), values.to_vec())],
        };
        let samples = self.path().join("samples.parquet");
        let _ = std::fs::remove_file(&samples);
        let exact = [f64::INFINITY; IMAGES as usize];
        write_samples(&samples, &[table("jpeg:75", &self.psnr), table("identity", &exact)])
            .unwrap();
        self
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn side(&self) -> Side {
        Side::read(self.path()).unwrap()
    }
}

/// A baseline of a run, in a folder of its own.
fn baseline(run: &Run) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ci.toml");
    update_baseline(&path, run.path(), None).unwrap();
    (folder, path)
}

fn with_rules(path: &Path, rules: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, text.replace(written::MARK, &format!("{rules}\n{}", written::MARK)))
        .unwrap();
}

fn decided(path: &Path, run: &Run) -> GateReport {
    gate(&Baseline::read(path).unwrap(), &run.side()).unwrap()
}

fn reason(report: &GateReport) -> &str {
    report.rows.iter().find(|row| row.status != Status::Pass).map_or("", |row| &row.reason)
}

#[test]
fn a_baseline_comes_back_as_the_run_it_was_written_from() {
    let run = Run::new(0.0).written();
    let (_folder, path) = baseline(&run);
    let report = decided(&path, &run);
    assert_eq!(report.decision(), Decision::Pass, "{report:?}");
    assert_eq!(report.rows.len(), 4);
    let identical = |row: &GateRow| row.comparison.evidence == crate::Evidence::Identical;
    assert_eq!(report.rows.iter().filter(|row| identical(row)).count(), 3);
    let read = Baseline::read(&path).unwrap();
    assert_eq!(read.side.records.len(), run.records.len());
    for (read, written) in read.side.records.iter().zip(&run.records) {
        assert_eq!(read.outcome, written.outcome, "to the last bit");
    }
}

#[test]
fn worse_lost_and_slices_fail_while_better_passes() {
    let run = Run::new(0.0).written();
    let (_folder, path) = baseline(&run);
    assert_eq!(decided(&path, &Run::new(-0.1).written()).decision(), Decision::Regressed);
    assert_eq!(decided(&path, &Run::new(0.1).written()).decision(), Decision::Pass);
    let mut gone = Run::new(0.0);
    gone.records.remove(1);
    let report = decided(&path, &gone.written());
    assert_eq!(report.decision(), Decision::Regressed);
    assert_eq!(reason(&report), "lost: no record of it");
    let mut class = Run::new(0.1);
    class.psnr.iter_mut().step_by(2).for_each(|psnr| *psnr -= 0.19);
    class.psnr.iter_mut().enumerate().for_each(|(i, psnr)| *psnr += 1e-3 * (i % 3) as f64);
    let report = decided(&path, &class.written());
    assert_eq!((report.decision(), reason(&report)), (Decision::Regressed, "worse in class 0"));
    let mut failed = Run::new(0.0);
    failed.records[1].outcome = Outcome::Failed { reason: "out of memory".to_owned() };
    assert_eq!(decided(&path, &failed.written()).decision(), Decision::Regressed);
}

#[test]
fn what_cannot_be_compared_never_passes() {
    let run = Run::new(0.0).written();
    let (_folder, path) = baseline(&run);
    let mut other = Run::new(0.0);
    other.records.iter_mut().for_each(|record| record.protocol_sha256 = "77".repeat(32));
    let report = decided(&path, &other.written());
    assert_eq!(report.decision(), Decision::Inconclusive);
    assert!(reason(&report).starts_with("not comparable: another protocol"), "{report:?}");
    // A run of other tokenizers has lost everything; a baseline of nothing decides nothing.
    let nothing = Baseline { side: Side::default(), ..Baseline::read(&path).unwrap() };
    let report = gate(&nothing, &run.side()).unwrap();
    assert_eq!(report.decision(), Decision::Nothing);
    assert_eq!(gate(&nothing, &Side::default()).unwrap().decision(), Decision::Nothing);
    let report = gate(&Baseline::read(&path).unwrap(), &Side::default()).unwrap();
    assert_eq!(report.decision(), Decision::Regressed);
}

#[test]
fn rules_stay_and_hold_over_the_defaults() {
    let run = Run::new(0.0).written();
    let (_folder, path) = baseline(&run);
    with_rules(&path, "# ours\n[[rule]]\nmetric = \"psnr\"\nfloor = 0.5\n");
    let worse = Run::new(-0.1).written();
    assert_eq!(decided(&path, &worse).decision(), Decision::Pass);
    update_baseline(&path, worse.path(), None).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("# ours\n[[rule]]"), "{text}");
    assert_eq!(text.matches("[baseline]").count(), 1);
    assert_eq!(decided(&path, &worse).decision(), Decision::Pass);
    let cases = [
        ("[[rule]]\nmetric = 'psnr@1'\ntwo-sided = true\n", 0.1, Decision::Regressed),
        ("[[rule]]\nmin = 33.0\nmetric = 'psnr'\n", 0.1, Decision::Regressed),
        ("[[rule]]\nmax = 10.0\nmetric = 'psnr'\ntokenizer = 'jpeg*'\n", 0.0, Decision::Regressed),
        ("[[rule]]\nmetric = '*'\nadvisory = true\n", -0.5, Decision::Pass),
    ];
    for (rule, shift, expected) in cases {
        let (_folder, path) = baseline(&run);
        with_rules(&path, rule);
        let report = decided(&path, &Run::new(shift).written());
        assert_eq!(report.decision(), expected, "{rule} {report:?}");
    }
}

#[test]
fn a_metric_without_direction_that_moved_is_not_passed() {
    let neither = |shift: f64| {
        let mut run = Run::new(shift);
        run.records.truncate(1);
        run.records[0].better = Better::Neither;
        run.written()
    };
    let (_folder, path) = baseline(&neither(0.0));
    assert_eq!(decided(&path, &neither(0.0)).decision(), Decision::Pass);
    assert_eq!(decided(&path, &neither(3.0)).decision(), Decision::Inconclusive);
    with_rules(&path, "[[rule]]\nmetric = \"psnr\"\ntwo-sided = true\n");
    assert_eq!(decided(&path, &neither(3.0)).decision(), Decision::Regressed);
}

#[test]
fn other_weights_are_told_and_do_not_decide() {
    let run = Run::new(0.0).written();
    let (_folder, path) = baseline(&run);
    let mut new = Run::new(0.0);
    new.records[0].weights_sha256 = "ab".repeat(32);
    let report = decided(&path, &new.written());
    assert_eq!(report.decision(), Decision::Pass);
    assert_eq!(report.notes, ["weights of jpeg:75: none → abababab"]);
}

#[test]
fn files_that_are_no_baseline_are_refused_and_left_alone() {
    let run = Run::new(0.0).written();
    let (folder, path) = baseline(&run);
    let good = std::fs::read_to_string(&path).unwrap();
    let refused = |text: &str| {
        std::fs::write(&path, text).unwrap();
        Baseline::read(&path).unwrap_err().to_string()
    };
    let newer = refused(&good.replace("format = 1", "format = 2"));
    assert!(newer.contains("format 2, this program knows 1; use a newer prismbench"), "{newer}");
    assert!(refused("").contains("no `format` of a `[baseline]`"));
    assert!(refused("{\"json\": true}").contains("is no baseline"));
    assert!(refused(&good.replace("dataset =", "data-set =")).contains("unknown field"));
    assert!(refused(&good.replace("value = 0.9", "value = nan")).contains("finite"));
    assert!(refused(&good.replace("low = 0.5", "low = 5.0")).contains("upside down"));
    assert!(refused(&good.replace("images = [", "images = [nan, ")).contains("NaN"));
    assert!(refused(&format!("[[rule]]\nfloor = -1.0\n{good}")).contains("rule 1: `floor`"));
    assert!(refused(&format!("[[rule]]\nflor = 1.0\n{good}")).contains("unknown field `flor`"));
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(Baseline::read(&path).unwrap_err().to_string().contains("no text"));
    for mine in ["precious = true\n", "not even toml"] {
        std::fs::write(&path, mine).unwrap();
        let error = update_baseline(&path, run.path(), None).unwrap_err().to_string();
        assert!(error.contains("left alone"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), mine);
    }
    let missing = Baseline::read(&folder.path().join("none.toml")).unwrap_err();
    assert!(
        matches!(missing, ReportError::Missing { .. }) && missing.to_string().contains("--update")
    );
    let mut failed = Run::new(0.0);
    failed.records[0].outcome = Outcome::Failed { reason: String::new() };
    let error = update_baseline(&folder.path().join("b.toml"), failed.written().path(), None);
    assert!(matches!(error, Err(ReportError::Unfit { .. })));
}

#[test]
fn many_images_go_into_a_file_beside_that_cannot_be_another() {
    let mut run = Run::new(0.0);
    // 21,000 values: as many columns as it takes.
    let first = run.records[0].clone();
    run.records.extend((0..1_050).map(|i| {
        let mut record = first.clone();
        record.setting = format!("low {i}");
        record
    }));
    let run = run.written();
    let mut table = crate::read_samples(&run.path().join("samples.parquet")).unwrap();
    let psnr = table[0].metrics[0].1.clone();
    table[0].metrics.extend((0..1_050).map(|i| (format!("psnr low {i}"), psnr.clone())));
    std::fs::remove_file(run.path().join("samples.parquet")).unwrap();
    write_samples(&run.path().join("samples.parquet"), &table).unwrap();
    let (folder, path) = baseline(&run);
    let files = || -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let written = files();
    assert!(written.len() == 2 && written[0].ends_with(".parquet"), "{written:?}");
    assert!(!std::fs::read_to_string(&path).unwrap().contains("images = ["));
    let report = decided(&path, &run);
    assert_eq!(report.decision(), Decision::Pass);
    let paired = report.rows.iter().filter(|r| r.comparison.evidence == crate::Evidence::Identical);
    assert!(paired.count() > 1_000);
    // A small run again: the values return into the text, and the file is gone.
    let images = folder.path().join(&written[0]);
    let bytes = std::fs::read(&images).unwrap();
    std::fs::write(&images, &bytes[1..]).unwrap();
    let error = Baseline::read(&path).unwrap_err().to_string();
    assert!(error.contains("is not the file that was written with it"), "{error}");
    std::fs::remove_file(&images).unwrap();
    assert!(matches!(Baseline::read(&path), Err(ReportError::Missing { .. })));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(&written[0], "../elsewhere.parquet")).unwrap();
    let error = Baseline::read(&path).unwrap_err().to_string();
    assert!(error.contains("no name of a file beside it"), "{error}");
    update_baseline(&path, Run::new(0.0).written().path(), None).unwrap();
    assert_eq!(files(), ["ci.toml"]);
}

fn shown(report: &GateReport, format: GateFormat) -> String {
    let mut out = Vec::new();
    write_gate(report, format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_form_tells_what_fails_and_why() {
    let run = Run::new(0.0).written();
    let (_folder, path) = baseline(&run);
    let mut worse = Run::new(-0.25);
    worse.records.remove(1);
    let report = decided(&path, &worse.written());
    let forms = [GateFormat::Text, GateFormat::Markdown, GateFormat::Github, GateFormat::Junit];
    let all: Vec<String> = forms.iter().map(|&format| shown(&report, format)).collect();
    insta::assert_snapshot!(all.join("\n"));
    let json: serde_json::Value = serde_json::from_str(&shown(&report, GateFormat::Json)).unwrap();
    assert_eq!((json["decision"].as_str(), json["format"].as_u64()), (Some("regressed"), Some(1)));
    let fine = shown(&decided(&path, &run), GateFormat::Text);
    assert_eq!(fine, "gate: pass · 4 pass · run quick-3f9c1e against quick-3f9c1e\n");
}

#[test]
fn names_cannot_break_a_form() {
    let hostile = "x,y::error::\n%0A]]><failure/>\u{1b}[31m|`";
    let mut run = Run::new(0.0);
    run.records.truncate(1);
    run.records[0].tokenizer = hostile.to_owned();
    let run = run.written();
    let (_folder, path) = baseline(&run);
    let mut gone = Run::new(0.0);
    gone.records.truncate(1);
    let report = decided(&path, &gone.written());
    let github = shown(&report, GateFormat::Github);
    assert!(github.lines().all(|line| line.starts_with("::")), "{github}");
    assert!(!github.contains('\u{1b}'));
    let junit = shown(&report, GateFormat::Junit);
    assert!(!junit.contains("<failure/>") && !junit.contains('\u{1b}'), "{junit}");
    for format in [GateFormat::Text, GateFormat::Markdown] {
        assert!(!shown(&report, format).contains('\u{1b}'));
    }
}

#[test]
fn a_baseline_in_parquet_decides_as_one_in_text() {
    let run = Run::new(0.0).written();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ci.parquet");
    update_baseline(&path, run.path(), None).unwrap();
    let report = decided(&path, &run);
    assert_eq!(report.decision(), Decision::Pass, "{report:?}");
    let identical = |row: &&GateRow| row.comparison.evidence == crate::Evidence::Identical;
    assert_eq!(report.rows.iter().filter(identical).count(), 3);
    let read = Baseline::read(&path).unwrap();
    assert_eq!(read.run, "quick-3f9c1e");
    for (read, written) in read.side.records.iter().zip(&run.records) {
        assert_eq!((&read.outcome, read.n), (&written.outcome, written.n), "to the last bit");
    }
    assert_eq!(decided(&path, &Run::new(-0.1).written()).decision(), Decision::Regressed);
    let mut class = Run::new(0.1);
    class.psnr.iter_mut().step_by(2).for_each(|psnr| *psnr -= 0.19);
    class.psnr.iter_mut().enumerate().for_each(|(i, psnr)| *psnr += 1e-3 * (i % 3) as f64);
    assert_eq!(reason(&decided(&path, &class.written())), "worse in class 0");
    // Rules stand beside it, and an update leaves them.
    let rules = folder.path().join("ci.rules.toml");
    std::fs::write(&rules, "[[rule]]\nmetric = 'psnr'\nfloor = 0.5\n").unwrap();
    assert_eq!(decided(&path, &Run::new(-0.1).written()).decision(), Decision::Pass);
    update_baseline(&path, run.path(), None).unwrap();
    assert!(std::fs::read_to_string(&rules).unwrap().contains("floor = 0.5"));
    std::fs::write(&rules, "[[rule]]\nflor = 0.5\n").unwrap();
    let error = Baseline::read(&path).unwrap_err().to_string();
    assert!(error.contains("ci.rules.toml") && error.contains("flor"), "{error}");
}

#[test]
fn parquet_that_is_no_baseline_is_refused_and_left_alone() {
    let run = Run::new(0.0).written();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ci.parquet");
    let error = Baseline::read(&path).unwrap_err();
    assert!(matches!(error, ReportError::Missing { .. }) && error.to_string().contains("--update"));
    update_baseline(&path, run.path(), None).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Baseline::read(&path).unwrap_err().to_string()
    };
    assert!(refused(&whole[..whole.len() / 2]).contains("is no baseline"));
    assert!(refused(b"PAR1 and something else PAR1").contains("is no baseline"));
    let mut foreign = crate::frame(&run.records).unwrap();
    let foreign = crate::export::parquet(&mut foreign).unwrap();
    assert!(refused(&foreign).contains("no column `baseline_format`"));
    assert!(update_baseline(&path, run.path(), None).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), foreign, "it is somebody's");
    let mut frame = crate::frame(&run.records).unwrap();
    let newer = polars::prelude::Column::new("baseline_format".into(), vec![7_i64; 4]);
    frame.with_column(newer).unwrap();
    let newer = refused(&crate::export::parquet(&mut frame).unwrap());
    assert!(newer.contains("format 7, this program knows 1; use a newer prismbench"), "{newer}");
}

/// Nightly values of one metric: 12 of them, and another tokenizer's 3.
fn nights(scatter: f64) -> Vec<crate::Measured> {
    let value = |night: u64| 33.0 + scatter * ((night * 7) % 5) as f64;
    let point = |night: u64, tokenizer: &str| {
        let outcome = Outcome::Ok { value: value(night), low: None, high: None };
        crate::Measured { at: night, record: record(tokenizer, "psnr@1", outcome) }
    };
    (0..12).map(|night| point(night, "jpeg:75")).chain((0..3).map(|n| point(n, "dct:4"))).collect()
}

#[test]
fn floors_from_history_are_as_wide_as_values_scatter() {
    assert!(matches!(history_rules(&[]), Err(ReportError::Empty)));
    let still = history_rules(&nights(0.0)).unwrap();
    assert_eq!((still.rules.len(), still.insufficient), (0, 1), "the default is wider");
    let wide = history_rules(&nights(0.1)).unwrap();
    assert_eq!(wide.insufficient, 1);
    let [HistoryRule { of, floor, runs }] = wide.rules.as_slice() else { panic!("{wide:?}") };
    assert_eq!(of.each_ref().map(String::as_str), ["reconstruction", "kodak", "jpeg:75", "psnr"]);
    // The changes are 2, 3, 2, 3, 2 (five values in turn) tenths: quartiles 0.2 and 0.3.
    assert!((floor - 0.6).abs() < 1e-9 && *runs == 12, "{floor}");
    let run = Run::new(0.0).written();
    let (_folder, path) = baseline(&run);
    with_rules(&path, "# ours\n[[rule]]\nmetric = \"ssim\"\nfloor = 0.5\n");
    for _ in 0..2 {
        update_baseline(&path, run.path(), Some(&wide.rules)).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!((text.matches("# ours").count(), text.matches("12 runs").count()), (1, 1), "{text}");
    assert_eq!(decided(&path, &Run::new(-0.5).written()).decision(), Decision::Pass);
    assert_eq!(decided(&path, &Run::new(-0.7).written()).decision(), Decision::Regressed);
    // A plain update leaves them; an update by a quiet history takes them away.
    update_baseline(&path, run.path(), None).unwrap();
    assert_eq!(decided(&path, &Run::new(-0.5).written()).decision(), Decision::Pass);
    update_baseline(&path, run.path(), Some(&still.rules)).unwrap();
    assert_eq!(decided(&path, &Run::new(-0.5).written()).decision(), Decision::Regressed);
    assert!(std::fs::read_to_string(&path).unwrap().contains("# ours"));
}

#[test]
fn what_pairs_a_distance_between_distributions_is_kept_in_both_kinds_of_file() {
    let mut run = Run::new(0.0);
    run.records.truncate(1);
    run.records[0].replicates = vec![0.1, 0.2, 1e-300, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 1.0 / 3.0];
    let run = run.written();
    let folder = tempfile::tempdir().unwrap();
    for name in ["ci.toml", "ci.parquet"] {
        let path = folder.path().join(name);
        update_baseline(&path, run.path(), None).unwrap();
        let read = Baseline::read(&path).unwrap();
        assert_eq!(read.side.records[0].replicates, run.records[0].replicates, "{name}");
    }
    let path = folder.path().join("ci.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("replicates = [0.1,", "replicates = [nan,")).unwrap();
    let error = Baseline::read(&path).unwrap_err().to_string();
    assert!(error.contains("not finite"), "{error}");
}
