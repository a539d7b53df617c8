use std::path::PathBuf;

use polars::error::PolarsError;
use prismbench_pages::{PageError, WidthError};

/// Why a Parquet file cannot be read as pictures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParquetError {
    /// Polars refused it.
    #[error("it is no whole Parquet file that Polars reads")]
    Polars(#[source] PolarsError),
    /// Polars gave up in the middle.
    #[error("it is damaged: its reader lost its way")]
    Panicked,
    /// A row group lies beyond the end of the file, or the counts of rows do not add up.
    #[error("its footer does not hold together: {problem}")]
    Footer {
        /// What is wrong.
        problem: String,
    },
    /// A column's pages claim what they do not hold.
    #[error("its pages do not hold together")]
    Pages(#[source] PageError),
    /// A column's values take as much memory as the file likes.
    #[error("a column is of a type that is not read")]
    Width(#[source] WidthError),
    /// There is no column of pictures.
    #[error("it has no column `image` of structs {{bytes, path}} (it has: {found})")]
    NoImage {
        /// The columns with their types.
        found: String,
    },
    /// Several columns could be the pictures.
    #[error("columns {found} are all pictures; name the one that is meant `image`")]
    Images {
        /// The columns.
        found: String,
    },
    /// A column is of another type.
    #[error("column `{column}` is of type {found}; expected {expected}")]
    Type {
        /// The column.
        column: String,
        /// What would be right.
        expected: &'static str,
        /// Arrow's name of its type.
        found: String,
    },
    /// A file has other columns or classes than the first one of the set.
    #[error("its columns or classes are not those of `{}`", first.display())]
    Differs {
        /// The first file.
        first: PathBuf,
    },
    /// A row group has fewer rows than its footer claims.
    #[error("rows {start}..{end} are {found} rows of `{column}`")]
    Rows {
        /// First row asked for.
        start: u64,
        /// One past the last.
        end: u64,
        /// Rows there were.
        found: usize,
        /// The column.
        column: String,
    },
    /// There is no row at all.
    #[error("there is no row in it, nor in any other file of the set")]
    Empty,
}
