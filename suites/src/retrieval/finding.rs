use std::io;

use prismbench_core::{FilterPass, FrequencyFilter, MetricDef, Outcome};
use prismbench_metrics::{Direction, MetricError, RECALL_AT, Recall, Retrieval};

use super::space::Space;
use super::sweep::{FILTERED_RECALL, HIGH_PASS_COLLAPSE, LOW_PASS_COLLAPSE, Place, crossing};
use crate::extraction::Extracted;
use crate::{Column, Measurement, Report};

/// Items among which the recall of filtered pictures looks.
const FIVE: u64 = 5;

/// What was found of one tokenizer.
pub(super) struct Findings {
    space: Result<Space, Outcome>,
    whole: Result<Retrieval, Outcome>,
    latent: String,
    seconds: f64,
    filtered: Vec<(Place, Result<Recall, Outcome>)>,
}

/// What the measurements of all tokenizers have in common.
pub(super) struct Rows<'a> {
    pub(super) wanted: &'a [String],
    pub(super) dialect: String,
    /// What the protocol filters pictures by.
    pub(super) filter: FrequencyFilter,
    pub(super) reference: String,
    /// Pictures.
    pub(super) n: u64,
}

impl Findings {
    /// Of whole pictures.
    pub(super) fn new(
        (images, space): (Result<Extracted, Outcome>, Result<Space, Outcome>),
    ) -> Self {
        let (mut latent, mut seconds) = (String::new(), 0.0);
        let whole = images.and_then(|images| {
            latent.clone_from(&images.latent);
            seconds = images.seconds;
            let space = space.as_ref().map_err(Clone::clone)?;
            space.retrieve(images.features()).map_err(|error| Outcome::failed(&error))
        });
        Self { space, whole, latent, seconds, filtered: Vec::new() }
    }

    /// Of pictures with a part of their frequencies.
    pub(super) fn add(&mut self, place: Place, images: Result<Extracted, Outcome>) {
        let found = images.and_then(|images| {
            self.seconds += images.seconds;
            let space = self.space.as_ref().map_err(Clone::clone)?;
            let found = space.retrieve(images.features());
            found.and_then(|found| found.recall(Direction::TextToImage, FIVE)).map_err(without)
        });
        self.filtered.push((place, found));
    }

    /// All recalls, in the order of the suite's metrics.
    pub(super) fn report(self, rows: &Rows<'_>) -> io::Result<Report> {
        let mut measurements = Vec::new();
        let mut add = |metric: &'static MetricDef, setting: &str, outcome: Outcome| {
            if rows.wanted.iter().any(|id| id == metric.id) {
                measurements.push(rows.measurement(metric, setting, outcome));
            }
        };
        for direction in [Direction::TextToImage, Direction::ImageToText] {
            for (metric, k) in direction.metrics().iter().zip(RECALL_AT) {
                add(metric, "", self.recall(direction, k).map_or_else(|no| no, outcome));
            }
        }
        add(&LOW_PASS_COLLAPSE, "", self.collapse(FilterPass::Low, rows.filter));
        add(&HIGH_PASS_COLLAPSE, "", self.collapse(FilterPass::High, rows.filter));
        for (place, recall) in &self.filtered {
            let recall = recall.clone().map_or_else(|no| no, outcome);
            add(&FILTERED_RECALL, &place.setting(), recall);
        }
        let per_image = self.hits().transpose()?.into_iter().collect();
        Ok(Report { latent: self.latent, seconds: self.seconds, measurements, per_image })
    }

    fn recall(&self, direction: Direction, k: u64) -> Result<Recall, Outcome> {
        let found = self.whole.as_ref().map_err(Clone::clone)?;
        found.recall(direction, k).map_err(without)
    }

    /// Where recall falls to half.
    fn collapse(&self, pass: FilterPass, filter: FrequencyFilter) -> Outcome {
        let skipped = |reason: &str| Outcome::Skipped { reason: reason.to_owned() };
        let whole = match self.recall(Direction::TextToImage, FIVE) {
            Ok(recall) if recall.hits == 0 => return skipped("nothing is found in whole pictures"),
            Ok(recall) => recall.value,
            Err(outcome) => return outcome,
        };
        if filter != FrequencyFilter::None {
            return skipped("the protocol has filtered its pictures already");
        }
        let mut curve = Vec::new();
        for (place, recall) in self.filtered.iter().filter(|(place, _)| place.pass == pass) {
            match recall {
                Ok(recall) => curve.push((place.cutoff.get(), recall.value)),
                Err(outcome) => return outcome.clone(),
            }
        }
        match pass {
            FilterPass::Low => curve.reverse(),
            FilterPass::High => curve.insert(0, (0.0, whole)),
        }
        match crossing(&curve, whole / 2.0) {
            Some(value) => Outcome::Ok { value, low: None, high: None },
            None => skipped("nothing was swept"),
        }
    }

    /// Whether each picture finds a text of its own among five; nothing where one has no text.
    fn hits(&self) -> Option<io::Result<(String, Column<f64>)>> {
        let ranks = self.whole.as_ref().ok()?.ranks(Direction::ImageToText);
        let ranks = ranks.iter().copied().collect::<Option<Vec<u64>>>()?;
        let [_, metric, _] = Direction::ImageToText.metrics();
        let hits = ranks.iter().map(|&rank| f64::from(u8::from(rank < FIVE)));
        Some(Column::of(hits).map(|hits| (metric.id.to_owned(), hits)))
    }
}

impl Rows<'_> {
    fn measurement(
        &self,
        metric: &'static MetricDef,
        setting: &str,
        outcome: Outcome,
    ) -> Measurement {
        Measurement {
            metric,
            dialect: self.dialect.clone(),
            setting: setting.to_owned(),
            n: if outcome.value().is_some() { self.n } else { 0 },
            outcome,
            reference: Some(self.reference.clone()),
            warnings: Vec::new(),
            replicates: Vec::new(),
        }
    }
}

fn outcome(recall: Recall) -> Outcome {
    let (low, high) = (Some(recall.interval.low), Some(recall.interval.high));
    Outcome::Ok { value: recall.value, low, high }
}

/// Too few items to look among are no failure of the tokenizer.
fn without(error: MetricError) -> Outcome {
    match error {
        MetricError::TooFewSamples { .. } => Outcome::Skipped { reason: error.to_string() },
        _ => Outcome::failed(&error),
    }
}
