//! Records in, tables and plots out: long frames through Polars, leaderboards, curves and pages for people.
//!
//! **Invariant:** rows are ranked against each other only when every column of [`COMPARABLE`]
//! agrees; nothing here knows a tokenizer, an image or how a run was made.

mod compare;
mod contact;
mod error;
mod export;
mod format;
mod frame;
mod gate;
mod history;
mod html;
mod jsonl;
mod leaderboard;
mod long_records;
mod markup;
mod numbers;
mod parquet_file;
mod plot;
mod published;
mod ranked_n;
mod reproduce;
mod row_names;
mod samples;
mod sheet;
mod standing;

#[cfg(test)]
mod fixtures;

pub use compare::{
    CompareFormat, Comparison, Evidence, Limit, Rule, Side, Sides, Slice, Slicing, Verdict, Weight,
    compare, limit_for, write_comparison,
};
pub use contact::{ContactSheet, SampleRank, SheetContent, SheetSample, Thumbnail, extremes};
pub use error::ReportError;
pub use format::{Contents, Format, Style, write_table};
pub use frame::{COMPARABLE, frame};
pub use gate::{
    Baseline, Decision, GateFormat, GateReport, GateRow, HistoryRule, HistoryRules, Status, gate,
    history_rules, update_baseline, write_gate,
};
pub use history::{Measured, Trend, history, write_history};
pub use jsonl::{CutShort, RecordFile, read_records};
pub use leaderboard::{Cell, Column, Leaderboard, Place, Row, Subject, leaderboards};
pub use long_records::read_exported;
pub use plot::{Plot, Point, Series};
pub use polars::frame::DataFrame;
pub use published::{
    PublishedColumn, PublishedMetric, PublishedRow, PublishedSubject, PublishedTable, published,
    published_tables,
};
pub use reproduce::{
    Agreement, Reproduction, Suspect, Target, Tolerance, Trial, write_reproduction,
};
pub use samples::{
    RunSamples, SAMPLES_AT_ONCE, SampleColumns, SampleStream, extend_samples, read_samples,
    write_samples,
};
