//! Pictures for a page: of each tokenizer what came back worst, as usual and best, beside the originals.

mod picture;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use prismbench_core::{Better, Record, RgbImage, nearest, unversioned};
use prismbench_data::{DataError, DataSpec, Dataset, open};
use prismbench_reports::{
    ContactSheet, RunSamples, SampleColumns, SampleRank, SheetContent, SheetSample, extremes,
};

use crate::error::Failure;
use crate::run_folder::{array_folder, originals_file};
use picture::{error_map, thumbnail};

/// Pixels of all thumbnails of a page together, about 2 bytes each in the file: where there are more pictures,
/// they are smaller, and then fewer.
const MOST_PIXELS: usize = 16_000_000;
/// Sides that a thumbnail is made with; a smaller picture keeps its own.
const SIDES: [usize; 3] = [256, 192, 128];
/// Pictures of one sample: original, reconstruction, error.
const EACH: usize = 3;
/// Kinds of samples: worst, median, best.
const KINDS: usize = 3;

/// What is to be shown.
pub(crate) struct Wanted<'a> {
    /// Samples of each kind.
    pub(crate) count: usize,
    /// The metric that orders them, by its name without version; `None` for PSNR or what there is.
    pub(crate) metric: Option<&'a str>,
}

/// A run as it lies in its folder.
pub(crate) struct Run {
    pub(crate) folder: PathBuf,
    pub(crate) records: Vec<Record>,
    pub(crate) samples: RunSamples,
}

/// Why pictures of a run cannot be shown, though they are there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PicturesError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error("`{}` has no picture `{id}`, whose values the run has", path.display())]
    Absent { path: PathBuf, id: String },
    #[error("picture `{id}` came back with {}x{} pixels and had {}x{}", found.0, found.1, expected.0, expected.1)]
    Size { id: String, found: (usize, usize), expected: (usize, usize) },
    #[error("make a PNG of picture `{id}`")]
    Png { id: String, source: image::ImageError },
}

/// What one sheet is of, before anything is read.
struct Job<'a> {
    run: &'a Run,
    /// The first record of this tokenizer, data set and protocol.
    record: &'a Record,
    order: Order<'a>,
}

/// What orders the samples.
struct Order<'a> {
    samples: &'a SampleColumns,
    values: &'a [f64],
    record: &'a Record,
}

/// A sheet for each tokenizer, data set and protocol of reconstruction in these runs, in their order.
///
/// # Errors
/// [`Failure::Unknown`] for a metric of which no run has values of single images; [`Failure::Pictures`] for
/// arrays that cannot be read.
pub(crate) fn contact_sheets(
    runs: &[Run],
    wanted: &Wanted<'_>,
) -> Result<Vec<ContactSheet>, Failure> {
    if wanted.count == 0 {
        return Ok(Vec::new());
    }
    check(runs, wanted)?;
    let all: Vec<_> =
        runs.iter().flat_map(|run| subjects(run).map(move |record| (run, record))).collect();
    let mut found: Vec<Result<Job<'_>, String>> =
        all.iter().map(|(run, record)| job(run, record, wanted)).collect();
    for job in found.iter_mut().filter(|job| job.is_ok()).skip(most_sheets()) {
        let most = most_sheets();
        *job = Err(format!("a page holds those of {most} tokenizers at most; give fewer runs"));
    }
    let (count, side) = fitting(found.iter().filter(|job| job.is_ok()).count(), wanted.count);
    let sheets = all.iter().zip(found).map(|((run, record), job)| {
        let content = match job {
            Err(reason) => SheetContent::Missing(reason),
            Ok(job) => job.samples(count, side).map_err(|error| Failure::Pictures {
                tokenizer: record.tokenizer.clone(),
                source: Box::new(error),
            })?,
        };
        Ok(ContactSheet {
            run: run.samples.run.clone(),
            tokenizer: record.tokenizer.clone(),
            dataset: record.dataset.clone(),
            protocol_sha256: record.protocol_sha256.clone(),
            content,
        })
    });
    sheets.collect()
}

/// Samples of each kind and the side of their pictures, so that so many sheets fit a page.
fn fitting(sheets: usize, count: usize) -> (usize, usize) {
    let pixels = |count: usize, side: usize| sheets * KINDS * count * EACH * side * side;
    let [.., least] = SIDES;
    for count in (1..=count).rev() {
        if let Some(side) = SIDES.into_iter().find(|&side| pixels(count, side) <= MOST_PIXELS) {
            return (count, side);
        }
    }
    (1, least)
}

/// Sheets that a page has room for, with the smallest pictures and one sample of each kind.
fn most_sheets() -> usize {
    let [.., least] = SIDES;
    MOST_PIXELS / (KINDS * EACH * least * least)
}

/// The first record of each tokenizer, data set and protocol that was reconstructed.
fn subjects(run: &Run) -> impl Iterator<Item = &Record> {
    let key = |record: &Record| {
        [&record.tokenizer, &record.dataset, &record.protocol_sha256].map(Clone::clone)
    };
    let of_pictures =
        run.records.iter().filter(|record| unversioned(&record.suite) == "reconstruction");
    let mut seen = std::collections::HashSet::new();
    of_pictures.filter(move |record| seen.insert(key(record)))
}

/// A metric that was asked for must be there somewhere, with a direction.
fn check(runs: &[Run], wanted: &Wanted<'_>) -> Result<(), Failure> {
    let Some(metric) = wanted.metric else { return Ok(()) };
    let all = || {
        runs.iter().flat_map(|run| {
            subjects(run)
                .flat_map(|record| orders(run, record))
                .map(|order| unversioned(&order.record.metric))
        })
    };
    if all().any(|known| known == unversioned(metric)) {
        return Ok(());
    }
    let nearest = nearest(metric, all()).map(str::to_owned);
    Err(Failure::Unknown { what: "metric of single images", found: metric.to_owned(), nearest })
}

/// What the samples of a tokenizer can be ordered by, in the order of the records.
fn orders<'a>(run: &'a Run, subject: &'a Record) -> Vec<Order<'a>> {
    let is_of = |samples: &&SampleColumns| {
        samples.tokenizer == subject.tokenizer
            && samples.dataset == subject.dataset
            && samples.protocol_sha256 == subject.protocol_sha256
    };
    let Some(samples) = run.samples.tables.iter().find(is_of) else { return Vec::new() };
    let records = run.records.iter().filter(|record| {
        record.tokenizer == subject.tokenizer
            && record.dataset == subject.dataset
            && record.protocol_sha256 == subject.protocol_sha256
            && record.better != Better::Neither
    });
    let order = |record: &'a Record| {
        let (_, values) = samples.metrics.iter().find(|(name, _)| *name == record.metric)?;
        Some(Order { samples, values, record })
    };
    records.filter_map(order).collect()
}

/// What there is to show of a tokenizer, or why there is nothing.
fn job<'a>(run: &'a Run, record: &'a Record, wanted: &Wanted<'_>) -> Result<Job<'a>, String> {
    let [reconstructions, originals] = files(&run.folder, record);
    if !reconstructions.is_file() {
        return Err("this run kept no reconstructions; `prismbench run` with `--save reconstructions` keeps them".to_owned());
    }
    if !originals.is_file() {
        return Err("this run kept reconstructions without the originals, as older versions did; measure again".to_owned());
    }
    let mut orders = orders(run, record);
    let metric = wanted.metric.map_or("psnr", unversioned);
    let known = orders.iter().position(|order| unversioned(&order.record.metric) == metric);
    match (known, wanted.metric, orders.is_empty()) {
        (Some(at), _, _) => Ok(Job { run, record, order: orders.swap_remove(at) }),
        (None, None, false) => Ok(Job { run, record, order: orders.swap_remove(0) }),
        (None, Some(_), false) => Err(format!("it has no values of single images of {metric}")),
        (None, _, true) => {
            Err("this run has no values of single images to order them by".to_owned())
        }
    }
}

/// Where the pictures of a record are kept.
fn files(run: &Path, record: &Record) -> [PathBuf; 2] {
    let Record { dataset, protocol, tokenizer, .. } = record;
    [
        array_folder(run, [dataset, protocol, tokenizer]).join("reconstructions.npz"),
        originals_file(run, [dataset, protocol]),
    ]
}

impl Job<'_> {
    fn samples(&self, count: usize, side: usize) -> Result<SheetContent, PicturesError> {
        let [reconstructions, originals] = files(&self.run.folder, self.record);
        let (reconstructions, originals) = (Kept::open(reconstructions)?, Kept::open(originals)?);
        let Order { samples, values, record } = &self.order;
        let sample = |(rank, at): (SampleRank, usize)| -> Result<SheetSample, PicturesError> {
            let id = &samples.ids[at];
            let (original, made) = (originals.picture(id)?, reconstructions.picture(id)?);
            let error = error_map(id, &original, &made)?;
            Ok(SheetSample {
                rank,
                id: id.clone(),
                value: values[at],
                original: thumbnail(id, &original, side)?,
                reconstruction: thumbnail(id, &made, side)?,
                error: error.thumbnail(id, side)?,
            })
        };
        let shown = extremes(values, record.better, count);
        Ok(SheetContent::Samples {
            metric: record.metric.clone(),
            unit: record.unit,
            samples: shown.into_iter().map(sample).collect::<Result<_, _>>()?,
        })
    }
}

/// Pictures that a run has kept, found by id.
struct Kept {
    path: PathBuf,
    pictures: Box<dyn Dataset>,
    places: HashMap<String, u64>,
}

impl Kept {
    fn open(path: PathBuf) -> Result<Self, PicturesError> {
        let pictures = open(&DataSpec::Path(path.clone()))?;
        let name = |at: u64| pictures.name(at).map(|name| (name.to_owned(), at));
        let places = (0..pictures.len()).filter_map(name).collect();
        Ok(Self { path, pictures, places })
    }

    fn picture(&self, id: &str) -> Result<RgbImage, PicturesError> {
        let absent = || PicturesError::Absent { path: self.path.clone(), id: id.to_owned() };
        let at = *self.places.get(id).ok_or_else(absent)?;
        let pending = self.pictures.samples(at..at + 1)?.next().ok_or_else(absent)??;
        Ok(pending.load()?.image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_pictures_are_large_and_many_are_small_and_then_fewer() {
        assert_eq!(fitting(1, 4), (4, 256));
        assert_eq!(fitting(11, 4), (4, 192));
        assert_eq!(fitting(40, 4), (2, 128));
        assert_eq!(fitting(0, 4), (4, 256));
        assert_eq!(most_sheets(), 108);
        assert_eq!(fitting(most_sheets(), 4), (1, 128));
    }
}
