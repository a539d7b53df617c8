mod distributions;
mod perceptual;
mod subject;

use std::sync::atomic::Ordering;

use prismbench_core::{Concern, ImageBatch, MetricDef, Outcome, RgbImage, Tokenizer};
use prismbench_metrics::{
    Accumulator, BITS_PER_PIXEL, CMMD, COVERAGE, DENSITY, FD_DINOV2, FD_RANDOM, ImageScores,
    LATENT_FLOATS, LPIPS, MS_SSIM, PRECISION, PSNR, RECALL, SSIM, Summary,
};

use crate::pictures::{Pictures, Prepared};
use crate::seen::Seen;
use crate::{Context, Measurement, NetworkKind, Pass, Report, Stage, Suite, SuiteError};
use distributions::Distributions;
use perceptual::{Made, Perceptual};
use subject::Subject;

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

    fn concern(&self) -> Concern {
        Concern::Reconstruction
    }

    fn metrics(&self) -> Vec<&'static MetricDef> {
        let mut metrics = vec![&PSNR, &SSIM, &MS_SSIM, &LPIPS];
        metrics.extend(distributions::METRICS);
        metrics.extend([&LATENT_FLOATS, &BITS_PER_PIXEL]);
        metrics
    }

    fn on_request(&self) -> &'static [&'static str] {
        const IDS: [&str; 7] =
            [PRECISION.id, RECALL.id, DENSITY.id, COVERAGE.id, FD_RANDOM.id, FD_DINOV2.id, CMMD.id];
        &IDS
    }

    fn run<'a>(
        &self,
        subjects: &[&dyn Tokenizer],
        pictures: &Pictures<'a>,
        context: &mut Context<'a>,
    ) -> Result<Pass, SuiteError> {
        let mut warnings = Vec::new();
        let mut going = Going::new(subjects.len(), pictures, context, &mut warnings)?;
        let mut seen = Seen::default();
        let total = pictures.count();
        let mut blocks = pictures.blocks(context.batch)?;
        while let Some(block) = blocks.next_block()? {
            going.measure(subjects, pictures, &block, context)?;
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
        let _metric = Stage::Metric.enter();
        going.distributions.keep(&mut warnings);
        if let Some(path) = context.save_features {
            let saved =
                going.distributions.save(path).map_err(|error| SuiteError::Save(error.into()))?;
            if !saved {
                let reason = match context.reference {
                    Some(_) => "the reference was given",
                    None => "no metric of this run takes any of the originals",
                };
                warnings.push(format!("no features were saved: {reason}"));
            }
        }
        let order = self.metrics();
        let reports = going.finish(context, &order, &measured.sha256, &mut warnings);
        Ok(Pass { pictures: measured, reports, warnings })
    }
}

/// Everything that grows while a pass goes on.
struct Going<'a> {
    subjects: Vec<Subject>,
    perceptual: Option<Perceptual<'a>>,
    distributions: Distributions<'a>,
}

impl<'a> Going<'a> {
    fn new(
        count: usize,
        pictures: &Pictures<'a>,
        context: &Context<'a>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, SuiteError> {
        let lpips = context.metrics.iter().any(|id| id == LPIPS.id);
        let lpips = context.networks.lpips.ready().filter(|_| lpips);
        Ok(Self {
            subjects: (0..count)
                .map(|_| Subject::new(pictures.protocol, context.metrics))
                .collect(),
            perceptual: lpips.map(|network| Perceptual::new(network, count)),
            distributions: Distributions::new(pictures, context, count, warnings)?,
        })
    }

    fn measure(
        &mut self,
        tokenizers: &[&dyn Tokenizer],
        pictures: &Pictures<'a>,
        block: &[Prepared],
        context: &mut Context<'a>,
    ) -> Result<(), SuiteError> {
        let images: Vec<&RgbImage> = block.iter().map(|picture| &picture.image).collect();
        let batch = ImageBatch::from_images(&images, context.device)?;
        {
            let _metric = Stage::Metric.enter();
            self.distributions.add_originals(block)?;
        }
        let mut all: Made = Vec::with_capacity(tokenizers.len());
        for (number, (tokenizer, subject)) in tokenizers.iter().zip(&mut self.subjects).enumerate()
        {
            if subject.failure.is_some() {
                all.push(None);
                continue;
            }
            match subject.measure(*tokenizer, pictures.protocol, block, &batch, context.seed) {
                Ok((latents, made)) => {
                    context
                        .observer
                        .made(number, block, &latents, &made)
                        .map_err(SuiteError::Save)?;
                    let _metric = Stage::Metric.enter();
                    self.distributions.add(number, block, &made);
                    all.push(Some(made));
                }
                Err(error) => {
                    subject.failure = Some(error.outcome());
                    all.push(None);
                }
            }
        }
        if let Some(perceptual) = &mut self.perceptual {
            let _metric = Stage::Metric.enter();
            perceptual.add(block, &all);
        }
        Ok(())
    }

    /// One report per tokenizer, measurements in the order of the suite's metrics.
    fn finish(
        self,
        context: &Context<'_>,
        order: &[&'static MetricDef],
        pictures: &str,
        warnings: &mut Vec<String>,
    ) -> Vec<Report> {
        let Self { subjects, perceptual, distributions } = self;
        let mut reports = Vec::with_capacity(subjects.len());
        for (number, subject) in subjects.into_iter().enumerate() {
            let failure = subject.failure.clone();
            let mut report = subject.report(context.metrics);
            let mut added = Vec::new();
            if let Some(perceptual) = &perceptual {
                let (measurement, values) = perceptual.report(number, failure.as_ref());
                report.per_image.extend(values.map(|values| (LPIPS.id.to_owned(), values)));
                added.push(measurement);
            }
            let (measurements, said) = distributions.report(number, failure.as_ref(), pictures);
            added.extend(measurements);
            for text in said {
                if !warnings.contains(&text) {
                    warnings.push(text);
                }
            }
            let known: Vec<&str> = added.iter().map(|measurement| measurement.metric.id).collect();
            let absent = order.iter().filter(|metric| {
                NetworkKind::of(metric.id).is_some()
                    && !known.contains(&metric.id)
                    && context.metrics.iter().any(|id| id == metric.id)
            });
            let absent: Vec<Measurement> =
                absent.map(|&metric| without_network(metric, context, failure.as_ref())).collect();
            report.measurements.extend(added);
            report.measurements.extend(absent);
            let place = |measurement: &Measurement| {
                order.iter().position(|metric| metric.id == measurement.metric.id)
            };
            report.measurements.sort_by_key(place);
            reports.push(report);
        }
        reports
    }
}

/// What is said of a metric whose network is not there, or whose tokenizer has failed.
fn without_network(
    metric: &'static MetricDef,
    context: &Context<'_>,
    failure: Option<&Outcome>,
) -> Measurement {
    let missing = NetworkKind::of(metric.id).map(|kind| context.networks.missing(kind));
    let outcome = match failure {
        Some(failure) => failure.clone(),
        None => Outcome::Skipped { reason: missing.unwrap_or_default() },
    };
    Measurement {
        metric,
        dialect: String::new(),
        setting: String::new(),
        outcome,
        n: 0,
        reference: None,
        warnings: Vec::new(),
        replicates: Vec::new(),
    }
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
