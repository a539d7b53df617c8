use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use polars::prelude::{Column, DataFrame, DataType, PolarsResult};

use crate::{ReportError, export, parquet_file};

/// What tells the tables of one file apart.
const KEYS: [&str; 4] = ["tokenizer", "dataset", "protocol", "protocol_sha256"];
/// The columns before those of the metrics, with their types.
const FIXED: [(&str, DataType); 7] = [
    (KEYS[0], DataType::String),
    (KEYS[1], DataType::String),
    (KEYS[2], DataType::String),
    (KEYS[3], DataType::String),
    ("index", DataType::UInt64),
    ("id", DataType::String),
    ("label", DataType::UInt32),
];

/// The columns of the size before the crop, which files of earlier versions have not.
const SIZE: [&str; 2] = ["width", "height"];

/// Per-image values of one tokenizer under one protocol on one data set.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleColumns {
    /// Tokenizer reference, as in the records.
    pub tokenizer: String,
    /// Data set, as in the records.
    pub dataset: String,
    /// Name of the protocol.
    pub protocol: String,
    /// sha256 of the protocol.
    pub protocol_sha256: String,
    /// Positions of the samples in the data set.
    pub indices: Vec<u64>,
    /// Ids of the samples, as many as indices.
    pub ids: Vec<String>,
    /// Class of each sample, where the data set has classes; as many as indices.
    pub labels: Vec<Option<u32>>,
    /// Columns and rows of each picture before the crop; empty where nothing is known of any, else as many
    /// as indices.
    pub sizes: Vec<Option<(u32, u32)>>,
    /// Metric with its version, and a value per sample. A single image's PSNR may be infinite.
    pub metrics: Vec<(String, Vec<f64>)>,
}

/// The per-image values of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSamples {
    /// Id of the run, as in its records.
    pub run: String,
    /// A table for each tokenizer, data set and protocol.
    pub tables: Vec<SampleColumns>,
}

/// Writes `samples.parquet`: a row per tokenizer, data set, protocol and sample, a column per
/// metric, null where a tokenizer has none.
///
/// The file appears whole or not at all, and never in the place of another.
///
/// # Errors
/// [`ReportError::Samples`] for columns of unequal length, a metric given twice or under the name
/// of another column, or NaN; [`ReportError::Exists`]; [`ReportError::Write`].
pub fn write_samples(path: &Path, tables: &[SampleColumns]) -> Result<(), ReportError> {
    for table in tables {
        check(table).map_err(|reason| ReportError::Samples {
            tokenizer: table.tokenizer.clone(),
            dataset: table.dataset.clone(),
            reason,
        })?;
    }
    let bytes = export::parquet(&mut stacked(tables)?)?;
    write_new(path, &bytes).map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists => ReportError::Exists { path: path.to_owned() },
        _ => ReportError::Write { path: path.to_owned(), cause },
    })
}

/// Reads what [`write_samples`] wrote; adjacent rows of equal keys make one table.
///
/// # Errors
/// [`ReportError::Missing`] or [`ReportError::Read`] for a file that cannot be opened;
/// [`ReportError::NotSamples`] for one that holds something else.
pub fn read_samples(path: &Path) -> Result<Vec<SampleColumns>, ReportError> {
    let file = File::open(path).map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => ReportError::Missing {
            path: path.to_owned(),
            remedy: "a run folder holds it once the run has ended",
        },
        _ => ReportError::Read { path: path.to_owned(), cause },
    })?;
    let refused = |reason: String| ReportError::NotSamples { path: path.to_owned(), reason };
    let frame = parquet_file::read(file, None).map_err(refused)?;
    for (at, (name, dtype)) in FIXED.iter().enumerate() {
        let found = frame.columns().get(at).map(|column| (column.name().as_str(), column.dtype()));
        if found != Some((*name, dtype)) {
            return Err(refused(format!("column {at} is not `{name}` of type {dtype}")));
        }
    }
    unstacked(&frame).map_err(|cause| refused(cause.to_string()))
}

fn check(table: &SampleColumns) -> Result<(), String> {
    let samples = table.indices.len();
    let lengths = [("ids", table.ids.len()), ("labels", table.labels.len())];
    let metrics = table.metrics.iter().map(|(name, values)| (name.as_str(), values.len()));
    let sizes = Some(("sizes", table.sizes.len())).filter(|(_, sizes)| *sizes > 0);
    for (name, length) in lengths.into_iter().chain(sizes).chain(metrics) {
        if length != samples {
            return Err(format!("{length} `{name}` for {samples} samples"));
        }
    }
    for (at, (name, values)) in table.metrics.iter().enumerate() {
        let fixed = SIZE.contains(&name.as_str()) || FIXED.iter().any(|(fixed, _)| fixed == name);
        if fixed || table.metrics[..at].iter().any(|(other, _)| other == name) {
            return Err(format!("a second column `{name}`"));
        }
        if let Some(at) = values.iter().position(|value| value.is_nan()) {
            return Err(format!("`{name}` of `{}` is NaN", table.ids[at]));
        }
    }
    Ok(())
}

fn stacked(tables: &[SampleColumns]) -> Result<DataFrame, ReportError> {
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
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in each().flat_map(|table| &table.metrics) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    columns.extend(names.into_iter().map(|name| metric(name, tables)));
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

/// Writes beside the target and moves into place, which fails where there is a file already.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = temporary(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn table(tokenizer: &str, metrics: &[(&str, [f64; 3])]) -> SampleColumns {
        SampleColumns {
            tokenizer: tokenizer.to_owned(),
            dataset: "kodak".to_owned(),
            protocol: "default".to_owned(),
            protocol_sha256: "1a2b3c4d".repeat(8),
            indices: vec![0, 7, u64::MAX],
            ids: vec!["a.png".to_owned(), "b,\"c\".png".to_owned(), "\u{e9}/1.png".to_owned()],
            labels: vec![None, Some(0), Some(u32::MAX)],
            sizes: Vec::new(),
            metrics: metrics.iter().map(|(name, v)| ((*name).to_owned(), v.to_vec())).collect(),
        }
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn samples_come_back_as_they_were_and_no_other_file_is_left() {
        let mut tables = [
            table("identity", &[("psnr@1", [f64::INFINITY, 40.0, 0.1 + 0.2])]),
            table("jpeg:75", &[("psnr@1", [31.0, 32.0, 33.0]), ("bpp@1", [1.0, 0.5, 0.25])]),
        ];
        tables[1].sizes = vec![Some((640, 480)), None, Some((1, u32::MAX))];
        let folder = folder();
        let path = folder.path().join("samples.parquet");
        write_samples(&path, &tables).unwrap();
        assert_eq!(read_samples(&path).unwrap(), tables);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_run_without_samples_still_has_a_readable_file() {
        let folder = folder();
        let path = folder.path().join("samples.parquet");
        write_samples(&path, &[]).unwrap();
        assert_eq!(read_samples(&path).unwrap(), []);
    }

    #[test]
    fn an_existing_file_is_kept() {
        let folder = folder();
        let path = folder.path().join("samples.parquet");
        std::fs::write(&path, "precious").unwrap();
        let error = write_samples(&path, &[table("a", &[])]).unwrap_err();
        assert!(matches!(error, ReportError::Exists { .. }), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn columns_that_contradict_each_other_are_refused_by_name() {
        let refused = |table: SampleColumns| {
            let path = folder().path().join("samples.parquet");
            write_samples(&path, &[table]).unwrap_err().to_string()
        };
        let mut short = table("a", &[("psnr@1", [1.0; 3])]);
        short.metrics[0].1.pop();
        assert!(refused(short).ends_with("2 `psnr@1` for 3 samples"));
        let mut short = table("a", &[]);
        short.ids.pop();
        assert!(refused(short).ends_with("2 `ids` for 3 samples"));
        let mut short = table("a", &[]);
        short.sizes = vec![None; 2];
        assert!(refused(short).ends_with("2 `sizes` for 3 samples"));
        let nan = table("a", &[("psnr@1", [1.0, f64::NAN, 1.0])]);
        assert!(refused(nan).ends_with("`psnr@1` of `b,\"c\".png` is NaN"));
        for name in ["psnr@1", "label", "width"] {
            let twice = table("a", &[("psnr@1", [1.0; 3]), (name, [1.0; 3])]);
            assert!(refused(twice).ends_with(&format!("a second column `{name}`")));
        }
    }

    #[test]
    fn files_of_before_there_were_sizes_are_read() {
        let tables = [table("a", &[("psnr@1", [1.0, 2.0, 3.0])])];
        let mut frame = stacked(&tables).unwrap();
        for name in SIZE {
            frame = frame.drop(name).unwrap();
        }
        let folder = folder();
        let path = folder.path().join("samples.parquet");
        std::fs::write(&path, export::parquet(&mut frame).unwrap()).unwrap();
        assert_eq!(read_samples(&path).unwrap(), tables);
    }

    #[test]
    fn another_file_is_no_table_of_samples() {
        let folder = folder();
        let path = folder.path().join("samples.parquet");
        let error = read_samples(&path).unwrap_err();
        assert!(matches!(error, ReportError::Missing { .. }), "{error}");
        std::fs::write(&path, "not parquet").unwrap();
        let error = read_samples(&path).unwrap_err();
        assert!(matches!(error, ReportError::NotSamples { .. }), "{error}");
        let mut records = crate::frame(&crate::fixtures::everything()).unwrap();
        std::fs::write(&path, export::parquet(&mut records).unwrap()).unwrap();
        let error = read_samples(&path).unwrap_err().to_string();
        assert!(error.ends_with("column 0 is not `tokenizer` of type str"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_has_the_permissions_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = folder();
        let (path, plain) = (folder.path().join("samples.parquet"), folder.path().join("plain"));
        write_samples(&path, &[]).unwrap();
        std::fs::write(&plain, "").unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&plain));
    }
}
