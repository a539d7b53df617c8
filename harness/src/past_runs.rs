//! Runs of the past: a folder of them is a database.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use prismbench_core::{Record, unversioned};
use prismbench_reports::{Measured, RecordFile, read_exported, read_records};

use crate::error::Failure;
use crate::provenance::Provenance;
use crate::{Streams, side};

/// Stands for every metric.
pub(crate) const ANY_METRIC: &str = "*";

/// What is kept of runs of the past.
#[derive(Default)]
pub(crate) struct PastRuns {
    /// The records that were asked for.
    pub(crate) measured: Vec<Measured>,
    /// Metrics of run folders, asked for or not, without versions.
    pub(crate) metrics: BTreeSet<String>,
}

/// Reads a run folder's records and says where they are cut short.
pub(crate) fn read(run: &Path, streams: &mut Streams<'_>) -> Result<RecordFile, Failure> {
    let file = read_records(run)?;
    side::check(&file.records)?;
    if let Some(cut_short) = &file.cut_short {
        streams.say(&format!("warning: {cut_short}"));
    }
    Ok(file)
}

/// The records of every run in some folders, each with the time at which its run began, and those of
/// Parquet exports, which have the time of their file. A place that is found twice counts once; so does a value
/// that a run folder has and an export of the same run too. One file is read at a time, and of it only the
/// records of the metric, with or without its version, are kept.
pub(crate) fn measured(
    folders: &[PathBuf],
    metric: &str,
    streams: &mut Streams<'_>,
) -> Result<PastRuns, Failure> {
    let mut seen = HashSet::new();
    let (mut past, mut exports) = (PastRuns::default(), Vec::new());
    for folder in folders {
        for run in runs_in(folder)? {
            let place = run.canonicalize().unwrap_or_else(|_| run.clone());
            if !seen.insert(place) {
                continue;
            }
            if is_export(&run) {
                exports.push(run);
                continue;
            }
            let at = began(&run)?;
            for record in read(&run, streams)?.records {
                let bare = unversioned(&record.metric);
                if !past.metrics.contains(bare) {
                    past.metrics.insert(bare.to_owned());
                }
                if [ANY_METRIC, &record.metric, bare].contains(&metric) {
                    past.measured.push(Measured { at, record });
                }
            }
        }
    }
    let mut known: HashSet<_> = past.measured.iter().map(|point| identity(&point.record)).collect();
    for export in exports {
        let at = began(&export)?;
        let records = read_exported(&export, metric)?;
        side::check(&records)?;
        for record in records {
            if known.insert(identity(&record)) {
                past.measured.push(Measured { at, record });
            }
        }
    }
    Ok(past)
}

fn is_export(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|extension| extension == "parquet")
}

/// What two copies of one record share.
fn identity(record: &Record) -> ([String; 7], Option<u64>) {
    let Record { run, tokenizer, suite, dataset, metric, setting, protocol_sha256, .. } = record;
    let names =
        [run, tokenizer, suite, dataset, metric, setting, protocol_sha256].map(Clone::clone);
    (names, record.outcome.value().map(f64::to_bits))
}

/// A run folder or file itself, or the run folders and Parquet exports in a folder, in the order of
/// their names.
fn runs_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    const RECORDS: &str = "records.jsonl";
    if !folder.is_dir() || folder.join(RECORDS).is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    let failed = |source: io::Error| Failure::Read { path: folder.to_owned(), source };
    let mut runs = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.join(RECORDS).is_file() || is_export(&path) {
            runs.push(path);
        }
    }
    runs.sort();
    if runs.is_empty() { Err(Failure::NoRuns { path: folder.to_owned() }) } else { Ok(runs) }
}

/// When a run began: what `run.json` says, else when its records were last written.
fn began(run: &Path) -> Result<u64, Failure> {
    let folder = if run.is_dir() { run } else { run.parent().unwrap_or(Path::new("")) };
    // What lies beside an export is of a run that it need not be of.
    let text = match is_export(run) {
        true => String::new(),
        false => fs::read_to_string(folder.join("run.json")).unwrap_or_default(),
    };
    if let Ok(provenance) = serde_json::from_str::<Provenance>(&text) {
        return Ok(provenance.started_unix);
    }
    let written = fs::metadata(run).and_then(|file| file.modified());
    let failed = |source: io::Error| Failure::Read { path: run.to_owned(), source };
    let since = written.map_err(failed)?.duration_since(std::time::UNIX_EPOCH);
    Ok(since.map_or(0, |since| since.as_secs()))
}
