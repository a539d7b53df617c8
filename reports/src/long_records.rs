//! Records out of long frames: what `table --format parquet` wrote.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use polars::prelude::{Column, DataFrame};
use prismbench_core::{Outcome, Record};

use crate::ReportError;
use crate::frame::check;
use crate::parquet_file::ParquetFile;

/// Reads the measured records of a Parquet export whose metric, with or without version, is this one, or any
/// for `*`; published rows among them are passed over.
///
/// Only the column `metric` is read first, some rows at a time, and then the other columns of the rows from the
/// first to the last with that metric, of as many at a time: a history of many files touches the bytes that
/// it needs, and its memory grows with neither.
///
/// # Errors
/// [`ReportError::Missing`], [`ReportError::Read`], or [`ReportError::NotRecords`] for a file that holds
/// something else.
pub fn read_exported(path: &Path, metric: &str) -> Result<Vec<Record>, ReportError> {
    let refused = |reason: String| ReportError::NotRecords { path: path.to_owned(), reason };
    let open = || {
        File::open(path).map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => ReportError::Missing {
                path: path.to_owned(),
                remedy: "`prismbench table RUN --format parquet --out FILE` writes such a file",
            },
            _ => ReportError::Read { path: path.to_owned(), cause },
        })
    };
    let metrics = ParquetFile::open(open()?, Some(&["metric"])).map_err(refused)?;
    let pieces = wanted_rows(&metrics, metric).map_err(refused)?;
    if pieces.is_empty() {
        return Ok(Vec::new());
    }
    let file = ParquetFile::open(open()?, Some(&COLUMNS)).map_err(refused)?;
    let mut records = Vec::new();
    for rows in pieces {
        let some = records_of(&file.read(rows).map_err(refused)?).map_err(refused)?;
        let some = some.into_iter().filter(|record| is_of(&record.metric, metric));
        records.extend(some.filter(|record| record.source == "measured"));
    }
    for record in &records {
        check(record).map_err(|reason| {
            refused(format!("{} of `{}`: {reason}", record.metric, record.tokenizer))
        })?;
    }
    Ok(records)
}

/// Rows that are read at a time.
const ROWS: usize = 65_536;

fn is_of(found: &str, metric: &str) -> bool {
    metric == "*" || found == metric || found.split('@').next() == Some(metric)
}

/// Ranges of at most [`ROWS`] rows, each of which begins and ends with a row of a metric, that hold all of them.
fn wanted_rows(metrics: &ParquetFile, metric: &str) -> Result<Vec<Range<usize>>, String> {
    let mut pieces = Vec::new();
    // Of a file without rows, too, the column must be there.
    for first in (0..metrics.rows().max(1)).step_by(ROWS) {
        let frame = metrics.read(first..metrics.rows().min(first + ROWS))?;
        let names = Text::of(&frame, "metric")?;
        let mut of_metric = (0..names.0.len()).filter(|&at| is_of(names.get(at), metric));
        if let Some(start) = of_metric.next() {
            let last = of_metric.next_back().unwrap_or(start);
            pieces.push(first + start..first + last + 1);
        }
    }
    Ok(pieces)
}

/// The columns of the long frame that make a record, but for the latent.
const COLUMNS: [&str; 28] = [
    "run",
    "tokenizer",
    "variant",
    "suite",
    "dataset",
    "split",
    "resolution",
    "n",
    "metric",
    "dialect",
    "setting",
    "outcome",
    "value",
    "low",
    "high",
    "infinite",
    "finite_mean",
    "note",
    "unit",
    "better",
    "protocol",
    "protocol_sha256",
    "weights_sha256",
    "reference_sha256",
    "device",
    "dtype",
    "source",
    "tool_version",
];

/// A column of texts.
struct Text<'f>(&'f polars::prelude::StringChunked);

impl<'f> Text<'f> {
    fn of(frame: &'f DataFrame, name: &str) -> Result<Self, String> {
        let column = column(frame, name)?;
        column.str().map(Self).map_err(|_| format!("its column `{name}` is no text"))
    }

    fn get(&self, at: usize) -> &'f str {
        self.0.get(at).unwrap_or_default()
    }
}

fn column<'f>(frame: &'f DataFrame, name: &str) -> Result<&'f Column, String> {
    frame.column(name).map_err(|_| format!("it has no column `{name}`"))
}

/// Columns of plain text, in the order in which [`records_of`] takes them.
const TEXTS: [&str; 18] = [
    "run",
    "tokenizer",
    "variant",
    "suite",
    "dataset",
    "split",
    "resolution",
    "metric",
    "dialect",
    "setting",
    "protocol",
    "protocol_sha256",
    "weights_sha256",
    "reference_sha256",
    "device",
    "dtype",
    "source",
    "tool_version",
];

/// The records of a long frame; the error is for the user. Warnings come back as one, and what only
/// [`COLUMNS`] leaves out is empty.
pub(crate) fn records_of(frame: &DataFrame) -> Result<Vec<Record>, String> {
    let text = |name: &str| Text::of(frame, name);
    let texts = TEXTS.iter().map(|name| text(name)).collect::<Result<Vec<_>, _>>()?;
    let (unit, better) = (text("unit")?, text("better")?);
    let outcomes = Outcomes::of(frame)?;
    let n = column(frame, "n")?.u64().map_err(|_| "its column `n` is no count".to_owned())?;
    let word = |text: &str| serde_json::Value::from(text);
    let record = |at: usize| -> Result<Record, String> {
        let of = |column: usize| texts[column].get(at).to_owned();
        let known = |what: &str, found: &str| format!("there is no {what} `{found}`");
        let (outcome, warnings) = outcomes.get(at)?;
        Ok(Record {
            run: of(0),
            tokenizer: of(1),
            variant: of(2),
            latent: String::new(),
            suite: of(3),
            dataset: of(4),
            split: of(5),
            resolution: of(6),
            n: n.get(at).unwrap_or_default(),
            metric: of(7),
            dialect: of(8),
            setting: of(9),
            outcome,
            warnings,
            replicates: Vec::new(),
            unit: serde_json::from_value(word(unit.get(at)))
                .map_err(|_| known("unit", unit.get(at)))?,
            better: serde_json::from_value(word(better.get(at)))
                .map_err(|_| known("direction", better.get(at)))?,
            protocol: of(10),
            protocol_sha256: of(11),
            weights_sha256: of(12),
            reference_sha256: of(13),
            device: of(14),
            dtype: of(15),
            seconds: 0.0,
            source: of(16),
            tool_version: of(17),
        })
    };
    (0..frame.height()).map(record).collect()
}

/// The columns that an outcome takes.
struct Outcomes<'f> {
    word: Text<'f>,
    note: Text<'f>,
    numbers: [&'f polars::prelude::Float64Chunked; 4],
    infinite: &'f polars::prelude::UInt64Chunked,
}

impl<'f> Outcomes<'f> {
    fn of(frame: &'f DataFrame) -> Result<Self, String> {
        let number = |name: &str| {
            let column = column(frame, name)?;
            column.f64().map_err(|_| format!("its column `{name}` is no number"))
        };
        Ok(Self {
            word: Text::of(frame, "outcome")?,
            note: Text::of(frame, "note")?,
            numbers: [number("value")?, number("low")?, number("high")?, number("finite_mean")?],
            infinite: column(frame, "infinite")?
                .u64()
                .map_err(|_| "its column `infinite` is no count".to_owned())?,
        })
    }

    /// The outcome of a row, and its warnings.
    fn get(&self, at: usize) -> Result<(Outcome, Vec<String>), String> {
        let [value, low, high, finite_mean] = self.numbers.map(|numbers| numbers.get(at));
        let note = self.note.get(at).to_owned();
        let outcome = match (self.word.get(at), value, self.infinite.get(at)) {
            ("ok", Some(value), _) => {
                let warnings = if note.is_empty() { Vec::new() } else { vec![note] };
                return Ok((Outcome::Ok { value, low, high }, warnings));
            }
            ("infinite", _, Some(infinite)) => Outcome::Infinite { infinite, finite_mean },
            ("skipped", ..) => Outcome::Skipped { reason: note },
            ("failed", ..) => Outcome::Failed { reason: note },
            (word, ..) => {
                return Err(format!("row {at} has the outcome `{word}` without its value"));
            }
        };
        Ok((outcome, Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{export, fixtures, frame};

    fn exported(records: &[Record]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.parquet");
        let bytes = export::parquet(&mut frame(records).unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    #[test]
    fn records_come_back_from_an_export_with_every_outcome() {
        let records = fixtures::everything();
        let (_folder, path) = exported(&records);
        for metric in ["psnr", "psnr@1", "ms-ssim", "bpp"] {
            let found = read_exported(&path, metric).unwrap();
            let bare =
                |record: &&Record| record.metric.split('@').next() == metric.split('@').next();
            let mut expected: Vec<Record> = records.iter().filter(bare).cloned().collect();
            for record in &mut expected {
                record.latent.clear();
                record.seconds = 0.0;
            }
            assert!(!expected.is_empty());
            assert_eq!(found, expected, "{metric}");
        }
        assert_eq!(read_exported(&path, "rfid").unwrap(), []);
    }

    /// More rows than are read at a time; the metric begins in one piece, ends in another, and is not in every one.
    #[test]
    fn rows_are_read_in_pieces_from_the_first_to_the_last_of_a_metric() {
        let one = fixtures::everything().into_iter().find(|r| r.metric == "psnr@1").unwrap();
        let at = |row: usize| match row {
            1 | 65_535 | 65_536 | 70_000 | 200_000 => "psnr@1",
            _ => "ssim@1",
        };
        let records: Vec<Record> = (0..200_100)
            .map(|row| Record {
                metric: at(row).to_owned(),
                setting: row.to_string(),
                ..one.clone()
            })
            .collect();
        let (_folder, path) = exported(&records);
        let metrics = ParquetFile::open(File::open(&path).unwrap(), Some(&["metric"])).unwrap();
        let pieces = wanted_rows(&metrics, "psnr").unwrap();
        assert_eq!(pieces, [1..65_536, 65_536..70_001, 200_000..200_001]);
        let found = read_exported(&path, "psnr").unwrap();
        let rows: Vec<&str> = found.iter().map(|record| record.setting.as_str()).collect();
        assert_eq!(rows, ["1", "65535", "65536", "70000", "200000"]);
        assert!(wanted_rows(&metrics, "rfid").unwrap().is_empty());
        assert_eq!(read_exported(&path, "*").unwrap().len(), 200_100);
    }

    #[test]
    fn published_rows_of_an_export_are_no_measurements() {
        let mut records = fixtures::everything();
        for record in records.iter_mut().filter(|record| record.tokenizer != "taef2") {
            record.source = "arXiv".to_owned();
        }
        let (_folder, path) = exported(&records);
        let found = read_exported(&path, "psnr").unwrap();
        let tokenizers: Vec<_> = found.iter().map(|record| record.tokenizer.as_str()).collect();
        assert_eq!(tokenizers, ["taef2", "taef2"], "under two protocols");
    }

    #[test]
    fn foreign_and_corrupt_files_are_named_with_what_is_wrong() {
        let (folder, path) = exported(&fixtures::everything());
        let whole = std::fs::read(&path).unwrap();
        let refused = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read_exported(&path, "psnr").unwrap_err().to_string()
        };
        assert!(refused(&whole[..whole.len() / 2]).contains("is no table of records"));
        assert!(refused(b"PAR1 and something else PAR1").contains("is no table of records"));
        let samples = folder.path().join("samples.parquet");
        crate::write_samples(&samples, &[]).unwrap();
        let error = read_exported(&samples, "psnr").unwrap_err().to_string();
        assert!(error.contains("`metric`") || error.contains("metric"), "{error}");
        let missing = read_exported(&folder.path().join("none.parquet"), "psnr").unwrap_err();
        assert!(matches!(missing, ReportError::Missing { .. }));
        let mut frame = frame(&fixtures::everything()).unwrap();
        frame.with_column(Column::new("unit".into(), vec!["furlong"; frame.height()])).unwrap();
        let bytes = export::parquet(&mut frame).unwrap();
        assert!(refused(&bytes).contains("no unit `furlong`"));
    }
}
