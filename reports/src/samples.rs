mod groups;
mod pieces;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::Path;

use polars::prelude::DataType;

use crate::ReportError;
use pieces::Pieces;
use writer::SampleWriter;
pub(crate) use writer::temporary;

/// What tells the tables of one file apart.
const KEYS: [&str; 4] = ["tokenizer", "dataset", "protocol", "protocol_sha256"];
/// The columns before those of the metrics, with their types.
const FIXED: [(&str, DataType); 7] = [
    (KEYS[0], DataType::String),
    (KEYS[1], DataType::String),
    (KEYS[2], DataType::String),
    (KEYS[3], DataType::String),
    ("index", DataType::UInt64),
    ("id", DataType::String),
    ("label", DataType::UInt32),
];

/// The columns of the size before the crop, which files of earlier versions have not.
const SIZE: [&str; 2] = ["width", "height"];

/// Samples in a row group, and in memory at once.
pub const SAMPLES_AT_ONCE: usize = 8_192;

/// Per-image values of one tokenizer under one protocol on one data set.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleColumns {
    /// Tokenizer reference, as in the records.
    pub tokenizer: String,
    /// Data set, as in the records.
    pub dataset: String,
    /// Name of the protocol.
    pub protocol: String,
    /// sha256 of the protocol.
    pub protocol_sha256: String,
    /// Positions of the samples in the data set.
    pub indices: Vec<u64>,
    /// Ids of the samples, as many as indices.
    pub ids: Vec<String>,
    /// Class of each sample, where the data set has classes; as many as indices.
    pub labels: Vec<Option<u32>>,
    /// Columns and rows of each picture before the crop; empty where nothing is known of any, else as many
    /// as indices.
    pub sizes: Vec<Option<(u32, u32)>>,
    /// Metric with its version, and a value per sample. A single image's PSNR may be infinite.
    pub metrics: Vec<(String, Vec<f64>)>,
}

/// The per-image values of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSamples {
    /// Id of the run, as in its records.
    pub run: String,
    /// A table for each tokenizer, data set and protocol.
    pub tables: Vec<SampleColumns>,
}

/// Per-image values that are not in memory all at once.
pub struct SampleStream<'a> {
    /// Metrics of which there are values, in the order of their columns.
    pub metrics: Vec<String>,
    /// The values, some samples at a time. Adjacent pieces of equal keys are one table.
    pub pieces: Box<dyn Iterator<Item = io::Result<SampleColumns>> + 'a>,
}

/// Writes `samples.parquet`: a row per tokenizer, data set, protocol and sample, a column per
/// metric, null where a tokenizer has none.
///
/// The file appears whole or not at all, and never in the place of another.
///
/// # Errors
/// [`ReportError::Samples`] for columns of unequal length, a metric given twice or under the name
/// of another column, or NaN; [`ReportError::Exists`]; [`ReportError::Write`].
pub fn write_samples(path: &Path, tables: &[SampleColumns]) -> Result<(), ReportError> {
    tables.iter().try_for_each(writer::check)?;
    let mut writer = SampleWriter::create(path, &metrics_of(tables))?;
    for table in tables {
        writer.push(table.clone())?;
    }
    writer.finish()
}

/// The same of those tables of the file `earlier` that are to be kept and then of `more`, with no more in
/// memory than some thousand samples.
///
/// # Errors
/// Those of [`write_samples`] and of [`read_samples`].
pub fn extend_samples(
    path: &Path,
    earlier: Option<&Path>,
    keep: impl Fn(&SampleColumns) -> bool,
    more: Vec<SampleStream<'_>>,
) -> Result<(), ReportError> {
    let mut metrics = Vec::new();
    if let Some(earlier) = earlier {
        for piece in Pieces::open(earlier)? {
            let kept: Vec<SampleColumns> = piece?.into_iter().filter(&keep).collect();
            add_new(&mut metrics, &metrics_of(&kept));
        }
    }
    more.iter().for_each(|stream| add_new(&mut metrics, &stream.metrics));
    let mut writer = SampleWriter::create(path, &metrics)?;
    if let Some(earlier) = earlier {
        for piece in Pieces::open(earlier)? {
            piece?.into_iter().filter(&keep).try_for_each(|table| writer.push(table))?;
        }
    }
    for piece in more.into_iter().flat_map(|stream| stream.pieces) {
        writer.push(piece.map_err(|cause| ReportError::Write { path: path.to_owned(), cause })?)?;
    }
    writer.finish()
}

/// Reads what [`write_samples`] wrote; adjacent rows of equal keys make one table.
///
/// # Errors
/// [`ReportError::Missing`] or [`ReportError::Read`] for a file that cannot be opened;
/// [`ReportError::NotSamples`] for one that holds something else.
pub fn read_samples(path: &Path) -> Result<Vec<SampleColumns>, ReportError> {
    Pieces::open(path)?.whole()
}

/// Metrics of some tables, in the order in which they come.
fn metrics_of(tables: &[SampleColumns]) -> Vec<String> {
    let mut metrics = Vec::new();
    for (name, _) in tables.iter().flat_map(|table| &table.metrics) {
        add_new(&mut metrics, std::slice::from_ref(name));
    }
    metrics
}

fn add_new(known: &mut Vec<String>, more: &[String]) {
    for name in more {
        if !known.contains(name) {
            known.push(name.clone());
        }
    }
}
