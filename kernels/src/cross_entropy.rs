//! Cross-entropy of softmax, with its derivatives, for many samples side by side.
//!
//! Logits lie class after class, one column for each sample: then every lane of a vector is a sample
//! of its own, and no sum goes across lanes. A value is one fixed sequence of f32 operations; what
//! is summed over samples is summed in f64.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::InstructionSet;
use crate::nn::exp_of_nonpositive;

/// Samples that pass through the classes together.
const STRIP: usize = 64;
/// Classes whose parts are summed before they are added to the others: a chain of all of them would
/// lose more digits.
const GROUP: usize = 32;
/// Partial sums of a row.
const PARTIAL: usize = 8;

/// Adds the intercepts to the logits and turns them into the derivatives of each sample's
/// cross-entropy by its logits, `softmax - 1` for the sample's own class and `softmax` for others.
/// Returns the sum of the cross-entropies, `log sum exp(z) - z_own`, in the order of the samples.
///
/// `logits` has a row of `labels.len()` values for each of `intercepts`. Neither the loss nor the
/// derivative of a sample's own class is a difference of numbers near 1, so both keep their digits
/// where a sample is almost certain. A sum that is not finite means that logits were not.
///
/// # Panics
/// When the lengths do not fit or a label is no class.
#[must_use]
pub fn differentiate(logits: &mut [f32], intercepts: &[f32], labels: &[u32]) -> f64 {
    on(InstructionSet::Best, logits, intercepts, labels)
}

fn on(set: InstructionSet, logits: &mut [f32], intercepts: &[f32], labels: &[u32]) -> f64 {
    assert_eq!(logits.len(), intercepts.len() * labels.len(), "a logit for each class and sample");
    assert!(labels.iter().all(|&label| (label as usize) < intercepts.len()), "labels are classes");
    if logits.is_empty() {
        return 0.0;
    }
    set.run(Strips { logits, intercepts, labels })
}

/// What the derivatives of many samples sum to.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassSums {
    /// For each class the sum over samples.
    pub derivatives: Vec<f64>,
    /// For each class the sum of `p (1 - p)`, `p` its probability: the second derivative by its
    /// intercept.
    pub curvatures: Vec<f64>,
}

/// Sums the rows of what [`differentiate`] left, `samples` values each.
///
/// # Panics
/// When the rows are not whole.
#[must_use]
pub fn sum_classes(derivatives: &[f32], samples: usize) -> ClassSums {
    assert!(samples > 0 && derivatives.len().is_multiple_of(samples), "rows must be whole");
    let rows = derivatives.chunks_exact(samples);
    let sums = rows.map(|row| pulp::Arch::new().dispatch(RowSums(row)));
    let (derivatives, curvatures) = sums.unzip();
    ClassSums { derivatives, curvatures }
}

struct RowSums<'a>(&'a [f32]);

impl pulp::NullaryFnOnce for RowSums<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn call(self) -> (f64, f64) {
        let (mut sums, mut curvatures) = ([0.0; PARTIAL], [0.0; PARTIAL]);
        let (lines, rest) = self.0.as_chunks::<PARTIAL>();
        let mut last = [0.0; PARTIAL];
        last[..rest.len()].copy_from_slice(rest);
        for line in lines.iter().chain([&last]) {
            for ((sum, curvature), &value) in sums.iter_mut().zip(&mut curvatures).zip(line) {
                let value = f64::from(value);
                *sum += value;
                // The derivative is p or p - 1.
                *curvature += value.abs() * (1.0 - value.abs());
            }
        }
        (sums.iter().sum(), curvatures.iter().sum())
    }
}

struct Strips<'a> {
    logits: &'a mut [f32],
    intercepts: &'a [f32],
    labels: &'a [u32],
}

impl WithSimd for Strips<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        // The vectors of a strip are a constant of the loops.
        match S::F32_LANES {
            16 => self.run::<S, { STRIP / 16 }>(simd),
            8 => self.run::<S, { STRIP / 8 }>(simd),
            4 => self.run::<S, { STRIP / 4 }>(simd),
            _ => self.run::<S, STRIP>(simd),
        }
    }
}

impl Strips<'_> {
    #[inline(always)]
    fn run<S: Simd, const N: usize>(self, simd: S) -> f64 {
        let stride = self.labels.len();
        let mut loss = 0.0;
        for from in (0..stride).step_by(STRIP) {
            let columns = from..stride.min(from + STRIP);
            let labels = &self.labels[columns.clone()];
            let mut strip = Strip { logits: &mut *self.logits, stride, columns };
            let largest = strip.largest::<S, N>(simd, self.intercepts);
            let own = strip.set_own_apart(labels);
            let distances = subtract::<S, N>(simd, &own, &largest);
            let others = strip.exponentials::<S, N>(simd, &largest);
            let parts = normalise::<S, N>(simd, &distances, &others);
            strip.scale::<S, N>(simd, &parts.inverse);
            strip.put_own_back(labels, &parts.own);
            let all = others.iter().zip(&parts.total).zip(&distances);
            for ((&others, &total), &distance) in all.take(labels.len()) {
                let [others, total, distance] = [others, total, distance].map(f64::from);
                // Where the own class is the largest, the total is 1 + others.
                let logarithm = if distance < 0.0 { libm::log(total) } else { libm::log1p(others) };
                loss += logarithm - distance;
            }
        }
        loss
    }
}

/// The columns of some samples.
struct Strip<'a> {
    logits: &'a mut [f32],
    stride: usize,
    columns: Range<usize>,
}

impl Strip<'_> {
    /// Adds the intercepts; the largest logit of each sample.
    #[inline(always)]
    fn largest<S: Simd, const N: usize>(&mut self, simd: S, intercepts: &[f32]) -> [f32; STRIP] {
        let mut largest = [simd.splat_f32s(f32::NEG_INFINITY); N];
        for (row, &intercept) in self.logits.chunks_exact_mut(self.stride).zip(intercepts) {
            let row = &mut row[self.columns.clone()];
            let intercept = simd.splat_f32s(intercept);
            let mut values = load::<S, N>(simd, row);
            for (value, largest) in values.iter_mut().zip(&mut largest) {
                *value = simd.add_f32s(*value, intercept);
                let above = simd.greater_than_f32s(*value, *largest);
                *largest = simd.select_f32s(above, *value, *largest);
            }
            store::<S, N>(values, row);
        }
        whole::<S, N>(largest)
    }

    /// Takes the logit of each sample's own class and leaves one that has no part in any sum.
    #[inline(always)]
    fn set_own_apart(&mut self, labels: &[u32]) -> [f32; STRIP] {
        let mut own = [0.0; STRIP];
        for ((own, &label), column) in own.iter_mut().zip(labels).zip(self.columns.clone()) {
            let place = &mut self.logits[label as usize * self.stride + column];
            *own = std::mem::replace(place, f32::NEG_INFINITY);
        }
        own
    }

    #[inline(always)]
    fn put_own_back(&mut self, labels: &[u32], own: &[f32; STRIP]) {
        for ((&own, &label), column) in own.iter().zip(labels).zip(self.columns.clone()) {
            self.logits[label as usize * self.stride + column] = own;
        }
    }

    /// `exp(z - largest)` of every logit; their sums.
    #[inline(always)]
    fn exponentials<S: Simd, const N: usize>(
        &mut self,
        simd: S,
        largest: &[f32; STRIP],
    ) -> [f32; STRIP] {
        let largest = load::<S, N>(simd, largest);
        let mut sums = [simd.splat_f32s(0.0); N];
        for group in self.logits.chunks_mut(self.stride * GROUP) {
            let mut group_sums = [simd.splat_f32s(0.0); N];
            for row in group.chunks_exact_mut(self.stride) {
                let row = &mut row[self.columns.clone()];
                let mut values = load::<S, N>(simd, row);
                let lanes = values.iter_mut().zip(&largest).zip(&mut group_sums);
                for ((value, &largest), sum) in lanes {
                    *value = exp_of_nonpositive(simd, simd.sub_f32s(*value, largest));
                    *sum = simd.add_f32s(*sum, *value);
                }
                store::<S, N>(values, row);
            }
            for (sum, group) in sums.iter_mut().zip(group_sums) {
                *sum = simd.add_f32s(*sum, group);
            }
        }
        whole::<S, N>(sums)
    }

    #[inline(always)]
    fn scale<S: Simd, const N: usize>(&mut self, simd: S, factors: &[f32; STRIP]) {
        let factors = load::<S, N>(simd, factors);
        for row in self.logits.chunks_exact_mut(self.stride) {
            let row = &mut row[self.columns.clone()];
            let mut values = load::<S, N>(simd, row);
            for (value, &factor) in values.iter_mut().zip(&factors) {
                *value = simd.mul_f32s(*value, factor);
            }
            store::<S, N>(values, row);
        }
    }
}

/// Of each sample: the sum of all exponentials, its inverse, and the own class's derivative.
struct Parts {
    total: [f32; STRIP],
    inverse: [f32; STRIP],
    own: [f32; STRIP],
}

/// `distances` are those of the own classes' logits from the largest.
#[inline(always)]
fn normalise<S: Simd, const N: usize>(
    simd: S,
    distances: &[f32; STRIP],
    others: &[f32; STRIP],
) -> Parts {
    let distances = load::<S, N>(simd, distances);
    let others = load::<S, N>(simd, others);
    let [mut total, mut inverse, mut own] = [[simd.splat_f32s(0.0); N]; 3];
    for at in 0..N {
        total[at] = simd.add_f32s(exp_of_nonpositive(simd, distances[at]), others[at]);
        inverse[at] = simd.div_f32s(simd.splat_f32s(1.0), total[at]);
        own[at] = simd.neg_f32s(simd.mul_f32s(others[at], inverse[at]));
    }
    let [total, inverse, own] = [total, inverse, own].map(whole::<S, N>);
    Parts { total, inverse, own }
}

#[inline(always)]
fn subtract<S: Simd, const N: usize>(
    simd: S,
    from: &[f32; STRIP],
    what: &[f32; STRIP],
) -> [f32; STRIP] {
    let (mut from, what) = (load::<S, N>(simd, from), load::<S, N>(simd, what));
    for (from, what) in from.iter_mut().zip(what) {
        *from = simd.sub_f32s(*from, what);
    }
    whole::<S, N>(from)
}

/// Some values of a row, filled up with zeros.
#[inline(always)]
fn load<S: Simd, const N: usize>(simd: S, row: &[f32]) -> [S::f32s; N] {
    if let Ok(values) = S::as_simd_f32s(row).0.try_into() {
        return values;
    }
    let mut padded = [0.0; STRIP];
    padded[..row.len()].copy_from_slice(row);
    let mut values = [simd.splat_f32s(0.0); N];
    values.copy_from_slice(S::as_simd_f32s(&padded).0);
    values
}

/// As many values as the row has.
#[inline(always)]
fn store<S: Simd, const N: usize>(values: [S::f32s; N], row: &mut [f32]) {
    if row.len() == STRIP {
        S::as_mut_simd_f32s(row).0.copy_from_slice(&values);
    } else {
        row.copy_from_slice(&whole::<S, N>(values)[..row.len()]);
    }
}

#[inline(always)]
fn whole<S: Simd, const N: usize>(values: [S::f32s; N]) -> [f32; STRIP] {
    let mut row = [0.0; STRIP];
    S::as_mut_simd_f32s(&mut row).0.copy_from_slice(&values);
    row
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(len: usize, seed: u64, scale: f32) -> Vec<f32> {
        let hash = |i: u64| (i ^ (seed << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        let unit = |i| hash(i + 1) as f32 / (1 << 23) as f32 - 1.0;
        (0..len as u64).map(|i| scale * unit(i)).collect()
    }

    /// Loss and derivatives of one sample in f64, of logits that were rounded to f32 as ours are.
    fn definition(logits: &[f32], own: usize) -> (f64, Vec<f64>) {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let parts: Vec<f64> =
            logits.iter().map(|&z| libm::exp(f64::from(z) - f64::from(largest))).collect();
        let others: f64 = parts.iter().enumerate().filter(|&(at, _)| at != own).map(|p| p.1).sum();
        let total = others + parts[own];
        let mut derivatives: Vec<f64> = parts.iter().map(|part| part / total).collect();
        derivatives[own] = -others / total;
        (libm::log1p(others / parts[own]), derivatives)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn losses_and_derivatives_are_their_definition_on_every_instruction_set(
            classes in 1..90_usize, samples in 1..150_usize, seed in 0..1000_u64,
            scale in prop::sample::select(vec![0.1_f32, 5.0, 40.0]),
        ) {
            let logits = values(classes * samples, seed, scale);
            let intercepts = values(classes, seed + 1, 1.0);
            let labels: Vec<u32> = (0..samples).map(|i| (i * 7 % classes) as u32).collect();
            let (mut expected, mut loss) = (vec![0.0; logits.len()], 0.0);
            for (sample, &label) in labels.iter().enumerate() {
                let of = |class: usize| logits[class * samples + sample] + intercepts[class];
                let column: Vec<f32> = (0..classes).map(of).collect();
                let (own, derivatives) = definition(&column, label as usize);
                loss += own;
                for (class, derivative) in derivatives.into_iter().enumerate() {
                    expected[class * samples + sample] = derivative;
                }
            }
            let mut first: Option<(f64, Vec<f32>)> = None;
            for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
                let mut found = logits.clone();
                let sum = on(set, &mut found, &intercepts, &labels);
                // z - largest is rounded: 6e-8 of up to 82.
                prop_assert!((sum - loss).abs() <= 4e-6 * samples as f64, "{sum} {loss}");
                for (&found, &expected) in found.iter().zip(&expected) {
                    let error = (f64::from(found) - expected).abs();
                    prop_assert!(error <= 6e-6 * expected.abs() + 1e-37, "{found} {expected}");
                }
                let (bits, derivatives) = first.get_or_insert((sum, found.clone()));
                prop_assert_eq!(bits.to_bits(), sum.to_bits());
                prop_assert_eq!(&found, derivatives);
            }
        }
    }

    #[test]
    fn a_sample_that_is_almost_certain_keeps_its_digits() {
        let mut logits = [30.0, 0.0];
        let loss = differentiate(&mut logits, &[0.0; 2], &[0]);
        let small = libm::exp(-30.0);
        assert!((loss / small - 1.0).abs() < 1e-6, "{loss}");
        assert!((f64::from(logits[0]) / -small - 1.0).abs() < 1e-6, "{logits:?}");
        // And the other way about, far beyond where exp underflows.
        let mut logits = [-500.0, 0.0];
        assert!((differentiate(&mut logits, &[0.0; 2], &[0]) - 500.0).abs() < 1e-9);
        assert_eq!(logits.map(f32::to_bits), [(-1.0_f32).to_bits(), 1.0_f32.to_bits()]);
    }

    #[test]
    fn logits_that_are_not_finite_make_the_loss_so() {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut logits = [1.0, bad, 2.0, 0.5];
            assert!(!differentiate(&mut logits, &[0.0; 2], &[0, 1]).is_finite(), "{bad}");
        }
    }

    #[test]
    fn sums_over_samples_are_those_of_the_rows() {
        let (classes, samples) = (5, 203);
        let mut derivatives = values(classes * samples, 3, 4.0);
        let labels: Vec<u32> = (0..samples as u32).map(|i| i % 5).collect();
        let _loss = differentiate(&mut derivatives, &[0.0; 5], &labels);
        let found = sum_classes(&derivatives, samples);
        for (class, row) in derivatives.chunks_exact(samples).enumerate() {
            let row: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
            let (mut sum, mut curvature) = (0.0, 0.0);
            for (&value, &label) in row.iter().zip(&labels) {
                let p = if label as usize == class { value + 1.0 } else { value };
                sum += value;
                curvature += p * (1.0 - p);
            }
            assert!((found.derivatives[class] - sum).abs() < 1e-12);
            assert!((found.curvatures[class] - curvature).abs() < 1e-12);
        }
        // Probabilities of a sample sum to 1.
        assert!(found.derivatives.iter().sum::<f64>().abs() < 1e-5);
    }
}
