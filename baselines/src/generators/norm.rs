use candle_core::{DType, Device, Tensor};
use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{LayerNorm, Maps, NnError, RmsNorm};
use prismbench_weights::Tensors;

use super::config::NormKind;
use crate::error::layer;
use crate::vit::Scope;

/// Added to the mean of squares, or to the variance.
pub(super) const EPSILON: f64 = 1e-6;

/// What stands before attention, MLP and the last layer.
pub(super) enum Norm {
    Rms(RmsNorm),
    Layer(LayerNorm),
}

impl Norm {
    /// Takes `NAME.weight` where there is one.
    pub(super) fn take(
        kind: NormKind,
        scope: &Scope,
        name: &str,
        (width, device): (usize, &Device),
        tensors: &mut Tensors,
    ) -> Result<Self, TokenizerError> {
        match kind {
            NormKind::Rms => {
                let weight = scope.under(&[name]).take(&[".weight"], tensors)?;
                Ok(Self::Rms(RmsNorm::new(&weight, EPSILON).map_err(layer)?))
            }
            NormKind::Layer => {
                let ones = Tensor::ones(width, DType::F32, device)?;
                Ok(Self::Layer(LayerNorm::new(&ones, None, EPSILON).map_err(layer)?))
            }
        }
    }

    pub(super) fn forward(&self, maps: &Maps) -> Result<Maps, NnError> {
        match self {
            Self::Rms(norm) => norm.forward(maps),
            Self::Layer(norm) => norm.forward(maps),
        }
    }
}
