//! Parquet files as frames.

use std::error::Error;
use std::fs::File;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use polars::prelude::{DataFrame, ParquetReader, SerReader};
use prismbench_pages::{check_file, check_widths};

/// A file whose pages claim nothing that cannot be.
///
/// The reader still panics at some damaged files, which are then as wrong as any other.
pub(crate) struct ParquetFile {
    file: File,
    /// Those that are read.
    columns: Option<Vec<String>>,
    rows: usize,
}

/// Reads these columns of a file, or all; the error says what is wrong with it.
pub(crate) fn read(file: File, columns: Option<&[&str]>) -> Result<DataFrame, String> {
    let file = ParquetFile::open(file, columns)?;
    file.read(0..file.rows)
}

impl ParquetFile {
    /// For these columns, or all; the error says what is wrong with it.
    pub(crate) fn open(file: File, columns: Option<&[&str]>) -> Result<Self, String> {
        caught(|| {
            let mut pages = file.try_clone().map_err(|cause| chain(&cause))?;
            let shared = file.try_clone().map_err(|cause| chain(&cause))?;
            let mut reader = ParquetReader::new(shared);
            let footer = reader.get_metadata().map_err(|cause| cause.to_string())?.clone();
            let wanted = |name: &str| columns.is_none_or(|names| names.contains(&name));
            let schema = reader.schema().map_err(|cause| cause.to_string())?;
            check_widths(&schema, wanted).map_err(|cause| chain(&cause))?;
            check_file(&mut pages, &footer, wanted).map_err(|cause| chain(&cause))?;
            Ok(footer.row_groups.iter().map(|group| group.num_rows()).sum())
        })
        .map(|rows| {
            let columns = columns.map(|names| names.iter().map(|&name| name.to_owned()).collect());
            Self { file, columns, rows }
        })
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Some of its rows.
    pub(crate) fn read(&self, rows: Range<usize>) -> Result<DataFrame, String> {
        caught(|| {
            let file = self.file.try_clone().map_err(|cause| chain(&cause))?;
            let slice =
                (rows.start < rows.end || self.rows > 0).then_some((rows.start, rows.len()));
            let reader = ParquetReader::new(file).with_columns(self.columns.clone());
            let frame = reader.with_slice(slice).finish().map_err(|cause| cause.to_string())?;
            // Polars puts columns side by side without counting them.
            match frame.columns().iter().find(|column| column.len() != rows.len()) {
                None => Ok(frame),
                Some(column) => {
                    let (found, rows) = (column.len(), rows.len());
                    Err(format!("`{}` has {found} values in {rows} rows", column.name()))
                }
            }
        })
    }
}

fn caught<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result,
        Err(_) => Err("it is damaged".to_owned()),
    }
}

fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
