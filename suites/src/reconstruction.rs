mod distributions;
mod made;
mod perceptual;
mod scored;
mod subject;
mod total;

use std::io;

use prismbench_core::{Concern, MetricDef, Outcome, Protocol, Tokenizer};
use prismbench_metrics::{
    BITS_PER_PIXEL, CMMD, COVERAGE, DENSITY, FD_DINOV2, FD_ENCODER, FD_RANDOM, ImageMetric,
    LATENT_FLOATS, LPIPS, MS_SSIM, PRECISION, PSNR, RECALL, SSIM,
};
use serde::{Deserialize, Serialize};

use crate::follow::{Passing, follow, of_tokenizers};
use crate::journal::{Block, Recalled};
use crate::pictures::{PictureBlock, Pictures};
use crate::{Context, Measurement, NetworkKind, Observer, Pass, Report, Stage, Suite, SuiteError};
use distributions::Distributions;
use made::Arrays;
pub use made::{LatentRows, Made, Pixels, WantedArrays};
use perceptual::{MadeOfBlock, Perceptual};
use subject::Subject;
use total::Total;

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
        const IDS: [&str; 8] = [
            PRECISION.id,
            RECALL.id,
            DENSITY.id,
            COVERAGE.id,
            FD_RANDOM.id,
            FD_DINOV2.id,
            CMMD.id,
            FD_ENCODER.id,
        ];
        &IDS
    }

    fn run<'a>(
        &self,
        subjects: &[&dyn Tokenizer],
        pictures: &Pictures<'a>,
        context: &mut Context<'a>,
    ) -> Result<Option<Pass>, SuiteError> {
        let mut warnings = Vec::new();
        let mut going = Going::new(subjects, pictures, context, &mut warnings)?;
        let mut own = of_tokenizers(subjects);
        own.extend(going.origin());
        own.extend(context.observer.wants().origin());
        let place = ("reconstruction", own);
        let Some(measured) = follow(&mut going, pictures, place, context)? else {
            return Ok(None);
        };
        let measured = measured.some(pictures)?;
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
        let reports = going.finish(context, &order, &measured.sha256, &mut warnings)?;
        Ok(Some(Pass { pictures: measured, reports, warnings }))
    }
}

/// Everything that grows while a pass goes on.
struct Going<'p, 'a> {
    tokenizers: &'p [&'p dyn Tokenizer],
    protocol: &'p Protocol,
    metrics: Vec<ImageMetric>,
    /// What was taken in of each tokenizer, and why it cannot be measured any further.
    subjects: Vec<(Total, Option<Outcome>)>,
    perceptual: Option<Perceptual<'a>>,
    distributions: Distributions<'a>,
    /// Why a tokenizer is not measured any more.
    stopped: Vec<Option<Outcome>>,
}

/// Scores of a tokenizer, and for each space why there are no features; or why there is nothing.
type FoundOfOne = Result<(Subject, Vec<Result<(), Outcome>>), Outcome>;

/// What a block gave.
#[derive(Serialize, Deserialize)]
struct Found {
    /// Of the originals' features, how many were computed in each space.
    fresh: Vec<u64>,
    /// Of each tokenizer.
    subjects: Vec<FoundOfOne>,
    /// Of each tokenizer.
    perceptual: Vec<perceptual::Scores>,
    /// Where somebody wants them.
    arrays: Option<Arrays>,
}

impl Found {
    /// Why something went wrong that may go well another time.
    fn failures(&self) -> Vec<String> {
        let mut outcomes = Vec::new();
        for subject in &self.subjects {
            match subject {
                Ok((_, spaces)) => outcomes.extend(spaces.iter().filter_map(|s| s.as_ref().err())),
                Err(outcome) => outcomes.push(outcome),
            }
        }
        outcomes.extend(self.perceptual.iter().filter_map(|scores| scores.as_ref().err()));
        outcomes.into_iter().filter_map(Outcome::failure).map(str::to_owned).collect()
    }
}

impl Passing for Going<'_, '_> {
    type State = Found;

    fn measure(
        &mut self,
        block: &PictureBlock,
        context: &mut Context<'_>,
    ) -> Result<Block<Found>, SuiteError> {
        let batch = block.batch(context.device)?;
        let mut rows = Vec::new();
        let fresh = {
            let _metric = Stage::Metric.enter();
            self.distributions.originals(block, &mut rows)?
        };
        let wanted = context.observer.wants();
        let mut arrays =
            wanted.any().then(|| Arrays { originals: wanted.originals(block), made: Vec::new() });
        let mut all: MadeOfBlock = Vec::with_capacity(self.tokenizers.len());
        let mut subjects = Vec::with_capacity(self.tokenizers.len());
        for (number, &tokenizer) in self.tokenizers.iter().enumerate() {
            if let Some(outcome) = &self.stopped[number] {
                subjects.push(Err(outcome.clone()));
                all.push(None);
                continue;
            }
            let mut subject = Subject::new(&self.metrics);
            let taken = (tokenizer, self.metrics.as_slice());
            match subject.measure(taken, self.protocol, block, &batch, context.seed) {
                Ok((latents, made)) => {
                    if let Some(arrays) = &mut arrays {
                        let saved = wanted.made(&latents, &made).map_err(SuiteError::Save)?;
                        arrays.made.resize_with(number, || None);
                        arrays.made.push(Some(saved));
                    }
                    let _metric = Stage::Metric.enter();
                    let spaces = self.distributions.made(block, &made, &mut rows);
                    subjects.push(Ok((subject, spaces)));
                    all.push(Some(made));
                }
                Err(error) => {
                    subjects.push(Err(self.stopped[number].insert(error.outcome()).clone()));
                    all.push(None);
                }
            }
        }
        let perceptual = self.perceptual.as_ref().map_or_else(Vec::new, |perceptual| {
            let _metric = Stage::Metric.enter();
            perceptual.measure(block, &all)
        });
        let state = Found { fresh, subjects, perceptual, arrays };
        let failures = state.failures();
        Ok(Block { state, rows, failures })
    }

    fn take(
        &mut self,
        block: Recalled<'_, Found>,
        found: Found,
        observer: &mut dyn Observer,
    ) -> Result<(), SuiteError> {
        let Found { fresh, subjects, perceptual, arrays } = found;
        if let Some(Arrays { originals, made }) = arrays {
            let ids: Vec<&str> = block.names().collect();
            observer.seen(&ids, &originals).map_err(SuiteError::Save)?;
            for (number, made) in made.iter().enumerate() {
                let told = made.as_ref().map(|made| observer.made(number, &ids, made));
                told.transpose().map_err(SuiteError::Save)?;
            }
        }
        let mut layer = self.distributions.take_originals(&block, &fresh)?;
        for (number, ((all, failure), found)) in self.subjects.iter_mut().zip(subjects).enumerate()
        {
            let stopped = match found {
                Ok((subject, spaces)) => {
                    let first = (number, layer);
                    layer = self.distributions.take_made(&block, first, spaces)?;
                    all.take(subject)?;
                    None
                }
                Err(outcome) => Some(outcome),
            };
            *failure = failure.take().or(stopped);
        }
        if let Some(all) = &mut self.perceptual {
            all.take(perceptual)?;
        }
        Ok(())
    }
}

impl<'p, 'a> Going<'p, 'a> {
    fn new(
        tokenizers: &'p [&'p dyn Tokenizer],
        pictures: &Pictures<'a>,
        context: &Context<'a>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, SuiteError>
    where
        'a: 'p,
    {
        let lpips = context.metrics.iter().any(|id| id == LPIPS.id);
        let lpips = context.networks.lpips.ready().filter(|_| lpips);
        let metrics = subject::image_metrics(pictures.protocol, context.metrics);
        let count = tokenizers.len();
        Ok(Self {
            tokenizers,
            protocol: pictures.protocol,
            subjects: (0..count).map(|_| (Total::new(&metrics), None)).collect(),
            metrics,
            perceptual: lpips.map(|network| Perceptual::new(network, count)),
            distributions: Distributions::new(pictures, context, count, warnings)?,
            stopped: vec![None; count],
        })
    }

    /// What decides the pass besides its pictures and tokenizers.
    fn origin(&self) -> impl Iterator<Item = (String, String)> {
        let lpips = self.perceptual.as_ref().map(Perceptual::origin);
        self.distributions.origin().chain(lpips)
    }

    /// One report per tokenizer, measurements in the order of the suite's metrics.
    fn finish(
        self,
        context: &Context<'_>,
        order: &[&'static MetricDef],
        pictures: &str,
        warnings: &mut Vec<String>,
    ) -> io::Result<Vec<Report>> {
        let Self { subjects, perceptual, distributions, metrics, .. } = self;
        let mut reports = Vec::with_capacity(subjects.len());
        let perceptual = perceptual.into_iter().flat_map(Perceptual::into_each);
        let mut perceptual: Vec<_> = perceptual.map(Some).collect();
        for (number, (total, failure)) in subjects.into_iter().enumerate() {
            let mut report = total.report(&metrics, context.metrics, failure.as_ref())?;
            let mut added = Vec::new();
            if let Some(scores) = perceptual.get_mut(number).and_then(Option::take) {
                let (measurement, values) = scores.report(failure.as_ref());
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
        Ok(reports)
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
