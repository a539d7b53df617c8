//! `prismbench reproduce` over published numbers that the test itself makes, some by another protocol.

use std::path::{Path, PathBuf};

use prismbench::Exit;
use serde_json::Value;

use crate::program::{Ran, prismbench};

/// A folder with a plan and the runs that come of it.
struct Paper {
    folder: tempfile::TempDir,
    values: String,
}

impl Paper {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), values: String::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Prints a number as somebody measured it, with as many decimals.
    fn prints(&mut self, (tokenizer, metric): (&str, &str), decimals: usize, how: &[&str]) {
        let value = measured(self.folder.path(), tokenizer, metric, how);
        self.says((tokenizer, metric), &format!("{value:.decimals$}"));
    }

    fn says(&mut self, (tokenizer, metric): (&str, &str), value: &str) {
        self.values += &format!(
            "[[part.value]]\ntokenizer = '{tokenizer}'\nmetric = '{metric}'\nvalue = '{value}'\n\
             source = 'table 1'\n"
        );
    }

    fn plan(&self, n: u64) -> PathBuf {
        let path = self.path("paper.toml");
        let text = format!(
            "format = 1\nname = 'paper'\n[[part]]\nsuite = 'reconstruction'\ndataset = 'scenes'\n\
             data = 'synthetic:5:24'\nn = {n}\nprotocol = 'default'\n{}",
            self.values
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    fn reproduced(&self, plan: &Path, more: &[&str]) -> Ran {
        let (plan, out) = (plan.to_str().unwrap(), self.path("runs"));
        let out = out.to_str().unwrap();
        let fixed = ["reproduce", plan, "--out", out, "--progress", "none"];
        prismbench(&[&fixed, more].concat())
    }
}

/// A value as `run` measures it, by a protocol with these changes.
fn measured(folder: &Path, tokenizer: &str, metric: &str, how: &[&str]) -> f64 {
    let out = folder.join("published");
    let fixed = ["run", "--out", out.to_str().unwrap(), "--progress", "none", "--force"];
    let what = ["--data", "synthetic:5:24", "-t", tokenizer, "-m", metric];
    prismbench(&[&fixed[..], &what, how].concat()).expect(Exit::Done);
    let records = std::fs::read_to_string(out.join("records.jsonl")).unwrap();
    let record: Value = serde_json::from_str(records.lines().next().unwrap()).unwrap();
    record["value"].as_f64().unwrap()
}

fn rows(ran: &Ran) -> Vec<Value> {
    let report: Value = serde_json::from_str(&ran.text()).unwrap();
    report["rows"].as_array().unwrap().clone()
}

#[test]
fn a_number_of_another_protocol_is_a_mismatch_and_names_that_protocol() {
    let mut paper = Paper::new();
    paper.prints(("jpeg:75", "psnr"), 2, &["--set", "psnr=pyiqa-y"]);
    paper.prints(("dct:16", "ssim"), 3, &["--set", "ssim=llamagen"]);
    paper.prints(("dct:60", "psnr"), 2, &["--set", "quantiser=truncate"]);
    paper.prints(("jpeg:75", "ssim"), 4, &[]);
    let plan = paper.plan(24);
    let ran = paper.reproduced(&plan, &["--format", "json"]).expect(Exit::Regressed);
    let rows = rows(&ran);
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row["verdict"].as_str().unwrap(), row["explanation"]["change"].as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("MISMATCH", Some("psnr = pyiqa-y")),
            ("MISMATCH", Some("ssim = llamagen")),
            ("MISMATCH", Some("quantiser = truncate")),
            ("MATCH", None),
        ],
        "{}",
        ran.err
    );
    let text = paper.reproduced(&plan, &[]).expect(Exit::Regressed);
    for change in ["psnr = pyiqa-y", "ssim = llamagen", "quantiser = truncate"] {
        let line = format!("most likely measured with {change}");
        assert!(text.text().contains(&line), "{}", text.text());
    }
    assert!(text.text().ends_with("3 MISMATCH, 1 MATCH\n"), "{}", text.text());
    let plain = paper.reproduced(&plan, &["--no-explain", "-f", "json"]).expect(Exit::Regressed);
    assert!(plain.text().contains("\"suspects\": []"), "{}", plain.text());
}

#[test]
fn what_no_protocol_gives_is_said_to_be_given_by_none() {
    let mut paper = Paper::new();
    paper.says(("jpeg:75", "psnr"), "21.00");
    let ran = paper.reproduced(&paper.plan(24), &[]).expect(Exit::Regressed).text();
    assert!(ran.contains("changes tried gives 21.00; the nearest are"), "{ran}");
}

#[test]
fn the_same_protocol_matches_and_the_same_command_measures_nothing_anew() {
    let mut paper = Paper::new();
    paper.prints(("jpeg:75", "psnr"), 2, &[]);
    paper.prints(("dct:16", "bpp"), 2, &["--metric", "psnr"]);
    paper.values = paper.values.replace("metric = 'bpp'", "metric = 'psnr'");
    let plan = paper.plan(24);
    let first = paper.reproduced(&plan, &[]).expect(Exit::Done).text();
    assert!(first.contains("2 MATCH"), "{first}");
    let folders = || std::fs::read_dir(paper.path("runs")).unwrap().count();
    assert_eq!(folders(), 2, "a folder for each tokenizer");
    let written = |run: &Path| std::fs::metadata(run.join("records.jsonl")).unwrap().modified();
    let times = || -> Vec<_> {
        let runs = std::fs::read_dir(paper.path("runs")).unwrap();
        let mut times: Vec<_> = runs.map(|run| written(&run.unwrap().path()).unwrap()).collect();
        times.sort();
        times
    };
    let before = times();
    assert_eq!(paper.reproduced(&plan, &[]).expect(Exit::Done).text(), first);
    assert_eq!((times(), folders()), (before, 2));
}

#[test]
fn fewer_pictures_are_within_noise_at_best() {
    let mut paper = Paper::new();
    paper.prints(("jpeg:75", "psnr"), 2, &[]);
    let plan = paper.plan(24);
    let ran = paper.reproduced(&plan, &["-n", "20", "--format", "json"]).expect(Exit::Done);
    let row = &rows(&ran)[0];
    assert_eq!(row["verdict"], "WITHIN NOISE", "{row}");
    assert_eq!(row["note"], "of 20 samples, the published value of 24");
}

#[test]
fn what_cannot_be_measured_is_said_to_be_so_and_why() {
    let mut paper = Paper::new();
    paper.prints(("jpeg:75", "psnr"), 2, &[]);
    paper.says(("taef2=no/such/weights", "psnr"), "30.00");
    paper.says(("jpeg:75", "rfid"), "3.00");
    let cache = paper.path("no cache");
    let cache = ["--cache", cache.to_str().unwrap()];
    let plan = paper.plan(24);
    let ran = paper.reproduced(&plan, &[&cache[..], &["-f", "json"]].concat());
    let rows = rows(&ran.expect(Exit::Inconclusive));
    let told =
        |at: usize| (rows[at]["verdict"].as_str().unwrap(), rows[at]["note"].as_str().unwrap());
    assert_eq!(told(0).0, "MATCH", "what lacks nothing is measured");
    let (verdict, why) = told(1);
    assert!(verdict == "NOT MEASURED" && why.contains("no/such/weights"), "{why}");
    let (verdict, why) = told(2);
    assert!(verdict == "NOT MEASURED" && why.contains("inception"), "{why}");
    // Without pictures nothing is, and each number says which are missing.
    let text = std::fs::read_to_string(&plan).unwrap();
    std::fs::write(&plan, text.replace("data = 'synthetic:5:24'\n", "")).unwrap();
    let ran = paper.reproduced(&plan, &cache).expect(Exit::Inconclusive).text();
    assert!(ran.contains("no pictures of scenes: name them with --data scenes=DATA"), "{ran}");
    assert!(ran.ends_with("3 NOT MEASURED\n"), "{ran}");
}

#[test]
fn embedded_plans_run_anywhere_and_mistakes_are_named() {
    let list = prismbench(&["list", "plans"]).expect(Exit::Done).text();
    for plan in ["rae", "uae", "openvision3"] {
        assert!(list.contains(plan), "{list}");
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let all = prismbench(&["reproduce", "openvision3", "--out", out]).expect(Exit::Inconclusive);
    assert!(all.text().contains("no pictures of imagenet-1k"), "{}", all.text());
    assert!(all.text().contains("there is no unitok here"), "{}", all.text());
    assert!(all.text().lines().last().unwrap().ends_with(" NOT MEASURED"), "{}", all.text());
    let err = |what: &[&str]| {
        let arguments = [&["reproduce"], what].concat();
        prismbench(&arguments).expect(Exit::Usage).err
    };
    insta::assert_snapshot!(err(&["openvison3"]), @r"
    error: `openvison3` is no plan, no plan file, and no published row's key or words
      hint: did you mean `openvision3`?
    ");
    insta::assert_snapshot!(err(&["uae", "--data", "val"]), @r"
    error: `--data val` is for one data set, and the plan has imagenet-1k and coco-2017
      hint: name it: `--data NAME=DATA`
    ");
    assert!(err(&["rae", "--tokenizer", "unitok=x"]).contains("replaces nothing in the plan"));
    assert!(err(&["sd-vae"]).contains("give more words or a key"));
    prismbench(&["reproduce", "no/such/plan.toml"]).expect(Exit::Missing);
}
