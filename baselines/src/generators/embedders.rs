use candle_core::{Device, Tensor};
use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{Activation, Linear, Maps, NnError};
use prismbench_weights::Tensors;

use crate::vit::{Scope, take_linear};

/// Random Fourier features of the time, whose frequencies are drawn once and kept with the weights
/// (RAE `GaussianFourierEmbedding`), and two layers.
pub(super) struct TimeEmbedder {
    frequencies: Vec<f32>,
    layers: [Linear; 2],
    device: Device,
}

impl TimeEmbedder {
    pub(super) fn take(
        scope: &Scope,
        device: &Device,
        tensors: &mut Tensors,
    ) -> Result<Self, TokenizerError> {
        let scope = scope.under(&["t_embedder."]);
        let frequencies = scope.take(&["W"], tensors)?.to_vec1()?;
        let layers = [
            take_linear(&scope, &["mlp.0"], Activation::Silu, tensors)?,
            take_linear(&scope, &["mlp.2"], Activation::Identity, tensors)?,
        ];
        Ok(Self { frequencies, layers, device: device.clone() })
    }

    /// One vector for each time.
    pub(super) fn forward(&self, times: &[f32]) -> Result<Maps, NnError> {
        let count = self.frequencies.len();
        let mut features = Vec::with_capacity(times.len() * 2 * count);
        for &time in times {
            // The angle is rounded as the reference rounds it: it reaches 20 radians.
            let angles = self
                .frequencies
                .iter()
                .map(|&frequency| f64::from(time * frequency * 2.0 * std::f32::consts::PI));
            features.extend(angles.clone().map(|angle| libm::sin(angle) as f32));
            features.extend(angles.map(|angle| libm::cos(angle) as f32));
        }
        let shape = (times.len(), 2 * count, 1, 1);
        let features = Maps::from_tensor(&Tensor::from_vec(features, shape, &self.device)?)?;
        let [first, second] = &self.layers;
        second.forward(&first.forward(&features)?)
    }
}

/// A vector for each class, and one more for none.
pub(super) struct LabelEmbedder(Tensor);

impl LabelEmbedder {
    pub(super) fn take(scope: &Scope, tensors: &mut Tensors) -> Result<Self, TokenizerError> {
        Ok(Self(scope.take(&["y_embedder.embedding_table.weight"], tensors)?))
    }

    /// One vector for each label.
    pub(super) fn forward(&self, labels: &[u32]) -> Result<Maps, NnError> {
        let rows = Tensor::new(labels, self.0.device())?;
        let vectors = self.0.index_select(&rows, 0)?;
        Maps::from_tensor(&vectors.reshape((labels.len(), (), 1, 1))?)
    }
}
