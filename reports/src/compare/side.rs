use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use prismbench_core::{Record, hexadecimal};
use sha2::{Digest, Sha256};

use crate::{ReportError, SampleColumns, read_records, read_samples};

/// One side of a comparison: records, and values of single images where they were kept.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// The records.
    pub records: Vec<Record>,
    /// What was left out while reading; for the user.
    pub warnings: Vec<String>,
    per_image: HashMap<[String; 4], PerImage>,
}

/// Values of single images, in the order of their indices.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PerImage {
    /// Ids of the images; `None` in a baseline, whose records name the same pictures by hash.
    pub(crate) ids: Option<Arc<Vec<String>>>,
    /// Class of each image; empty in a baseline.
    pub(crate) labels: Arc<Vec<Option<u32>>>,
    /// Columns and rows of each before the crop; empty in a baseline, or where nothing is known of any.
    pub(crate) sizes: Arc<Vec<Option<(u32, u32)>>>,
    pub(crate) values: Vec<f64>,
    /// sha256 over the bits of all values: tells whether any image changed at all.
    pub(crate) digest: String,
}

/// The values of both sides for each image, and its class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pairs {
    pub(crate) values: Vec<(f64, f64)>,
    pub(crate) labels: Vec<Option<u32>>,
    pub(crate) sizes: Vec<Option<(u32, u32)>>,
    /// Whether no bit of any value differs.
    pub(crate) identical: bool,
}

impl Side {
    /// Reads a run folder, or the `records.jsonl` of one with the `samples.parquet` beside it.
    ///
    /// # Errors
    /// Those of [`read_records`] and [`read_samples`]. A run without per-image values is no error.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let file = read_records(path)?;
        let folder = if path.is_dir() { Some(path) } else { path.parent() };
        let samples = folder.map(|folder| folder.join("samples.parquet"));
        let samples = match samples.filter(|samples| samples.is_file()) {
            Some(path) => read_samples(&path)?,
            None => Vec::new(),
        };
        let warnings = file.cut_short.map(|cut_short| cut_short.to_string());
        Ok(Self { warnings: warnings.into_iter().collect(), ..Self::new(file.records, samples) })
    }

    /// A side of these records and values.
    #[must_use]
    pub fn new(records: Vec<Record>, samples: Vec<SampleColumns>) -> Self {
        let mut side = Self { records, ..Self::default() };
        for table in samples {
            let mut order: Vec<usize> = (0..table.indices.len()).collect();
            order.sort_by_key(|&row| table.indices[row]);
            let ids = Arc::new(order.iter().map(|&row| table.ids[row].clone()).collect());
            let labels = Arc::new(order.iter().map(|&row| table.labels[row]).collect());
            let sizes = match table.sizes.is_empty() {
                true => Vec::new(),
                false => order.iter().map(|&row| table.sizes[row]).collect(),
            };
            let sizes = Arc::new(sizes);
            for (column, values) in &table.metrics {
                let values: Vec<f64> = order.iter().map(|&row| values[row]).collect();
                let key = [&table.tokenizer, &table.dataset, &table.protocol_sha256, column];
                let (ids, labels) = (Some(Arc::clone(&ids)), Arc::clone(&labels));
                let sizes = Arc::clone(&sizes);
                let digest = digest(&values);
                let per_image = PerImage { ids, labels, sizes, values, digest };
                side.per_image.insert(key.map(Clone::clone), per_image);
            }
        }
        side
    }

    pub(crate) fn keep(&mut self, record: &Record, per_image: PerImage) {
        self.per_image.insert(key_of(record), per_image);
    }

    pub(crate) fn per_image(&self, record: &Record) -> Option<&PerImage> {
        self.per_image.get(&key_of(record))
    }

    /// The same side, with one tokenizer under another name: to compare two tokenizers.
    #[must_use]
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        self.records.retain(|record| record.tokenizer == from);
        self.records.iter_mut().for_each(|record| to.clone_into(&mut record.tokenizer));
        self.per_image.retain(|key, _| key[0] == from);
        let per_image = std::mem::take(&mut self.per_image);
        self.per_image = per_image
            .into_iter()
            .map(|([_, dataset, protocol, column], values)| {
                ([to.to_owned(), dataset, protocol, column], values)
            })
            .collect();
        self
    }

    /// The same side with the records of one tokenizer alone.
    #[must_use]
    pub fn of_tokenizer(self, name: &str) -> Self {
        self.renamed(name, name)
    }

    /// Values of two records of the same thing, image by image; `None` where a side has none, a reason
    /// where they are of different images.
    pub(super) fn pairs_with(
        &self,
        other: &Self,
        old: &Record,
        new: &Record,
    ) -> Option<Result<Pairs, String>> {
        Some(paired(self.per_image(old)?, other.per_image(new)?))
    }
}

/// The column of the per-image values that belong to a record: `psnr@1`, or `top1 k=20` in a sweep.
pub(crate) fn column_of(record: &Record) -> String {
    setting_column(&record.metric, &record.setting)
}

/// The same of a metric with its version and a setting.
pub(crate) fn setting_column(metric: &str, setting: &str) -> String {
    match setting {
        "" => metric.to_owned(),
        setting => format!("{} {setting}", metric.split('@').next().unwrap_or(metric)),
    }
}

fn key_of(record: &Record) -> [String; 4] {
    let Record { tokenizer, dataset, protocol_sha256, .. } = record;
    [tokenizer.clone(), dataset.clone(), protocol_sha256.clone(), column_of(record)]
}

pub(crate) fn digest(values: &[f64]) -> String {
    let mut hash = Sha256::new();
    values.iter().for_each(|value| hash.update(value.to_le_bytes()));
    hexadecimal(hash.finalize())
}

fn paired(before: &PerImage, after: &PerImage) -> Result<Pairs, String> {
    let identical = before.digest == after.digest;
    let place = match (&before.ids, &after.ids) {
        (Some(old), Some(new)) if old != new => Some(places(old, new)?),
        _ => None,
    };
    if before.values.len() != after.values.len() {
        let (old, new) = (before.values.len(), after.values.len());
        return Err(format!("{old} per-image values before and {new} after"));
    }
    let at = |row: usize| place.as_ref().map_or(row, |place| place[row]);
    let rows = 0..after.values.len();
    Ok(Pairs {
        values: rows.map(|row| (before.values[at(row)], after.values[row])).collect(),
        labels: after.labels.as_ref().clone(),
        sizes: after.sizes.as_ref().clone(),
        identical: identical && place.is_none(),
    })
}

/// For each image after, where it was before.
fn places(old: &[String], new: &[String]) -> Result<Vec<usize>, String> {
    let known: HashMap<&str, usize> =
        old.iter().enumerate().map(|(row, id)| (id.as_str(), row)).collect();
    if known.len() != old.len() || old.len() != new.len() {
        return Err("per-image values before and after are not of the same images".to_owned());
    }
    let place = |id: &String| known.get(id.as_str()).copied();
    new.iter()
        .map(place)
        .collect::<Option<_>>()
        .ok_or_else(|| "per-image values before and after are not of the same images".to_owned())
}
