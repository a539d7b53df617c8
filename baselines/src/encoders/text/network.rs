use candle_core::Tensor;
use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{Activation, LayerNorm, Linear, Maps};
use prismbench_weights::Tensors;

use super::TextSize;
use super::config::{HEAD, LAYERS, NORM, POSITIONS, PROJECTION, TextConfig, TextStyle, scope};
use crate::error::layer;
use crate::vit::{Blocks, CLIP_BLOCK, take_linear, take_norm};

/// What comes behind the embeddings of tokens.
pub(super) struct Network {
    /// `[1, context, width]`.
    positions: Tensor,
    blocks: Blocks,
    norm: LayerNorm,
    head: Linear,
}

impl Network {
    /// Takes the tensors that [`TextConfig::network`] lists.
    ///
    /// # Errors
    /// [`TokenizerError::WeightsMismatch`] for a tensor that was not among those expected.
    pub(super) fn new(
        config: &TextConfig,
        size: TextSize,
        tensors: &mut Tensors,
    ) -> Result<Self, TokenizerError> {
        let scope = scope();
        let positions = scope.take(POSITIONS, tensors)?.unsqueeze(0)?;
        let layers = scope.under(LAYERS);
        let blocks = Blocks::new(&config.block, &layers, &CLIP_BLOCK, size.depth, tensors)?;
        let norm = take_norm(&scope, NORM, config.block.epsilon, tensors)?;
        let head = match config.style {
            TextStyle::Clip => {
                let weight = tensors.take(PROJECTION)?;
                let weight = tensors.for_products(&weight)?;
                Linear::new(&weight, None, Activation::Identity).map_err(layer)?
            }
            TextStyle::Siglip => take_linear(&scope, HEAD, Activation::Identity, tensors)?,
        };
        Ok(Self { positions, blocks, norm, head })
    }

    /// Embeddings `[N, outputs]` of texts that are tokens `[N, length, width]`: of the last of each.
    ///
    /// # Errors
    /// [`TokenizerError::Tensor`] for tokens that do not fit.
    pub(super) fn forward(&self, tokens: &Tensor) -> Result<Tensor, TokenizerError> {
        let length = tokens.dim(1)?;
        let positions = Maps::from_token_tensor(&self.positions.narrow(1, 0, length)?);
        let tokens = Maps::from_token_tensor(tokens).map_err(layer)?;
        let tokens = tokens.add_to_each(&positions.map_err(layer)?).map_err(layer)?;
        let tokens = self.blocks.forward(tokens, 0..self.blocks.len()).map_err(layer)?;
        let last = tokens.tokens(length - 1..length).map_err(layer)?;
        let last = self.norm.forward(&last).and_then(|last| self.head.forward(&last));
        Ok(last.and_then(|last| last.to_token_tensor()).map_err(layer)?.squeeze(1)?)
    }
}
