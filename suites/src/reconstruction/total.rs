use std::io;

use prismbench_core::{LatentShape, MetricDef, Outcome};
use prismbench_metrics::{Aggregation, BITS_PER_PIXEL, ImageMetric, LATENT_FLOATS};

use super::scored::Scored;
use super::subject::{Shape, Subject};
use crate::{Measurement, Report};

/// Why there is no rate where only the results of a tokenizer are there.
const NO_LATENT: &str = "the reconstructions were made elsewhere, and their latents are not known";

/// What all pictures gave of one tokenizer.
pub(super) struct Total {
    /// For each metric the scores, or why it is not defined for these pictures.
    metrics: Vec<Result<Scored, String>>,
    floats: Scored,
    bits: Scored,
    /// The latent shape of every picture so far; `None` before the first.
    shape: Option<Shape>,
    seconds: f64,
}

impl Total {
    pub(super) fn new(metrics: &[ImageMetric]) -> Self {
        let scored = |metric: &ImageMetric| Ok(Scored::new(metric.aggregation()));
        Self {
            metrics: metrics.iter().map(scored).collect(),
            floats: Scored::new(Aggregation::Mean),
            bits: Scored::new(Aggregation::Mean),
            shape: None,
            seconds: 0.0,
        }
    }

    /// Takes in what the next pictures gave.
    pub(super) fn take(&mut self, more: Subject) -> io::Result<()> {
        self.floats.take(&more.floats)?;
        self.bits.take(&more.bits)?;
        self.seconds += more.seconds;
        if let Some(shape) = more.shape {
            self.shape = Some(shape.beside(self.shape.take()));
        }
        for (scored, more) in self.metrics.iter_mut().zip(more.metrics) {
            match (&mut *scored, more) {
                (Ok(scored), Ok(more)) => scored.take(&more)?,
                (Ok(_), Err(reason)) => *scored = Err(reason),
                (Err(_), _) => {}
            }
        }
        Ok(())
    }

    pub(super) fn report(
        self,
        metrics: &[ImageMetric],
        wanted: &[String],
        failure: Option<&Outcome>,
    ) -> io::Result<Report> {
        let is_wanted = |definition: &MetricDef| wanted.iter().any(|id| id == definition.id);
        let mut measurements = Vec::new();
        let mut per_image = Vec::new();
        for (metric, scored) in metrics.iter().zip(self.metrics) {
            let (definition, dialect) = (metric.definition(), metric.dialect().to_owned());
            let (outcome, n) = match (failure, scored) {
                (Some(failure), _) => (failure.clone(), 0),
                (None, Err(reason)) => (Outcome::Skipped { reason }, 0),
                (None, Ok(scored)) => {
                    let (scores, outcome) = scored.finish();
                    let values = scores.map(|score| metric.value(score))?;
                    per_image.push((definition.id.to_owned(), values));
                    outcome
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
        for (metric, scored, otherwise) in rates {
            if !is_wanted(metric) {
                continue;
            }
            let (outcome, n) = match failure {
                Some(failure) => (failure.clone(), 0),
                None if scored.is_empty() => (Outcome::Skipped { reason: otherwise.to_owned() }, 0),
                None => {
                    let (values, outcome) = scored.finish();
                    per_image.push((metric.id.to_owned(), values));
                    outcome
                }
            };
            measurements.push(measurement((metric, String::new()), (outcome, n)));
        }
        let latent = match self.shape {
            Some(Shape::One(shape)) => shape.to_string(),
            Some(Shape::Mixed) => "mixed".to_owned(),
            None => String::new(),
        };
        Ok(Report { latent, seconds: self.seconds, measurements, per_image })
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
