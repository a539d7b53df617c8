use candle_core::{DType, Tensor};

use crate::nn::NnError;

/// Normalisation by running statistics, as it stands behind a convolution.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    /// Scale, one per channel.
    pub weight: Tensor,
    /// Shift, one per channel.
    pub bias: Tensor,
    /// Mean over the training set.
    pub mean: Tensor,
    /// Variance over the training set.
    pub variance: Tensor,
    /// Added to the variance.
    pub epsilon: f64,
}

impl BatchNorm {
    /// Weight and bias of the convolution that gives what `weight` (`[out, in, rows, columns]`,
    /// without bias) and this normalisation give; computed in f64 and rounded once.
    ///
    /// # Errors
    /// [`NnError::Tensor`] when the shapes do not fit.
    pub fn fold(&self, weight: &Tensor) -> Result<(Tensor, Tensor), NnError> {
        let wide = |tensor: &Tensor| tensor.to_dtype(DType::F64);
        let deviation = (wide(&self.variance)? + self.epsilon)?.sqrt()?;
        let scale = (wide(&self.weight)? / deviation)?;
        let bias = (wide(&self.bias)? - (wide(&self.mean)? * &scale)?)?;
        let weight = wide(weight)?.broadcast_mul(&scale.reshape(((), 1, 1, 1))?)?;
        Ok((weight.to_dtype(DType::F32)?, bias.to_dtype(DType::F32)?))
    }
}
