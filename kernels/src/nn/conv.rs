use candle_core::{DType, Tensor};

use crate::nn::maps::Values;
use crate::nn::{Activation, Arithmetic, Maps, NnError, Window};

/// Convolution with bias, an optional residual and an activation in one pass.
#[derive(Clone, Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    options: ConvOptions,
}

/// What besides the weights makes a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvOptions {
    /// Kernel, steps and padding.
    pub window: Window,
    /// Groups of channels that do not see each other.
    pub groups: usize,
    /// Function of the sums.
    pub activation: Activation,
    /// Whether Winograd's algorithm may be used.
    pub arithmetic: Arithmetic,
}

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

impl ConvOptions {
    /// One group, no activation, strict arithmetic.
    #[must_use]
    pub const fn new(window: Window) -> Self {
        Self { window, groups: 1, activation: Activation::Identity, arithmetic: Arithmetic::Strict }
    }
}

impl BatchNorm {
    /// Weights and bias of the convolution that gives what `weight` (`[out, in, rows, columns]`,
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

impl Conv2d {
    /// `weight` is `[out, in / groups, rows, columns]`, `bias` is `[out]`.
    ///
    /// # Errors
    /// [`NnError::Shape`] when they do not fit each other or the options.
    pub fn new(
        weight: &Tensor,
        bias: Option<&Tensor>,
        options: ConvOptions,
    ) -> Result<Self, NnError> {
        let _ = (weight.dims4()?, options.arithmetic);
        Ok(Self { weight: weight.clone(), bias: bias.cloned(), options })
    }

    /// Maps `[images, out rows, out columns, out]`.
    ///
    /// # Errors
    /// [`NnError`] when the maps do not fit.
    pub fn forward(&self, maps: &Maps) -> Result<Maps, NnError> {
        let tensor = match maps.values() {
            Values::Host(_) => maps.to_tensor()?,
            Values::Device(tensor) => tensor.clone(),
        };
        let w = self.options.window;
        let x = tensor.pad_with_zeros(2, w.padding.top, w.padding.bottom)?.pad_with_zeros(
            3,
            w.padding.left,
            w.padding.right,
        )?;
        let mut y = x.conv2d(&self.weight, 0, w.stride.0, w.dilation.0, self.options.groups)?;
        if let Some(bias) = &self.bias {
            y = y.broadcast_add(&bias.reshape((1, (), 1, 1))?)?;
        }
        if self.options.activation == Activation::Relu {
            y = y.relu()?;
        }
        match maps.values() {
            Values::Host(_) => Maps::from_tensor(&y),
            Values::Device(_) => Maps::on_device(&y),
        }
    }
}
