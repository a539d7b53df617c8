use std::time::Instant;

use prismbench_core::{
    Encoding, ImageBatch, LatentShape, Latents, MetricDef, Outcome, Protocol, Reconstruction,
    SampleKey, Tokenizer, TokenizerError,
};
use prismbench_metrics::{
    Accumulator, Aggregation, BITS_PER_PIXEL, ImageMetric, ImageScores, LATENT_FLOATS, MetricError,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::outcome;
use crate::pictures::Prepared;
use crate::{Measurement, Report, Stage, filtered};

/// Why there is no rate where only the results of a tokenizer are there.
const NO_LATENT: &str = "the reconstructions were made elsewhere, and their latents are not known";

/// What some pictures gave of one tokenizer.
#[derive(Serialize, Deserialize)]
pub(super) struct Subject {
    /// For each metric its scores, or why it is not defined for these pictures.
    metrics: Vec<Result<ImageScores, String>>,
    floats: ImageScores,
    bits: ImageScores,
    /// The latent shape of every picture so far; `None` before the first.
    shape: Option<Shape>,
    seconds: f64,
}

#[derive(PartialEq, Serialize, Deserialize)]
enum Shape {
    One(LatentShape),
    Mixed,
}

/// What one picture adds.
struct Row {
    index: u64,
    scores: Vec<Result<f64, MetricError>>,
}

/// The wanted metrics that compare one picture with its reconstruction.
pub(super) fn image_metrics(protocol: &Protocol, wanted: &[String]) -> Vec<ImageMetric> {
    ImageMetric::DEFINITIONS
        .iter()
        .filter(|definition| wanted.iter().any(|id| id == definition.id))
        .filter_map(|definition| ImageMetric::from_protocol(definition.id, protocol))
        .collect()
}

impl Subject {
    pub(super) fn new(metrics: &[ImageMetric]) -> Self {
        let scores = |metric: &ImageMetric| Ok(ImageScores::new(metric.aggregation()));
        Self {
            metrics: metrics.iter().map(scores).collect(),
            floats: ImageScores::new(Aggregation::Mean),
            bits: ImageScores::new(Aggregation::Mean),
            shape: None,
            seconds: 0.0,
        }
    }

    /// Takes in what further pictures gave.
    pub(super) fn merge(&mut self, more: Self) -> Result<(), MetricError> {
        self.floats.merge(more.floats)?;
        self.bits.merge(more.bits)?;
        self.seconds += more.seconds;
        if let Some(shape) = more.shape {
            self.add_shape(shape);
        }
        for (scores, more) in self.metrics.iter_mut().zip(more.metrics) {
            match (&mut *scores, more) {
                (Ok(scores), Ok(more)) => scores.merge(more)?,
                (Ok(_), Err(reason)) => *scores = Err(reason),
                (Err(_), _) => {}
            }
        }
        Ok(())
    }

    pub(super) fn measure(
        &mut self,
        (subject, metrics): (&dyn Tokenizer, &[ImageMetric]),
        protocol: &Protocol,
        block: &[Prepared],
        batch: &ImageBatch,
        seed: u64,
    ) -> Result<(Latents, Vec<Reconstruction>), MeasureError> {
        let indices: Vec<u64> = block.iter().map(|picture| picture.index).collect();
        let samples: Vec<SampleKey<'_>> = block.iter().map(Prepared::key).collect();
        let encoding = Encoding {
            posterior: protocol.posterior,
            noise: protocol.latent_noise,
            band_mask: protocol.band_mask,
            seed,
            samples: &samples,
        };
        let seen = filtered(batch, protocol.frequency_filter)?;
        let start = Instant::now();
        let encode = Stage::Encode.enter();
        let latents = subject.encode(&seen, &encoding)?;
        drop(encode);
        let decode = Stage::Decode.enter();
        let decoded = subject.decode(&latents)?;
        drop(decode);
        self.seconds += start.elapsed().as_secs_f64();
        let made = decoded.quantise(protocol.quantiser)?;
        if made.len() != block.len() {
            return Err(MeasureError::Count { given: block.len(), made: made.len() });
        }
        let (_, height, width) = batch.dims();
        self.add_rate(subject.latent_shape(height, width), &latents, &indices, height * width)?;
        let _metric = Stage::Metric.enter();
        let rows: Vec<Row> = block
            .par_iter()
            .zip(&made)
            .map(|(picture, made)| Row {
                index: picture.index,
                scores: metrics.iter().map(|metric| metric.score(&picture.image, made)).collect(),
            })
            .collect();
        for Row { index, scores } in rows {
            for (scores, score) in self.metrics.iter_mut().zip(scores) {
                add(scores, index, score)?;
            }
        }
        Ok((latents, made))
    }

    fn add_rate(
        &mut self,
        shape: LatentShape,
        latents: &Latents,
        indices: &[u64],
        area: usize,
    ) -> Result<(), MetricError> {
        for &index in indices {
            if let Some(floats) = shape.floats() {
                self.floats.update((index, floats as f64))?;
            }
        }
        if let Latents::BitStreams(streams) = latents {
            for (&index, stream) in indices.iter().zip(streams) {
                self.bits.update((index, 8.0 * stream.len() as f64 / area as f64))?;
            }
        }
        self.add_shape(Shape::One(shape));
        Ok(())
    }

    fn add_shape(&mut self, shape: Shape) {
        self.shape = Some(match self.shape.take() {
            Some(known) if known != shape => Shape::Mixed,
            _ => shape,
        });
    }

    pub(super) fn report(
        self,
        metrics: &[ImageMetric],
        wanted: &[String],
        failure: Option<&Outcome>,
    ) -> Report {
        let is_wanted = |definition: &MetricDef| wanted.iter().any(|id| id == definition.id);
        let mut measurements = Vec::new();
        let mut per_image = Vec::new();
        for (metric, scores) in metrics.iter().zip(self.metrics) {
            let (definition, dialect) = (metric.definition(), metric.dialect().to_owned());
            let (outcome, n) = match (failure, scores) {
                (Some(failure), _) => (failure.clone(), 0),
                (None, Err(reason)) => (Outcome::Skipped { reason }, 0),
                (None, Ok(scores)) => {
                    let values = scores.iter().map(|(_, score)| metric.value(score)).collect();
                    per_image.push((definition.id.to_owned(), values));
                    outcome(scores)
                }
            };
            measurements.push(measurement((definition, dialect), (outcome, n)));
        }
        let (no_floats, no_bits) = match self.shape {
            Some(Shape::One(LatentShape::Unknown)) => (NO_LATENT, NO_LATENT),
            _ => ("a bit stream has no floats", "the latent is numbers, not a bit stream"),
        };
        let rates =
            [(&LATENT_FLOATS, self.floats, no_floats), (&BITS_PER_PIXEL, self.bits, no_bits)];
        for (metric, scores, otherwise) in rates {
            if !is_wanted(metric) {
                continue;
            }
            let values: Vec<f64> = scores.iter().map(|(_, score)| score).collect();
            let (outcome, n) = match failure {
                Some(failure) => (failure.clone(), 0),
                None if values.is_empty() => (Outcome::Skipped { reason: otherwise.to_owned() }, 0),
                None => {
                    per_image.push((metric.id.to_owned(), values));
                    outcome(scores)
                }
            };
            measurements.push(measurement((metric, String::new()), (outcome, n)));
        }
        let latent = match self.shape {
            Some(Shape::One(shape)) => shape.to_string(),
            Some(Shape::Mixed) => "mixed".to_owned(),
            None => String::new(),
        };
        Report { latent, seconds: self.seconds, measurements, per_image }
    }
}

/// A value of single images.
fn measurement(
    (metric, dialect): (&'static MetricDef, String),
    (outcome, n): (Outcome, u64),
) -> Measurement {
    Measurement {
        metric,
        dialect,
        setting: String::new(),
        outcome,
        n,
        reference: None,
        warnings: Vec::new(),
        replicates: Vec::new(),
    }
}

/// A metric that is not defined for one picture is not defined for the set.
fn add(
    scores: &mut Result<ImageScores, String>,
    index: u64,
    score: Result<f64, MetricError>,
) -> Result<(), MetricError> {
    match (&mut *scores, score) {
        (Ok(known), Ok(score)) => known.update((index, score)),
        (Ok(_), Err(error @ MetricError::TooSmall { .. })) => {
            *scores = Err(error.to_string());
            Ok(())
        }
        (Ok(_), Err(error)) => Err(error),
        (Err(_), _) => Ok(()),
    }
}

/// Why one tokenizer's measurement ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum MeasureError {
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    #[error(transparent)]
    Metric(#[from] MetricError),
    #[error("{made} reconstructions came back for {given} pictures")]
    Count { given: usize, made: usize },
}

impl MeasureError {
    /// What a tokenizer cannot do is left out; anything else is a failure.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Tokenizer(TokenizerError::Unsupported { .. }) => {
                Outcome::Skipped { reason: self.to_string() }
            }
            _ => Outcome::failed(self),
        }
    }
}
