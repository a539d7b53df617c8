//! Data sets of every kind: the one place where Parquet meets the others.

use prismbench_data::{DataError, DataSpec, Dataset, open_with};

/// Opens a data set, be it Parquet or not.
pub(crate) fn open(spec: &DataSpec) -> Result<Box<dyn Dataset>, DataError> {
    open_with(spec, prismbench_parquet::open)
}
