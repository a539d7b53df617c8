//! Baselines in Parquet: the long frame of the run with the values of single images, to the last bit.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use polars::prelude::{
    Column, DataFrame, DataType, Float64Type, IntoSeries, ListBuilderTrait,
    ListPrimitiveChunkedBuilder, PolarsResult,
};
use prismbench_core::Outcome;

use super::written::FORMAT;
use crate::compare::{PerImage, Side};
use crate::frame::frame;
use crate::long_records::records_of;
use crate::{ReportError, export, parquet_file};

/// Columns behind those of the long frame. `format` is the same in every row.
const FORMAT_COLUMN: &str = "baseline_format";
const REPLICATES: &str = "replicates";
const DIGEST: &str = "digest";
const IMAGES: &str = "images";

/// Whether a baseline is of this kind, by its name.
pub(super) fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "parquet")
}

/// A side as the bytes of a baseline.
pub(super) fn bytes(side: &Side) -> Result<Vec<u8>, ReportError> {
    let mut frame = frame(&side.records)?;
    let images = side.records.iter().map(|record| side.per_image(record));
    let digests: Vec<&str> =
        images.clone().map(|images| images.map_or("", |images| images.digest.as_str())).collect();
    let images = images.map(|images| images.map_or(&[][..], |images| images.values.as_slice()));
    let replicates = side.records.iter().map(|record| record.replicates.as_slice());
    let formats = vec![FORMAT; side.records.len()];
    let columns = [
        Column::new(FORMAT_COLUMN.into(), formats),
        lists(REPLICATES, replicates),
        Column::new(DIGEST.into(), digests),
        lists(IMAGES, images),
    ];
    for column in columns {
        frame.with_column(column).map_err(ReportError::frame("build the baseline"))?;
    }
    export::parquet(&mut frame)
}

/// Reads what [`bytes`] made.
///
/// # Errors
/// [`ReportError::Read`]; [`ReportError::NewerBaseline`] for a later format; [`ReportError::NotBaseline`]
/// for anything else that is wrong.
pub(super) fn read(path: &Path) -> Result<Side, ReportError> {
    let refused = |reason: String| ReportError::NotBaseline { path: path.to_owned(), reason };
    let file = File::open(path).map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => super::baseline::missing(path),
        _ => ReportError::Read { path: path.to_owned(), cause },
    })?;
    let frame = parquet_file::read(file, None).map_err(refused)?;
    let formats = frame.column(FORMAT_COLUMN).and_then(|column| column.i64().cloned());
    let formats = formats.map_err(|_| refused("it has no column `baseline_format`".to_owned()))?;
    match formats.iter().flatten().find(|&format| format != FORMAT) {
        Some(found) if found > FORMAT => {
            return Err(ReportError::NewerBaseline { path: path.to_owned(), found, known: FORMAT });
        }
        Some(found) => return Err(refused(format!("it is of format {found}"))),
        None => {}
    }
    let records = records_of(&frame).map_err(refused)?;
    let mut side = Side::new(records, Vec::new());
    let columns = columns(&frame).map_err(|cause| refused(cause.to_string()))?;
    for (at, (replicates, digest, values)) in columns.into_iter().enumerate() {
        let Some(record) = side.records.get_mut(at) else { break };
        record.replicates = replicates;
        let record = record.clone();
        let wrong =
            |what: &str| refused(format!("{} of `{}`: {what}", record.metric, record.tokenizer));
        crate::frame::check(&record).map_err(|reason| wrong(&reason))?;
        if matches!(record.outcome, Outcome::Failed { .. }) {
            return Err(wrong("it failed, and holds nothing to compare with"));
        }
        if values.iter().any(|value| value.is_nan()) {
            return Err(wrong("the value of an image is NaN"));
        }
        if !digest.is_empty() {
            let (labels, sizes) = (Arc::default(), Arc::default());
            side.keep(&record, PerImage { ids: None, labels, sizes, values, digest });
        }
    }
    Ok(side)
}

fn lists<'v>(name: &str, rows: impl Iterator<Item = &'v [f64]>) -> Column {
    let mut lists =
        ListPrimitiveChunkedBuilder::<Float64Type>::new(name.into(), 0, 0, DataType::Float64);
    rows.for_each(|values| lists.append_slice(values));
    lists.finish().into_series().into()
}

type Row = (Vec<f64>, String, Vec<f64>);

fn columns(frame: &DataFrame) -> PolarsResult<Vec<Row>> {
    let lists = |name: &str| -> PolarsResult<Vec<Vec<f64>>> {
        let mut rows = Vec::new();
        for row in 0..frame.height() {
            let values = frame.column(name)?.list()?.get_as_series(row);
            rows.push(match values {
                Some(values) => values.f64()?.iter().map(|x| x.unwrap_or(f64::NAN)).collect(),
                None => Vec::new(),
            });
        }
        Ok(rows)
    };
    let digests = frame.column(DIGEST)?.str()?;
    let rows = lists(REPLICATES)?.into_iter().zip(lists(IMAGES)?).enumerate();
    Ok(rows
        .map(|(at, (replicates, images))| {
            (replicates, digests.get(at).unwrap_or_default().to_owned(), images)
        })
        .collect())
}
