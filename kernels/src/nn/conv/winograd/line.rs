//! F(m, r) along one dimension: m outputs of a filter of r taps from m + r - 1 products.
//!
//! A filter's outputs are coefficients of a product of polynomials, and that product is known from
//! its values at as many points as it has coefficients. The points are 0, pairs of opposite signs
//! and infinity. `B^T` takes inputs to the points, `G` the taps and `A^T` products to outputs
//! (Lavin and Gray 2016, section 4); rows of a pair share their even and their odd half.

use pulp::Simd;

/// Pairs at most.
const MOST: usize = 4;

/// The magnitudes of the pairs.
///
/// The customary 0, +-1, +-2, +-1/2 .. need few digits but lose more of them. These are fractions
/// near the least mean square error for random inputs and taps, which at 6 points is 2/3 of that of
/// 0, +-1, +-2 and infinity. Their product is 1.
const fn magnitudes(points: usize) -> &'static [f64] {
    match points {
        6 => &[2.0 / 3.0, 3.0 / 2.0],
        8 => &[1.0 / 2.0, 1.0, 2.0],
        10 => &[5.0 / 12.0, 4.0 / 5.0, 5.0 / 4.0, 12.0 / 5.0],
        _ => &[],
    }
}

/// Coefficients of the product of all `x - p^2`, the lowest first, but for the pair `without`.
const fn squares(pairs: &[f64], without: usize) -> [f64; MOST + 1] {
    let mut product = [0.0; MOST + 1];
    product[0] = 1.0;
    let (mut pair, mut degree) = (0, 0);
    while pair < pairs.len() {
        if pair != without {
            degree += 1;
            let (square, mut k) = (pairs[pair] * pairs[pair], degree);
            while k > 0 {
                product[k] = product[k - 1] - square * product[k];
                k -= 1;
            }
            product[0] *= -square;
        }
        pair += 1;
    }
    product
}

/// What [`squares`] has with no pair left out.
const ALL: usize = MOST;

/// F(`OUT`, `POINTS` + 1 - `OUT`); with one point and one output nothing is transformed.
pub(super) struct Line<const POINTS: usize, const OUT: usize>;

impl<const POINTS: usize, const OUT: usize> Line<POINTS, OUT> {
    const PAIRS: usize = Self::MAGNITUDES.len();
    const MAGNITUDES: &[f64] = magnitudes(POINTS);
    const SQUARES: [[f64; MOST + 1]; MOST + 1] = {
        assert!(POINTS == 1 || POINTS == 2 * Self::PAIRS + 2, "no points are known");
        let mut squares_without = [[0.0; MOST + 1]; MOST + 1];
        let mut pair = 0;
        while pair <= MOST {
            squares_without[pair] = squares(Self::MAGNITUDES, pair);
            pair += 1;
        }
        squares_without
    };

    /// `B^T d`.
    #[inline(always)]
    pub(super) fn inputs<S: Simd>(simd: S, d: [S::f32s; POINTS]) -> [S::f32s; POINTS] {
        if POINTS == 1 {
            return d;
        }
        let mut points = d;
        points[0] = polynomial(simd, &Self::SQUARES[ALL], &d, 0, Self::PAIRS);
        points[POINTS - 1] = polynomial(simd, &Self::SQUARES[ALL], &d, 1, Self::PAIRS);
        for (pair, &p) in Self::MAGNITUDES.iter().enumerate() {
            let even = polynomial(simd, &Self::SQUARES[pair], &d, 2, Self::PAIRS - 1);
            let odd = polynomial(simd, &Self::SQUARES[pair], &d, 1, Self::PAIRS - 1);
            points[2 * pair + 1] = simd.mul_add_f32s(splat(simd, p), odd, even);
            points[2 * pair + 2] = simd.mul_add_f32s(splat(simd, -p), odd, even);
        }
        points
    }

    /// `A^T m`.
    #[inline(always)]
    pub(super) fn outputs<S: Simd>(simd: S, m: [S::f32s; POINTS]) -> [S::f32s; OUT] {
        let mut outputs = [m[0]; OUT];
        if POINTS == 1 {
            return outputs;
        }
        let (mut sums, mut differences) = ([m[0]; MOST], [m[0]; MOST]);
        for pair in 0..Self::PAIRS {
            let (plus, minus) = (m[2 * pair + 1], m[2 * pair + 2]);
            sums[pair] = simd.add_f32s(plus, minus);
            differences[pair] = simd.sub_f32s(plus, minus);
        }
        let mut powers = [1.0; MOST];
        for (out, output) in outputs.iter_mut().enumerate() {
            let halves = if out % 2 == 0 { &sums } else { &differences };
            let mut first = 0;
            if out == OUT - 1 {
                *output = m[POINTS - 1];
            } else if out > 0 {
                *output = simd.mul_f32s(splat(simd, powers[0]), halves[0]);
                first = 1;
            }
            for pair in first..Self::PAIRS {
                *output = simd.mul_add_f32s(splat(simd, powers[pair]), halves[pair], *output);
            }
            for (power, p) in powers.iter_mut().zip(Self::MAGNITUDES) {
                *power *= p;
            }
        }
        outputs
    }
}

/// Sum over k of the coefficients times `d[first + 2 k]`; the last coefficient is 1.
#[inline(always)]
fn polynomial<S: Simd>(
    simd: S,
    coefficients: &[f64; MOST + 1],
    d: &[S::f32s],
    first: usize,
    degree: usize,
) -> S::f32s {
    let mut sum = d[first + 2 * degree];
    for k in (0..degree).rev() {
        sum = simd.mul_add_f32s(splat(simd, coefficients[k]), d[first + 2 * k], sum);
    }
    sum
}

#[inline(always)]
fn splat<S: Simd>(simd: S, value: f64) -> S::f32s {
    simd.splat_f32s(value as f32)
}

/// `G`: for each point, what each of `taps` counts.
pub(super) fn taps_at_points(points: usize, taps: usize) -> Vec<Vec<f64>> {
    let last: Vec<f64> = (1..=taps).map(|tap| if tap == taps { 1.0 } else { 0.0 }).collect();
    if points == 1 {
        return vec![last];
    }
    let magnitudes = magnitudes(points);
    let value = |coefficients: &[f64], x: f64| coefficients.iter().rfold(0.0, |sum, c| sum * x + c);
    let zero = squares(magnitudes, ALL)[0];
    let first = (0..taps).map(|tap| if tap == 0 { 1.0 / zero } else { 0.0 }).collect();
    let mut rows: Vec<Vec<f64>> = vec![first];
    for (pair, &p) in magnitudes.iter().enumerate() {
        let scale = 2.0 * p * p * value(&squares(magnitudes, pair), p * p);
        for p in [p, -p] {
            rows.push((0..taps).map(|tap| p.powi(tap as i32) / scale).collect());
        }
    }
    rows.push(last);
    rows
}

#[cfg(test)]
mod tests {
    use pulp::WithSimd;

    use super::*;
    use crate::nn::testing;

    /// F(`OUT`, taps) of whole vectors.
    struct Filter<'a, const POINTS: usize, const OUT: usize> {
        taps: &'a [f64],
        inputs: &'a [f32],
    }

    impl<const POINTS: usize, const OUT: usize> WithSimd for Filter<'_, POINTS, OUT> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
            let mut points = [simd.splat_f32s(0.0); POINTS];
            for (point, &input) in points.iter_mut().zip(self.inputs) {
                *point = simd.splat_f32s(input);
            }
            points = Line::<POINTS, OUT>::inputs(simd, points);
            let rows = taps_at_points(POINTS, self.taps.len());
            for (point, row) in points.iter_mut().zip(rows) {
                let weight: f64 = row.iter().zip(self.taps).map(|(g, tap)| g * tap).sum();
                *point = simd.mul_f32s(*point, splat(simd, weight));
            }
            let outputs = Line::<POINTS, OUT>::outputs(simd, points);
            let mut found = vec![0.0; OUT];
            for (found, &output) in found.chunks_exact_mut(1).zip(&outputs) {
                simd.partial_store_f32s(found, output);
            }
            found
        }
    }

    fn check<const POINTS: usize, const OUT: usize>(tolerance: f64) {
        let inputs = testing::values(POINTS, 1);
        let taps = testing::values(POINTS + 1 - OUT, 2);
        let taps: Vec<f64> = taps.into_iter().map(f64::from).collect();
        let at = |out: usize| inputs[out..].iter().zip(&taps).map(|(&x, w)| f64::from(x) * w).sum();
        let expected: Vec<f64> = (0..OUT).map(at).collect();
        testing::on_every_instruction_set(|set| {
            let found = set.run(Filter::<POINTS, OUT> { taps: &taps, inputs: &inputs });
            testing::assert_near(&found, &expected, tolerance);
        });
    }

    /// Sums of up to 7 products of up to 16: 2e-6 of plain sums, as many times that as rounding is
    /// amplified.
    #[test]
    fn every_line_is_its_filter() {
        check::<1, 1>(2e-6);
        check::<6, 4>(2e-5);
        check::<6, 2>(2e-5);
        check::<8, 4>(5e-5);
        check::<8, 2>(5e-5);
        check::<10, 4>(2e-4);
    }

    #[test]
    fn a_line_of_a_single_tap_changes_nothing() {
        assert_eq!(taps_at_points(1, 1), [[1.0]]);
    }
}
