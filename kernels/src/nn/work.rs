//! What a network computes, found out by running it on maps without values.

use std::iter::Sum;
use std::ops::Add;
use std::sync::{Arc, Mutex, PoisonError};

use crate::nn::{Activation, MapShape, Maps};

/// What layers do with maps of a shape.
///
/// Products count as the layer defines them, whatever computes them: a convolution that Winograd's
/// filtering takes counts every tap of every output, those on the padding included, and attention
/// under a causal mask counts the scores that are masked. So do fvcore and PyTorch's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Multiply-accumulates of convolutions.
    pub convolution: u64,
    /// Multiply-accumulates of linear layers.
    pub linear: u64,
    /// Multiply-accumulates of queries with keys, and of their parts with values.
    pub attention: u64,
    /// Everything else: an operation for each value that a norm, softmax, activation, sum or factor
    /// gives, and one for each tap of pooling and resizing. Biases belong to their products.
    pub rest: u64,
    /// Numbers that layers hold: weights, biases, tables. A layer that runs twice counts twice.
    pub weights: u64,
    /// Values that layers read and write, each input and output once. Copies are not counted.
    pub values: u64,
}

impl Work {
    /// Multiply-accumulates of all products.
    #[must_use]
    pub fn products(self) -> u64 {
        self.convolution + self.linear + self.attention
    }

    /// One for each of so many values.
    pub(crate) fn each(values: usize) -> Self {
        Self { rest: values as u64, ..Self::default() }
    }

    /// The same with so many numbers that a layer holds.
    pub(crate) fn with_weights(self, weights: usize) -> Self {
        Self { weights: self.weights + weights as u64, ..self }
    }

    /// The same with a function of each of so many values, if it is one.
    pub(crate) fn with_activation(self, activation: Activation, values: usize) -> Self {
        match activation {
            Activation::Identity => self,
            _ => Self { rest: self.rest + values as u64, ..self },
        }
    }

    /// The same with a summand to each of so many values, if there is one.
    pub(crate) fn with_residual(self, residual: Option<&Maps>) -> Self {
        Self { rest: self.rest + residual.map_or(0, |maps| maps.shape().len() as u64), ..self }
    }
}

impl Add for Work {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            convolution: self.convolution + other.convolution,
            linear: self.linear + other.linear,
            attention: self.attention + other.attention,
            rest: self.rest + other.rest,
            weights: self.weights + other.weights,
            values: self.values + other.values,
        }
    }
}

impl Sum for Work {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::add)
    }
}

/// What `network` does with maps of `shape`, and the shape of what it gives.
///
/// The network runs as it always does, on maps without values: each layer notes what it would compute
/// and gives maps of the shape of its output. A network may put maps with values beside them, such as
/// tables of positions.
///
/// # Errors
/// What the network fails with; a function that needs values fails with
/// [`NnError::Valueless`](crate::nn::NnError::Valueless).
pub fn count<E>(
    shape: MapShape,
    network: impl FnOnce(Maps) -> Result<Maps, E>,
) -> Result<(Work, MapShape), E> {
    let tally = Tally::default();
    let out = network(Maps::without_values(shape, &tally))?.shape();
    let work = *tally.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok((work, out))
}

/// Where the layers of a network note what they would compute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Mutex<Work>>);

impl Tally {
    pub(crate) fn note(&self, work: Work) {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *sum = *sum + work;
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};
    use proptest::prelude::*;

    use super::*;
    use crate::InstructionSet;
    use crate::executed;
    use crate::nn::{
        Antialiasing, Arithmetic, Attention, Conv2d, ConvOptions, GroupNorm, LayerNorm, Linear,
        Modulation, NnError, Padding, Pool, RmsNorm, Rotary, Window, global_average,
        resize_bicubic, softmax, swiglu, testing, upsample_bilinear, upsample_nearest,
    };

    fn tensor(shape: &[usize]) -> Tensor {
        let values = testing::values(shape.iter().product(), 7);
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn maps(shape: MapShape) -> Maps {
        Maps::from_rows(shape, testing::values(shape.len(), 3)).unwrap()
    }

    /// The work of a network by counting, once its shape and its products have been held against those
    /// of a run on maps with values, of which the kernels tell how often they multiplied.
    #[track_caller]
    fn counted(shape: MapShape, network: impl Fn(Maps) -> Result<Maps, NnError> + Sync) -> Work {
        let (work, out) = count(shape, &network).unwrap();
        let (products, run) = executed::of(|| network(maps(shape)).unwrap().shape());
        assert_eq!(out, run, "the shape that counting gives");
        assert_eq!(work.products(), products, "products that were run");
        work
    }

    fn conv(
        (outputs, inputs): (usize, usize),
        window: Window,
        groups: usize,
    ) -> Result<Conv2d, NnError> {
        let (rows, columns) = window.kernel;
        let weight = tensor(&[outputs, inputs / groups, rows, columns]);
        let options =
            ConvOptions { groups, activation: Activation::Silu, ..ConvOptions::new(window) };
        Conv2d::new(&weight, Some(&tensor(&[outputs])), options)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_convolution_counts_the_products_that_are_run(
            shape in testing::any_shape(9, 1),
            (kernel, stride, padding) in ((1..=3_usize, 1..=3_usize), (1..=2_usize, 1..=2_usize), 0..=2_usize),
            (groups, inputs, outputs) in (1..=3_usize, 1..=5_usize, 1..=7_usize),
        ) {
            let shape = MapShape { channels: groups * inputs, ..shape };
            let window = Window::new(kernel.0, kernel.1).stride(stride.0, stride.1);
            let window = Window { padding: Padding { bottom: 1, ..Padding::symmetric(padding, padding) }, ..window };
            prop_assume!(window.output(shape.height, shape.width).is_some());
            let layer = conv((groups * outputs, groups * inputs), window, groups).unwrap();
            let work = counted(shape, |x| layer.forward(&x));
            let (height, width) = window.output(shape.height, shape.width).unwrap();
            let positions = (shape.images * height * width) as u64;
            let taps = (kernel.0 * kernel.1 * inputs * groups * outputs) as u64;
            prop_assert_eq!(work.convolution, positions * taps);
            prop_assert_eq!(work.rest, positions * (groups * outputs) as u64, "its activation");
            prop_assert_eq!(work.weights, taps + (groups * outputs) as u64);
            let values = shape.len() as u64 + positions * (groups * outputs) as u64;
            prop_assert_eq!(work.values, values);
        }

        #[test]
        fn linear_layers_and_attention_count_the_products_that_are_run(
            shape in testing::any_shape(7, 1),
            (heads, part, outputs) in (1..=3_usize, 1..=9_usize, 1..=40_usize),
        ) {
            let width = heads * part;
            let shape = MapShape { channels: width, ..shape };
            let joint = Linear::new(&tensor(&[3 * width, width]), None, Activation::Identity).unwrap();
            let bias = tensor(&[outputs]);
            let last = Linear::new(&tensor(&[outputs, width]), Some(&bias), Activation::Relu).unwrap();
            let attention = Attention::new(heads);
            let work = counted(shape, |x| {
                let seen = attention.forward_joint(&joint.forward(&x)?)?;
                last.forward(&attention.forward(&x, &seen, &seen)?)
            });
            let (images, tokens) = (shape.images as u64, (shape.height * shape.width) as u64);
            let (width, outputs) = (width as u64, outputs as u64);
            prop_assert_eq!(work.linear, images * tokens * width * (3 * width + outputs));
            prop_assert_eq!(work.attention, 2 * images * tokens * tokens * 2 * width);
            prop_assert_eq!(work.weights, width * (3 * width + outputs) + outputs);
            let softmaxes = 2 * images * heads as u64 * tokens * tokens;
            prop_assert_eq!(work.rest, softmaxes + images * tokens * outputs);
        }

        #[test]
        fn every_other_layer_gives_the_shape_that_counting_says(
            shape in testing::any_shape(6, 1),
            (groups, factor) in (1..=3_usize, 1..=3_usize),
        ) {
            let channels = 2 * groups;
            let shape = MapShape { channels, ..shape };
            let ones = tensor(&[channels]);
            let norms = GroupNorm::new(groups, &ones, None, 1e-6).unwrap().activation(Activation::Silu);
            let layer_norm = LayerNorm::new(&ones, Some(&ones), 1e-6).unwrap();
            let rms = RmsNorm::new(&tensor(&[2]), 1e-6).unwrap();
            let table = tensor(&[shape.height * shape.width, 2]);
            let rotary = Rotary::new(&table, &table).unwrap();
            let pool = Pool::max(Window::new(3, 3).stride(2, 2).padding(1, 1)).ceil();
            let positions = maps(MapShape { images: 1, ..shape }).into_tokens().unwrap();
            let prefix = maps(MapShape { images: 1, height: 1, width: 3, channels });
            let work = counted(shape, |x| {
                let x = softmax(&layer_norm.forward(&norms.forward(&x)?)?)?;
                let x = rotary.forward_parts(rms.forward_parts(x, 0..channels)?, 0..channels)?;
                let x = Activation::Gelu.forward(&x)?;
                let tokens = x.clone().into_tokens()?.add_to_each(&positions)?.with_prefix(&prefix)?;
                let back = tokens.tokens(3..tokens.shape().width)?.reshape(x.shape())?;
                let vectors = global_average(&Maps::concat(&[&back, &x, &x])?)?;
                let modulation = Modulation::new(vectors, 3)?;
                let x = modulation.shift_and_scale(x, 0, 1)?;
                let x = modulation.add(modulation.add_gated(x, &back, 2)?, 0)?;
                let x = upsample_nearest(&pool.forward(&x)?, factor)?;
                let x = upsample_bilinear(&x, 7, 5)?;
                swiglu(&resize_bicubic(&x, (4, 8), Antialiasing::On)?)
            });
            prop_assert_eq!(work.products(), 0);
            prop_assert!(work.rest > 15 * shape.len() as u64, "{:?}", work);
        }
    }

    #[test]
    fn winograds_products_count_as_the_convolution_that_they_compute() {
        let shape = MapShape { images: 1, height: 32, width: 32, channels: 32 };
        let layer = |arithmetic| {
            let options = ConvOptions::new(Window::new(3, 3).padding(1, 1));
            let weight = tensor(&[32, 32, 3, 3]);
            Conv2d::new(&weight, None, ConvOptions { arithmetic, ..options }).unwrap()
        };
        let [strict, fast] = [Arithmetic::Strict, Arithmetic::Fast].map(layer);
        let work = counted(shape, |x| strict.forward(&x));
        assert_eq!(work.convolution, 32 * 32 * 9 * 32 * 32);
        assert_eq!(count(shape, |x| fast.forward(&x)).unwrap().0, work);
        let (run, _) = executed::of(|| fast.forward(&maps(shape)).unwrap());
        assert_eq!(run, work.convolution / 4, "F(4x4, 3x3) has 36 products where there are 144");
    }

    #[test]
    fn a_residual_and_a_mask_change_what_is_noted_as_they_should() {
        let shape = MapShape { images: 2, height: 1, width: 5, channels: 4 };
        let layer = Linear::new(&tensor(&[4, 4]), None, Activation::Identity).unwrap();
        let plain = counted(shape, |x| layer.forward(&x));
        let added = counted(shape, |x| layer.forward_add(&x, &x));
        assert_eq!(added.rest - plain.rest, shape.len() as u64);
        assert_eq!(added.values - plain.values, shape.len() as u64);
        let causal = Attention::new(2).mask(crate::nn::Mask::Causal);
        let (work, _) = count(shape, |x| causal.forward(&x, &x, &x)).unwrap();
        assert_eq!(work.attention, 2 * 5 * 5 * 8);
    }

    #[test]
    fn layers_refuse_what_they_refuse_of_maps_with_values() {
        let shape = MapShape { images: 1, height: 2, width: 2, channels: 3 };
        let wide = Linear::new(&tensor(&[4, 5]), None, Activation::Identity).unwrap();
        assert!(matches!(count(shape, |x| wide.forward(&x)), Err(NnError::Shape { .. })));
        let layer = conv((4, 3), Window::new(3, 3), 1).unwrap();
        assert!(matches!(count(shape, |x| layer.forward(&x)), Err(NnError::TooSmall { .. })));
        for result in [
            count(shape, |x| x.to_rows().map(|_| x)),
            count(shape, |x| x.to_tensor().map(|_| x)),
            count(shape, |x| x.to_token_tensor().map(|_| x)),
            count(shape, |x| x.into_host()),
        ] {
            assert!(matches!(result, Err(NnError::Valueless)), "{result:?}");
        }
    }

    #[test]
    fn the_instruction_set_and_the_batch_scale_as_they_should() {
        let shape = MapShape { images: 1, height: 8, width: 8, channels: 3 };
        let layer = conv((4, 3), Window::new(3, 3), 1).unwrap();
        let (one, _) = count(shape, |x| layer.forward(&x)).unwrap();
        let (four, _) = count(MapShape { images: 4, ..shape }, |x| layer.forward(&x)).unwrap();
        assert_eq!((four.convolution, four.values), (4 * one.convolution, 4 * one.values));
        assert_eq!(four.weights, one.weights, "read once for all images");
        let layer =
            Linear::for_set(InstructionSet::Portable, &tensor(&[4, 3]), None, Activation::Identity);
        assert_eq!(counted(shape, |x| layer.as_ref().unwrap().forward(&x)).linear, 64 * 12);
    }
}
