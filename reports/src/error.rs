use std::io;
use std::path::PathBuf;

use polars::error::PolarsError;

/// Why records could not be read or a table not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A file that should be there is not.
    #[error("no file `{}`; {remedy}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What to give instead.
        remedy: &'static str,
    },
    /// A file is there and cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A line is no record.
    #[error("`{}`, line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong, and what to do about it where that is not plain.
        reason: String,
    },
    /// A file holds no whole record: nothing was measured, or it was cut off before the first.
    #[error("`{}` holds no record", path.display())]
    NoRecords {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing to make a table of.
    #[error("no records, so there is no table; give a run folder that holds some")]
    Empty,
    /// No run has a value of the metric whose history was asked for.
    #[error("no run has a value of `{metric}`{}", known_metrics(.known))]
    NoHistory {
        /// The metric.
        metric: String,
        /// Metrics that they have.
        known: Vec<String>,
    },
    /// There is nothing to draw.
    #[error(
        "no curves among the records; the suites retrieval and spectrum and the recipe probe/knn have some"
    )]
    NoCurves,
    /// A row of the embedded published numbers is none: a mistake in this build.
    #[error("published.csv, line {row}: {reason}")]
    Published {
        /// The line, counted from 1.
        row: u64,
        /// What is wrong.
        reason: String,
    },
    /// A record contradicts itself.
    #[error("record {index} (`{tokenizer}`, {metric}): {reason}")]
    Record {
        /// Position among the records, counted from 0.
        index: usize,
        /// The record's tokenizer.
        tokenizer: String,
        /// The record's metric.
        metric: String,
        /// What is wrong.
        reason: String,
    },
    /// Per-image values contradict themselves.
    #[error("per-image values of `{tokenizer}` on `{dataset}`: {reason}")]
    Samples {
        /// Their tokenizer.
        tokenizer: String,
        /// Their data set.
        dataset: String,
        /// What is wrong.
        reason: String,
    },
    /// A file is not a table of per-image values.
    #[error("`{}` is no table of per-image values: {reason}", path.display())]
    NotSamples {
        /// The file.
        path: PathBuf,
        /// The column that is missing or holds something else.
        reason: String,
    },
    /// One run has two records of one thing, so that nobody knows which to compare.
    #[error("run `{run}` has two records of {metric} of `{tokenizer}` under one protocol")]
    Twice {
        /// The run.
        run: String,
        /// The tokenizer.
        tokenizer: String,
        /// The metric.
        metric: String,
    },
    /// A file is not a baseline.
    #[error("`{}` is no baseline: {reason}", path.display())]
    NotBaseline {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A baseline is of a later version of this program.
    #[error(
        "`{}` is a baseline of format {found}, this program knows {known}; use a newer prismbench", path.display()
    )]
    NewerBaseline {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The latest that is known.
        known: i64,
    },
    /// A run cannot be a baseline.
    #[error(
        "{metric} of `{tokenizer}` failed in this run; a baseline of it would hold nothing to that"
    )]
    Unfit {
        /// The tokenizer.
        tokenizer: String,
        /// The metric.
        metric: String,
    },
    /// The target is there already; nothing is overwritten.
    #[error("`{}` exists already and is kept; write to another folder", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The table cannot be written to where it was asked for.
    #[error("cannot write the table")]
    Output(#[source] io::Error),
    /// A curve contradicts itself.
    #[error("draw the curve `{series}`: {reason}")]
    Plot {
        /// Its name.
        series: String,
        /// What is wrong.
        reason: String,
    },
    /// The drawing library refused a step.
    #[error("cannot draw the plot")]
    Draw(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The table library refused a step.
    #[error("cannot {step}")]
    Frame {
        /// What was being done: `write CSV`.
        step: &'static str,
        /// The library's own words.
        #[source]
        cause: PolarsError,
    },
}

impl ReportError {
    /// Names the step that the table library refused.
    pub(crate) fn frame(step: &'static str) -> impl FnOnce(PolarsError) -> Self {
        move |cause| Self::Frame { step, cause }
    }
}

fn known_metrics(known: &[String]) -> String {
    match known {
        [] => String::new(),
        known => format!("; they have {}", known.join(", ")),
    }
}
