use candle_core::Tensor;

use crate::nn::NnError;

/// The function after a layer's sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// None.
    #[default]
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// `x / (1 + exp(-x))`.
    Silu,
    /// `x Phi(x)`, with the error function.
    Gelu,
    /// `0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`.
    GeluTanh,
}

impl Activation {
    pub(crate) fn on_device(self, tensor: &Tensor) -> Result<Tensor, NnError> {
        Ok(match self {
            Self::Identity => tensor.clone(),
            Self::Relu => tensor.relu()?,
            Self::Silu => tensor.silu()?,
            Self::Gelu => tensor.gelu_erf()?,
            Self::GeluTanh => tensor.gelu()?,
        })
    }
}
