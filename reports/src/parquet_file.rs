//! Parquet files as frames.

use std::error::Error;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use polars::prelude::{DataFrame, ParquetReader, SerReader};
use prismbench_pages::{check_file, check_widths};

/// Reads these columns of a file, or all; the error says what is wrong with it.
///
/// What its pages claim is checked first. The reader still panics at some damaged files, which are then as wrong as any
/// other.
pub(crate) fn read(file: File, columns: Option<&[&str]>) -> Result<DataFrame, String> {
    let read = || -> Result<DataFrame, String> {
        let mut pages = file.try_clone().map_err(|cause| chain(&cause))?;
        let mut reader = ParquetReader::new(file);
        let footer = reader.get_metadata().map_err(|cause| cause.to_string())?.clone();
        let wanted = |name: &str| columns.is_none_or(|names| names.contains(&name));
        let schema = reader.schema().map_err(|cause| cause.to_string())?;
        check_widths(&schema, wanted).map_err(|cause| chain(&cause))?;
        check_file(&mut pages, &footer, wanted).map_err(|cause| chain(&cause))?;
        let columns = columns.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        let frame = reader.with_columns(columns).finish().map_err(|cause| cause.to_string())?;
        // Polars puts columns side by side without counting them.
        let rows = footer.row_groups.iter().map(|group| group.num_rows()).sum::<usize>();
        match frame.columns().iter().find(|column| column.len() != rows) {
            None => Ok(frame),
            Some(column) => {
                Err(format!("`{}` has {} values in {rows} rows", column.name(), column.len()))
            }
        }
    };
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(frame) => frame,
        Err(_) => Err("it is damaged".to_owned()),
    }
}

fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
