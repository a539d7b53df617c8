use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use prismbench_core::Record;
use prismbench_reports::{
    ContactSheet, Contents, Format, Measured, PublishedRow, RecordFile, RunSamples, Style, history,
    published, read_records, read_samples, write_history, write_table,
};

use crate::cli::TableArgs;
use crate::contact_sheets::{Run, Wanted, contact_sheets};
use crate::error::Failure;
use crate::output::{deliver, format};
use crate::provenance::Provenance;
use crate::{Exit, Streams};

/// Samples of each kind that a page shows of a tokenizer.
const PICTURES: u8 = 4;

/// Prints what the records of some runs say.
pub(crate) fn run(args: &TableArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let format: Format = format(&args.format)?;
    check(args, format)?;
    let style = Style { width: streams.width };
    if let Some(metric) = &args.history {
        let measured = measured(&args.runs, streams)?;
        let trends = history(&measured, metric)?;
        deliver(args.out.as_deref(), streams, |out| write_history(&trends, format, style, out))?;
        return Ok(Exit::Done);
    }
    let mut records = Vec::new();
    let mut runs = Vec::new();
    for path in &args.runs {
        let read = read(path, streams)?.records;
        if format == Format::Html {
            runs.push(with_samples(path, read.clone())?);
        }
        records.extend(read);
    }
    let published = match &args.published {
        Some(words) => cited(words)?,
        None => Vec::new(),
    };
    let sheets = sheets(args, &runs)?;
    let samples: Vec<RunSamples> = runs.into_iter().map(|run| run.samples).collect();
    let contents =
        Contents { records: &records, published: &published, samples: &samples, sheets: &sheets };
    deliver(args.out.as_deref(), streams, |out| write_table(contents, format, style, out))?;
    Ok(Exit::Done)
}

/// What only a page has.
fn check(args: &TableArgs, format: Format) -> Result<(), Failure> {
    let flags =
        [("--pictures", args.pictures.is_some()), ("--pictures-by", args.pictures_by.is_some())];
    match flags.into_iter().find(|&(_, given)| given && format != Format::Html) {
        Some((flag, _)) => Err(Failure::PageOnly { flag }),
        None => Ok(()),
    }
}

/// A run with the values of single images that lie beside its records.
fn with_samples(path: &Path, records: Vec<Record>) -> Result<Run, Failure> {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let samples = folder.join("samples.parquet");
    let tables = if samples.is_file() { read_samples(&samples)? } else { Vec::new() };
    let run = records.first().map_or_else(String::new, |record| record.run.clone());
    Ok(Run { folder: folder.to_owned(), records, samples: RunSamples { run, tables } })
}

fn sheets(args: &TableArgs, runs: &[Run]) -> Result<Vec<ContactSheet>, Failure> {
    let count = usize::from(args.pictures.unwrap_or(PICTURES));
    contact_sheets(runs, &Wanted { count, metric: args.pictures_by.as_deref() })
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
