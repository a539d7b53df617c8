//! What the pages of Parquet files claim, checked before Polars makes anything of it.
//!
//! Polars believes the counts and sizes in a file's footer and in the headers of its pages and asks for memory by
//! them; memory that is refused ends the program, which no caller can catch. Here the headers are walked first, with
//! Polars' own parser, so that both read the same: what is packed is not unpacked, and a picture set of any size costs
//! one small read for each page.
//!
//! Runs of levels and of dictionary indices are not walked: Polars cuts each run at the count of its page
//! (`HybridRleDecoder`), so it is that count that has to be right. Where the body of a page claims lengths of its own
//! that nothing cuts, which the delta encodings do, the page is refused.

use std::io::{Read, Seek};

use polars::prelude::FileMetadataRef;

mod column;
mod counted;
mod error;
mod header;
mod width;

use column::Chunk;
pub use error::{PageError, PageProblem};
pub use width::{WidthError, check_widths};

/// Checks the pages of every row group for the columns whose top-level name is `wanted`.
///
/// # Errors
/// [`PageError`] for the first column that claims what it does not hold.
pub fn check_file<R: Read + Seek>(
    file: &mut R,
    footer: &FileMetadataRef,
    wanted: impl Fn(&str) -> bool,
) -> Result<(), PageError> {
    (0..footer.row_groups.len()).try_for_each(|group| check_group(file, footer, group, &wanted))
}

/// Checks the pages of row group `group`, as [`check_file`] does.
///
/// # Errors
/// [`PageError`] for the first column that claims what it does not hold. A group that the footer does not have holds
/// no page.
pub fn check_group<R: Read + Seek>(
    file: &mut R,
    footer: &FileMetadataRef,
    group: usize,
    wanted: impl Fn(&str) -> bool,
) -> Result<(), PageError> {
    let Some(found) = footer.row_groups.get(group) else { return Ok(()) };
    for column in found.parquet_columns() {
        let descriptor = column.descriptor();
        let path = &descriptor.path_in_schema;
        if !path.first().is_some_and(|root| wanted(root)) {
            continue;
        }
        let chunk = Chunk {
            rows: found.num_rows() as u64,
            values: column.num_values(),
            is_nested: descriptor.descriptor.max_rep_level > 0,
            start: column.dictionary_page_offset().unwrap_or(column.data_page_offset()),
            bytes: column.compressed_size(),
            codec: column.compression().into(),
        };
        chunk.check(file).map_err(|problem| PageError {
            column: path.iter().map(|part| part.as_str()).collect::<Vec<_>>().join("."),
            group,
            problem,
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
