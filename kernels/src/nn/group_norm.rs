//! Normalisation of groups of channels over whole maps.

mod moments;

use candle_core::{D, Tensor};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::nn::affine::Affine;
use crate::nn::maps::{Buffer, Values, in_f32};
use crate::nn::{Activation, MapShape, Maps, NnError, Work};
use moments::Moments;

/// Positions that are summed before their sums are added to the others', whatever the threads.
const PIECE: usize = 256;

/// Normalisation of groups of channels (Wu and He 2018), with an activation in the same pass.
///
/// `torch.nn.GroupNorm`: mean and variance of each image's group over all positions, then
/// `(x - mean) / sqrt(variance + epsilon) weight + bias`. The sums are of differences from the
/// image's first position, in f64: exact differences and squares good to 53 bits, so that one pass
/// over the maps loses nothing against two.
#[derive(Clone, Debug)]
pub struct GroupNorm {
    affine: Affine,
    groups: usize,
    epsilon: f64,
    activation: Activation,
}

impl GroupNorm {
    /// `weight` and `bias` are `[channels]`.
    ///
    /// # Errors
    /// [`NnError::Shape`] when they do not fit each other, or the channels are no multiple of the
    /// groups.
    pub fn new(
        groups: usize,
        weight: &Tensor,
        bias: Option<&Tensor>,
        epsilon: f64,
    ) -> Result<Self, NnError> {
        let affine = Affine::new("group norm", weight, bias)?;
        let channels = affine.channels();
        if !channels.is_multiple_of(groups) {
            let expected = format!("a multiple of {groups} channels");
            return Err(NnError::Shape {
                layer: "group norm",
                expected,
                found: channels.to_string(),
            });
        }
        Ok(Self { affine, groups, epsilon, activation: Activation::Identity })
    }

    /// The same with a function of the normalised values.
    #[must_use]
    pub fn activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// Maps of the same shape.
    ///
    /// # Errors
    /// [`NnError::Shape`] when the maps have other channels.
    pub fn forward(&self, maps: &Maps) -> Result<Maps, NnError> {
        let (shape, channels) = (maps.shape(), self.affine.channels());
        if shape.channels != channels {
            let (expected, found) = (format!("{channels} channels"), shape.to_string());
            return Err(NnError::Shape { layer: "group norm", expected, found });
        }
        let work = || {
            let norm = Work::each(shape.len()).with_weights(2 * channels);
            norm.with_activation(self.activation, shape.len())
        };
        if let Some(counted) = Maps::counted(&[maps], shape, work) {
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
        let image_len = shape.image_len().max(1);
        let images = out.par_chunks_exact_mut(image_len).zip(values.par_chunks_exact(image_len));
        images.for_each(|(out, image)| {
            let (scale, offset) = self.factors(shape, &Moments::of(image, channels, PIECE));
            let pieces = out.par_chunks_mut(PIECE * channels);
            pieces.zip(image.par_chunks(PIECE * channels)).for_each(|(out, values)| {
                let (scale, offset, activation) = (&scale, &offset, self.activation);
                pulp::Arch::new().dispatch(Apply { values, out, scale, offset, activation });
            });
        });
        Ok(Maps::from_buffer(shape, out))
    }

    /// The factor and the summand of each channel, rounded once.
    fn factors(&self, shape: MapShape, moments: &Moments) -> (Vec<f32>, Vec<f32>) {
        let count = (shape.height * shape.width) as f64;
        let width = shape.channels / self.groups.max(1);
        let (mut scale, mut offset) = (vec![], vec![]);
        let groups = moments.means.chunks(width.max(1)).zip(moments.squares.chunks(width.max(1)));
        for (group, (means, squares)) in groups.enumerate() {
            let mean = means.iter().sum::<f64>() / width as f64;
            let between: f64 = means.iter().map(|m| (m - mean) * (m - mean)).sum();
            let squares = squares.iter().sum::<f64>() + count * between;
            let deviation = (squares / (count * width as f64) + self.epsilon).sqrt();
            for channel in group * width..(group + 1) * width {
                let factor = f64::from(self.affine.weight[channel]) / deviation;
                scale.push(factor as f32);
                offset.push((f64::from(self.affine.bias[channel]) - mean * factor) as f32);
            }
        }
        (scale, offset)
    }

    fn on_device(&self, maps: &Tensor) -> Result<Tensor, NnError> {
        let (images, _, _, _) = maps.dims4()?;
        let groups = maps.reshape((images, self.groups, ()))?;
        let centred = groups.broadcast_sub(&groups.mean_keepdim(D::Minus1)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + self.epsilon)?.sqrt()?;
        let normal = centred.broadcast_div(&deviation)?.reshape(maps.shape())?;
        self.activation.on_device(&self.affine.on_device(&normal)?)
    }
}

struct Apply<'a> {
    values: &'a [f32],
    out: &'a mut [f32],
    scale: &'a [f32],
    offset: &'a [f32],
    activation: Activation,
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.scale.len();
        let (scale, scale_rest) = S::as_simd_f32s(self.scale);
        let (offset, offset_rest) = S::as_simd_f32s(self.offset);
        let scale_rest = simd.partial_load_f32s(scale_rest);
        let offset_rest = simd.partial_load_f32s(offset_rest);
        let positions = self.values.chunks_exact(channels);
        for (values, out) in positions.zip(self.out.chunks_exact_mut(channels)) {
            let (whole, rest) = S::as_simd_f32s(values);
            let (out, out_rest) = S::as_mut_simd_f32s(out);
            for (((out, &x), &scale), &offset) in out.iter_mut().zip(whole).zip(scale).zip(offset) {
                let y = simd.mul_add_f32s(x, scale, offset);
                *out = self.activation.apply_simd(simd, y);
            }
            if !rest.is_empty() {
                let x = simd.partial_load_f32s(rest);
                let y = simd.mul_add_f32s(x, scale_rest, offset_rest);
                simd.partial_store_f32s(out_rest, self.activation.apply_simd(simd, y));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use proptest::prelude::*;

    use super::*;
    use crate::InstructionSet;
    use crate::nn::testing;

    /// Groups, their width, and the sides of maps that fill more than one piece.
    fn any_norm() -> impl Strategy<Value = (GroupNorm, MapShape)> {
        let activation = prop::sample::select(vec![Activation::Identity, Activation::Silu]);
        (1..=5_usize, 1..=9_usize, 1..=3_usize, 1..=20_usize, 1..=40_usize, activation).prop_map(
            |(groups, width, images, height, columns, activation)| {
                let channels = groups * width;
                let tensor =
                    |seed| Tensor::new(testing::values(channels, seed), &Device::Cpu).unwrap();
                let norm = GroupNorm::new(groups, &tensor(1), Some(&tensor(2)), 1e-6).unwrap();
                let shape = MapShape { images, height, width: columns, channels };
                (norm.activation(activation), shape)
            },
        )
    }

    fn plain(norm: &GroupNorm, shape: MapShape, values: &[f32]) -> Vec<f64> {
        let width = shape.channels / norm.groups;
        let mut out = vec![0.0; values.len()];
        for (image, values) in values.chunks_exact(shape.image_len()).enumerate() {
            for group in 0..norm.groups {
                let inside = |at: &usize| at % shape.channels / width == group;
                let places: Vec<usize> = (0..values.len()).filter(inside).collect();
                let count = places.len() as f64;
                let mean = places.iter().map(|&at| f64::from(values[at])).sum::<f64>() / count;
                let square = |&at: &usize| (f64::from(values[at]) - mean).powi(2);
                let deviation = (places.iter().map(square).sum::<f64>() / count + 1e-6).sqrt();
                for at in places {
                    let (weight, bias) = (&norm.affine.weight, &norm.affine.bias);
                    let y = (f64::from(values[at]) - mean) / deviation
                        * f64::from(weight[at % shape.channels])
                        + f64::from(bias[at % shape.channels]);
                    let silu = norm.activation == Activation::Silu;
                    out[image * shape.image_len() + at] =
                        if silu { y / (1.0 + libm::exp(-y)) } else { y };
                }
            }
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn group_norm_is_its_definition(
            (norm, shape) in any_norm(),
            seed: u64,
            offset in prop::sample::select(vec![0.0, 100.0]),
        ) {
            let mut values = testing::values(shape.len(), seed);
            values.iter_mut().for_each(|x| *x += offset);
            let expected = plain(&norm, shape, &values);
            let maps = Maps::from_rows(shape, values).unwrap();
            let found = norm.forward(&maps).unwrap().to_rows().unwrap();
            // The summand is rounded: half a unit of 4 x 104 / 2.3; of groups of few values, whose
            // spread is small, more.
            let few = shape.image_len() / norm.groups < 16;
            let tolerance = if few { 0.1 } else { 1e-4 };
            testing::assert_near(&found, &expected, tolerance);
            let device = Maps::on_device(&maps.to_tensor().unwrap()).unwrap();
            let found = norm.forward(&device).unwrap().to_rows().unwrap();
            // candle sums in f32, one value after the other.
            testing::assert_near(&found, &expected, if few { 0.3 } else { 1e-2 });
        }

        #[test]
        fn group_norm_has_the_same_bits_for_any_threads_and_batch(
            (norm, shape) in any_norm(),
            seed: u64,
        ) {
            let values = testing::values(shape.len(), seed);
            let maps = Maps::from_rows(shape, values.clone()).unwrap();
            let [one, three] = testing::on_threads(|| norm.forward(&maps).unwrap().to_rows().unwrap());
            testing::assert_same_bits(&one, &three);
            let single = MapShape { images: 1, ..shape };
            let images = values.chunks_exact(shape.image_len());
            for (image, expected) in images.zip(one.chunks_exact(shape.image_len())) {
                let maps = Maps::from_rows(single, image.to_vec()).unwrap();
                testing::assert_same_bits(&norm.forward(&maps).unwrap().to_rows().unwrap(), expected);
            }
        }

        #[test]
        fn group_norm_has_the_same_bits_on_every_instruction_set(
            (norm, shape) in any_norm(),
            seed: u64,
        ) {
            let values = testing::values(shape.len(), seed);
            let (scale, offset) = (&norm.affine.weight[..], &norm.affine.bias[..]);
            let run = |arch: InstructionSet| {
                let mut out = vec![0.0; values.len()];
                let (values, activation) = (&values, norm.activation);
                arch.run(Apply { values, out: &mut out, scale, offset, activation });
                out
            };
            let expected = run(InstructionSet::Best);
            testing::on_every_instruction_set(|arch| {
                testing::assert_same_bits(&run(arch), &expected);
            });
        }
    }

    #[test]
    fn maps_of_one_value_give_the_bias() {
        let weight = Tensor::new(&[3.0_f32, 5.0], &Device::Cpu).unwrap();
        let bias = Tensor::new(&[0.25_f32, -1.0], &Device::Cpu).unwrap();
        let norm = GroupNorm::new(1, &weight, Some(&bias), 1e-6).unwrap();
        let shape = MapShape { images: 1, height: 30, width: 30, channels: 2 };
        let maps = Maps::from_rows(shape, vec![0.1; shape.len()]).unwrap();
        for position in norm.forward(&maps).unwrap().to_rows().unwrap().chunks_exact(2) {
            // The mean times 3000 or 5000 is added and taken away: half a unit of 500.
            assert!((position[0] - 0.25).abs() < 2e-5, "{position:?}");
            assert!((position[1] + 1.0).abs() < 4e-5, "{position:?}");
        }
        assert!(GroupNorm::new(0, &weight, None, 1e-6).is_err());
        assert!(GroupNorm::new(3, &weight, None, 1e-6).is_err());
    }
}
