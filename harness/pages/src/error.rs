use std::io;

/// A column of a row group that cannot be read as its headers say.
#[derive(Debug, thiserror::Error)]
#[error("column `{column}` of row group {group}")]
pub struct PageError {
    /// Path of the column in the schema, with dots.
    pub column: String,
    /// Number of the row group, from 0.
    pub group: usize,
    /// What is wrong.
    #[source]
    pub problem: PageProblem,
}

/// What is wrong with a column's pages.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PageProblem {
    /// The file cannot be read there.
    #[error("it cannot be read")]
    Io(#[source] io::Error),
    /// It lies outside the file, or has a negative size.
    #[error("it claims {bytes} bytes from byte {start} of a file of {len}")]
    Outside {
        /// First byte.
        start: i64,
        /// Bytes.
        bytes: i64,
        /// Bytes of the file.
        len: u64,
    },
    /// A count of values that its rows cannot have.
    #[error("it claims {found} values in {rows} rows")]
    Rows {
        /// Claimed values.
        found: i64,
        /// Rows of the row group.
        rows: u64,
    },
    /// More values than are read at once.
    #[error(
        "it claims {found} values in one row group; at most {most} are read, write smaller groups"
    )]
    Values {
        /// Claimed values.
        found: u64,
        /// The limit.
        most: u64,
    },
    /// Bytes that are no header of a page.
    #[error("page {page} has no header that can be read: {reason}")]
    Header {
        /// Number of the page, from 0, a dictionary included.
        page: u64,
        /// What the parser says.
        reason: String,
    },
    /// A page that cannot be what its header says.
    #[error("page {page} claims {claim}")]
    Page {
        /// Number of the page, from 0, a dictionary included.
        page: u64,
        /// What it claims, against what there is.
        claim: String,
    },
    /// An encoding whose lengths cannot be checked.
    #[error(
        "page {page} is of encoding {encoding}, which is not read; write the file with plain or \
         dictionary encoding"
    )]
    Encoding {
        /// Number of the page.
        page: u64,
        /// Number of the encoding in the format.
        encoding: i32,
    },
}
