use candle_core::{Device, Tensor};
use prismbench_core::{RgbImage, Stream, Weights};
use prismbench_kernels::nn::{
    Activation, Conv2d, ConvOptions, MapShape, Maps, NnError, Window, count,
};
use rayon::prelude::*;

use crate::feature_network::{channel_means, check_finite, widths};
use crate::{FeatureNetwork, FeatureRows, NetworkCost, NetworkError, Tap};

const ID: &str = "random-filters-v1";

/// Convolutions: side of the window, step, channels in and out.
const LAYERS: [(usize, usize, usize, usize); 3] = [(7, 4, 3, 32), (3, 2, 32, 32), (3, 2, 32, 64)];
const WIDTH: usize = 32 + 32 + 64;

/// A feature space that needs no weights file: three layers of fixed random filters.
///
/// **Not FID's network, and no number made with it compares with one that is.** It sees colours,
/// edges and textures, and nothing of what a picture shows. Its features are the means of the 32,
/// 32 and 64 channels behind its three strided convolutions with ReLU. Filters are orthonormal
/// (times a gain of 2 behind the first layer), from [`Stream`]s named after the space; those behind
/// a ReLU are orthogonal to constants too, so that differences between pictures survive.
pub struct RandomFilters {
    layers: Vec<Conv2d>,
    device: Device,
}

impl RandomFilters {
    /// Makes the filters.
    ///
    /// # Errors
    /// [`NetworkError::Layer`] when the device fails.
    pub fn new(device: &Device) -> Result<Self, NetworkError> {
        let layer = |(number, &(side, step, inputs, outputs)): (usize, &(usize, _, _, _))| {
            let filters = filters(number, inputs * side * side, outputs);
            let weight = Tensor::from_vec(filters, (outputs, inputs, side, side), device)?;
            let window = Window::new(side, side).stride(step, step);
            let activation = Activation::Relu;
            Conv2d::new(&weight, None, ConvOptions { activation, ..ConvOptions::new(window) })
        };
        let layers = LAYERS.iter().enumerate().map(layer).collect::<Result<_, NnError>>();
        let layers = layers.map_err(NetworkError::layer(ID))?;
        Ok(Self { layers, device: device.clone() })
    }

    fn run(&self, image: &RgbImage) -> Result<Vec<Vec<f32>>, NnError> {
        let values = image.pixels().iter().map(|&level| (f32::from(level) - 128.0) / 128.0);
        let (height, width) = (image.height(), image.width());
        let shape = MapShape { images: 1, height, width, channels: 3 };
        let mut maps = Maps::from_rows(shape, values.collect())?;
        if !self.device.is_cpu() {
            maps = Maps::on_device(&maps.to_tensor()?.to_device(&self.device)?)?;
        }
        let mut features = Vec::with_capacity(WIDTH);
        for layer in &self.layers {
            maps = layer.forward(&maps)?;
            let MapShape { height, width, channels, .. } = maps.shape();
            features.extend(channel_means(&maps.to_rows()?, height * width, channels));
        }
        Ok(vec![features])
    }
}

impl FeatureNetwork for RandomFilters {
    fn id(&self) -> &'static str {
        ID
    }

    fn weights(&self) -> &[Weights] {
        &[]
    }

    fn taps(&self) -> &'static [Tap] {
        &[Tap::Pooled]
    }

    fn width(&self, tap: Tap) -> Option<usize> {
        (tap == Tap::Pooled).then_some(WIDTH)
    }

    fn cost(&self, height: usize, width: usize) -> Result<NetworkCost, NetworkError> {
        let picture = MapShape { images: 1, height, width, channels: 3 };
        let run = |maps| self.layers.iter().try_fold(maps, |maps, layer| layer.forward(&maps));
        let (work, _) = count(picture, run).map_err(NetworkError::layer(ID))?;
        let numbers =
            LAYERS.iter().map(|(side, _, inputs, outputs)| side * side * inputs * outputs);
        Ok(NetworkCost { parameters: numbers.sum::<usize>() as u64, work })
    }

    fn features(
        &self,
        images: &[&RgbImage],
        taps: &[Tap],
    ) -> Result<Vec<FeatureRows>, NetworkError> {
        let widths = widths(self, taps)?;
        let run = |image: &&RgbImage| self.run(image).map(|row| vec![row[0].clone(); taps.len()]);
        let parts = images.par_iter().map(run).collect::<Result<Vec<_>, _>>();
        let features = FeatureRows::gather(&widths, &parts.map_err(NetworkError::layer(ID))?);
        check_finite(ID, &features)?;
        Ok(features)
    }
}

/// `outputs` orthonormal filters of `inputs` taps: uniform numbers, each made orthogonal to those
/// before it (Gram and Schmidt, twice, since once leaves rounding errors). In f64, in a fixed order.
fn filters(layer: usize, inputs: usize, outputs: usize) -> Vec<f32> {
    let mut stream = Stream::new(ID, 0, layer as u64);
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(outputs + 1);
    if layer > 0 {
        basis.push(vec![1.0 / (inputs as f64).sqrt(); inputs]);
    }
    let constants = basis.len();
    for _ in 0..outputs {
        let mut filter: Vec<f64> = (0..inputs).map(|_| stream.between(-1.0, 1.0)).collect();
        for _ in 0..2 {
            for earlier in &basis {
                let shared = dot(&filter, earlier);
                filter.iter_mut().zip(earlier).for_each(|(value, e)| *value -= shared * e);
            }
        }
        let length = dot(&filter, &filter).sqrt();
        filter.iter_mut().for_each(|value| *value /= length);
        basis.push(filter);
    }
    let gain = if layer > 0 { 2.0 } else { 1.0 };
    basis[constants..].iter().flatten().map(|value| (gain * value) as f32).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_orthonormal_and_blind_to_constants_behind_a_relu() {
        for (layer, &(side, _, inputs, outputs)) in LAYERS.iter().enumerate() {
            let taps = side * side * inputs;
            let filters = filters(layer, taps, outputs);
            let filters: Vec<Vec<f64>> = filters
                .chunks_exact(taps)
                .map(|filter| filter.iter().map(|&value| f64::from(value)).collect())
                .collect();
            let norm = if layer > 0 { 4.0 } else { 1.0 };
            for (i, a) in filters.iter().enumerate() {
                let sum: f64 = a.iter().sum();
                assert_eq!(sum.abs() < 1e-5, layer > 0, "layer {layer}, filter {i} sums to {sum}");
                for (j, b) in filters.iter().enumerate() {
                    let expected = if i == j { norm } else { 0.0 };
                    assert!((dot(a, b) - expected).abs() < 1e-5, "layer {layer}: {i}, {j}");
                }
            }
        }
    }
}
