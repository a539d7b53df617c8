//! Parquet files as frames.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use polars::prelude::{DataFrame, ParquetReader, SerReader};

/// Reads these columns of a file, or all; the error says what is wrong with it.
///
/// The reader panics at some damaged files, which are then as wrong as any other.
pub(crate) fn read(file: File, columns: Option<&[&str]>) -> Result<DataFrame, String> {
    let columns = columns.map(|names| names.iter().map(|&name| name.to_owned()).collect());
    let read = || ParquetReader::new(file).with_columns(columns).finish();
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(frame) => frame.map_err(|cause| cause.to_string()),
        Err(_) => Err("it is damaged".to_owned()),
    }
}
