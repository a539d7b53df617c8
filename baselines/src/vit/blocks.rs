use std::ops::Range;

use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{Maps, NnError};
use prismbench_weights::{Expected, Tensors, WeightsFile};

use super::block::Block;
use super::{BlockConfig, BlockNames, Scope};

/// A stack of blocks.
pub(crate) struct Blocks(Vec<Block>);

impl Blocks {
    /// Blocks that a file has, at least 1: one of which a tensor is missing is then named by that.
    pub(crate) fn count(file: &WeightsFile, layers: &Scope, names: &BlockNames) -> usize {
        let there = |&index: &usize| {
            let norm = layers.block(index).under(names.norms[0]);
            norm.shape(&[".weight"], file).is_some()
        };
        (0..).take_while(there).count().max(1)
    }

    /// The tensors of `depth` blocks; `layers` ends where the number of a block follows.
    pub(crate) fn expected(
        config: &BlockConfig,
        layers: &Scope,
        names: &BlockNames,
        depth: usize,
    ) -> Vec<Expected> {
        (0..depth).flat_map(|index| config.expected(&layers.block(index), names)).collect()
    }

    /// Takes the tensors that [`expected`](Self::expected) lists.
    ///
    /// # Errors
    /// [`TokenizerError::WeightsMismatch`] for a tensor that was not among those expected.
    pub(crate) fn new(
        config: &BlockConfig,
        layers: &Scope,
        names: &BlockNames,
        depth: usize,
        tensors: &mut Tensors,
    ) -> Result<Self, TokenizerError> {
        let block = |index| Block::new(config, &layers.block(index), names, tensors);
        (0..depth).map(block).collect::<Result<_, _>>().map(Self)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Runs tokens through some of the blocks.
    pub(crate) fn forward(&self, tokens: Maps, blocks: Range<usize>) -> Result<Maps, NnError> {
        let Range { start, end } = blocks;
        let mut blocks = self.0.iter().take(end).skip(start);
        blocks.try_fold(tokens, |x, block| block.forward(&x))
    }
}
