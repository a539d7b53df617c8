use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use polars::prelude::{DataFrame, DataType, PolarsResult};

use super::{FIXED, SAMPLES_AT_ONCE, SIZE, SampleColumns};
use crate::ReportError;
use crate::parquet_file::ParquetFile;

/// The samples of a file, some at a time.
pub(super) struct Pieces {
    path: PathBuf,
    file: ParquetFile,
    /// The first that has not been read.
    next: usize,
}

impl Pieces {
    pub(super) fn open(path: &Path) -> Result<Self, ReportError> {
        let file = File::open(path).map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => ReportError::Missing {
                path: path.to_owned(),
                remedy: "a run folder holds it once the run has ended",
            },
            _ => ReportError::Read { path: path.to_owned(), cause },
        })?;
        let path = path.to_owned();
        match ParquetFile::open(file, None) {
            Ok(file) => Ok(Self { path, file, next: 0 }),
            Err(reason) => Err(ReportError::NotSamples { path, reason }),
        }
    }

    /// All samples at once.
    pub(super) fn whole(self) -> Result<Vec<SampleColumns>, ReportError> {
        self.read(0..self.file.rows())
    }

    fn read(&self, rows: std::ops::Range<usize>) -> Result<Vec<SampleColumns>, ReportError> {
        let refused = |reason: String| ReportError::NotSamples { path: self.path.clone(), reason };
        let frame = self.file.read(rows).map_err(refused)?;
        for (at, (name, dtype)) in FIXED.iter().enumerate() {
            let found =
                frame.columns().get(at).map(|column| (column.name().as_str(), column.dtype()));
            if found != Some((*name, dtype)) {
                return Err(refused(format!("column {at} is not `{name}` of type {dtype}")));
            }
        }
        unstacked(&frame).map_err(|cause| refused(cause.to_string()))
    }
}

impl Iterator for Pieces {
    /// One table or several.
    type Item = Result<Vec<SampleColumns>, ReportError>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.file.rows().min(self.next + SAMPLES_AT_ONCE);
        let rows = self.next..end;
        self.next = end;
        (!rows.is_empty()).then(|| self.read(rows))
    }
}

fn unstacked(frame: &DataFrame) -> PolarsResult<Vec<SampleColumns>> {
    let texts = |at: usize| frame.columns()[at].str();
    let [tokenizer, dataset, protocol, sha256] = [texts(0)?, texts(1)?, texts(2)?, texts(3)?];
    let (index, id, label) = (frame.columns()[4].u64()?, texts(5)?, frame.columns()[6].u32()?);
    let has = |at: usize| {
        let column = frame.columns().get(FIXED.len() + at);
        column.is_some_and(|c| c.name().as_str() == SIZE[at] && *c.dtype() == DataType::UInt32)
    };
    let sized = if has(0) && has(1) { SIZE.len() } else { 0 };
    let sizes = match sized {
        0 => None,
        _ => Some((frame.columns()[FIXED.len()].u32()?, frame.columns()[FIXED.len() + 1].u32()?)),
    };
    let metrics: Vec<_> = frame.columns()[FIXED.len() + sized..]
        .iter()
        .map(|column| Ok((column.name().as_str(), column.f64()?)))
        .collect::<PolarsResult<_>>()?;
    let mut tables: Vec<SampleColumns> = Vec::new();
    for row in 0..frame.height() {
        let key = [tokenizer, dataset, protocol, sha256].map(|c| c.get(row).unwrap_or_default());
        let continues = tables.last().is_some_and(|table| {
            [&table.tokenizer, &table.dataset, &table.protocol, &table.protocol_sha256] == key
        });
        if !continues {
            let [tokenizer, dataset, protocol, protocol_sha256] = key.map(str::to_owned);
            let measured = metrics.iter().filter(|(_, values)| values.get(row).is_some());
            tables.push(SampleColumns {
                tokenizer,
                dataset,
                protocol,
                protocol_sha256,
                indices: Vec::new(),
                ids: Vec::new(),
                labels: Vec::new(),
                sizes: Vec::new(),
                metrics: measured.map(|(name, _)| ((*name).to_owned(), Vec::new())).collect(),
            });
        }
        let Some(table) = tables.last_mut() else { continue };
        table.indices.extend(index.get(row));
        table.ids.extend(id.get(row).map(str::to_owned));
        table.labels.push(label.get(row));
        let size = sizes.and_then(|(width, height)| width.get(row).zip(height.get(row)));
        table.sizes.push(size);
        for (name, values) in &mut table.metrics {
            let column = metrics.iter().find(|(known, _)| known == name);
            values.extend(column.and_then(|(_, column)| column.get(row)));
        }
    }
    for table in tables.iter_mut().filter(|table| table.sizes.iter().all(Option::is_none)) {
        table.sizes.clear();
    }
    Ok(tables)
}
