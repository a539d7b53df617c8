//! The stages of a run as a Chrome trace: who did what, and when.

mod recorder;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::MutexGuard;

use prismbench_reports::ReportError;
use prismbench_suites::Stage;
use serde_json::json;

use crate::error::Failure;
use crate::run_folder::{beside, replace};
use recorder::{Recorder, Span};

/// Stages are recorded while this lives; one at a time in a process.
pub(crate) struct Profile {
    path: PathBuf,
    _only: MutexGuard<'static, ()>,
}

/// How every trace of ours begins.
const HEAD: &[u8] = b"{\"displayTimeUnit\":\"ms\"";

/// How much of a run a stage took.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Share {
    /// Part of the time in which at least one thread was in it.
    busy: f64,
    /// Seconds of all threads together.
    seconds: f64,
}

impl Profile {
    /// Begins a recording that is to go to a file. An earlier trace may lie there, and nothing else.
    ///
    /// # Errors
    /// [`ReportError::Exists`] where a file lies there that is no trace, [`Failure::Write`] where none can be made.
    pub(crate) fn start(path: &Path) -> Result<Self, Failure> {
        let is_trace = |mut file: File| {
            let mut head = [0; HEAD.len()];
            file.read_exact(&mut head).is_ok() && head == *HEAD
        };
        let path = path.to_owned();
        if File::open(&path).is_ok_and(|file| !is_trace(file)) {
            return Err(ReportError::Exists { path }.into());
        }
        // Said before anything is measured, and not when all is.
        beside(&path).map_err(|source| Failure::Write { path: path.clone(), source })?;
        Ok(Self { path, _only: Recorder::start() })
    }

    /// Writes what was recorded in the Trace Event Format, which Perfetto and Chrome open, and gives a
    /// line for each stage.
    ///
    /// # Errors
    /// [`Failure::Write`] when the file cannot be written.
    pub(crate) fn finish(self) -> Result<Vec<String>, Failure> {
        let (spans, length) = Recorder::stop();
        let text = events(&spans).to_string();
        replace(&self.path, text.as_bytes())
            .map_err(|source| Failure::Write { path: self.path, source })?;
        Ok(summary(&shares(&spans, length), length))
    }
}

fn events(spans: &[Span]) -> serde_json::Value {
    let events: Vec<serde_json::Value> = spans
        .iter()
        .map(|span| {
            json!({
                "name": span.stage.name(),
                "cat": "stage",
                "ph": "X",
                "ts": 1e6 * span.start,
                "dur": 1e6 * (span.end - span.start),
                "pid": 1,
                "tid": span.thread,
            })
        })
        .collect();
    json!({ "displayTimeUnit": "ms", "traceEvents": events })
}

/// By the place of the stage in [`Stage::ALL`].
fn shares(spans: &[Span], length: f64) -> BTreeMap<usize, Share> {
    let mut shares = BTreeMap::new();
    for (place, stage) in Stage::ALL.into_iter().enumerate() {
        let mut times: Vec<(f64, f64)> = spans
            .iter()
            .filter(|span| span.stage == stage)
            .map(|span| (span.start, span.end))
            .collect();
        if times.is_empty() {
            continue;
        }
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        let seconds = times.iter().map(|(start, end)| end - start).sum();
        let (mut covered, mut until) = (0.0, f64::NEG_INFINITY);
        for (start, end) in times {
            covered += (end - until.max(start)).max(0.0);
            until = until.max(end);
        }
        let busy = if length > 0.0 { (covered / length).min(1.0) } else { 0.0 };
        shares.insert(place, Share { busy, seconds });
    }
    shares
}

fn summary(shares: &BTreeMap<usize, Share>, length: f64) -> Vec<String> {
    let mut lines = vec![format!("profile of {length:.2} s")];
    lines.extend(shares.iter().map(|(&place, Share { busy, seconds })| {
        let name = Stage::ALL[place].name();
        format!("  {name:14}  busy {:5.1} %  {seconds:8.2} s on all threads", 100.0 * busy)
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(stage: Stage, thread: u64, start: f64, end: f64) -> Span {
        Span { stage, thread, start, end }
    }

    #[test]
    fn a_stage_is_busy_while_any_thread_is_in_it() {
        let spans = [
            span(Stage::Crop, 0, 0.0, 2.0),
            span(Stage::Crop, 1, 1.0, 3.0),
            span(Stage::Crop, 0, 5.0, 6.0),
            span(Stage::Crop, 1, 5.2, 5.4),
            span(Stage::Write, 0, 9.0, 10.0),
        ];
        let shares = shares(&spans, 10.0);
        let of = |stage: Stage| {
            let place = Stage::ALL.iter().position(|&other| other == stage).unwrap();
            shares.get(&place).map(|share| (share.busy, share.seconds))
        };
        let (busy, seconds) = of(Stage::Crop).unwrap();
        assert!((busy - 0.4).abs() < 1e-12 && (seconds - 5.2).abs() < 1e-12, "{busy} {seconds}");
        let (busy, seconds) = of(Stage::Write).unwrap();
        assert!((busy - 0.1).abs() < 1e-12 && (seconds - 1.0).abs() < 1e-12);
        assert_eq!(of(Stage::Encode), None);
    }

    #[test]
    fn what_is_recorded_is_on_its_thread_with_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.json");
        let profile = Profile::start(&path).unwrap();
        drop(Stage::Encode.enter());
        std::thread::spawn(|| {
            let _outer = Stage::Metric.enter();
            drop(Stage::Write.enter());
        })
        .join()
        .unwrap();
        let lines = profile.finish().unwrap();
        // Not recorded any more.
        drop(Stage::Crop.enter());
        let trace: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        // Other tests of this process may have stages at the same time.
        let find = |name: &str| events.iter().find(|event| event["name"] == name).unwrap();
        let number = |name: &str, field: &str| find(name)[field].as_f64().unwrap();
        assert!(number("metric", "ts") <= number("write", "ts"));
        assert!(number("metric", "dur") >= number("write", "dur"));
        assert_eq!(find("metric")["tid"], find("write")["tid"]);
        assert_ne!(find("metric")["tid"], find("encode")["tid"]);
        assert!(events.iter().all(|event| event["ph"] == "X"));
        assert!(lines.iter().any(|line| line.contains("encode")), "{lines:?}");
    }
}
