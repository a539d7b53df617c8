use prismbench_core::Protocol;
use prismbench_metrics::{FeatureNetwork, FeatureSet, Features, Tap};

use super::moments_file::{MomentsFile, Unlike};
use super::source::{Finished, SampleSource};
use crate::feature_file::Origin;
use crate::sets::Own;
use crate::{Context, Pictures, SuiteError};

/// What samples are compared with.
#[derive(Clone, Copy)]
pub enum ReferenceChoice<'a> {
    /// Moments, and the pictures that the same file holds, where it does.
    Moments(&'a MomentsFile, Option<&'a Pictures<'a>>),
    /// The real pictures that were given.
    Pictures,
}

/// The features of a reference, as far as they are there.
pub(super) struct Reference<'a> {
    moments: Option<&'a MomentsFile>,
    pictures: Option<Own>,
    sha256: String,
    /// Pictures whose features are there.
    pub(super) count: usize,
}

impl<'a> Reference<'a> {
    /// Takes the features `taps` of the reference's pictures. A reference made otherwise than this run
    /// makes features is refused, or named in `warnings` where the run allows it.
    pub(super) fn new(
        choice: ReferenceChoice<'a>,
        real: Option<&Pictures<'a>>,
        (network, taps): (&dyn FeatureNetwork, &[Tap]),
        context: &mut Context<'a>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, SuiteError> {
        let (moments, pictures) = match choice {
            ReferenceChoice::Moments(moments, own) => {
                if let Some(own) = own {
                    // Pictures of a reference belong to its moments: another size is another reference.
                    Finished { pictures: *own }.check()?;
                }
                (Some(moments), own.or(real))
            }
            ReferenceChoice::Pictures => (None, real),
        };
        let mut reference = Self { moments, pictures: None, sha256: String::new(), count: 0 };
        if let (None, None) = (moments, pictures) {
            return Err(SuiteError::NoReference);
        }
        if let Some(pictures) = pictures {
            let (own, sha256, count) = features(pictures, (network, taps), context, warnings)?;
            (reference.pictures, reference.sha256, reference.count) = (Some(own), sha256, count);
        }
        if let Some(moments) = moments {
            moments.fingerprint().clone_into(&mut reference.sha256);
        }
        Ok(reference)
    }

    /// sha256 of what the samples are compared with.
    pub(super) fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Whether it is something else than the real pictures that were given.
    pub(super) fn is_apart(&self) -> bool {
        self.moments.is_some()
    }

    /// What a Fréchet distance compares with; `None` where the moments lack the features.
    pub(super) fn set(&self, tap: Tap, place: usize) -> Option<FeatureSet<'_>> {
        match (self.moments, tap) {
            (Some(moments), Tap::Spatial) => moments.spatial().map(FeatureSet::Moments),
            (Some(moments), _) => Some(FeatureSet::Moments(moments.pooled())),
            (None, _) => Some(FeatureSet::Features(self.features(place)?)),
        }
    }

    /// The features of the reference's pictures, tap number `place`.
    pub(super) fn features(&self, place: usize) -> Option<&dyn Features> {
        Some(self.pictures.as_ref()?.spool(place)?)
    }
}

/// The field in which moments were made otherwise than a protocol and a network make features.
pub(super) fn unlike(
    moments: &MomentsFile,
    network: &dyn FeatureNetwork,
    protocol: &Protocol,
) -> Option<Unlike> {
    moments.unlike(&Origin::new(network, protocol))
}

/// Features of pictures, remembered ones where the cache has them; the sha256 of the pictures and
/// their number.
pub(super) fn features<'a>(
    pictures: &Pictures<'a>,
    (network, taps): (&dyn FeatureNetwork, &[Tap]),
    context: &mut Context<'a>,
    warnings: &mut Vec<String>,
) -> Result<(Own, String, usize), SuiteError> {
    let mut own = Own::new(network, taps, pictures.protocol);
    if let Some(folder) = context.cache {
        own = own.with_cache(folder, pictures, warnings);
    }
    let mut seen = crate::seen::Seen::default();
    let total = pictures.count();
    let mut blocks = pictures.blocks(context.batch)?;
    while let Some(block) = blocks.next_block()? {
        own.add(network, &block)?;
        seen.add(&block);
        let done = seen.measured.ids.len() as u64 + blocks.skipped().len() as u64;
        context.observer.progress(done, total);
        if context.interrupted.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(SuiteError::Interrupted { done, total });
        }
    }
    let measured = seen.finish();
    if measured.ids.is_empty() {
        let dataset = pictures.dataset.id().to_owned();
        return Err(SuiteError::NothingLeft { dataset, skipped: blocks.skipped().len() });
    }
    own.keep(warnings);
    Ok((own, measured.sha256, measured.ids.len()))
}
