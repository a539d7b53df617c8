//! `prismbench compare` and `table --history` over runs that the program made.

use std::path::{Path, PathBuf};

use prismbench::Exit;

use crate::program::{prismbench, three_classes};

fn run(folder: &Path, name: &str, tokenizers: &[&str], more: &[&str]) -> PathBuf {
    let out = folder.join(name);
    let mut arguments = vec!["run", "--out", out.to_str().unwrap(), "--progress", "none"];
    arguments.extend(["--data", "synthetic:5:24"]);
    arguments.extend(tokenizers.iter().flat_map(|tokenizer| ["-t", tokenizer]));
    arguments.extend(more);
    prismbench(&arguments).expect(Exit::Done);
    out
}

#[test]
fn a_run_compares_with_itself_as_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let a = run(folder.path(), "a", &["jpeg:75", "identity"], &[]);
    let b = run(folder.path(), "b", &["jpeg:75", "identity"], &["--batch", "3"]);
    let (a, b) = (a.to_str().unwrap(), b.to_str().unwrap());
    let compared = prismbench(&["compare", a, b]).expect(Exit::Done);
    assert_eq!(compared.text(), "12 same\n");
    let all = prismbench(&["compare", a, b, "--all"]).expect(Exit::Done).text();
    assert!(all.contains("psnr@1") && all.contains("identical"), "{all}");
}

#[test]
fn two_tokenizers_are_told_apart_by_their_images() {
    let folder = tempfile::tempdir().unwrap();
    let a = run(folder.path(), "a", &["jpeg:75", "jpeg:73"], &["-m", "psnr", "-m", "bpp"]);
    let a = a.to_str().unwrap();
    let arguments = ["compare", a, a, "--tokenizer", "jpeg:75=jpeg:73", "--format", "json"];
    let text = prismbench(&arguments).expect(Exit::Done).text();
    let rows = serde_json::from_str::<serde_json::Value>(&text).unwrap()["rows"].clone();
    let verdict = |metric: &str| {
        let row = rows.as_array().unwrap().iter().find(|row| row["metric"] == metric).unwrap();
        (row["verdict"].as_str().unwrap().to_owned(), row["evidence"].as_str().unwrap().to_owned())
    };
    // A lower quality: fewer bits and more error, beyond the noise of 24 pictures.
    assert_eq!(verdict("psnr@1"), ("worse".to_owned(), "24 pairs".to_owned()));
    assert_eq!(verdict("bpp@1"), ("better".to_owned(), "24 pairs".to_owned()));
}

/// Twice the probability of at most as many heads as the rarer case has, in as many throws of a fair coin as
/// there are pictures on which one probe alone is right.
fn exact_binomial(first_only: u64, second_only: u64) -> f64 {
    let n = first_only + second_only;
    let mut ways = 1.0;
    let mut sum = 0.0;
    for heads in 0..=first_only.min(second_only) {
        sum += ways;
        ways *= (n - heads) as f64 / (heads + 1) as f64;
    }
    (2.0 * sum / 2.0_f64.powi(i32::try_from(n).unwrap())).min(1.0)
}

#[test]
fn probes_of_two_encoders_are_told_apart_by_mcnemars_test_on_the_same_pictures() {
    let folder = tempfile::tempdir().unwrap();
    three_classes(folder.path());
    let split = |name: &str| format!("{name}={}", folder.path().join(name).display());
    let data = format!("{},{}", split("train"), split("test"));
    let probed = |name: &str, tokenizer: &str| {
        let out = folder.path().join(name);
        let fixed = ["run", "--out", out.to_str().unwrap(), "--progress", "none", "--no-cache"];
        let what = ["--suite", "probing", "--data", &data, "--set", "size=64", "-t", tokenizer];
        let how = ["--set", "probe=probe/ridge"];
        prismbench(&[&fixed[..], &what, &how].concat()).expect(Exit::Done);
        out
    };
    let (a, b) = (probed("a", "resample:f8"), probed("b", "dct:4"));
    // Right or wrong, picture by picture, from the files themselves.
    let right = |run: &Path| -> Vec<(String, bool)> {
        let tables = prismbench_reports::read_samples(&run.join("samples.parquet")).unwrap();
        assert_eq!(tables.len(), 1);
        let (_, values) = tables[0].metrics.iter().find(|(name, _)| name == "top1@1").unwrap();
        tables[0].ids.iter().cloned().zip(values.iter().map(|&value| value > 0.5)).collect()
    };
    let (first, second) = (right(&a), right(&b));
    assert_eq!(first.len(), 72);
    let (mut lost, mut won) = (0, 0);
    for ((id, before), (other, after)) in first.iter().zip(&second) {
        assert_eq!(id, other);
        lost += u64::from(*before && !after);
        won += u64::from(!before && *after);
    }
    assert!(lost > 0 && won > 0 && lost + won < 25, "{lost} lost, {won} won: the exact test");
    let p_value = exact_binomial(lost, won);
    let (a, b) = (a.to_str().unwrap(), b.to_str().unwrap());
    let arguments =
        ["compare", a, b, "--tokenizer", "resample:f8=dct:4", "--format", "json", "--all"];
    let text = prismbench(&arguments).expect(Exit::Done).text();
    let rows = serde_json::from_str::<serde_json::Value>(&text).unwrap()["rows"].clone();
    let row = rows.as_array().unwrap().iter().find(|row| row["metric"] == "top1@1").unwrap();
    let expected = format!("McNemar {won} won, {lost} lost, p = {p_value:.2e}");
    assert_eq!(row["evidence"], expected, "{row}");
    let share = (won as f64 - lost as f64) / 72.0;
    assert!((row["gain"].as_f64().unwrap() - share).abs() < 1e-12, "{row}");
    let verdict = match p_value < 0.01 {
        true if share > 0.0 => "better",
        true => "worse",
        false => "inconclusive",
    };
    assert_eq!(row["verdict"], verdict, "{row}");
}

#[test]
fn mistakes_of_compare_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let a = run(folder.path(), "a", &["jpeg:75"], &["-m", "psnr"]);
    let a = a.to_str().unwrap();
    let err = |more: &[&str]| {
        let arguments = [&["compare", a, a], more].concat();
        prismbench(&arguments).expect(Exit::Usage).err
    };
    insta::assert_snapshot!(err(&["--tokenizer", "jpeg:75"]), @r"
    error: `jpeg:75` names no two tokenizers
      hint: as in `--tokenizer jpeg:75=jpeg:50`
    ");
    insta::assert_snapshot!(err(&["--tokenizer", "jpeg:75=jpeg:7"]), @r"
    error: the runs have no record of the tokenizer `jpeg:7`
      hint: did you mean `jpeg:75`?
    ");
    insta::assert_snapshot!(err(&["--format", "jsn"]), @r"
    error: there is no comparison format called `jsn`
      hint: did you mean `json`?
    ");
    prismbench(&["compare", a, "no/such/run"]).expect(Exit::Missing);
}

#[test]
fn corrupt_and_foreign_per_image_values_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let a = run(folder.path(), "a", &["jpeg:75"], &["-m", "psnr"]);
    let samples = a.join("samples.parquet");
    let whole = std::fs::read(&samples).unwrap();
    let a = a.to_str().unwrap();
    let refused = |bytes: &[u8]| {
        std::fs::write(&samples, bytes).unwrap();
        prismbench(&["compare", a, a]).expect(Exit::Usage).err
    };
    assert!(refused(&whole[..whole.len() / 2]).contains("is no table of per-image values"));
    assert!(refused(b"PAR1 and then something else PAR1").contains("is no table"));
    let foreign = prismbench(&["table", a, "--format", "parquet"]).expect(Exit::Done).out;
    assert!(refused(&foreign).contains("column 0 is not `tokenizer`"));
    // A flipped byte is either noticed or changes a value; it never crashes.
    for at in (0..whole.len()).step_by(61) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        std::fs::write(&samples, bytes).unwrap();
        let ran = prismbench(&["compare", a, a]);
        assert!(matches!(ran.exit, Exit::Done | Exit::Usage | Exit::Internal), "{at}: {}", ran.err);
        assert_ne!(ran.exit, Exit::Internal, "{at}: {}", ran.err);
    }
}

#[test]
fn history_follows_a_metric_over_a_folder_of_runs() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    std::fs::create_dir(&runs).unwrap();
    for (at, quality) in ["75", "75", "60", "60"].into_iter().enumerate() {
        let made = run(&runs, &format!("n{at}"), &[&format!("jpeg:{quality}")], &["-m", "psnr"]);
        // One tokenizer whose quality fell between the second and the third night.
        for name in ["records.jsonl", "run.json"] {
            let text = std::fs::read_to_string(made.join(name)).unwrap();
            let text = text.replace("jpeg:75", "ours").replace("jpeg:60", "ours");
            let began = text.find("\"started_unix\": ").map(|at| &text[at..at + 26]);
            let text = match began {
                Some(began) => text.replace(began, &format!("\"started_unix\": 17900{at}0000")),
                None => text,
            };
            std::fs::write(made.join(name), text).unwrap();
        }
    }
    let all =
        prismbench(&["table", "--history", "psnr", runs.to_str().unwrap()]).expect(Exit::Done);
    let text = all.text();
    let marked: Vec<_> = text.lines().filter(|line| line.contains('◆')).collect();
    assert!(marked[0].contains("n2") && marked[0].contains("worse"), "{text}");
    // The same over exports: a value that a folder has too counts once.
    let exports = folder.path().join("exports");
    std::fs::create_dir(&exports).unwrap();
    for night in ["n0", "n1", "n2", "n3"] {
        let (from, to) = (runs.join(night), exports.join(format!("{night}.parquet")));
        let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
        prismbench(&["table", from, "--format", "parquet", "--out", to]).expect(Exit::Done);
    }
    let both = [runs.to_str().unwrap(), exports.to_str().unwrap()];
    let arguments = [&["table", "--history", "psnr"][..], &both].concat();
    assert_eq!(prismbench(&arguments).expect(Exit::Done).text(), text);
    let alone = prismbench(&["table", "--history", "psnr", both[1]]).expect(Exit::Done).text();
    assert_eq!(alone.matches(" ours").count(), text.matches(" ours").count());
    assert_eq!(alone.lines().filter(|line| line.contains("n3")).count(), 1, "{alone}");
    let corrupt = exports.join("n9.parquet");
    std::fs::write(&corrupt, "PAR1 nothing PAR1").unwrap();
    let refused = prismbench(&["table", "--history", "psnr", both[1]]).expect(Exit::Usage);
    assert!(refused.err.contains("n9.parquet") && refused.err.contains("is no table of records"));
    let samples = runs.join("n0/samples.parquet");
    let arguments = ["table", "--history", "psnr", samples.to_str().unwrap()];
    assert!(prismbench(&arguments).expect(Exit::Usage).err.contains("is no table of records"));
    let first = runs.join("n0");
    // Given twice, a run counts once.
    let arguments = ["table", "--history", "psnr", runs.to_str().unwrap(), first.to_str().unwrap()];
    assert_eq!(prismbench(&arguments).expect(Exit::Done).text(), text);
    let unknown = prismbench(&["table", "--history", "rfid", runs.to_str().unwrap()]);
    assert!(
        unknown.expect(Exit::Usage).err.contains("no run has a value of `rfid`; they have psnr")
    );
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let none = prismbench(&["table", "--history", "psnr", empty.to_str().unwrap()]);
    assert!(none.expect(Exit::Missing).err.contains("there is no run in"));
}
