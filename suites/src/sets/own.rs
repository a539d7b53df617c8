use std::io;
use std::path::Path;

use prismbench_core::{Protocol, RgbImage};
use prismbench_metrics::{FeatureNetwork, Tap};

use super::blamed;
use crate::feature_file::{AddError, Kept, Origin};
use crate::pictures::Prepared;
use crate::spool::Spool;
use crate::{Pictures, SuiteError};

/// Features of the pictures of this pass, some of them remembered from an earlier one.
pub(crate) struct Own {
    taps: Vec<Tap>,
    kept: Kept,
}

impl Own {
    pub(crate) fn new(network: &dyn FeatureNetwork, taps: &[Tap], protocol: &Protocol) -> Self {
        // Nothing asks for the originals' classes.
        let taps: Vec<Tap> =
            taps.iter().copied().filter(|&tap| tap != Tap::LogitsUnbiased).collect();
        let layer = |&tap: &Tap| (tap.id(), Some(network.width(tap).unwrap_or(0)));
        let layers: Vec<_> = taps.iter().map(layer).collect();
        Self { kept: Kept::new(Origin::new(network, protocol), &layers), taps }
    }

    /// The same with an entry of the cache.
    pub(crate) fn with_cache(
        self,
        folder: &Path,
        pictures: &Pictures<'_>,
        warnings: &mut Vec<String>,
    ) -> Self {
        let kept = self.kept.with_cache(folder, pictures.dataset.id(), warnings);
        Self { kept, ..self }
    }

    /// Takes in the originals of a block: remembered rows, and the network's for the others.
    pub(crate) fn add(
        &mut self,
        network: &dyn FeatureNetwork,
        block: &[Prepared],
    ) -> Result<(), SuiteError> {
        let items: Vec<_> = block.iter().map(Prepared::item).collect();
        let compute = |unknown: &[usize]| {
            let images: Vec<&RgbImage> = unknown.iter().map(|&place| &block[place].image).collect();
            network.features(&images, &self.taps).map_err(|source| {
                let picture = blamed(&source, unknown.iter().map(|&place| &block[place]));
                SuiteError::Network { picture, source: Box::new(source) }
            })
        };
        self.kept.add(&items, compute).map_err(|error| match error {
            AddError::Compute(error) => error,
            AddError::Spool(error) => SuiteError::Spool(error),
        })
    }

    /// The rows of tap number `place`.
    pub(crate) fn spool(&self, place: usize) -> Option<&Spool> {
        self.kept.spool(place)
    }

    /// Keeps the features for the next run.
    pub(crate) fn keep(&self, warnings: &mut Vec<String>) {
        self.kept.keep(warnings);
    }

    /// Writes the features to `path`; false when there are none.
    pub(crate) fn write(&self, path: &Path) -> io::Result<bool> {
        if !self.kept.has_layers() {
            return Ok(false);
        }
        self.kept.write(path).map(|()| true)
    }
}
