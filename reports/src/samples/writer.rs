use std::io::{self, Write};
use std::path::{Path, PathBuf};

use polars::prelude::{Column, DataFrame};

use super::groups::Groups;
use super::{FIXED, KEYS, SAMPLES_AT_ONCE, SIZE, SampleColumns};
use crate::ReportError;

/// Writes samples into a file in groups of [`SAMPLES_AT_ONCE`], whatever pieces they come in: equal samples
/// make equal bytes.
pub(super) struct SampleWriter {
    path: PathBuf,
    /// Gone again unless it is finished.
    file: tempfile::NamedTempFile,
    groups: Groups,
    /// Names of the columns of metrics.
    metrics: Vec<String>,
    /// What has not been written, fewer than a group.
    pending: Vec<SampleColumns>,
}

impl SampleWriter {
    pub(super) fn create(path: &Path, metrics: &[String]) -> Result<Self, ReportError> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = temporary(folder.unwrap_or(Path::new("."))).map_err(unwritten(path))?;
        let (path, metrics) = (path.to_owned(), metrics.to_vec());
        Ok(Self { path, file, groups: Groups::default(), metrics, pending: Vec::new() })
    }

    pub(super) fn push(&mut self, mut table: SampleColumns) -> Result<(), ReportError> {
        check(&table)?;
        let mut pending: usize = self.pending.iter().map(|table| table.indices.len()).sum();
        while pending + table.indices.len() >= SAMPLES_AT_ONCE {
            let rest = table.split_off(SAMPLES_AT_ONCE - pending);
            self.pending.push(std::mem::replace(&mut table, rest));
            self.write()?;
            pending = 0;
        }
        self.pending.push(table);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(), ReportError> {
        // A file without samples has columns all the same.
        if !self.pending.is_empty() || self.groups.is_empty() {
            self.write()?;
        }
        let end = std::mem::take(&mut self.groups).end();
        let end = end.map_err(ReportError::frame("write Parquet"))?;
        self.file.write_all(&end).map_err(unwritten(&self.path))?;
        self.file.as_file().sync_all().map_err(unwritten(&self.path))?;
        let placed = self.file.persist_noclobber(&self.path);
        placed.map_err(|error| unwritten(&self.path)(error.error))?;
        Ok(())
    }

    fn write(&mut self) -> Result<(), ReportError> {
        let frame = stacked(&self.pending, &self.metrics)?;
        self.pending.clear();
        let group = self.groups.group(&frame).map_err(ReportError::frame("write Parquet"))?;
        self.file.write_all(&group).map_err(unwritten(&self.path))
    }
}

fn unwritten(path: &Path) -> impl FnOnce(io::Error) -> ReportError + use<> {
    let path = path.to_owned();
    move |cause| match cause.kind() {
        io::ErrorKind::AlreadyExists => ReportError::Exists { path },
        _ => ReportError::Write { path, cause },
    }
}

pub(super) fn check(table: &SampleColumns) -> Result<(), ReportError> {
    contradiction(table).map_or(Ok(()), |reason| {
        let (tokenizer, dataset) = (table.tokenizer.clone(), table.dataset.clone());
        Err(ReportError::Samples { tokenizer, dataset, reason })
    })
}

fn contradiction(table: &SampleColumns) -> Option<String> {
    let samples = table.indices.len();
    let lengths = [("ids", table.ids.len()), ("labels", table.labels.len())];
    let metrics = table.metrics.iter().map(|(name, values)| (name.as_str(), values.len()));
    let sizes = Some(("sizes", table.sizes.len())).filter(|(_, sizes)| *sizes > 0);
    for (name, length) in lengths.into_iter().chain(sizes).chain(metrics) {
        if length != samples {
            return Some(format!("{length} `{name}` for {samples} samples"));
        }
    }
    for (at, (name, values)) in table.metrics.iter().enumerate() {
        let fixed = SIZE.contains(&name.as_str()) || FIXED.iter().any(|(fixed, _)| fixed == name);
        if fixed || table.metrics[..at].iter().any(|(other, _)| other == name) {
            return Some(format!("a second column `{name}`"));
        }
        if let Some(at) = values.iter().position(|value| value.is_nan()) {
            return Some(format!("`{name}` of `{}` is NaN", table.ids[at]));
        }
    }
    None
}

/// A row for each sample and a column for each metric.
pub(super) fn stacked(
    tables: &[SampleColumns],
    metrics: &[String],
) -> Result<DataFrame, ReportError> {
    let key = |name: &str, field: fn(&SampleColumns) -> &str| {
        let rows = tables.iter().flat_map(|t| std::iter::repeat_n(field(t), t.indices.len()));
        Column::new(name.into(), rows.collect::<Vec<_>>())
    };
    let each = || tables.iter();
    let indices: Vec<u64> = each().flat_map(|t| t.indices.iter().copied()).collect();
    let ids: Vec<&str> = each().flat_map(|t| t.ids.iter().map(String::as_str)).collect();
    let labels: Vec<Option<u32>> = each().flat_map(|t| t.labels.iter().copied()).collect();
    let samples = indices.len();
    let mut columns = vec![
        key(KEYS[0], |t| &t.tokenizer),
        key(KEYS[1], |t| &t.dataset),
        key(KEYS[2], |t| &t.protocol),
        key(KEYS[3], |t| &t.protocol_sha256),
        Column::new(FIXED[4].0.into(), indices),
        Column::new(FIXED[5].0.into(), ids),
        Column::new(FIXED[6].0.into(), labels),
        Column::new(SIZE[0].into(), sides(tables, |size| size.0)),
        Column::new(SIZE[1].into(), sides(tables, |size| size.1)),
    ];
    columns.extend(metrics.iter().map(|name| metric(name, tables)));
    DataFrame::new(samples, columns).map_err(ReportError::frame("build the table of samples"))
}

/// One side of every picture, in the order of the rows.
fn sides(tables: &[SampleColumns], side: fn((u32, u32)) -> u32) -> Vec<Option<u32>> {
    let of = |table: &SampleColumns| -> Vec<Option<u32>> {
        match table.sizes.is_empty() {
            true => vec![None; table.indices.len()],
            false => table.sizes.iter().map(|size| size.map(side)).collect(),
        }
    };
    tables.iter().flat_map(of).collect()
}

fn metric(name: &str, tables: &[SampleColumns]) -> Column {
    let mut stacked: Vec<Option<f64>> = Vec::new();
    for table in tables {
        match table.metrics.iter().find(|(known, _)| known == name) {
            Some((_, values)) => stacked.extend(values.iter().copied().map(Some)),
            None => stacked.extend(std::iter::repeat_n(None, table.indices.len())),
        }
    }
    Column::new(name.into(), stacked)
}

impl SampleColumns {
    /// Those of the samples from number `at` on, which are no longer here.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        let metric = |(name, values): &mut (String, Vec<f64>)| (name.clone(), values.split_off(at));
        Self {
            tokenizer: self.tokenizer.clone(),
            dataset: self.dataset.clone(),
            protocol: self.protocol.clone(),
            protocol_sha256: self.protocol_sha256.clone(),
            indices: self.indices.split_off(at),
            ids: self.ids.split_off(at),
            labels: self.labels.split_off(at),
            sizes: self.sizes.split_off(at.min(self.sizes.len())),
            metrics: self.metrics.iter_mut().map(metric).collect(),
        }
    }
}

/// A file that is gone again unless it is moved into its place.
pub(crate) fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".writing-");
    #[cfg(unix)]
    {
        // The library makes files for their owner only; this one is a result like any other, and
        // the user's umask decides.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
