//! One process for each target, watched by another: a panic, an abort and a hang all have the number of
//! their input.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::targets::Target;
use crate::{ALLOCATOR, mutation, targets};

/// Bytes that a reader may hold at once, whatever a file claims; seeds have 20 KB at most.
pub(crate) const MEMORY: usize = 256 << 20;

/// The same of a reader that decodes pictures: two of the largest that are decoded, in 8 bytes a pixel. A few
/// bytes can hold one.
pub(crate) const PICTURES: usize = 3 << 30;

/// Seconds that one input may take before it counts as a hang: thousands of times what any takes.
const PATIENCE: Duration = Duration::from_secs(60);

const TARGET: &str = "PRISMBENCH_FUZZ_TARGET";
const FIRST: &str = "PRISMBENCH_FUZZ_FIRST";
const INPUTS: &str = "PRISMBENCH_FUZZ_INPUTS";

/// What a child prints before each input.
const AT: &str = "input ";

fn setting(name: &str, otherwise: u64) -> u64 {
    env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// Runs a target in a child and fails with the input that it does not survive.
pub(crate) fn survives(name: &str) {
    let (first, inputs) = (setting(FIRST, 0), setting(INPUTS, 10_000));
    let (status, last, said) = run(name, first, inputs);
    let at = last.map_or_else(|| "a seed".to_owned(), |number| format!("input {number}"));
    assert!(status.success(), "{name}: {at} ends the program ({status}):\n{said}");
    assert_eq!(last, Some(first + inputs - 1), "{name}: inputs were left out");
}

/// How a child ended, its last input, and what it said last.
fn run(name: &str, first: u64, inputs: u64) -> (ExitStatus, Option<u64>, String) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["child", "--exact", "--ignored", "--nocapture"])
        .envs([(TARGET, name), ("RUST_BACKTRACE", "1")])
        .envs([(FIRST, first.to_string()), (INPUTS, inputs.to_string())])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let saying = thread::spawn(move || {
        let mut said = Vec::new();
        let _ = stderr.read_to_end(&mut said);
        // Libraries that panic and are caught say so, every time.
        String::from_utf8_lossy(&said[said.len().saturating_sub(20_000)..]).into_owned()
    });
    let last = watch(&mut child, name);
    (child.wait().unwrap(), last, saying.join().unwrap())
}

/// Follows a child to its end; kills it when nothing happens.
fn watch(child: &mut Child, target: &str) -> Option<u64> {
    let (send, lines) = channel();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let reading = thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if let Some((_, number)) = line.split_once(AT) {
                let _ = send.send(number.parse::<u64>());
            }
        }
    });
    let mut last = None;
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(number) => last = number.ok().or(last),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                panic!("{target}: input {last:?} takes more than {PATIENCE:?}");
            }
        }
    }
    reading.join().unwrap();
    last
}

/// Feeds a target its inputs, in the process that [`survives`] started.
pub(crate) fn child() {
    // Run by hand with `--ignored`, there is no target and nothing to do.
    let Ok(name) = env::var(TARGET) else { return };
    let Target { seeds, feed, file, memory, .. } = targets::named(&name);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    let seeds = seeds();
    for seed in &seeds {
        fs::write(&path, seed).unwrap();
        assert!(feed(&path), "{name}: a seed is refused, so that mutations of it test little");
    }
    ALLOCATOR.set_limit(ALLOCATOR.allocated() + memory).unwrap();
    let (first, inputs) = (setting(FIRST, 0), setting(INPUTS, 10_000));
    let mut good = 0;
    for number in first..first + inputs {
        let _ = writeln!(std::io::stdout(), "{AT}{number}");
        fs::write(&path, mutation::input(&name, &seeds, number)).unwrap();
        good += u64::from(feed(&path));
    }
    let _ = writeln!(std::io::stderr(), "{good} of {inputs} inputs were read");
}
