use std::sync::atomic::Ordering;
use std::time::Instant;

use prismbench_core::{
    ImageBatch, LatentShape, Latents, MetricDef, Outcome, Protocol, Reconstruction, RgbImage,
    Tokenizer, TokenizerError,
};
use prismbench_metrics::{
    Accumulator, Aggregation, BITS_PER_PIXEL, ImageMetric, ImageScores, LATENT_FLOATS, MS_SSIM,
    MetricError, PSNR, SSIM, Summary,
};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::pictures::{Pictures, Prepared};
use crate::suite::posterior;
use crate::{Context, Measured, Measurement, Pass, Report, Suite, SuiteError};

/// Encode, decode, and compare with the input.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReconstructionSuite;

impl Suite for ReconstructionSuite {
    fn id(&self) -> &'static str {
        "reconstruction"
    }

    fn version(&self) -> u32 {
        1
    }

    fn summary(&self) -> &'static str {
        "encodes and decodes every picture and compares it with the input"
    }

    fn metrics(&self) -> Vec<&'static MetricDef> {
        vec![&PSNR, &SSIM, &MS_SSIM, &LATENT_FLOATS, &BITS_PER_PIXEL]
    }

    fn run(
        &self,
        subjects: &[&dyn Tokenizer],
        pictures: &Pictures<'_>,
        context: &mut Context<'_>,
    ) -> Result<Pass, SuiteError> {
        let mut states: Vec<State> =
            subjects.iter().map(|_| State::new(pictures.protocol, context.metrics)).collect();
        let mut seen = Seen::default();
        let total = pictures.count();
        let mut blocks = pictures.blocks(context.batch)?;
        while let Some(block) = blocks.next_block()? {
            let images: Vec<&RgbImage> = block.iter().map(|picture| &picture.image).collect();
            let batch = ImageBatch::from_images(&images, context.device)?;
            for (number, (subject, state)) in subjects.iter().zip(&mut states).enumerate() {
                if state.failure.is_some() {
                    continue;
                }
                match state.measure(*subject, pictures.protocol, &block, &batch, context.seed) {
                    Ok((latents, made)) => context
                        .observer
                        .made(number, &block, &latents, &made)
                        .map_err(SuiteError::Save)?,
                    Err(error) => state.failure = Some(Outcome::failed(&error)),
                }
            }
            seen.add(&block);
            let done = seen.measured.ids.len() as u64 + blocks.skipped().len() as u64;
            context.observer.progress(done, total);
            if done < total && context.interrupted.load(Ordering::Relaxed) {
                return Err(SuiteError::Interrupted { done, total });
            }
        }
        let mut measured = seen.finish();
        measured.skipped = blocks.skipped().to_vec();
        if measured.ids.is_empty() {
            let dataset = pictures.dataset.id().to_owned();
            return Err(SuiteError::NothingLeft { dataset, skipped: measured.skipped.len() });
        }
        let reports = states.into_iter().map(|state| state.report(context.metrics)).collect();
        Ok(Pass { pictures: measured, reports })
    }
}

/// The pictures so far and the hash over their digests.
#[derive(Default)]
struct Seen {
    measured: Measured,
    hash: Sha256,
}

impl Seen {
    fn add(&mut self, block: &[Prepared]) {
        for picture in block {
            self.measured.indices.push(picture.index);
            self.measured.ids.push(picture.id.clone());
            self.measured.labels.push(picture.label);
            self.hash.update(picture.digest);
        }
    }

    fn finish(mut self) -> Measured {
        let digest = self.hash.finalize();
        self.measured.sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.measured
    }
}

/// What is known of one tokenizer while the pass goes on.
struct State {
    metrics: Vec<Scored>,
    floats: ImageScores,
    bits: ImageScores,
    /// The latent shape of every picture so far; `None` before the first.
    shape: Option<Shape>,
    seconds: f64,
    failure: Option<Outcome>,
}

/// An image metric and its scores, or why it is not defined for these pictures.
struct Scored {
    metric: ImageMetric,
    scores: Result<ImageScores, MetricError>,
}

#[derive(PartialEq)]
enum Shape {
    One(LatentShape),
    Mixed,
}

/// What one picture adds.
struct Row {
    index: u64,
    scores: Vec<Result<f64, MetricError>>,
}

impl State {
    fn new(protocol: &Protocol, wanted: &[String]) -> Self {
        let metrics = ImageMetric::DEFINITIONS
            .iter()
            .filter(|definition| wanted.iter().any(|id| id == definition.id))
            .filter_map(|definition| ImageMetric::from_protocol(definition.id, protocol))
            .map(|metric| Scored { metric, scores: Ok(ImageScores::new(metric.aggregation())) })
            .collect();
        Self {
            metrics,
            floats: ImageScores::new(Aggregation::Mean),
            bits: ImageScores::new(Aggregation::Mean),
            shape: None,
            seconds: 0.0,
            failure: None,
        }
    }

    fn measure(
        &mut self,
        subject: &dyn Tokenizer,
        protocol: &Protocol,
        block: &[Prepared],
        batch: &ImageBatch,
        seed: u64,
    ) -> Result<(Latents, Vec<Reconstruction>), MeasureError> {
        let indices: Vec<u64> = block.iter().map(|picture| picture.index).collect();
        let start = Instant::now();
        let latents = subject.encode(batch, posterior(protocol.posterior, seed, &indices))?;
        let decoded = subject.decode(&latents)?;
        self.seconds += start.elapsed().as_secs_f64();
        let made = decoded.quantise(protocol.quantiser)?;
        if made.len() != block.len() {
            return Err(MeasureError::Count { given: block.len(), made: made.len() });
        }
        let (_, height, width) = batch.dims();
        self.add_rate(subject.latent_shape(height, width), &latents, &indices, height * width)?;
        let metrics = &self.metrics;
        let rows: Vec<Row> = block
            .par_iter()
            .zip(&made)
            .map(|(picture, made)| Row {
                index: picture.index,
                scores: metrics
                    .iter()
                    .map(|scored| scored.metric.score(&picture.image, made))
                    .collect(),
            })
            .collect();
        for Row { index, scores } in rows {
            for (scored, score) in self.metrics.iter_mut().zip(scores) {
                scored.add(index, score)?;
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
        let shape = Shape::One(shape);
        self.shape = Some(match self.shape.take() {
            Some(known) if known != shape => Shape::Mixed,
            _ => shape,
        });
        Ok(())
    }

    fn report(self, wanted: &[String]) -> Report {
        let is_wanted = |definition: &MetricDef| wanted.iter().any(|id| id == definition.id);
        let mut measurements = Vec::new();
        let mut per_image = Vec::new();
        for Scored { metric, scores } in self.metrics {
            let (definition, dialect) = (metric.definition(), metric.dialect());
            let (outcome, n) = match (&self.failure, scores) {
                (Some(failure), _) => (failure.clone(), 0),
                (None, Err(error)) => (Outcome::Skipped { reason: error.to_string() }, 0),
                (None, Ok(scores)) => {
                    let values = scores.iter().map(|(_, score)| metric.value(score)).collect();
                    per_image.push((definition.id.to_owned(), values));
                    outcome(scores)
                }
            };
            measurements.push(Measurement { metric: definition, dialect, outcome, n });
        }
        let rates = [
            (&LATENT_FLOATS, self.floats, "a bit stream has no floats"),
            (&BITS_PER_PIXEL, self.bits, "the latent is numbers, not a bit stream"),
        ];
        for (metric, scores, otherwise) in rates {
            if !is_wanted(metric) {
                continue;
            }
            let values: Vec<f64> = scores.iter().map(|(_, score)| score).collect();
            let (outcome, n) = match &self.failure {
                Some(failure) => (failure.clone(), 0),
                None if values.is_empty() => (Outcome::Skipped { reason: otherwise.to_owned() }, 0),
                None => {
                    per_image.push((metric.id.to_owned(), values));
                    outcome(scores)
                }
            };
            measurements.push(Measurement { metric, dialect: "", outcome, n });
        }
        let latent = match self.shape {
            Some(Shape::One(shape)) => shape.to_string(),
            Some(Shape::Mixed) => "mixed".to_owned(),
            None => String::new(),
        };
        Report { latent, seconds: self.seconds, measurements, per_image }
    }
}

impl Scored {
    /// A metric that is not defined for one picture is not defined for the set.
    fn add(&mut self, index: u64, score: Result<f64, MetricError>) -> Result<(), MetricError> {
        match (&mut self.scores, score) {
            (Ok(scores), Ok(score)) => scores.update((index, score)),
            (Ok(_), Err(error @ MetricError::TooSmall { .. })) => {
                self.scores = Err(error);
                Ok(())
            }
            (Ok(_), Err(error)) => Err(error),
            (Err(_), _) => Ok(()),
        }
    }
}

/// Why one tokenizer's measurement ends.
#[derive(Debug, thiserror::Error)]
enum MeasureError {
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    #[error(transparent)]
    Metric(#[from] MetricError),
    #[error("{made} reconstructions came back for {given} pictures")]
    Count { given: usize, made: usize },
}

fn outcome(scores: ImageScores) -> (Outcome, u64) {
    match scores.finish() {
        Ok(Summary { n, value, infinite: 0, interval }) => match value {
            Some(value) => {
                // A constant has no interval worth printing.
                let interval = interval.filter(|interval| interval.low < interval.high);
                let (low, high) = (interval.map(|i| i.low), interval.map(|i| i.high));
                (Outcome::Ok { value, low, high }, n)
            }
            None => (Outcome::Infinite { infinite: n, finite_mean: None }, n),
        },
        Ok(Summary { n, value, infinite, .. }) => {
            (Outcome::Infinite { infinite, finite_mean: value }, n)
        }
        Err(error) => (Outcome::failed(&error), 0),
    }
}
