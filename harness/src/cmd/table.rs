use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use prismbench_reports::{
    Contents, Format, Measured, PublishedRow, RecordFile, Style, history, published, read_records,
    write_history, write_table,
};

use crate::cli::TableArgs;
use crate::error::Failure;
use crate::output::{deliver, format};
use crate::provenance::Provenance;
use crate::{Exit, Streams};

/// Prints what the records of some runs say.
pub(crate) fn run(args: &TableArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let format: Format = format(&args.format)?;
    let style = Style { width: streams.width };
    if let Some(metric) = &args.history {
        let measured = measured(&args.runs, streams)?;
        let trends = history(&measured, metric)?;
        deliver(args.out.as_deref(), streams, |out| write_history(&trends, format, style, out))?;
        return Ok(Exit::Done);
    }
    let mut records = Vec::new();
    for run in &args.runs {
        records.extend(read(run, streams)?.records);
    }
    let published = match &args.published {
        Some(words) => cited(words)?,
        None => Vec::new(),
    };
    let contents = Contents { records: &records, published: &published };
    deliver(args.out.as_deref(), streams, |out| write_table(contents, format, style, out))?;
    Ok(Exit::Done)
}

fn read(run: &Path, streams: &mut Streams<'_>) -> Result<RecordFile, Failure> {
    let file = read_records(run)?;
    if let Some(cut_short) = &file.cut_short {
        streams.say(&format!("warning: {cut_short}"));
    }
    Ok(file)
}

fn cited(words: &str) -> Result<Vec<PublishedRow>, Failure> {
    let mut rows = published()?;
    rows.retain(|row| row.matches(words));
    match rows.is_empty() {
        true => Err(Failure::NothingPublished { words: words.to_owned() }),
        false => Ok(rows),
    }
}

/// The records of every run in some folders, each with the time at which its run began. A folder that is
/// found twice counts once.
fn measured(folders: &[PathBuf], streams: &mut Streams<'_>) -> Result<Vec<Measured>, Failure> {
    let mut seen = HashSet::new();
    let mut measured = Vec::new();
    for folder in folders {
        for run in runs_in(folder)? {
            let place = run.canonicalize().unwrap_or_else(|_| run.clone());
            if !seen.insert(place) {
                continue;
            }
            let at = began(&run)?;
            let records = read(&run, streams)?.records;
            measured.extend(records.into_iter().map(|record| Measured { at, record }));
        }
    }
    Ok(measured)
}

/// A run folder or file itself, or the run folders in a folder, in the order of their names.
fn runs_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    const RECORDS: &str = "records.jsonl";
    if !folder.is_dir() || folder.join(RECORDS).is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    let failed = |source: io::Error| Failure::Read { path: folder.to_owned(), source };
    let mut runs = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.join(RECORDS).is_file() {
            runs.push(path);
        }
    }
    runs.sort();
    if runs.is_empty() { Err(Failure::NoRuns { path: folder.to_owned() }) } else { Ok(runs) }
}

/// When a run began: what `run.json` says, else when its records were last written.
fn began(run: &Path) -> Result<u64, Failure> {
    let folder = if run.is_dir() { run } else { run.parent().unwrap_or(Path::new("")) };
    let text = fs::read_to_string(folder.join("run.json")).unwrap_or_default();
    if let Ok(provenance) = serde_json::from_str::<Provenance>(&text) {
        return Ok(provenance.started_unix);
    }
    let written = fs::metadata(run).and_then(|file| file.modified());
    let failed = |source: io::Error| Failure::Read { path: run.to_owned(), source };
    let since = written.map_err(failed)?.duration_since(std::time::UNIX_EPOCH);
    Ok(since.map_or(0, |since| since.as_secs()))
}
