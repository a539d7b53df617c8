//! The pages of one column in one row group.

use std::io::{BufReader, Read, Seek, SeekFrom};

use polars_parquet_format::CompressionCodec;

use super::PageProblem;
use super::header::{Header, Kind};

/// Values of a column that are read at once, 16 bytes each: the rows of the largest group that pyarrow writes.
const MAX_VALUES: u64 = 1 << 26;

/// Bytes that are read at once: a header has a few dozen, or hundreds with statistics.
const AHEAD: usize = 1024;

/// What the footer says about a column in a row group.
pub(super) struct Chunk {
    /// Rows of the group.
    pub(super) rows: u64,
    pub(super) values: i64,
    /// Whether a row can have several values.
    pub(super) is_nested: bool,
    /// First byte of its first page.
    pub(super) start: i64,
    /// Bytes of its pages with their headers.
    pub(super) bytes: i64,
    pub(super) codec: CompressionCodec,
}

impl Chunk {
    /// Walks the pages as Polars does: a dictionary if there is one, then data until there are as many values
    /// as the footer says.
    pub(super) fn check<R: Read + Seek>(&self, file: &mut R) -> Result<(), PageProblem> {
        let values = self.values()?;
        let (start, end) = self.range(file.seek(SeekFrom::End(0)).map_err(PageProblem::Io)?)?;
        file.seek(SeekFrom::Start(start)).map_err(PageProblem::Io)?;
        let mut file = BufReader::with_capacity(AHEAD, file);
        let (mut at, mut seen) = (start, 0);
        let mut page = 0;
        while at < end && (page == 0 || seen < values) {
            let header = Header::read(&mut file, (page, end - at), self.codec)?;
            let wrong = |claim: String| PageProblem::Page { page, claim };
            match header.kind {
                Kind::Dictionary if page > 0 => {
                    return Err(wrong("to be a dictionary behind others".to_owned()));
                }
                Kind::Dictionary => {}
                Kind::Data => seen += header.values,
            }
            if seen > values {
                return Err(wrong(format!(
                    "{} values where {} are left",
                    header.values,
                    values + header.values - seen
                )));
            }
            let packed = i64::try_from(header.packed).map_err(|_| wrong("its bytes".to_owned()))?;
            file.seek_relative(packed).map_err(PageProblem::Io)?;
            at += header.len + header.packed;
            page += 1;
        }
        match seen == values {
            true => Ok(()),
            false => Err(PageProblem::Page {
                page,
                claim: format!("nothing, and {} values are missing", values - seen),
            }),
        }
    }

    /// Values that the footer claims, if its rows can have as many.
    fn values(&self) -> Result<u64, PageProblem> {
        let (found, rows) = (self.values, self.rows);
        let values = u64::try_from(found)
            .ok()
            .filter(|&values| if self.is_nested { values >= rows } else { values == rows })
            .ok_or(PageProblem::Rows { found, rows })?;
        match values > MAX_VALUES {
            true => Err(PageProblem::Values { found: values, most: MAX_VALUES }),
            false => Ok(values),
        }
    }

    /// First byte and the one behind the last, in a file of `len`.
    fn range(&self, len: u64) -> Result<(u64, u64), PageProblem> {
        let (start, bytes) = (self.start, self.bytes);
        let end = start.checked_add(bytes).filter(|_| start >= 0 && bytes >= 0);
        match (u64::try_from(start), end.map(u64::try_from)) {
            (Ok(start), Some(Ok(end))) if end <= len => Ok((start, end)),
            _ => Err(PageProblem::Outside { start, bytes, len }),
        }
    }
}
