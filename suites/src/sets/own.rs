use std::io;
use std::path::Path;

use candle_core::Device;
use prismbench_core::{Protocol, RgbImage};
use prismbench_metrics::{FeatureNetwork, FeatureRows, Tap};

use super::{blamed, features_of};
use crate::feature_file::{Kept, Origin};
use crate::journal::Recalled;
use crate::pictures::{PictureBlock, Prepared};
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

    /// The same with an entry of the cache, which a GPU and the CPU have apart: their features are near
    /// each other and not equal.
    pub(crate) fn with_cache(
        self,
        folder: &Path,
        (pictures, device): (&Pictures<'_>, &Device),
        warnings: &mut Vec<String>,
    ) -> Self {
        let dataset = pictures.dataset.id();
        let set = if device.is_cpu() { dataset.to_owned() } else { format!("{dataset} on a GPU") };
        let kept = self.kept.with_cache(folder, &set, warnings);
        Self { kept, ..self }
    }

    /// The features of the originals of a block, tap by tap: remembered rows, and the network's for the
    /// others; with how many were computed.
    pub(crate) fn measure(
        &self,
        network: &dyn FeatureNetwork,
        block: &PictureBlock,
    ) -> Result<(Vec<FeatureRows>, u64), SuiteError> {
        let items: Vec<_> = block.iter().map(Prepared::item).collect();
        self.kept.rows(&items, |unknown: &[usize]| {
            let images: Vec<&RgbImage> = unknown.iter().map(|&place| &block[place].image).collect();
            let sent = block.sent().filter(|_| unknown.len() == block.len());
            features_of(network, (&images, sent), &self.taps).map_err(|source| {
                let picture = blamed(&source, unknown.iter().map(|&place| &block[place]));
                SuiteError::Network { picture, source: Box::new(source) }
            })
        })
    }

    /// Taps that it has.
    pub(crate) fn taps(&self) -> usize {
        self.taps.len()
    }

    /// Takes in what was measured of a block, whose features are the layers of the block from number
    /// `first` on.
    pub(crate) fn take<S>(
        &mut self,
        block: &Recalled<'_, S>,
        (first, fresh): (usize, u64),
    ) -> io::Result<()> {
        let layers = first..first + self.taps.len();
        let layers: Vec<_> = layers.map(|place| block.layer(place)).collect::<io::Result<_>>()?;
        self.kept.take(block.names(), block.digests(), &layers, fresh)
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
