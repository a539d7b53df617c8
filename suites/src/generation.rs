//! What a generator makes, judged against real pictures by the features of Inception.

mod bounds;
mod judging;
mod moments_file;
mod reference;
mod source;
mod statistics;
#[cfg(test)]
mod tests;
mod warnings;

use std::sync::atomic::Ordering;

use prismbench_core::{Concern, MetricDef, Tokenizer};
use prismbench_metrics::{
    COVERAGE, DENSITY, FID_INFINITY, FLOOR_FID, GFID, INCEPTION_SCORE, KID, PRECISION, RECALL,
    RFID, SFID,
};

use crate::seen::Seen;
use crate::{Context, Pass, Pictures, Report, Suite, SuiteError};
use judging::Judging;
pub use moments_file::{MomentsFile, MomentsFileError, Unlike};
pub use reference::ReferenceChoice;
pub use source::{Decoded, Drawn, Finished, LatentScale, SampleSource};
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
        "compares a generator's samples with real pictures in Inception's features"
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
        ]
    }

    fn on_request(&self) -> &'static [&'static str] {
        const IDS: [&str; 4] = [KID.id, DENSITY.id, COVERAGE.id, FID_INFINITY.id];
        &IDS
    }

    /// Tokenizers alone are not judged here: see [`judge`](Self::judge).
    fn run<'a>(
        &self,
        _: &[&dyn Tokenizer],
        _: &Pictures<'a>,
        _: &mut Context<'a>,
    ) -> Result<Pass, SuiteError> {
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
    ) -> Result<Pass, SuiteError> {
        samples.check()?;
        let mut warnings = Vec::new();
        let total = samples.len();
        let mut judging = Judging::new(samples, decoder, reference, real, context, &mut warnings)?;
        let mut seen = Seen::default();
        let batch = context.batch;
        samples.each(batch, context.device, &mut |block| {
            judging.add(&block)?;
            seen.add(&block);
            let done = seen.measured.ids.len() as u64;
            context.observer.progress(done, total);
            if done < total && context.interrupted.load(Ordering::Relaxed) {
                return Err(SuiteError::Interrupted { done, total });
            }
            Ok(())
        })?;
        let measured = seen.finish();
        let measurements = judging.finish(&self.metrics(), &measured, context, &mut warnings)?;
        let latent = samples.latent();
        let report = Report { latent, measurements, ..Report::default() };
        Ok(Pass { pictures: measured, reports: vec![report], warnings })
    }
}
