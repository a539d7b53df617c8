//! What a generator makes, judged against real pictures by the features of networks.

mod bounds;
mod judging;
mod kept;
mod moments_file;
mod reference;
mod source;
mod space;
mod statistics;
#[cfg(test)]
mod tests;
mod warnings;

use std::sync::atomic::Ordering;

use prismbench_core::{Concern, MetricDef, Tokenizer};
use prismbench_metrics::{
    CMMD, COVERAGE, DENSITY, FD_DINOV2, FID_INFINITY, FLOOR_FID, GFID, INCEPTION_SCORE, KID,
    PRECISION, RECALL, RFID, SFID,
};

use crate::pictures::Prepared;
use crate::seen::Seen;
use crate::{Context, Pass, Pictures, Report, Suite, SuiteError};
use judging::Judging;
use kept::KeptSamples;
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
        ]
    }

    fn on_request(&self) -> &'static [&'static str] {
        const IDS: [&str; 6] =
            [KID.id, DENSITY.id, COVERAGE.id, FID_INFINITY.id, FD_DINOV2.id, CMMD.id];
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
        let mut kept = kept_samples(samples, context)?;
        let mut judging = Judging::new(samples, decoder, reference, real, context, &mut warnings)?;
        let mut seen = Seen::default();
        let (batch, device) = (context.batch, context.device);
        let mut take = |block: Vec<Prepared>| {
            judging.add(&block)?;
            seen.add(&block);
            let done = seen.measured.ids.len() as u64;
            context.observer.progress(done, total);
            if done < total && context.interrupted.load(Ordering::Relaxed) {
                return Err(SuiteError::Interrupted { done, total });
            }
            Ok(())
        };
        let first = match &mut kept {
            Some(kept) => {
                kept.each(batch, &mut take)?;
                kept.count()
            }
            None => 0,
        };
        samples.each((first, batch), device, &mut |block| {
            if let Some(kept) = &mut kept {
                kept.push(&block)?;
            }
            take(block)
        })?;
        let measured = seen.finish();
        let measurements = judging.finish(&measured, context, &mut warnings);
        match (context.save_samples, &mut kept) {
            (Some(path), Some(kept)) => {
                kept.save(path).map_err(|error| SuiteError::Save(Box::new(error)))?;
            }
            (Some(_), None) => {
                warnings.push("samples that were not made here are not saved again".to_owned());
            }
            (None, _) => {}
        }
        let latent = samples.latent();
        let report = Report { latent, measurements, ..Report::default() };
        Ok(Pass { pictures: measured, reports: vec![report], warnings })
    }
}

/// Where samples that are made here lie until they are judged: what an earlier run has made of them is
/// not made again.
fn kept_samples(
    samples: &dyn SampleSource,
    context: &Context<'_>,
) -> Result<Option<KeptSamples>, SuiteError> {
    let Some(folder) = context.parts else { return Ok(None) };
    let Some(origin) = samples.origin()? else { return Ok(None) };
    Ok(Some(KeptSamples::open(&folder.join("samples"), &origin, samples.len())?))
}

/// Whether a metric is of real pictures, and tells what a generator cannot be blamed for.
fn is_bound(metric: &MetricDef) -> bool {
    [RFID.id, FLOOR_FID.id].contains(&metric.id)
}
