//! `exp` in f32 as one fixed sequence of operations, for vectors of any width.
//!
//! With n the whole number nearest to `x / ln 2` and `r = x - n ln 2`, `exp(x) = 2^n exp(r)`; the
//! polynomial is minimax on `|r| <= ln 2 / 2`, off by 3.1e-9 of the value. Measured against libm in
//! f64 over every 61st f32: 1.0 units in the last place of a value that is not subnormal.

use pulp::Simd;

/// ln 2 as a sum of two f32.
const LN_2: (f32, f32) = (0.693_147_2, -1.904_654_3e-9);
/// `(exp(r) - 1 - r) / r^2`, the lowest power first.
const POLYNOMIAL: [f32; 5] =
    [0.499_999_94, 0.166_665_21, 0.041_668_39, 0.008_368_717_5, 0.001_381_46];
/// Added to a small number, leaves it rounded to a whole one in the lowest bits.
const ROUNDER: f32 = 12_582_912.0;
/// Bits below the exponent, and the exponent of 1.
const MANTISSA: u32 = 23;
const BIAS: u32 = 127;
/// The lowest argument whose value is not subnormal.
const LOWEST: f32 = -87.336_54;

/// `exp(x)` over the whole range, subnormal values and infinities included.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    // Beyond these the value is infinite or rounds to zero; NaN passes.
    let (low, high) = (simd.splat_f32s(-104.0), simd.splat_f32s(89.0));
    let x = simd.select_f32s(simd.less_than_f32s(x, low), low, x);
    let x = simd.select_f32s(simd.greater_than_f32s(x, high), high, x);
    let (n, r) = reduce(simd, x);
    // 2^n in two factors: n goes from -150 to 128.
    let n = simd.add_u32s(n, simd.splat_u32s(2 * BIAS));
    let half = simd.wrapping_dyn_shr_u32s(n, simd.splat_u32s(1));
    let first = power(simd, half);
    let second = power(simd, simd.sub_u32s(n, half));
    simd.mul_f32s(simd.mul_f32s(polynomial(simd, r), first), second)
}

/// `exp(x)` of `x <= 0`; 0 where it is subnormal.
#[inline(always)]
pub(crate) fn exp_of_nonpositive<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let (n, r) = reduce(simd, x);
    finish(simd, x, n, r)
}

/// `exp(x + tail)` of `x <= 0` and a tail of a few units in its last place; 0 where `exp(x)` is
/// subnormal.
#[inline(always)]
pub(crate) fn exp_of_nonpositive_sum<S: Simd>(simd: S, x: S::f32s, tail: S::f32s) -> S::f32s {
    let (n, r) = reduce(simd, x);
    finish(simd, x, n, simd.add_f32s(r, tail))
}

#[inline(always)]
fn finish<S: Simd>(simd: S, x: S::f32s, n: S::u32s, r: S::f32s) -> S::f32s {
    let scale = power(simd, simd.add_u32s(n, simd.splat_u32s(BIAS)));
    let value = simd.mul_f32s(polynomial(simd, r), scale);
    let below = simd.less_than_f32s(x, simd.splat_f32s(LOWEST));
    simd.select_f32s(below, simd.splat_f32s(0.0), value)
}

/// n in two's complement, and r.
#[inline(always)]
fn reduce<S: Simd>(simd: S, x: S::f32s) -> (S::u32s, S::f32s) {
    let rounder = simd.splat_f32s(ROUNDER);
    let shifted = simd.mul_add_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), rounder);
    let n = simd.sub_f32s(shifted, rounder);
    let r = simd.mul_add_f32s(n, simd.splat_f32s(-LN_2.0), x);
    let r = simd.mul_add_f32s(n, simd.splat_f32s(-LN_2.1), r);
    let bits = simd.transmute_u32s_f32s(shifted);
    (simd.sub_u32s(bits, simd.splat_u32s(ROUNDER.to_bits())), r)
}

#[inline(always)]
fn polynomial<S: Simd>(simd: S, r: S::f32s) -> S::f32s {
    let [rest @ .., last] = POLYNOMIAL;
    let mut sum = simd.splat_f32s(last);
    for coefficient in rest.into_iter().rev() {
        sum = simd.mul_add_f32s(sum, r, simd.splat_f32s(coefficient));
    }
    let above_one = simd.mul_add_f32s(sum, simd.mul_f32s(r, r), r);
    simd.add_f32s(above_one, simd.splat_f32s(1.0))
}

/// The number with this exponent field.
#[inline(always)]
fn power<S: Simd>(simd: S, exponent: S::u32s) -> S::f32s {
    let bits = simd.wrapping_dyn_shl_u32s(exponent, simd.splat_u32s(MANTISSA));
    simd.transmute_f32s_u32s(bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing;

    #[derive(Clone, Copy)]
    enum Function {
        Exp,
        OfNonpositive,
    }

    struct Each<'a>(Function, &'a mut [f32]);

    impl pulp::WithSimd for Each<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            for values in self.1.chunks_mut(S::F32_LANES) {
                let x = simd.partial_load_f32s(values);
                let y = match self.0 {
                    Function::Exp => exp(simd, x),
                    Function::OfNonpositive => exp_of_nonpositive(simd, x),
                };
                simd.partial_store_f32s(values, y);
            }
        }
    }

    fn each(function: Function, values: &[f32]) -> Vec<f32> {
        let mut values = values.to_vec();
        pulp::Arch::new().dispatch(Each(function, &mut values));
        values
    }

    #[test]
    fn exp_is_within_a_unit_in_the_last_place() {
        // Every finite sign and exponent; a prime stride.
        let all: Vec<f32> = (0..=u32::MAX).step_by(61).map(f32::from_bits).collect();
        let arguments: Vec<f32> = all.into_iter().filter(|x| x.is_finite()).collect();
        let found = each(Function::Exp, &arguments);
        let nonpositive = each(Function::OfNonpositive, &arguments);
        let mut worst = 0.0_f64;
        for ((&x, &found), &nonpositive) in arguments.iter().zip(&found).zip(&nonpositive) {
            let expected = libm::exp(f64::from(x));
            let rounded = expected as f32;
            if rounded.is_infinite() {
                assert!(found.is_infinite() || found > 3.402_82e38, "{x}: {found}");
                continue;
            }
            let unit = f64::from(f32::from_bits(rounded.to_bits() + 1) - rounded);
            let error = (f64::from(found) - expected).abs() / unit;
            assert!(error < 1.01, "exp({x}) = {found} is {error} units from {expected}");
            if rounded.is_normal() {
                worst = worst.max(error);
            }
            if x <= 0.0 {
                assert_eq!(nonpositive, if x < LOWEST { 0.0 } else { found }, "{x}");
            }
        }
        assert!((0.5..1.01).contains(&worst), "{worst}");
    }

    #[test]
    fn exp_knows_the_ends_of_its_range() {
        let ends = [f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 200.0, -200.0, 88.8, f32::NAN];
        let found = each(Function::Exp, &ends);
        let inf = f32::INFINITY;
        assert_eq!(found[..7], [inf, 0.0, 1.0, 1.0, inf, 0.0, inf]);
        assert!(found[7].is_nan());
        let found = each(Function::OfNonpositive, &ends[1..]);
        assert_eq!(found[..3], [0.0, 1.0, 1.0]);
        assert_eq!(found[4], 0.0);
        assert!(found[6].is_nan());
    }

    #[test]
    fn exp_has_the_same_bits_on_every_instruction_set() {
        let mut arguments = testing::values(4099, 7);
        arguments.iter_mut().for_each(|x| *x *= 30.0);
        for function in [Function::Exp, Function::OfNonpositive] {
            let expected = each(function, &arguments);
            testing::on_every_instruction_set(|arch| {
                let mut found = arguments.clone();
                arch.run(Each(function, &mut found));
                testing::assert_same_bits(&found, &expected);
            });
        }
    }
}
