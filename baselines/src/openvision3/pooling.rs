use candle_core::Tensor;
use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{Activation, LayerNorm, Linear, Maps, NnError, global_average};
use prismbench_weights::Tensors;

use super::config::{Config, NormAfter, PoolType};
use super::tower::{NORM, PROJECTION};
use crate::error::layer;
use crate::vit::{Scope, take_norm};

/// One vector of a picture's tokens, as OpenCLIP makes it.
pub(super) struct Pooling {
    pool: PoolType,
    /// Of the pooled vector alone.
    norm: Option<LayerNorm>,
    projection: Linear,
}

impl Pooling {
    /// Takes the projection, and the last norm if it is not the tower's.
    ///
    /// # Errors
    /// [`TokenizerError::WeightsMismatch`] for a tensor that was not among those expected.
    pub(super) fn new(
        config: &Config,
        scope: &Scope,
        tensors: &mut Tensors,
    ) -> Result<Self, TokenizerError> {
        let norm = match config.after {
            NormAfter::Tokens => None,
            NormAfter::Pooled => Some(take_norm(scope, NORM, config.epsilon, tensors)?),
        };
        // Stored as `[in, out]`.
        let weight = scope.take(PROJECTION, tensors)?.t()?.contiguous()?;
        let weight = tensors.for_products(&weight)?;
        let projection = Linear::new(&weight, None, Activation::Identity).map_err(layer)?;
        Ok(Self { pool: config.pool, norm, projection })
    }

    /// `[N, outputs]` of class tokens `[N, 1, width]` and patch tokens `[N, h w, width]`, where
    /// anything is pooled.
    ///
    /// # Errors
    /// [`TokenizerError::Tensor`] when the tensor library fails.
    pub(super) fn forward(
        &self,
        class: &Maps,
        patches: &Maps,
    ) -> Result<Option<Tensor>, TokenizerError> {
        match self.pool(class, patches).map_err(layer)? {
            None => Ok(None),
            Some(pooled) => Ok(Some(pooled.to_token_tensor().map_err(layer)?.squeeze(1)?)),
        }
    }

    /// The same as maps of one position.
    pub(super) fn pool(&self, class: &Maps, patches: &Maps) -> Result<Option<Maps>, NnError> {
        let pooled = match self.pool {
            PoolType::None => return Ok(None),
            PoolType::Tok => class.clone(),
            PoolType::Avg => global_average(patches)?,
        };
        let pooled = match &self.norm {
            Some(norm) => norm.forward(&pooled)?,
            None => pooled,
        };
        self.projection.forward(&pooled).map(Some)
    }
}
