use candle_core::Tensor;
use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{Activation, LayerNorm, Linear, Maps};
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
        let pooled = match self.pool {
            PoolType::None => return Ok(None),
            PoolType::Tok => class.clone(),
            PoolType::Avg => mean(patches)?,
        };
        let run = || {
            let pooled = match &self.norm {
                Some(norm) => norm.forward(&pooled)?,
                None => pooled.clone(),
            };
            self.projection.forward(&pooled)?.to_token_tensor()
        };
        Ok(Some(run().map_err(layer)?.squeeze(1)?))
    }
}

/// The mean of each image's tokens, summed in their order.
fn mean(tokens: &Maps) -> Result<Maps, TokenizerError> {
    let tensor = tokens.to_token_tensor().map_err(layer)?;
    if !tensor.device().is_cpu() {
        return Maps::from_token_tensor(&tensor.mean_keepdim(1)?).map_err(layer);
    }
    let (images, count, width) = tensor.dims3()?;
    let values: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
    let mut means = Vec::with_capacity(images * width);
    for image in values.chunks_exact((count * width).max(1)) {
        let mut sums = vec![0.0_f64; width];
        for token in image.chunks_exact(width.max(1)) {
            sums.iter_mut().zip(token).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        means.extend(sums.into_iter().map(|sum| (sum / count as f64) as f32));
    }
    let means = Tensor::from_vec(means, (images, 1, width), tensor.device())?;
    Maps::from_token_tensor(&means).map_err(layer)
}
