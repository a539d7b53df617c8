//! `prismbench reproduce` over published numbers that the test itself makes, some by another protocol.

use std::path::{Path, PathBuf};

use prismbench::Exit;
use serde_json::Value;

use crate::networks::weights;
use crate::program::{Ran, png, prismbench};

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

/// Arguments with generated weights of Inception and a cache of the test's own; `@` stands for the folder.
fn with_inception(folder: &Path, arguments: &[&str]) -> Ran {
    let inception = format!("inception={}", weights().join("inception.safetensors").display());
    let always = ["--weights", &inception, "--cache", "@cache", "--progress", "none"];
    let here = |argument: &&str| argument.replace('@', &format!("{}/", folder.display()));
    let all: Vec<String> = arguments.iter().chain(&always).map(here).collect();
    prismbench(&all.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The first value of a run that went well.
fn first_value(folder: &Path, run: &str) -> f64 {
    let records = std::fs::read_to_string(folder.join(run).join("records.jsonl")).unwrap();
    let record: Value = serde_json::from_str(records.lines().next().unwrap()).unwrap();
    record["value"].as_f64().unwrap()
}

fn words(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}

/// Pictures that are far from scenes: so few would else lie within each other's noise.
fn gradients(folder: &Path) {
    (0..24).for_each(|at| png(&folder.join(format!("{at}.png")), 64 + at, 64 + 3 * at));
}

/// Features of pictures, as `run --save features` writes them.
fn features(folder: &Path, data: &str, name: &str) -> PathBuf {
    let run =
        format!("run --data {data} -t dct:16 -m rfid --set size=64 --save features --out @{name}");
    with_inception(folder, &words(&run)).expect(Exit::Done);
    let arrays = std::fs::read_dir(folder.join(name).join("arrays")).unwrap();
    let mut files = arrays.map(|entry| entry.unwrap().path().join("features.safetensors"));
    files.find(|path| path.is_file()).unwrap()
}

#[test]
fn a_wrong_reference_explains_the_number_that_was_measured_against_it_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    gradients(&folder.path().join("gradients"));
    let [wrong, other] = [("@gradients", "wrong"), ("synthetic:8:24", "other")]
        .map(|(data, name)| features(folder.path(), data, name).display().to_string());
    let run =
        "run --data synthetic:5:24 -t dct:4 -m rfid --set size=64 --out @published --reference";
    with_inception(folder.path(), &[&words(run)[..], &[&wrong]].concat()).expect(Exit::Done);
    let value = first_value(folder.path(), "published");
    let plan = format!(
        "format = 1\nname = 'paper'\n[[part]]\nsuite = 'reconstruction'\ndataset = 'scenes'\n\
         data = 'synthetic:5:24'\nn = 24\nprotocol = 'default'\nset = {{ size = 64 }}\n\
         [[part.value]]\ntokenizer = 'dct:4'\nmetric = 'rfid'\nvalue = '{value:.3}'\n"
    );
    std::fs::write(folder.path().join("paper.toml"), plan).unwrap();
    let reproduced = |reference: &str, exit| {
        let fixed = words("reproduce @paper.toml --out @runs --format json --wrong-reference");
        with_inception(folder.path(), &[&fixed[..], &[reference]].concat()).expect(exit)
    };
    let row = &rows(&reproduced(&wrong, Exit::Regressed))[0];
    assert_eq!(row["verdict"], "MISMATCH", "{row}");
    assert_eq!(row["explanation"]["change"], format!("the reference {wrong}"), "{row}");
    let row = &rows(&reproduced(&other, Exit::Regressed))[0];
    assert!(row["explanation"].is_null(), "{row}");
    let tried = row["suspects"].as_array().unwrap();
    let tried = tried.iter().find(|suspect| suspect["change"] == format!("the reference {other}"));
    assert!(tried.unwrap()["value"].as_f64().is_some(), "{tried:?}");
    let missing = folder.path().join("nowhere.safetensors").display().to_string();
    let said = reproduced(&missing, Exit::Missing).err;
    assert!(said.contains("cannot read `") && said.contains("nowhere.safetensors"), "{said}");
    assert!(!said.contains("trying"), "before anything is measured: {said}");
}

/// Pictures twice as wide as high, whose outer quarters are unlike their centre.
fn wide(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for at in 0..24_u32 {
        let pixel = |x: u32, y: u32| {
            let inside = (40..120).contains(&x);
            let level = ((x * 7 + y * (at + 3)) % 97) as u8;
            image::Rgb(if inside { [level, 90, 2 * level] } else { [250, 250 - level, 10] })
        };
        let picture = image::RgbImage::from_fn(160, 80, pixel);
        picture.save(folder.join(format!("{at:02}.png"))).unwrap();
    }
}

#[test]
fn a_reference_that_was_not_cropped_is_taken_and_explains_the_number_that_was_measured_so() {
    let folder = tempfile::tempdir().unwrap();
    wide(&folder.path().join("wide"));
    // The number as somebody gets it who gives an evaluator the folder of originals: features of whole pictures.
    let run = "run --data @wide -t identity -m rfid --set size=64 --set crop=none --save features \
               --out @whole";
    let run: Vec<&str> = run.split_whitespace().collect();
    with_inception(folder.path(), &run).expect(Exit::Done);
    let arrays = std::fs::read_dir(folder.path().join("whole/arrays")).unwrap();
    let mut files = arrays.map(|entry| entry.unwrap().path().join("features.safetensors"));
    let whole = files.find(|path| path.is_file()).unwrap().display().to_string();
    let run = "run --data @wide -t dct:4 -m rfid --set size=64 --out @published --reference";
    let against = [&words(run)[..], &[&whole]].concat();
    let refused = with_inception(folder.path(), &against).expect(Exit::Usage).err;
    assert!(refused.contains("was made with crop = none"), "{refused}");
    let allowed = [&against[..], &["--allow-unlike-reference", "--force"]].concat();
    let ran = with_inception(folder.path(), &allowed).expect(Exit::Done);
    assert!(ran.err.contains("crop = none") && ran.err.contains("marked"), "{}", ran.err);
    let value = first_value(folder.path(), "published");
    let records = std::fs::read_to_string(folder.path().join("published/records.jsonl")).unwrap();
    let record: Value = serde_json::from_str(records.lines().next().unwrap()).unwrap();
    let dialect = record["dialect"].as_str().unwrap();
    assert!(dialect.ends_with("-against-crop=none"), "{dialect}");
    let plan = format!(
        "format = 1\nname = 'paper'\n[[part]]\nsuite = 'reconstruction'\ndataset = 'wide'\n\
         n = 24\nprotocol = 'default'\nset = {{ size = 64 }}\n\
         [[part.value]]\ntokenizer = 'dct:4'\nmetric = 'rfid'\nvalue = '{value:.3}'\n"
    );
    std::fs::write(folder.path().join("paper.toml"), plan).unwrap();
    let command = words("reproduce @paper.toml --out @runs --format json --data @wide");
    let ran = with_inception(folder.path(), &command).expect(Exit::Regressed);
    let row = &rows(&ran)[0];
    assert_eq!(row["verdict"], "MISMATCH", "{row}");
    assert_eq!(row["explanation"]["change"], "a reference of uncropped pictures", "{row}");
    // Taken as it should be, the distance is another one by far.
    let own = row["record"]["value"].as_f64().unwrap();
    assert!((own - value).abs() > 0.2 * value, "{own} {value}");
}

#[test]
fn another_evaluator_or_reference_of_samples_is_tried_where_they_are_at_hand() {
    let folder = tempfile::tempdir().unwrap();
    let made = "run --data synthetic:3:24 -t dct:16 -m psnr --set size=64 --save reconstructions --out @made";
    with_inception(folder.path(), &words(made)).expect(Exit::Done);
    let arrays = std::fs::read_dir(folder.path().join("made/arrays")).unwrap();
    let files = arrays.map(|entry| entry.unwrap().path());
    let files =
        files.filter(|folder| folder.file_name().unwrap().to_str().unwrap().contains("dct"));
    let samples = files.map(|folder| folder.join("reconstructions.npz")).next().unwrap();
    gradients(&folder.path().join("gradients"));
    for (data, name) in [("synthetic:4:24", "right.npz"), ("@gradients", "wrong.npz")] {
        let stats = format!("stats {data} -o @{name} --set size=64");
        with_inception(folder.path(), &words(&stats)).expect(Exit::Done);
    }
    let judged = |metric: &str, how: &str| {
        let run = format!("run -m {metric} --set size=64 --force --out @published --samples");
        let samples = samples.display().to_string();
        let all = [&words(&run)[..], &[&samples], &words(how)].concat();
        with_inception(folder.path(), &all).expect(Exit::Done);
        first_value(folder.path(), "published")
    };
    let score = judged("is", "--reference @right.npz --set inception-score=adm");
    let distance = judged("gfid", "--reference @wrong.npz");
    let own = judged("sfid", "--reference @right.npz");
    let mut plan =
        "format = 1\nname = 'paper'\n[[part]]\nsuite = 'generation'\ndataset = 'scenes'\n\
        n = 24\nprotocol = 'default'\nset = { size = 64 }\ndecoder = 'dct:16'\n"
            .to_owned();
    for (metric, value) in [("is", score), ("gfid", distance), ("sfid", own)] {
        plan += &format!(
            "[[part.value]]\ntokenizer = 'theirs'\nmetric = '{metric}'\nvalue = '{value:.4}'\n"
        );
    }
    plan += &format!("[part.tokenizers]\ntheirs = ['samples:{}']\n", samples.display());
    std::fs::write(folder.path().join("paper.toml"), plan).unwrap();
    let command = "reproduce @paper.toml --out @runs --format json --reference @right.npz \
        --wrong-reference @wrong.npz";
    let command: Vec<&str> = command.split_whitespace().collect();
    let ran = with_inception(folder.path(), &command).expect(Exit::Regressed);
    let told: Vec<_> = rows(&ran)
        .iter()
        .map(|row| {
            let change = row["explanation"]["change"].as_str().map(str::to_owned);
            (row["verdict"].as_str().unwrap().to_owned(), change)
        })
        .collect();
    let wrong = format!("the reference {}", folder.path().join("wrong.npz").display());
    let expected = [
        ("MISMATCH", Some("inception-score = adm")),
        ("MISMATCH", Some(wrong.as_str())),
        ("MATCH", None),
    ];
    let expected: Vec<_> =
        expected.map(|(verdict, change)| (verdict.to_owned(), change.map(str::to_owned))).into();
    assert_eq!(told, expected, "{}", ran.text());
}
