//! One Parquet file: its footer, and rows out of it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use polars::prelude::{
    DataFrame, FileMetadataRef, ParallelStrategy, ParquetReader, SerReader as _,
};
use prismbench_data::DataError;
use prismbench_pages::{check_group, check_widths};

use super::ParquetError;
use super::columns::Columns;

/// Most rows of a file: what Polars counts to.
const MAX_ROWS: u64 = u32::MAX as u64;

/// A file whose footer holds together.
pub(super) struct ParquetFile {
    pub(super) path: PathBuf,
    pub(super) columns: Columns,
    pub(super) groups: Vec<RowGroup>,
    /// Row groups whose pages were checked.
    checked: Vec<AtomicBool>,
    footer: FileMetadataRef,
}

/// What the footer says about a row group.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowGroup {
    pub(super) rows: u64,
    /// Bytes of its columns when they are unpacked.
    pub(super) bytes: u64,
}

impl ParquetFile {
    pub(super) fn open(path: PathBuf) -> Result<Self, DataError> {
        let mut file = File::open(&path).map_err(|cause| DataError::io(&path, cause))?;
        let end = data_end(&mut file).map_err(|cause| DataError::io(&path, cause))?;
        let mut reader = ParquetReader::new(file);
        let read = || -> Result<_, ParquetError> {
            let footer = reader.get_metadata().map_err(ParquetError::Polars)?.clone();
            let groups = check(&footer, end)?;
            let schema = reader.schema().map_err(ParquetError::Polars)?;
            let notes = footer.key_value_metadata.iter().flatten();
            let hub = notes.filter(|note| note.key == "huggingface");
            let hub = hub.filter_map(|note| note.value.as_deref()).next();
            let columns = Columns::find(&schema, hub)?;
            check_widths(&schema, |name| columns.has(name)).map_err(ParquetError::Width)?;
            Ok((columns, groups, footer))
        };
        match guarded(read) {
            Ok((columns, groups, footer)) => {
                let checked = groups.iter().map(|_| AtomicBool::default()).collect();
                Ok(Self { path, columns, groups, checked, footer })
            }
            Err(cause) => Err(failed(&path, cause)),
        }
    }

    /// The columns of rows `start..start + len`.
    pub(super) fn read(&self, start: u64, len: u64) -> Result<DataFrame, DataError> {
        let file = File::open(&self.path).map_err(|cause| DataError::io(&self.path, cause))?;
        let read = || -> Result<DataFrame, ParquetError> {
            self.check_pages(&file, (start, start + len))?;
            let mut reader = ParquetReader::new(file);
            reader.set_metadata(self.footer.clone());
            reader
                .with_columns(Some(self.columns.names()))
                .with_slice(Some((start as usize, len as usize)))
                // The only way of Polars that passes over the row groups before the slice.
                .read_parallel(ParallelStrategy::RowGroups)
                .finish()
                .map_err(ParquetError::Polars)
        };
        guarded(read).map_err(|cause| failed(&self.path, cause))
    }

    /// Checks the pages of the row groups of rows `start..end`, each once.
    fn check_pages(&self, mut file: &File, (start, end): (u64, u64)) -> Result<(), ParquetError> {
        let mut first = 0;
        for (at, (group, checked)) in self.groups.iter().zip(&self.checked).enumerate() {
            let rows = first..first + group.rows;
            first = rows.end;
            if rows.end <= start || rows.start >= end || checked.load(Ordering::Relaxed) {
                continue;
            }
            check_group(&mut file, &self.footer, at, |name| self.columns.has(name))
                .map_err(ParquetError::Pages)?;
            checked.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Runs Polars, which panics on some damaged files. It sees nothing but the file, and what it has made
/// is thrown away, so a panic leaves nothing behind.
fn guarded<T>(run: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(Err(ParquetError::Panicked))
}

/// Where the footer begins: a file ends with the footer's length, in 4 bytes, and `PAR1`. A file of
/// another kind gives any number, and Polars says what is wrong with it.
fn data_end(file: &mut File) -> io::Result<u64> {
    let len = file.seek(SeekFrom::End(0))?;
    if len < 8 {
        return Ok(0);
    }
    let mut footer_len = [0; 4];
    file.seek(SeekFrom::End(-8))?;
    file.read_exact(&mut footer_len)?;
    file.rewind()?;
    Ok((len - 8).saturating_sub(u64::from(u32::from_le_bytes(footer_len))))
}

/// Compares what the footer claims with the bytes before it, and its counts with each other.
fn check(footer: &FileMetadataRef, end: u64) -> Result<Vec<RowGroup>, ParquetError> {
    let wrong = |problem: String| Err(ParquetError::Footer { problem });
    let mut total = 0_u64;
    let mut groups = Vec::with_capacity(footer.row_groups.len());
    for (at, group) in footer.row_groups.iter().enumerate() {
        if let Some(range) = group.byte_ranges_iter().find(|range| range.end > end) {
            return wrong(format!(
                "row group {at} ends at byte {} and the data at {end}; it is cut short or damaged",
                range.end
            ));
        }
        let rows = group.num_rows() as u64;
        total = total.saturating_add(rows);
        groups.push(RowGroup { rows, bytes: group.total_byte_size() as u64 });
    }
    match footer.num_rows as u64 {
        rows if rows != total => {
            wrong(format!("it claims {rows} rows and its row groups have {total}"))
        }
        rows if rows > MAX_ROWS => {
            wrong(format!("it claims {rows} rows; at most {MAX_ROWS} are read"))
        }
        _ => Ok(groups),
    }
}

pub(super) fn failed(path: &Path, cause: ParquetError) -> DataError {
    DataError::Parquet { path: path.to_owned(), cause: Box::new(cause) }
}
