//! Types whose every value, a missing one too, takes as much memory as the file likes.

use polars::prelude::{ArrowDataType, ArrowSchema};

/// A column of such a type.
#[derive(Debug, thiserror::Error)]
#[error("column `{column}` has values of a fixed width ({found}), which are not read")]
pub struct WidthError {
    /// Its top-level name.
    pub column: String,
    /// Arrow's name of the type.
    pub found: String,
}

/// Checks the types of the columns whose top-level name is `wanted`: none of what is read here has lists or
/// bytes of a fixed width.
///
/// # Errors
/// [`WidthError`] for the first column that has.
pub fn check_widths(schema: &ArrowSchema, wanted: impl Fn(&str) -> bool) -> Result<(), WidthError> {
    let mut columns = schema.iter().filter(|(name, _)| wanted(name));
    match columns.find(|(_, field)| is_wide(field.dtype())) {
        None => Ok(()),
        Some((name, field)) => {
            Err(WidthError { column: name.to_string(), found: format!("{:?}", field.dtype()) })
        }
    }
}

fn is_wide(dtype: &ArrowDataType) -> bool {
    match dtype {
        ArrowDataType::FixedSizeList(..) | ArrowDataType::FixedSizeBinary(_) => true,
        ArrowDataType::List(inner) | ArrowDataType::LargeList(inner) => is_wide(inner.dtype()),
        ArrowDataType::Map(inner, _) => is_wide(inner.dtype()),
        ArrowDataType::Struct(fields) => fields.iter().any(|field| is_wide(field.dtype())),
        ArrowDataType::Dictionary(_, inner, _) => is_wide(inner),
        ArrowDataType::Extension(extension) => is_wide(&extension.inner),
        _ => false,
    }
}
