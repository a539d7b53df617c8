use std::time::Instant;

use prismbench_core::{
    Encoding, ImageBatch, LatentShape, Latents, Outcome, Protocol, SampleKey, Tokenizer,
    TokenizerError,
};
use prismbench_metrics::{Accumulator, Aggregation, ImageMetric, ImageScores, MetricError};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::pictures::{PictureBlock, Prepared};
use crate::quantised::Quantised;
use crate::{Stage, filtered};

/// What some pictures gave of one tokenizer.
#[derive(Serialize, Deserialize)]
pub(super) struct Subject {
    /// For each metric its scores, or why it is not defined for these pictures.
    pub(super) metrics: Vec<Result<ImageScores, String>>,
    pub(super) floats: ImageScores,
    pub(super) bits: ImageScores,
    /// The latent shape of every picture so far; `None` before the first.
    pub(super) shape: Option<Shape>,
    pub(super) seconds: f64,
}

/// Shape of latents.
#[derive(PartialEq, Serialize, Deserialize)]
pub(super) enum Shape {
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

    pub(super) fn measure(
        &mut self,
        (subject, metrics): (&dyn Tokenizer, &[ImageMetric]),
        protocol: &Protocol,
        block: &PictureBlock,
        batch: &ImageBatch,
        seed: u64,
    ) -> Result<(Latents, Quantised), MeasureError> {
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
        let made = Quantised::new(&decoded, protocol.quantiser)?;
        if made.count() != block.len() {
            return Err(MeasureError::Count { given: block.len(), made: made.count() });
        }
        let (_, height, width) = batch.dims();
        self.add_rate(subject.latent_shape(height, width), &latents, &indices, height * width)?;
        let _metric = Stage::Metric.enter();
        for Row { index, scores } in rows(metrics, block, &made)? {
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
        self.shape = Some(Shape::One(shape).beside(self.shape.take()));
        Ok(())
    }
}

/// The scores of each picture: what a device has of both sides it compares, and the host the rest.
fn rows(
    metrics: &[ImageMetric],
    block: &PictureBlock,
    made: &Quantised,
) -> Result<Vec<Row>, MeasureError> {
    let on_device = |metric: &ImageMetric| metric.scores_on_device(block.sent()?, made.device()?);
    let known: Vec<Option<Vec<f64>>> =
        metrics.iter().map(|metric| on_device(metric).transpose()).collect::<Result<_, _>>()?;
    let is_known = known.iter().all(Option::is_some);
    let made = if is_known { &[] } else { made.host()? };
    let row = |(number, picture): (usize, &Prepared)| {
        let score = |(metric, known): (&ImageMetric, &Option<Vec<f64>>)| match known {
            Some(known) => Ok(known[number]),
            None => metric.score(&picture.image, &made[number]),
        };
        Row { index: picture.index, scores: metrics.iter().zip(&known).map(score).collect() }
    };
    Ok(block.par_iter().enumerate().map(row).collect())
}

impl Shape {
    /// Of pictures of which the others have the shape `known`.
    pub(super) fn beside(self, known: Option<Self>) -> Self {
        match known {
            Some(known) if known != self => Self::Mixed,
            _ => self,
        }
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
