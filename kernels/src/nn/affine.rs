use candle_core::{DType, Tensor};

use crate::nn::NnError;

/// A factor and a summand per channel.
#[derive(Clone, Debug)]
pub(crate) struct Affine {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    tensors: [Tensor; 2],
}

impl Affine {
    /// `weight` is `[channels]`; so is `bias`, zeros if there is none.
    pub(crate) fn new(
        layer: &'static str,
        weight: &Tensor,
        bias: Option<&Tensor>,
    ) -> Result<Self, NnError> {
        let channels = weight.dims1()?;
        let bias = match bias {
            Some(bias) => bias.clone(),
            None => weight.zeros_like()?,
        };
        if bias.dims() != [channels] {
            let (expected, found) = (format!("a bias [{channels}]"), format!("{:?}", bias.dims()));
            return Err(NnError::Shape { layer, expected, found });
        }
        let values = |tensor: &Tensor| tensor.to_dtype(DType::F32)?.to_vec1::<f32>();
        let (weights, biases) = (values(weight)?, values(&bias)?);
        let shaped = |tensor: &Tensor| tensor.to_dtype(DType::F32)?.reshape((1, (), 1, 1));
        let tensors = [shaped(weight)?, shaped(&bias)?];
        Ok(Self { weight: weights, bias: biases, tensors })
    }

    pub(crate) fn channels(&self) -> usize {
        self.weight.len()
    }

    /// On maps `[image, channel, row, column]`.
    pub(crate) fn on_device(&self, maps: &Tensor) -> Result<Tensor, NnError> {
        let [weight, bias] = &self.tensors;
        let (weight, bias) = (weight.to_device(maps.device())?, bias.to_device(maps.device())?);
        Ok(maps.broadcast_mul(&weight)?.broadcast_add(&bias)?)
    }
}
