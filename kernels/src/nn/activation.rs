//! Functions of single values, each a fixed sequence of operations.
//!
//! Largest error against libm in f64, measured over every 61st f32 (the tests take every 241st), in
//! units in the last place of the value: SiLU 3.0, GELU 6.2, and above 0.01 GELU by tanh 12.2 and
//! QuickGELU 7.2. Below, the last two are as many units more away as the argument of their
//! exponential is large: 197 at 1e-30. (`1 + erf` as torch takes it loses all digits there.)

use candle_core::Tensor;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::nn::exponential::{exp_of_nonpositive, exp_of_nonpositive_sum};
use crate::nn::maps::{Buffer, Values, in_f32};
use crate::nn::{Maps, NnError, Work};

/// Values that one thread takes at a time.
const PIECE: usize = 1 << 14;

/// The function after a layer's sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// None.
    #[default]
    Identity,
    /// `max(x, 0)`; NaN stays.
    Relu,
    /// `x / (1 + exp(-x))`.
    Silu,
    /// `x Phi(x)`, with the error function.
    Gelu,
    /// `0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`.
    GeluTanh,
    /// `x / (1 + exp(-1.702 x))`: CLIP's own.
    QuickGelu,
}

impl Activation {
    /// Applies the function to each value.
    pub fn apply(self, values: &mut [f32]) {
        if self != Self::Identity {
            pulp::Arch::new().dispatch(Each { function: self, values });
        }
    }

    /// Maps of the same shape.
    ///
    /// # Errors
    /// [`NnError::Tensor`] when the tensor library fails.
    pub fn forward(self, maps: &Maps) -> Result<Maps, NnError> {
        let shape = maps.shape();
        let work = || Work::default().with_activation(self, shape.len());
        if let Some(counted) = Maps::counted(&[maps], shape, work) {
            return Ok(counted);
        }
        let values = match maps.values() {
            Values::Host(values) => values,
            Values::None(_) => return Err(NnError::Valueless),
            Values::Device(tensor) => return Maps::on_device(&self.on_device(tensor)?),
        };
        let mut out = Buffer::new(values.len());
        let pieces = out.par_chunks_mut(PIECE).zip(values.par_chunks(PIECE));
        pieces.for_each(|(out, values)| {
            out.copy_from_slice(values);
            self.apply(out);
        });
        Ok(Maps::from_buffer(shape, out))
    }

    /// The function of each lane.
    #[inline(always)]
    pub(crate) fn apply_simd<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        match self {
            Self::Identity => x,
            Self::Relu => relu(simd, x),
            Self::Silu => gate(simd, x, x),
            Self::Gelu => gelu(simd, x),
            Self::GeluTanh => gelu_tanh(simd, x),
            Self::QuickGelu => gate(simd, x, simd.mul_f32s(x, simd.splat_f32s(1.702))),
        }
    }

    pub(crate) fn on_device(self, x: &Tensor) -> Result<Tensor, NnError> {
        match self {
            Self::Identity => Ok(x.clone()),
            Self::Relu => Ok(x.relu()?),
            Self::Silu => in_f32(x, |x| Ok(x.silu()?)),
            Self::Gelu => in_f32(x, |x| Ok(x.gelu_erf()?)),
            Self::GeluTanh => in_f32(x, |x| Ok(x.gelu()?)),
            Self::QuickGelu => in_f32(x, |x| Ok((x / (((x * -1.702)?.exp())? + 1.0)?)?)),
        }
    }
}

#[inline(always)]
fn relu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    simd.select_f32s(simd.less_than_f32s(x, zero), zero, x)
}

/// `x / (1 + exp(-w))` for `w` of the sign of `x`, through `exp(-|w|)`, which cannot overflow.
#[inline(always)]
fn gate<S: Simd>(simd: S, x: S::f32s, w: S::f32s) -> S::f32s {
    let e = exp_of_nonpositive(simd, simd.neg_f32s(simd.abs_f32s(w)));
    let negative = simd.less_than_f32s(x, simd.splat_f32s(0.0));
    let above = simd.select_f32s(negative, simd.mul_f32s(x, e), x);
    simd.div_f32s(above, simd.add_f32s(e, simd.splat_f32s(1.0)))
}

/// `0.5 (1 + tanh(u)) = 1 / (1 + exp(-2 u))`.
#[inline(always)]
fn gelu_tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// `2 sqrt(2 / pi)`, and that times 0.044715.
    const SCALE: (f32, f32) = (1.595_769_2, 0.071_354_82);
    let square = simd.mul_f32s(x, x);
    let scale = simd.mul_add_f32s(square, simd.splat_f32s(SCALE.1), simd.splat_f32s(SCALE.0));
    gate(simd, x, simd.mul_f32s(x, scale))
}

/// With `t = |x|` and `Q = Phi(-t)`, `x Phi(x) = max(x, 0) - t Q`, which loses no digits.
///
/// `Q = exp(-t^2 / 2) G(t)`, and G is `s` times a polynomial in `s = 1 / (1 + 0.34375 t)`, minimax
/// on `0 <= t <= 15`, off by 3.8e-8 of the value.
#[inline(always)]
fn gelu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    const STEP: f32 = 0.343_75;
    const POLYNOMIAL: [f32; 9] = [
        0.137_121_35,
        0.137_510_15,
        0.116_995_655,
        0.111_557_364,
        -0.036_480_535,
        0.186_480_6,
        -0.267_533_57,
        0.141_685_4,
        -0.027_336_389,
    ];
    let splat = |value| simd.splat_f32s(value);
    // Q is zero long before; so infinity times zero does not occur.
    let far = splat(20.0);
    let t = simd.abs_f32s(x);
    let t = simd.select_f32s(simd.greater_than_f32s(t, far), far, t);
    let s = simd.div_f32s(splat(1.0), simd.mul_add_f32s(t, splat(STEP), splat(1.0)));
    let [rest @ .., last] = POLYNOMIAL;
    let mut g = splat(last);
    for coefficient in rest.into_iter().rev() {
        g = simd.mul_add_f32s(g, s, splat(coefficient));
    }
    // t^2 / 2 with what its rounding leaves: at t = 13 that alone would be 6 units.
    let half = simd.mul_f32s(t, splat(-0.5));
    let exponent = simd.mul_f32s(half, t);
    let tail = simd.mul_add_f32s(half, t, simd.neg_f32s(exponent));
    let q = simd.mul_f32s(simd.mul_f32s(g, s), exp_of_nonpositive_sum(simd, exponent, tail));
    simd.mul_add_f32s(simd.neg_f32s(t), q, relu(simd, x))
}

struct Each<'a> {
    function: Activation,
    values: &'a mut [f32],
}

impl WithSimd for Each<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // The function is chosen outside of the loop.
        match self.function {
            Activation::Identity => {}
            Activation::Relu => each(simd, Activation::Relu, self.values),
            Activation::Silu => each(simd, Activation::Silu, self.values),
            Activation::Gelu => each(simd, Activation::Gelu, self.values),
            Activation::GeluTanh => each(simd, Activation::GeluTanh, self.values),
            Activation::QuickGelu => each(simd, Activation::QuickGelu, self.values),
        }
    }
}

#[inline(always)]
fn each<S: Simd>(simd: S, function: Activation, values: &mut [f32]) {
    let (whole, rest) = S::as_mut_simd_f32s(values);
    for x in whole {
        *x = function.apply_simd(simd, *x);
    }
    if !rest.is_empty() {
        let x = simd.partial_load_f32s(rest);
        simd.partial_store_f32s(rest, function.apply_simd(simd, x));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing;

    const ALL: [Activation; 6] = [
        Activation::Identity,
        Activation::Relu,
        Activation::Silu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::QuickGelu,
    ];

    /// The definition in f64, free of cancellation.
    fn plain(function: Activation, x: f64) -> f64 {
        let gate = |w: f64| {
            if w < 0.0 {
                x * libm::exp(w) / (1.0 + libm::exp(w))
            } else {
                x / (1.0 + libm::exp(-w))
            }
        };
        match function {
            Activation::Identity => x,
            Activation::Relu => x.max(0.0),
            Activation::Silu => gate(x),
            Activation::Gelu => 0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
            Activation::GeluTanh => {
                let scale = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
                gate(scale * (x + 0.044_715 * x * x * x))
            }
            Activation::QuickGelu => gate(1.702 * x),
        }
    }

    /// Largest error in units in the last place where the true value's magnitude is in `range`.
    fn worst(function: Activation, arguments: &[f32], range: std::ops::Range<f64>) -> (f64, f32) {
        let mut found = arguments.to_vec();
        function.apply(&mut found);
        let mut worst = (0.0, 0.0);
        for (&x, &found) in arguments.iter().zip(&found) {
            let expected = plain(function, f64::from(x));
            if range.contains(&expected.abs()) {
                let rounded = (expected as f32).abs();
                let unit = f64::from(f32::from_bits(rounded.to_bits() + 1) - rounded);
                let error = (f64::from(found) - expected).abs() / unit;
                if error > worst.0 {
                    worst = (error, x);
                }
            } else if expected.abs() < 1e-30 {
                let error = (f64::from(found) - expected).abs();
                assert!(error < 1e-30, "{function:?} of {x}: {found} is {error:e} away");
            }
        }
        worst
    }

    #[test]
    fn the_functions_are_as_exact_as_they_say() {
        let all: Vec<f32> = (0..=u32::MAX).step_by(241).map(f32::from_bits).collect();
        let arguments: Vec<f32> = all.into_iter().filter(|x| x.abs() < 1e6).collect();
        // Units where the value is above 0.01, and anywhere above 1e-30: far from zero, the rounding
        // of the argument of exp counts as many times as the argument is large.
        let bounds = [
            (Activation::Identity, 0.0, 0.0),
            (Activation::Relu, 0.0, 0.0),
            (Activation::Silu, 3.0, 3.0),
            (Activation::Gelu, 6.5, 6.5),
            (Activation::GeluTanh, 12.5, 250.0),
            (Activation::QuickGelu, 9.0, 100.0),
        ];
        for (function, near, anywhere) in bounds {
            for (bound, above) in [(near, 1e-2), (anywhere, 1e-30)] {
                let (error, x) = worst(function, &arguments, above..f64::INFINITY);
                assert!(error <= bound, "{function:?}: {error} units at {x}");
            }
        }
    }

    #[test]
    fn the_functions_know_the_ends_of_their_range() {
        for function in ALL {
            let mut values = [f32::INFINITY, 1e30, 0.0, -1e30, f32::NAN];
            function.apply(&mut values);
            assert_eq!(values[..3], [f32::INFINITY, 1e30, 0.0], "{function:?}");
            assert!(function == Activation::Identity || values[3] == 0.0, "{function:?}");
            assert!(values[4].is_nan(), "{function:?}");
        }
    }

    #[test]
    fn the_functions_have_the_same_bits_on_every_instruction_set_and_in_any_division() {
        let mut arguments = testing::values(3 * PIECE + 77, 3);
        arguments.iter_mut().for_each(|x| *x *= 4.0);
        let shape =
            crate::nn::MapShape { images: 1, height: 1, width: arguments.len(), channels: 1 };
        let maps = Maps::from_rows(shape, arguments.clone()).unwrap();
        for function in ALL {
            let [one, three] =
                testing::on_threads(|| function.forward(&maps).unwrap().to_rows().unwrap());
            testing::assert_same_bits(&one, &three);
            testing::on_every_instruction_set(|arch| {
                let mut found = arguments.clone();
                arch.run(Each { function, values: &mut found });
                testing::assert_same_bits(&found, &one);
            });
            let mut pieces = arguments.clone();
            pieces.chunks_mut(13).for_each(|piece| function.apply(piece));
            testing::assert_same_bits(&pieces, &one);
        }
    }

    #[test]
    fn the_device_agrees() {
        let shape = crate::nn::MapShape { images: 2, height: 3, width: 5, channels: 7 };
        let maps = Maps::from_rows(shape, testing::values(shape.len(), 1)).unwrap();
        let device = Maps::on_device(&maps.to_tensor().unwrap()).unwrap();
        for function in ALL {
            let host = function.forward(&maps).unwrap().to_rows().unwrap();
            let expected: Vec<f64> = host.iter().map(|&x| f64::from(x)).collect();
            let found = function.forward(&device).unwrap().to_rows().unwrap();
            testing::assert_near(&found, &expected, 1e-6);
        }
    }
}
