//! Pictures in Parquet files of the Hugging Face layout, as a data set.
//!
//! A row is a sample: a column of structs `{bytes, path}` with the packed picture, and where they are
//! there a column `label` of class numbers and columns of captions. It stands apart from
//! `prismbench-data`, whose [`open_with`](prismbench_data::open_with) is given [`open`], because Polars
//! takes longer to build than all else that knows data.
//!
//! **Invariant:** at most one part of one row group is in memory for each walk and one for the set.

use prismbench_data::{DataError, Dataset, ParquetFiles};

mod chunk;
mod columns;
mod error;
mod file;
mod set;

pub use error::ParquetError;

/// Opens Parquet files as one set: reads their footers and finds the columns. No row is read yet.
///
/// # Errors
/// [`DataError::Parquet`] with a [`ParquetError`] as its cause, [`DataError::NotFound`] and
/// [`DataError::Io`].
pub fn open(files: ParquetFiles) -> Result<Box<dyn Dataset>, DataError> {
    Ok(Box::new(set::ParquetSet::open(files)?))
}

#[cfg(test)]
mod tests;
