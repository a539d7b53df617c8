use prismbench_weights::WeightsFile;

use super::pooling::Head;
use super::text::TextConfig;
use crate::vit::{Pixels, Scope, Side, TowerConfig, TowerNames};

/// An encoder as it was published.
#[derive(Clone, Copy)]
pub(crate) struct Family {
    pub(crate) tower: TowerConfig,
    /// Layouts that its files have; the first is the one to name what is missing by.
    pub(crate) layouts: &'static [&'static TowerNames],
    /// What may come before the names of the tower's tensors.
    pub(crate) prefixes: &'static [&'static str],
    /// Beginnings of names in the same file that are of something else.
    pub(crate) ignored: &'static [&'static str],
    pub(crate) head: Head,
    /// The tower of texts beside it, where it has one and the file is the whole model's.
    pub(crate) text: Option<TextConfig>,
    pub(crate) side: Side,
    pub(crate) pixels: Pixels,
    /// Paper or repository.
    pub(crate) source: &'static str,
}

impl Family {
    /// The layout that a file has, the first if none fits.
    pub(crate) fn layout(&self, scope: &Scope, file: &WeightsFile) -> &'static TowerNames {
        let mut layouts = self.layouts.iter();
        layouts.find(|names| names.fits(scope, file)).unwrap_or(&self.layouts[0])
    }

    /// Learned numbers of a model of so many blocks.
    #[cfg(test)]
    pub(crate) fn parameters(&self, depth: usize) -> u64 {
        let scope = Scope::new(self.prefixes);
        let mut expected = self.tower.expected(&scope, self.layouts[0], depth);
        expected.extend(self.head.expected(&self.tower.block, &scope));
        prismbench_weights::Expected::count(&expected)
    }
}
