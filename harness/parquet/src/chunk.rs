//! Rows that are in memory.

use std::path::Path;

use polars::error::PolarsResult;
use polars::prelude::{BinaryChunked, Column, DataFrame, DataType, Int64Chunked, Series};
use prismbench_core::Sample;
use prismbench_data::{DataError, Limits};

use super::ParquetError;
use super::columns::Columns;

/// The columns of some rows of one file.
pub(super) struct Chunk {
    pictures: BinaryChunked,
    labels: Option<Int64Chunked>,
    captions: Vec<Series>,
}

/// A row that is not decoded yet.
pub(super) struct Row {
    picture: Option<Vec<u8>>,
    label: Option<i64>,
    captions: Vec<String>,
}

impl Chunk {
    /// Takes the columns out of a frame whose rows should be `start..end`.
    pub(super) fn new(
        frame: &DataFrame,
        columns: &Columns,
        (start, end): (u64, u64),
    ) -> Result<Self, ParquetError> {
        let column = |name: &str| -> Result<&Column, ParquetError> {
            let column = frame.column(name).map_err(ParquetError::Polars)?;
            if column.len() as u64 == end - start {
                return Ok(column);
            }
            let (found, column) = (column.len(), name.to_owned());
            Err(ParquetError::Rows { start, end, found, column })
        };
        let pictures = binary(column(&columns.image)?).map_err(ParquetError::Polars)?;
        let labels = columns.label.as_deref().map(|name| {
            let labels = column(name)?.cast(&DataType::Int64).map_err(ParquetError::Polars)?;
            labels.i64().cloned().map_err(ParquetError::Polars)
        });
        let captions =
            columns.captions.iter().map(|name| Ok(column(name)?.as_materialized_series().clone()));
        Ok(Self {
            pictures,
            labels: labels.transpose()?,
            captions: captions.collect::<Result<_, _>>()?,
        })
    }

    /// Copies row `at` out.
    pub(super) fn row(&self, at: usize) -> Result<Row, ParquetError> {
        let mut captions = Vec::new();
        for column in &self.captions {
            texts(column, at, &mut captions).map_err(ParquetError::Polars)?;
        }
        Ok(Row {
            picture: self.pictures.get(at).map(<[u8]>::to_vec),
            label: self.labels.as_ref().and_then(|labels| labels.get(at)),
            captions,
        })
    }
}

impl Row {
    /// Decodes the picture and checks what is known about it; `classes` is the number of class names, 0
    /// where there are none, and `limits` what a picture may be.
    ///
    /// # Errors
    /// Errors of one sample; `place` is the file and the row in it.
    pub(super) fn sample(
        self,
        (index, id): (u64, String),
        place: &Path,
        (classes, limits): (usize, Limits),
    ) -> Result<Sample, DataError> {
        let wrong = |problem: String| DataError::Annotation { path: place.to_owned(), problem };
        let picture = self.picture.ok_or_else(|| {
            wrong("it has no bytes of a picture; embed pictures that lie apart".to_owned())
        })?;
        let image = limits
            .decode(&picture)
            .map_err(|cause| DataError::Unreadable { path: place.to_owned(), cause })?;
        let label = match self.label {
            // What the library `datasets` writes where a class is not known.
            None | Some(-1) => None,
            Some(label) => match u32::try_from(label) {
                Ok(known) if classes == 0 || (known as usize) < classes => Some(known),
                _ if classes == 0 => return Err(wrong(format!("its class is {label}"))),
                _ => {
                    return Err(wrong(format!(
                        "its class is {label} and the names are those of {classes}"
                    )));
                }
            },
        };
        if let Some(at) = self.captions.iter().position(|caption| caption.trim().is_empty()) {
            return Err(wrong(format!("caption {at} is empty")));
        }
        Ok(Sample { index, id, image, label, captions: self.captions })
    }
}

/// The packed pictures of a column of structs, or of bytes.
fn binary(column: &Column) -> PolarsResult<BinaryChunked> {
    match column.dtype() {
        DataType::Struct(_) => {
            let bytes = column.struct_()?.field_by_name("bytes")?;
            bytes.binary().cloned()
        }
        _ => column.binary().cloned(),
    }
}

/// Adds the texts of one cell; an empty cell has none.
fn texts(column: &Series, at: usize, captions: &mut Vec<String>) -> PolarsResult<()> {
    if let DataType::List(_) = column.dtype() {
        if let Some(list) = column.list()?.get_as_series(at) {
            captions.extend(list.str()?.iter().flatten().map(str::to_owned));
        }
        return Ok(());
    }
    captions.extend(column.str()?.get(at).map(str::to_owned));
    Ok(())
}
