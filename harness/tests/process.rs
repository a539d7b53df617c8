//! What only a process has: its exit status, signals, closed pipes, full disks.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "other tests use other sizes")]
#[path = "../../baselines/tests/it/generator_weights.rs"]
mod generator_weights;
#[path = "../../baselines/tests/it/planned.rs"]
mod planned;
#[path = "../../tests/oracle/recipe.rs"]
mod recipe;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use prismbench_metrics::Inception;
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};

const PROGRAM: &str = env!("CARGO_BIN_EXE_prismbench");

fn run(folder: &Path, data: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["run", "--data", data, "-t", "dct:8", "--progress", "lines", "--batch", "2"]);
    command.arg("--out").arg(folder.join("run"));
    command
}

#[test]
fn exit_codes_leave_the_process() {
    let code = |arguments: &[&str]| {
        Command::new(PROGRAM).args(arguments).output().unwrap().status.code().unwrap()
    };
    assert_eq!(code(&["--help"]), 0);
    assert_eq!(code(&["list"]), 0);
    assert_eq!(code(&["list", "nothing"]), 2);
    assert_eq!(code(&["run", "no-such-plan.toml"]), 5);
}

#[test]
fn control_c_ends_the_run_with_130_and_the_same_command_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = run(folder.path(), "synthetic:1:60").stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // The first line of progress: the handler is in place and the pass is under way.
    assert!(lines.next().unwrap().unwrap().contains("/60"));
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let rest: Vec<String> = lines.map(|line| line.unwrap()).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("interrupted after")), "{rest:?}");
    assert!(folder.path().join("run/plan.toml").is_file());
    assert!(run(folder.path(), "synthetic:1:60").output().unwrap().status.success());
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let script = format!("'{PROGRAM}' list; '{PROGRAM}' explain default | head -n 1");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stderr, b"");
}

/// A limit on the size of files stands in for a full disk: the same call fails the same way.
#[test]
fn a_full_disk_is_named_with_the_remedy_and_leaves_no_half_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    // 8 blocks of 512 or 1024 bytes: the plan fits, 3 saved reconstructions (590 KB) do not.
    let script = format!(
        "trap '' XFSZ; ulimit -f 8; exec '{PROGRAM}' run --data synthetic:1:3 -t dct:8 \
         --progress none --save reconstructions --out '{}'",
        out.display()
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{error}");
    assert!(error.contains("hint: free some space"), "{error}");
    assert!(!out.join("records.jsonl").exists());
    let arrays: Vec<_> = std::fs::read_dir(out.join("arrays"))
        .unwrap()
        .flat_map(|entry| std::fs::read_dir(entry.unwrap().path()).unwrap())
        .collect();
    assert!(arrays.is_empty(), "{arrays:?}");
}

#[test]
fn a_table_for_a_full_device_is_an_error() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        // Linux only; elsewhere there is no such device to write to.
        return;
    };
    let output = Command::new(PROGRAM).arg("list").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("cannot write the result") && error.contains("free some"), "{error}");
}

/// Inception with generated weights.
fn inception(folder: &Path) -> PathBuf {
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Inception::tensors()
        .iter()
        .map(|tensor| {
            let values = recipe::tensor(tensor.name(), tensor.shape());
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (tensor.name().to_owned(), tensor.shape().to_vec(), bytes)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let path = folder.join("inception.safetensors");
    serialize_to_file(views, None, &path).unwrap();
    path
}

/// The only entry of a folder.
fn only(folder: &Path) -> PathBuf {
    let mut entries = fs::read_dir(folder).unwrap();
    entries.next().unwrap().unwrap().path()
}

/// Killed, a process can tidy nothing up. What it had made by then is in the run folder all the same.
#[test]
fn a_run_that_was_killed_goes_on_where_it_was_and_writes_the_same_records() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let made = at("made");
    let latents = Command::new(PROGRAM)
        .args(["run", "--data", "synthetic:3:60", "-t", "dct:16", "--set", "size=64", "-m", "psnr"])
        .args(["--save", "latents", "--progress", "none", "--out"])
        .arg(&made)
        .status();
    assert!(latents.unwrap().success());
    let latents = only(&made.join("arrays")).join("latents.npz");
    let weights = inception(folder.path());
    let judge = |name: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["run", "--set", "size=64", "-t", "dct:16", "--data", "synthetic:4:20"]);
        command.args(["-m", "gfid", "-m", "sfid", "-m", "is", "-m", "precision", "-m", "rfid"]);
        command.args(["--batch", "5", "--save", "samples", "--progress", "none"]);
        command.arg("--latents").arg(format!("raw:{}", latents.display()));
        command.arg("--weights").arg(format!("inception={}", weights.display()));
        command.arg("--cache").arg(at(name).join("cache")).arg("--out").arg(at(name).join("run"));
        command.stderr(Stdio::null()).stdout(Stdio::null());
        command
    };
    assert!(judge("straight").status().unwrap().success());
    let (out, parts) = (at("killed/run"), at("killed/run/parts"));
    let samples = || match parts.is_dir() {
        true => fs::metadata(only(&parts).join("samples")).map_or(0, |file| file.len()),
        false => 0,
    };
    // Twice, each time some blocks further on.
    for _ in 0..2 {
        let before = samples();
        let mut child = judge("killed").spawn().unwrap();
        while samples() < before + 10 * 64 * 64 * 3 {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!out.join("records.jsonl").exists(), "killed too late");
    }
    assert!(judge("killed").status().unwrap().success());
    let bytes = |name: &str, file: &str| fs::read(at(name).join("run").join(file)).unwrap();
    let [straight, killed] =
        ["straight", "killed"].map(|name| String::from_utf8(bytes(name, "records.jsonl")).unwrap());
    assert_eq!(straight, killed);
    assert!(!parts.exists(), "nothing is left lying about");
    let saved =
        |name: &str| fs::read(only(&at(name).join("run/arrays")).join("samples.npz")).unwrap();
    assert!(saved("straight") == saved("killed"));
}

/// The tiny DiT^DH draws latents of `dct:2`, 6 x 4 x 4, which decode to pictures of 32 pixels.
#[test]
fn a_generator_that_was_killed_draws_on_and_its_samples_are_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let generator = at("tiny.safetensors");
    planned::write(&generator, &generator_weights::generator(generator_weights::TINY));
    let weights = inception(folder.path());
    let draw = |name: &str, batch: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["run", "--set", "size=32", "-t", "dct:2", "--data", "synthetic:4:12"]);
        command.args(["--sampling", "heun2:4,cfg:1.5", "--labels", "uniform", "-n", "40"]);
        command.args(["-m", "gfid", "-m", "is", "--batch", batch, "--save", "samples"]);
        command.arg("--generator").arg(format!("ditdh={}", generator.display()));
        command.arg("--weights").arg(format!("inception={}", weights.display()));
        command.arg("--cache").arg(at(name).join("cache")).arg("--out").arg(at(name).join("run"));
        command.args(["--progress", "none"]).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let finish = |name: &str, batch: &str| {
        let done = draw(name, batch).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    finish("straight", "5");
    let parts = at("killed/run/parts");
    let samples = || match parts.is_dir() {
        true => fs::metadata(only(&parts).join("samples")).map_or(0, |file| file.len()),
        false => 0,
    };
    let mut child = draw("killed", "5").spawn().unwrap();
    while samples() < 15 * 32 * 32 * 3 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!at("killed/run/records.jsonl").exists(), "killed too late");
    // The rest is drawn in other batches.
    finish("killed", "3");
    let read = |name: &str, file: &str| fs::read(at(name).join("run").join(file)).unwrap();
    assert_eq!(read("straight", "records.jsonl"), read("killed", "records.jsonl"));
    let saved =
        |name: &str| fs::read(only(&at(name).join("run/arrays")).join("samples.npz")).unwrap();
    assert!(saved("straight") == saved("killed"));
    assert!(!parts.exists(), "nothing is left lying about");
}
