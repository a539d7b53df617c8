use prismbench_reports::{
    Contents, Format, PublishedRow, Style, history, published, write_history, write_table,
};

use crate::cli::TableArgs;
use crate::error::Failure;
use crate::output::{deliver, format};
use crate::past_runs::{measured, read};
use crate::{Exit, Streams};

/// Prints what the records of some runs say.
pub(crate) fn run(args: &TableArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let format: Format = format(&args.format)?;
    let style = Style { width: streams.width };
    if let Some(metric) = &args.history {
        let measured = measured(&args.runs, metric, streams)?;
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

fn cited(words: &str) -> Result<Vec<PublishedRow>, Failure> {
    let mut rows = published()?;
    rows.retain(|row| row.matches(words));
    match rows.is_empty() {
        true => Err(Failure::NothingPublished { words: words.to_owned() }),
        false => Ok(rows),
    }
}
