use std::fs::File;
use std::io::Write;
use std::path::Path;

use prismbench_core::{Choice, nearest};
use prismbench_reports::{Format, Style, read_records, write_table};

use crate::cli::TableArgs;
use crate::error::Failure;
use crate::{Exit, Streams};

/// Prints what the records of some runs say.
pub(crate) fn run(args: &TableArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let format: Format = args.format.parse().map_err(|_| {
        let known = Format::ALL.iter().map(|format| format.id());
        let nearest = nearest(&args.format, known).map(str::to_owned);
        Failure::Unknown { what: "table format", found: args.format.clone(), nearest }
    })?;
    let mut records = Vec::new();
    for run in &args.runs {
        let file = read_records(run)?;
        if let Some(cut_short) = file.cut_short {
            streams.say(&format!("warning: {cut_short}"));
        }
        records.extend(file.records);
    }
    let style = Style { width: streams.width };
    match &args.out {
        None => write_table(&records, format, style, streams.out)?,
        Some(path) => {
            let mut table = Vec::new();
            write_table(&records, format, style, &mut table)?;
            write_new(path, &table)?;
        }
    }
    Ok(Exit::Done)
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => {
            prismbench_reports::ReportError::Exists { path: path.to_owned() }.into()
        }
        _ => Failure::Write { path: path.to_owned(), source },
    };
    let mut file = File::create_new(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| {
        // Made by this call a moment ago, and not whole.
        let _ = std::fs::remove_file(path);
        failed(error)
    })
}
