//! What a generator makes, judged against real pictures by the features of networks.

mod bounds;
mod forecast;
mod judging;
mod moments_file;
mod reference;
mod saved;
mod source;
mod space;
mod statistics;
#[cfg(test)]
mod tests;
mod warnings;

use std::collections::BTreeMap;

use prismbench_core::{Concern, MetricDef, Tokenizer};
use prismbench_metrics::{
    CMMD, COVERAGE, DENSITY, FD_DINOV2, FD_ENCODER, FID_INFINITY, FLOOR_FID, GFID, INCEPTION_SCORE,
    KID, PRECISION, RECALL, RFID, SFID,
};

use crate::follow::{Passing, follow};
use crate::journal::{Block, Recalled};
use crate::pictures::PictureBlock;
use crate::{Context, Observer, Pass, Pictures, Report, Suite, SuiteError};
pub use forecast::Forecast;
use judging::Judging;
pub use moments_file::{MomentsFile, MomentsFileError, Unlike};
pub use reference::ReferenceChoice;
use saved::{Saved, Saving};
use source::Sampled;
pub use source::{Decoded, Drawn, Finished, LatentScale, SampleSource, TakeSamples, Trial};
pub use statistics::Statistics;

/// Judges finished, decoded or freshly drawn samples.
#[derive(Clone, Copy, Debug, Default)]
pub struct GenerationSuite;

impl Suite for GenerationSuite {
    fn id(&self) -> &'static str {
        "generation"
    }

    fn version(&self) -> u32 {
        1
    }

    fn summary(&self) -> &'static str {
        "compares a generator's samples with real pictures in features of networks"
    }

    fn concern(&self) -> Concern {
        Concern::Generation
    }

    fn metrics(&self) -> Vec<&'static MetricDef> {
        vec![
            &GFID,
            &SFID,
            &INCEPTION_SCORE,
            &PRECISION,
            &RECALL,
            &RFID,
            &FLOOR_FID,
            &KID,
            &DENSITY,
            &COVERAGE,
            &FID_INFINITY,
            &FD_DINOV2,
            &CMMD,
            &FD_ENCODER,
        ]
    }

    fn on_request(&self) -> &'static [&'static str] {
        const IDS: [&str; 7] = [
            KID.id,
            DENSITY.id,
            COVERAGE.id,
            FID_INFINITY.id,
            FD_DINOV2.id,
            CMMD.id,
            FD_ENCODER.id,
        ];
        &IDS
    }

    /// Tokenizers alone are not judged here: see [`judge`](Self::judge).
    fn run<'a>(
        &self,
        _: &[&dyn Tokenizer],
        _: &Pictures<'a>,
        _: &mut Context<'a>,
    ) -> Result<Option<Pass>, SuiteError> {
        Err(SuiteError::NoSamples)
    }
}

impl GenerationSuite {
    /// Judges samples against a reference in one pass over them.
    ///
    /// `real` are real pictures: the reference itself where `reference` is
    /// [`ReferenceChoice::Pictures`], else what the bounds are taken from. `decoder` is the tokenizer
    /// that made pictures of the samples' latents, where one did.
    ///
    /// # Errors
    /// [`SuiteError`] when nothing can be judged or the user wants to stop.
    pub fn judge<'a>(
        &self,
        samples: &dyn SampleSource,
        decoder: Option<&dyn Tokenizer>,
        reference: ReferenceChoice<'a>,
        real: Option<&Pictures<'a>>,
        context: &mut Context<'a>,
    ) -> Result<Option<Pass>, SuiteError> {
        samples.check()?;
        let mut warnings = Vec::new();
        let judging = Judging::new(samples, decoder, reference, real, context, &mut warnings)?;
        let saving = Saving::new(samples, context, &mut warnings)?;
        let mut pass = OfSamples { samples, judging, saving };
        let mut own: BTreeMap<String, String> = pass.judging.origin().collect();
        own.insert("saved".to_owned(), pass.saving.is_some().to_string());
        let source = Sampled(samples);
        let Some(measured) = follow(&mut pass, &source, ("samples", own), context)? else {
            return Ok(None);
        };
        let OfSamples { judging, saving, .. } = pass;
        let measurements = judging.finish(&measured, context, &mut warnings)?;
        saving.map_or(Ok(()), Saving::finish)?;
        let latent = samples.latent();
        let report = Report { latent, measurements, ..Report::default() };
        Ok(Some(Pass { pictures: measured, reports: vec![report], warnings }))
    }
}

/// A pass over samples.
struct OfSamples<'s, 'a> {
    samples: &'s dyn SampleSource,
    judging: Judging<'a>,
    saving: Option<Saving>,
}

impl Passing for OfSamples<'_, '_> {
    /// The pixels of samples that are to be saved.
    type State = Option<Vec<Saved>>;

    fn begin(&mut self, left: u64, context: &mut Context<'_>) -> Result<(), SuiteError> {
        if let Some(forecast) = Forecast::of(self.samples, &self.judging, (left, &*context))? {
            context.observer.forecast(&forecast);
        }
        Ok(())
    }

    fn measure(
        &mut self,
        block: &PictureBlock,
        _: &mut Context<'_>,
    ) -> Result<Block<Self::State>, SuiteError> {
        let state = self.saving.as_ref().map(|_| block.iter().map(Saved::of).collect());
        Ok(Block { state, rows: self.judging.measure(block)?, failures: Vec::new() })
    }

    fn take(
        &mut self,
        block: Recalled<'_, Self::State>,
        saved: Self::State,
        _: &mut dyn Observer,
    ) -> Result<(), SuiteError> {
        self.judging.take(&block)?;
        match (&mut self.saving, saved) {
            (Some(saving), Some(saved)) => saving.push(&block, &saved),
            _ => Ok(()),
        }
    }
}

/// Whether a metric is of real pictures, and tells what a generator cannot be blamed for.
fn is_bound(metric: &MetricDef) -> bool {
    [RFID.id, FLOOR_FID.id].contains(&metric.id)
}
