//! `exp` in f32 as one fixed sequence of operations, for vectors of any width.
//!
//! With n the whole number nearest to `x / ln 2` and `r = x - n ln 2`, `exp(x) = 2^n exp(r)`; the
//! polynomial is minimax on `|r| <= ln 2 / 2`, off by 3.1e-9 of the value. Measured against libm in
//! f64 over every 61st f32 that is not positive: 1.0 units in the last place.

use pulp::Simd;

/// ln 2 as a sum of two f32.
const LN_2: (f32, f32) = (std::f32::consts::LN_2, -1.904_654_3e-9);
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

    struct Each<'a>(&'a mut [f32]);

    impl pulp::WithSimd for Each<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            for values in self.0.chunks_mut(S::F32_LANES) {
                let x = simd.partial_load_f32s(values);
                simd.partial_store_f32s(values, exp_of_nonpositive(simd, x));
            }
        }
    }

    fn each(values: &[f32]) -> Vec<f32> {
        let mut values = values.to_vec();
        pulp::Arch::new().dispatch(Each(&mut values));
        values
    }

    #[test]
    fn exp_is_within_a_unit_in_the_last_place() {
        // Every exponent; a prime stride.
        let negative = (0x8000_0000..=u32::MAX).step_by(61).map(f32::from_bits);
        let arguments: Vec<f32> = negative.filter(|x| x.is_finite()).collect();
        let mut worst = 0.0_f64;
        for (&x, &found) in arguments.iter().zip(&each(&arguments)) {
            if x < LOWEST {
                assert!(found == 0.0 && libm::exp(f64::from(x)) < 1.2e-38, "{x}: {found}");
                continue;
            }
            let expected = libm::exp(f64::from(x));
            let rounded = expected as f32;
            let unit = f64::from(f32::from_bits(rounded.to_bits() + 1) - rounded);
            let error = (f64::from(found) - expected).abs() / unit;
            assert!(error < 1.01, "exp({x}) = {found} is {error} units from {expected}");
            worst = worst.max(error);
        }
        assert!(worst > 0.5, "{worst}");
    }

    #[test]
    fn exp_knows_the_ends_of_its_range() {
        let found = each(&[f32::NEG_INFINITY, 0.0, -0.0, -200.0, f32::MIN, f32::NAN]);
        assert_eq!(found[..5], [0.0, 1.0, 1.0, 0.0, 0.0]);
        assert!(found[5].is_nan());
    }

    #[test]
    fn exp_has_the_same_bits_on_every_instruction_set() {
        let mut arguments = testing::values(4099, 7);
        arguments.iter_mut().for_each(|x| *x = -30.0 * x.abs());
        let expected = each(&arguments);
        testing::on_every_instruction_set(|set| {
            let mut found = arguments.clone();
            set.run(Each(&mut found));
            testing::assert_same_bits(&found, &expected);
        });
    }
}
