use std::path::Path;

use prismbench_core::Record;
use prismbench_reports::{
    ContactSheet, Contents, Format, PublishedRow, RunSamples, Style, history, published,
    read_samples, write_history, write_table,
};

use crate::cli::TableArgs;
use crate::contact_sheets::{Run, Wanted, contact_sheets};
use crate::error::Failure;
use crate::output::{deliver, format};
use crate::past_runs::{measured, read};
use crate::{Exit, Streams};

/// Samples of each kind that a page shows of a tokenizer.
const PICTURES: u8 = 4;

/// Prints what the records of some runs say.
pub(crate) fn run(args: &TableArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let format: Format = format(&args.format)?;
    check(args, format)?;
    let style = Style { width: streams.width };
    if let Some(metric) = &args.history {
        let past = measured(&args.runs, metric, streams)?;
        let trends = history(&past.measured, metric, past.metrics)?;
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

fn cited(words: &str) -> Result<Vec<PublishedRow>, Failure> {
    let mut rows = published()?;
    rows.retain(|row| row.matches(words));
    match rows.is_empty() {
        true => Err(Failure::NothingPublished { words: words.to_owned() }),
        false => Ok(rows),
    }
}
