use candle_core::{D, Tensor};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::nn::affine::Affine;
use crate::nn::maps::{Buffer, Values, in_f32};
use crate::nn::{Maps, NnError, Work, sums};

/// Values that one thread takes at a time, in whole rows.
const PIECE: usize = 1 << 14;

/// Normalisation of the channels at each position (Ba et al. 2016).
///
/// `torch.nn.LayerNorm` over the last axis: `(x - mean) / sqrt(variance + epsilon) weight + bias`.
/// The mean is taken first, then the mean of the squared differences, each from 32 partial sums.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    affine: Affine,
    epsilon: f64,
}

impl LayerNorm {
    /// `weight` and `bias` are `[channels]`.
    ///
    /// # Errors
    /// [`NnError::Shape`] when they do not fit each other.
    pub fn new(weight: &Tensor, bias: Option<&Tensor>, epsilon: f64) -> Result<Self, NnError> {
        Ok(Self { affine: Affine::new("layer norm", weight, bias)?, epsilon })
    }

    /// Maps of the same shape.
    ///
    /// # Errors
    /// [`NnError::Shape`] when the maps have other channels.
    pub fn forward(&self, maps: &Maps) -> Result<Maps, NnError> {
        let channels = self.affine.channels();
        if maps.shape().channels != channels {
            let (expected, found) = (format!("{channels} channels"), maps.shape().to_string());
            return Err(NnError::Shape { layer: "layer norm", expected, found });
        }
        let work = || Work::each(maps.shape().len()).with_weights(2 * channels);
        if let Some(counted) = Maps::counted(&[maps], maps.shape(), work) {
            return Ok(counted);
        }
        let values = match maps.values() {
            Values::Host(values) => values,
            Values::None(_) => return Err(NnError::Valueless),
            Values::Device(tensor) => {
                return Maps::on_device(&in_f32(tensor, |maps| self.on_device(maps))?);
            }
        };
        let mut out = Buffer::new(values.len());
        let piece = (PIECE / channels.max(1)).max(1) * channels.max(1);
        out.par_chunks_mut(piece).zip(values.par_chunks(piece)).for_each(|(out, values)| {
            pulp::Arch::new().dispatch(Rows { norm: self, values, out });
        });
        Ok(Maps::from_buffer(maps.shape(), out))
    }

    fn on_device(&self, maps: &Tensor) -> Result<Tensor, NnError> {
        let centred = maps.broadcast_sub(&maps.mean_keepdim(D::Minus(3))?)?;
        let deviation = (centred.sqr()?.mean_keepdim(D::Minus(3))? + self.epsilon)?.sqrt()?;
        self.affine.on_device(&centred.broadcast_div(&deviation)?)
    }
}

struct Rows<'a> {
    norm: &'a LayerNorm,
    values: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Affine { weight, bias, .. } = &self.norm.affine;
        let rows = self.values.chunks_exact(weight.len());
        for (row, out) in rows.zip(self.out.chunks_exact_mut(weight.len())) {
            let count = row.len() as f32;
            let mean = sums::sum(
                simd,
                row,
                #[inline(always)]
                |x| x,
            ) / count;
            let shift = simd.splat_f32s(-mean);
            let squares = sums::sum(
                simd,
                row,
                #[inline(always)]
                |x| {
                    let centred = simd.add_f32s(x, shift);
                    simd.mul_f32s(centred, centred)
                },
            );
            let variance = f64::from(squares / count) + self.norm.epsilon;
            let scale = simd.splat_f32s((1.0 / variance.sqrt()) as f32);
            let normal = Normal { simd, shift, scale };
            let (weights, weights_rest) = S::as_simd_f32s(weight);
            let (biases, biases_rest) = S::as_simd_f32s(bias);
            let (whole, rest) = S::as_simd_f32s(row);
            let (out, out_rest) = S::as_mut_simd_f32s(out);
            for (((out, &x), &weight), &bias) in out.iter_mut().zip(whole).zip(weights).zip(biases)
            {
                *out = normal.of(x, weight, bias);
            }
            if !rest.is_empty() {
                let x = simd.partial_load_f32s(rest);
                let weight = simd.partial_load_f32s(weights_rest);
                let bias = simd.partial_load_f32s(biases_rest);
                simd.partial_store_f32s(out_rest, normal.of(x, weight, bias));
            }
        }
    }
}

/// Takes the values of a row to the normalised ones.
struct Normal<S: Simd> {
    simd: S,
    shift: S::f32s,
    scale: S::f32s,
}

impl<S: Simd> Normal<S> {
    #[inline(always)]
    fn of(&self, x: S::f32s, weight: S::f32s, bias: S::f32s) -> S::f32s {
        let x = self.simd.mul_f32s(self.simd.add_f32s(x, self.shift), self.scale);
        self.simd.mul_add_f32s(x, weight, bias)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use proptest::prelude::*;

    use super::*;
    use crate::nn::testing;

    fn norm(channels: usize, seed: u64) -> LayerNorm {
        let tensor = |seed| Tensor::new(testing::values(channels, seed), &Device::Cpu).unwrap();
        LayerNorm::new(&tensor(seed), Some(&tensor(seed + 1)), 1e-5).unwrap()
    }

    proptest! {
        #[test]
        fn layer_norm_is_its_definition(
            shape in testing::any_shape(4, 300),
            seed in 0..u64::MAX / 2,
            offset in prop::sample::select(vec![0.0, 30.0]),
        ) {
            let norm = norm(shape.channels, seed);
            let mut values = testing::values(shape.len(), seed + 2);
            values.iter_mut().for_each(|x| *x += offset);
            let mut expected = vec![];
            for row in values.chunks_exact(shape.channels) {
                let count = row.len() as f64;
                let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
                let square = |&x: &f32| (f64::from(x) - mean) * (f64::from(x) - mean);
                let deviation = (row.iter().map(square).sum::<f64>() / count + 1e-5).sqrt();
                let affine = norm.affine.weight.iter().zip(&norm.affine.bias);
                expected.extend(row.iter().zip(affine).map(|(&x, (&weight, &bias))| {
                    (f64::from(x) - mean) / deviation * f64::from(weight) + f64::from(bias)
                }));
            }
            let maps = Maps::from_rows(shape, values).unwrap();
            let device = Maps::on_device(&maps.to_tensor().unwrap()).unwrap();
            // The mean is off by two units of the values, 8e-6 at 34, times a weight of 4 over a
            // spread of 2.3; a spread near zero, of a few channels, divides by 0.003 instead.
            let tolerance = if shape.channels > 8 { 2e-5 } else { 1e-2 };
            let found = norm.forward(&maps).unwrap().to_rows().unwrap();
            testing::assert_near(&found, &expected, tolerance);
            // candle sums one value after the other.
            let found = norm.forward(&device).unwrap().to_rows().unwrap();
            testing::assert_near(&found, &expected, 10.0 * tolerance);
        }

        #[test]
        fn layer_norm_has_the_same_bits_on_every_instruction_set_and_for_any_threads(
            shape in testing::any_shape(12, 300),
            seed in 0..u64::MAX / 2,
        ) {
            let norm = norm(shape.channels, seed);
            let values = testing::values(shape.len(), seed);
            let maps = Maps::from_rows(shape, values.clone()).unwrap();
            let [one, three] =
                testing::on_threads(|| norm.forward(&maps).unwrap().to_rows().unwrap());
            testing::assert_same_bits(&one, &three);
            testing::on_every_instruction_set(|arch| {
                let mut out = vec![0.0; values.len()];
                arch.run(Rows { norm: &norm, values: &values, out: &mut out });
                testing::assert_same_bits(&out, &one);
            });
        }
    }

    #[test]
    fn channels_of_another_number_are_refused() {
        let shape = crate::nn::MapShape { images: 1, height: 1, width: 2, channels: 3 };
        let maps = Maps::from_rows(shape, vec![1.0; 6]).unwrap();
        let error = norm(4, 0).forward(&maps).unwrap_err().to_string();
        assert_eq!(error, "layer norm needs 4 channels, found 1 x 1 x 2 x 3");
        let three = Tensor::new(&[1.0_f32; 3], &Device::Cpu).unwrap();
        let four = Tensor::new(&[1.0_f32; 4], &Device::Cpu).unwrap();
        assert!(LayerNorm::new(&three, Some(&four), 1e-5).is_err());
    }
}
