use std::ops::Range;

use candle_core::{DType, Tensor};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::nn::maps::{Values, in_f32};
use crate::nn::{Maps, NnError, Work, sums};

const LAYER: &str = "RMS norm";
/// Values that one thread takes at a time, in whole rows.
const PIECE: usize = 1 << 14;

/// Normalisation by the root mean square of the channels at each position (Zhang and Sennrich 2019).
///
/// `x / sqrt(mean(x^2) + epsilon) weight`, as `torch.nn.RMSNorm`. The mean is taken from 32 partial
/// sums.
#[derive(Clone, Debug)]
pub struct RmsNorm {
    weight: Vec<f32>,
    tensor: Tensor,
    epsilon: f64,
}

impl RmsNorm {
    /// `weight` is `[channels]`.
    ///
    /// # Errors
    /// [`NnError::Shape`] when it has no channels, [`NnError::Tensor`] when it is not of one
    /// dimension.
    pub fn new(weight: &Tensor, epsilon: f64) -> Result<Self, NnError> {
        let tensor = weight.to_dtype(DType::F32)?;
        let weight: Vec<f32> = tensor.to_vec1()?;
        if weight.is_empty() {
            let (expected, found) = ("a weight for each channel".to_owned(), "none".to_owned());
            return Err(NnError::Shape { layer: LAYER, expected, found });
        }
        Ok(Self { weight, tensor, epsilon })
    }

    /// Maps of the same shape.
    ///
    /// # Errors
    /// [`NnError::Shape`] when the maps have other channels.
    pub fn forward(&self, maps: &Maps) -> Result<Maps, NnError> {
        let channels = maps.shape().channels;
        if channels != self.weight.len() {
            return Err(self.misfit(maps));
        }
        self.forward_parts(maps.clone(), 0..channels)
    }

    /// Normalises each part of the `channels` of every position, as many parts as the norm's own
    /// channels fit in there: queries and keys, head by head. The other channels stay as they are.
    ///
    /// # Errors
    /// [`NnError::Shape`] when there are no such channels, or no whole number of parts.
    pub fn forward_parts(&self, mut maps: Maps, channels: Range<usize>) -> Result<Maps, NnError> {
        let all = maps.shape().channels;
        let whole = channels.len().is_multiple_of(self.weight.len());
        if channels.start > channels.end || channels.end > all || !whole {
            return Err(self.misfit(&maps));
        }
        let shape = maps.shape();
        let work =
            || Work::each(shape.positions() * channels.len()).with_weights(self.weight.len());
        if let Some(counted) = Maps::counted(&[&maps], shape, work) {
            return Ok(counted);
        }
        if let Values::Device(tensor) = maps.values() {
            return Maps::on_device(&in_f32(tensor, |maps| self.on_device(maps, channels))?);
        }
        if let Some(rows) = maps.host_rows_mut().filter(|_| !channels.is_empty()) {
            let piece = (PIECE / all).max(1) * all;
            rows.par_chunks_mut(piece).for_each(|values| {
                let channels = channels.clone();
                pulp::Arch::new().dispatch(Rows { norm: self, values, all, channels });
            });
        }
        Ok(maps)
    }

    fn on_device(&self, maps: &Tensor, channels: Range<usize>) -> Result<Tensor, NnError> {
        let (images, all, height, width) = maps.dims4()?;
        let own = self.weight.len();
        let part = maps.narrow(1, channels.start, channels.len())?.contiguous()?;
        let part = part.reshape((images, channels.len() / own, own, height * width))?;
        let root = (part.sqr()?.mean_keepdim(2)? + self.epsilon)?.sqrt()?;
        let weight = self.tensor.to_device(maps.device())?.reshape((1, 1, own, 1))?;
        let part = part.broadcast_div(&root)?.broadcast_mul(&weight)?;
        let part = part.reshape((images, channels.len(), height, width))?;
        let before = maps.narrow(1, 0, channels.start)?;
        let after = maps.narrow(1, channels.end, all - channels.end)?;
        Ok(Tensor::cat(&[&before, &part, &after], 1)?)
    }

    fn misfit(&self, maps: &Maps) -> NnError {
        let expected = format!("{} channels, or whole parts of as many", self.weight.len());
        NnError::Shape { layer: LAYER, expected, found: maps.shape().to_string() }
    }
}

struct Rows<'a> {
    norm: &'a RmsNorm,
    values: &'a mut [f32],
    /// Values of a position.
    all: usize,
    channels: Range<usize>,
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let weight = &*self.norm.weight;
        let (weights, weights_rest) = S::as_simd_f32s(weight);
        for row in self.values.chunks_exact_mut(self.all) {
            for part in row[self.channels.clone()].chunks_exact_mut(weight.len()) {
                let squares = sums::sum(
                    simd,
                    part,
                    #[inline(always)]
                    |x| simd.mul_f32s(x, x),
                );
                let mean = f64::from(squares / weight.len() as f32) + self.norm.epsilon;
                let scale = simd.splat_f32s((1.0 / mean.sqrt()) as f32);
                let (whole, rest) = S::as_mut_simd_f32s(part);
                for (x, &weight) in whole.iter_mut().zip(weights) {
                    *x = simd.mul_f32s(simd.mul_f32s(*x, scale), weight);
                }
                if !rest.is_empty() {
                    let x = simd.mul_f32s(simd.partial_load_f32s(rest), scale);
                    let x = simd.mul_f32s(x, simd.partial_load_f32s(weights_rest));
                    simd.partial_store_f32s(rest, x);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use proptest::prelude::*;

    use super::*;
    use crate::nn::{MapShape, testing};

    const EPSILON: f64 = 1e-6;

    fn norm(channels: usize, seed: u64) -> RmsNorm {
        let weight = Tensor::new(testing::values(channels, seed), &Device::Cpu).unwrap();
        RmsNorm::new(&weight, EPSILON).unwrap()
    }

    /// The definition in f64.
    fn plain(norm: &RmsNorm, part: &[f32]) -> Vec<f64> {
        let squares: f64 = part.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let root = (squares / part.len() as f64 + EPSILON).sqrt();
        let pairs = part.iter().zip(&norm.weight);
        pairs.map(|(&x, &weight)| f64::from(x) / root * f64::from(weight)).collect()
    }

    proptest! {
        #[test]
        fn rms_norm_is_its_definition(shape in testing::any_shape(4, 300), seed in 0..u64::MAX / 2) {
            let norm = norm(shape.channels, seed);
            let values = testing::values(shape.len(), seed + 2);
            let rows = values.chunks_exact(shape.channels);
            let expected: Vec<f64> = rows.flat_map(|row| plain(&norm, row)).collect();
            let maps = Maps::from_rows(shape, values).unwrap();
            let device = Maps::on_device(&maps.to_tensor().unwrap()).unwrap();
            for maps in [maps, device] {
                let found = norm.forward(&maps).unwrap().to_rows().unwrap();
                // A normalised value is below sqrt(300), a weight below 4; four roundings.
                testing::assert_near(&found, &expected, 2e-5);
            }
        }

        #[test]
        fn parts_are_normalised_by_themselves_and_the_rest_is_left(
            (own, parts, before, after) in (1..40_usize, 0..4_usize, 0..20_usize, 0..20_usize),
            seed in 0..u64::MAX / 2,
        ) {
            let channels = before + own * parts + after;
            prop_assume!(channels > 0);
            let shape = MapShape { images: 2, height: 1, width: 5, channels };
            let (norm, values) = (norm(own, seed), testing::values(shape.len(), seed + 1));
            let range = before..before + own * parts;
            let mut expected: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
            for (row, values) in
                expected.chunks_exact_mut(channels).zip(values.chunks_exact(channels))
            {
                let normal = values[range.clone()].chunks_exact(own);
                let normal: Vec<f64> = normal.flat_map(|part| plain(&norm, part)).collect();
                row[range.clone()].copy_from_slice(&normal);
            }
            let maps = Maps::from_rows(shape, values).unwrap();
            let device = Maps::on_device(&maps.to_tensor().unwrap()).unwrap();
            for maps in [maps, device] {
                let found = norm.forward_parts(maps, range.clone()).unwrap();
                testing::assert_near(&found.to_rows().unwrap(), &expected, 2e-5);
            }
        }

        #[test]
        fn rms_norm_has_the_same_bits_on_every_instruction_set_and_for_any_threads(
            shape in testing::any_shape(12, 300),
            seed in 0..u64::MAX / 2,
        ) {
            let norm = norm(shape.channels, seed);
            let values = testing::values(shape.len(), seed);
            let maps = Maps::from_rows(shape, values.clone()).unwrap();
            let [one, three] =
                testing::on_threads(|| norm.forward(&maps).unwrap().to_rows().unwrap());
            testing::assert_same_bits(&one, &three);
            testing::on_every_instruction_set(|set| {
                let (mut values, all) = (values.clone(), shape.channels);
                set.run(Rows { norm: &norm, values: &mut values, all, channels: 0..all });
                testing::assert_same_bits(&values, &one);
            });
        }
    }

    #[test]
    fn channels_that_are_no_whole_parts_are_refused() {
        let shape = MapShape { images: 1, height: 1, width: 2, channels: 6 };
        let maps = Maps::from_rows(shape, vec![1.0; 12]).unwrap();
        assert!(norm(3, 0).forward(&maps).is_err());
        assert!(norm(3, 0).forward_parts(maps.clone(), 0..4).is_err());
        assert!(norm(3, 0).forward_parts(maps.clone(), 6..9).is_err());
        assert!(norm(3, 0).forward_parts(maps, 3..6).is_ok());
        let none = Tensor::zeros(0, DType::F32, &Device::Cpu).unwrap();
        assert!(RmsNorm::new(&none, EPSILON).is_err());
    }
}
