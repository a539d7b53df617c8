use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use prismbench_data::{
    DataError, Dataset, FileState, Limits, ParquetFiles, Pending, Samples, Stamp, check_range,
    numbered,
};

use super::ParquetError;
use super::chunk::Chunk;
use super::file::{ParquetFile, RowGroup, failed};

/// Bytes of unpacked columns that are read at once, by what the footer says of them.
const CHUNK_BYTES: u64 = 128 << 20;

/// Rows that are read at once.
const CHUNK_ROWS: u64 = 8192;

/// The rows of some Parquet files, one file after the other. Ids are indices.
///
/// Rows are read a row group at a time; a large one in parts, each of which unpacks the pages before it
/// once more. The part that was read last is kept for the next walk. One page may take 2 GiB, which is
/// the limit of the format.
pub(super) struct ParquetSet {
    id: String,
    files: Vec<ParquetFile>,
    spans: Vec<Span>,
    len: u64,
    limits: Limits,
    kept: Mutex<Option<(usize, Arc<Chunk>)>>,
}

/// Rows that are read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    file: usize,
    /// Its first row in the file.
    row: u64,
    /// Its first row in the set.
    first: u64,
    rows: u64,
}

impl ParquetSet {
    pub(super) fn open(
        ParquetFiles { id, paths, limits }: ParquetFiles,
    ) -> Result<Self, DataError> {
        let mut files: Vec<ParquetFile> = Vec::with_capacity(paths.len());
        let mut spans = Vec::new();
        let mut len = 0;
        for path in paths {
            let file = ParquetFile::open(path)?;
            if let Some(first) = files.first().filter(|first| first.columns != file.columns) {
                let cause = ParquetError::Differs { first: first.path.clone() };
                return Err(failed(&file.path, cause));
            }
            len = divide(&file.groups, (files.len(), len), &mut spans);
            files.push(file);
        }
        match files.first() {
            Some(file) if len == 0 => Err(failed(&file.path, ParquetError::Empty)),
            _ => Ok(Self { id, files, spans, len, limits, kept: Mutex::default() }),
        }
    }

    /// The rows of span `at`: the kept ones if they are those.
    fn chunk(&self, at: usize) -> Result<Arc<Chunk>, DataError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, chunk)) = kept.as_ref().filter(|(kept, _)| *kept == at) {
            return Ok(chunk.clone());
        }
        // What was kept goes before more is read; other walks need not wait for that.
        *kept = None;
        drop(kept);
        let Span { file, row, rows, .. } = self.spans[at];
        let file = &self.files[file];
        let frame = file.read(row, rows)?;
        let chunk = Chunk::new(&frame, &file.columns, (row, row + rows))
            .map_err(|cause| failed(&file.path, cause))?;
        let chunk = Arc::new(chunk);
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, chunk.clone()));
        Ok(chunk)
    }

    fn pending(&self, index: u64, chunk: &Chunk, span: Span) -> Result<Pending<'_>, DataError> {
        let file = &self.files[span.file];
        let at = index - span.first;
        let row = chunk.row(at as usize).map_err(|cause| failed(&file.path, cause))?;
        let id = numbered(index, self.len);
        let place = file.path.join(format!("row {}", span.row + at));
        let known = (file.columns.classes.len(), self.limits);
        Ok(Pending::new(index, id.clone(), move || row.sample((index, id), &place, known)))
    }
}

/// Divides the rows of a file's row groups into spans; gives the rows of the set so far.
fn divide(groups: &[RowGroup], (file, mut first): (usize, u64), spans: &mut Vec<Span>) -> u64 {
    let mut row = 0;
    for group in groups {
        let by_bytes = CHUNK_BYTES.saturating_mul(group.rows) / group.bytes.max(1);
        let most = by_bytes.clamp(1, CHUNK_ROWS);
        let mut left = group.rows;
        while left > 0 {
            let rows = left.min(most);
            spans.push(Span { file, row, first, rows });
            (row, first, left) = (row + rows, first + rows, left - rows);
        }
    }
    first
}

/// Rows one after the other.
struct Walk<'a> {
    set: &'a ParquetSet,
    range: Range<u64>,
    /// The span that is being read, and its rows.
    chunk: Option<(usize, Arc<Chunk>)>,
}

impl<'a> Walk<'a> {
    fn pending(&mut self, index: u64) -> Result<Pending<'a>, DataError> {
        let set = self.set;
        let at = set.spans.partition_point(|span| span.first + span.rows <= index);
        let chunk = match self.chunk.take() {
            Some((open, chunk)) if open == at => chunk,
            // Dropped before the next one is read.
            other => {
                drop(other);
                set.chunk(at)?
            }
        };
        let pending = set.pending(index, &chunk, set.spans[at]);
        self.chunk = Some((at, chunk));
        pending
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Result<Pending<'a>, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.range.next()?;
        let pending = self.pending(index);
        if pending.is_err() {
            self.range.start = self.range.end;
        }
        Some(pending)
    }
}

impl Dataset for ParquetSet {
    fn id(&self) -> &str {
        &self.id
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn name(&self, _: u64) -> Option<&str> {
        None
    }

    fn classes(&self) -> &[String] {
        self.files.first().map_or(&[], |file| &file.columns.classes)
    }

    fn file_state(&self) -> FileState {
        let stamp = |stamp: Stamp, file: &ParquetFile| stamp.with(&file.path);
        self.files.iter().fold(Stamp::default(), stamp).finish()
    }

    fn samples(&self, range: Range<u64>) -> Result<Samples<'_>, DataError> {
        check_range(&self.id, &range, self.len)?;
        Ok(Box::new(Walk { set: self, range, chunk: None }))
    }
}

impl fmt::Debug for ParquetSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetSet")
            .field("id", &self.id)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
