//! What only a process has: its exit status, signals, closed pipes, full disks.

#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

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
