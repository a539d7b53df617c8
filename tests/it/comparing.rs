//! `prismbench compare` and `table --history` over runs that the program made.

use std::path::{Path, PathBuf};

use prismbench::Exit;

use crate::program::prismbench;

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
