//! Records in, tables and plots out: long frames through Polars, leaderboards and curves for people.
//!
//! **Invariant:** rows are ranked against each other only when every column of [`COMPARABLE`]
//! agrees; nothing here knows a tokenizer, an image or how a run was made.

mod error;
mod export;
mod format;
mod frame;
mod jsonl;
mod leaderboard;
mod markup;
mod numbers;
mod plot;
mod ranked_n;
mod row_names;
mod samples;
mod sheet;
mod standing;

#[cfg(test)]
mod fixtures;

pub use error::ReportError;
pub use format::{Format, Style, write_table};
pub use frame::{COMPARABLE, frame};
pub use jsonl::{CutShort, RecordFile, read_records};
pub use leaderboard::{Cell, Column, Leaderboard, Row, Subject, leaderboards};
pub use plot::{Plot, Point, Series};
pub use polars::frame::DataFrame;
pub use samples::{SampleColumns, read_samples, write_samples};
