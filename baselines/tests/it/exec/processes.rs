//! The ends of programs and of the processes that started them.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use prismbench_core::Encoding;

use super::{BRIEF, ready, try_open};
use crate::gone::{is_gone, is_running};
use crate::{pictures, round_trip};

/// Names the file in which a program notes the number of its process.
const NOTE: &str = "PRISMBENCH_TEST_NOTE";

#[test]
#[cfg(target_os = "linux")]
fn no_process_outlives_its_tokenizer() {
    let folder = tempfile::tempdir().unwrap();
    // A willing program, one that stays when its stdin ends, and one behind a wrapper.
    for mode in ["pid", "stubborn", "family"] {
        let path = folder.path().join(mode);
        let tokenizer = ready(&format!("{mode} '{}'", path.display()));
        let images = pictures::batch(4, 4, 0, 1);
        round_trip(tokenizer.as_ref(), &images);
        let noted = fs::read_to_string(&path).unwrap();
        let processes: Vec<&str> = noted.lines().collect();
        assert_eq!(processes.len(), if mode == "family" { 2 } else { 1 });
        assert!(processes.iter().all(|process| is_running(process)), "{mode}");
        drop(tokenizer);
        assert!(processes.iter().all(|process| is_gone(process)), "{mode}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_program_that_has_failed_does_not_wait_for_its_tokenizer_to_end() {
    let folder = tempfile::tempdir().unwrap();
    for mode in ["hang", "rubbish", "mute", "shape"] {
        let path = folder.path().join(mode);
        let tokenizer = try_open(&format!("{mode} '{}'", path.display()), BRIEF).unwrap();
        let images = pictures::batch(8, 8, 0, 1);
        assert!(tokenizer.encode(&images, &Encoding::deterministic()).is_err());
        assert!(is_gone(fs::read_to_string(&path).unwrap().trim()), "{mode}");
        drop(tokenizer);
    }
}

/// Runs this test executable again, for one of the ignored tests below.
fn again(test: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(NOTE, path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn what_it_writes_to_stderr_is_passed_through() {
    let output = again("exec::processes::a_process_with_a_program", Path::new(""))
        .wait_with_output()
        .unwrap();
    assert!(output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("words for the user\n"), "{stderr}");
}

#[test]
#[ignore = "what other tests run in a process of its own"]
fn a_process_with_a_program() {
    round_trip(ready("stderr").as_ref(), &pictures::batch(4, 4, 0, 1));
}

#[test]
#[cfg(target_os = "linux")]
fn a_process_that_ends_in_any_way_leaves_no_program_behind() {
    let folder = tempfile::tempdir().unwrap();
    for test in [
        "exec::processes::a_process_that_exits_at_once",
        "exec::processes::a_process_that_is_killed",
    ] {
        let path = folder.path().join(test.rsplit(':').next().unwrap());
        let mut process = again(test, &path);
        let start = Instant::now();
        while fs::read_to_string(&path).map_or(true, |noted| !noted.ends_with('\n')) {
            assert!(start.elapsed() < Duration::from_secs(60), "{test} has not begun");
            std::thread::sleep(Duration::from_millis(5));
        }
        if test.ends_with("killed") {
            process.kill().unwrap();
        }
        process.wait().unwrap();
        assert!(is_gone(fs::read_to_string(&path).unwrap().trim()), "{test}");
    }
}

#[test]
#[ignore = "what another test runs in a process of its own"]
fn a_process_that_exits_at_once() {
    // It would not end with its stdin.
    let _tokenizer = ready(&format!("stubborn '{}'", std::env::var(NOTE).unwrap()));
    prismbench_baselines::end_programs();
    std::process::exit(130);
}

#[test]
#[ignore = "what another test runs in a process of its own"]
fn a_process_that_is_killed() {
    let _tokenizer = ready(&format!("pid '{}'", std::env::var(NOTE).unwrap()));
    std::thread::sleep(Duration::from_secs(600));
}
