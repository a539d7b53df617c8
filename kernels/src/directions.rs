//! Vectors by their direction: each divided by its length, and how far two directions are apart.
//!
//! Sums run in 16 interleaved parts, whatever the width of the machine's vectors.

use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

const LANES: usize = 16;
/// Vectors that one task takes at least.
const TASK: usize = 512;

/// Divides each of the vectors, `length` values one after the other, by `|v| + epsilon`.
pub fn normalise(vectors: &mut [f32], length: usize, epsilon: f32) {
    let length = length.max(1);
    vectors.par_chunks_mut(TASK * length).for_each(|vectors| {
        Arch::new().dispatch(Normalise { vectors, length, epsilon });
    });
}

/// `sum over i of weights[i] (a[i] - b[i])^2` for each pair of vectors, which are as long as the
/// weights.
#[must_use]
pub fn weighted_differences(weights: &[f32], a: &[f32], b: &[f32]) -> Vec<f32> {
    let length = weights.len().max(1);
    let mut sums = vec![0.0; a.len().min(b.len()) / length];
    let vectors = a.par_chunks(TASK * length).zip(b.par_chunks(TASK * length));
    sums.par_chunks_mut(TASK).zip(vectors).for_each(|(sums, (a, b))| {
        Arch::new().dispatch(Differences { weights, a, b, sums });
    });
    sums
}

/// How far two pictures' vectors of unit length are apart, as LPIPS has it: [`weighted_differences`] of
/// what [`normalise`] makes of each place's vector of `a` and of `b`, meant over the places.
///
/// Both hold pictures of `places` vectors that are as long as the weights, one after the other; a value
/// for each pair of whole pictures. The mean is that of 256 interleaved sums in f64.
#[must_use]
pub fn tap_distances(
    weights: &[f32],
    [a, b]: [&[f32]; 2],
    places: usize,
    epsilon: f32,
) -> Vec<f64> {
    let unit = |vectors: &[f32]| {
        let mut unit = vectors.to_vec();
        normalise(&mut unit, weights.len(), epsilon);
        unit
    };
    let differences = weighted_differences(weights, &unit(a), &unit(b));
    differences.chunks_exact(places.max(1)).map(mean).collect()
}

/// The same of planes: `[picture][channel][place]`.
///
/// Bits are those of [`tap_distances`] of the same values in its order.
#[must_use]
pub fn tap_distances_planes(
    weights: &[f32],
    [a, b]: [&[f32]; 2],
    places: usize,
    epsilon: f32,
) -> Vec<f64> {
    let channels = weights.len();
    let vectors = |planes: &[f32]| -> Vec<f32> {
        let pictures = planes.par_chunks_exact((channels * places).max(1));
        let place = |place: usize| (0..channels).map(move |channel| channel * places + place);
        pictures
            .flat_map_iter(|picture| (0..places).flat_map(place).map(|at| picture[at]))
            .collect()
    };
    tap_distances(weights, [&vectors(a), &vectors(b)], places, epsilon)
}

/// In f64, 256 sums side by side.
fn mean(differences: &[f32]) -> f64 {
    let mut parts = [0.0_f64; 256];
    for line in differences.chunks(parts.len()) {
        for (part, &value) in parts.iter_mut().zip(line) {
            *part += f64::from(value);
        }
    }
    parts.iter().sum::<f64>() / differences.len() as f64
}

struct Normalise<'a> {
    vectors: &'a mut [f32],
    length: usize,
    epsilon: f32,
}

impl NullaryFnOnce for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for vector in self.vectors.chunks_exact_mut(self.length) {
            let mut parts = [0.0_f32; LANES];
            let (whole, rest) = vector.as_chunks::<LANES>();
            for values in whole {
                for (part, value) in parts.iter_mut().zip(values) {
                    *part += value * value;
                }
            }
            let rest: f32 = rest
                .iter()
                .map(
                    #[inline(always)]
                    |value| value * value,
                )
                .sum();
            let length = (parts.iter().sum::<f32>() + rest).sqrt() + self.epsilon;
            for value in vector {
                *value /= length;
            }
        }
    }
}

struct Differences<'a> {
    weights: &'a [f32],
    a: &'a [f32],
    b: &'a [f32],
    sums: &'a mut [f32],
}

impl NullaryFnOnce for Differences<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let length = self.weights.len().max(1);
        let (weights, weights_rest) = self.weights.as_chunks::<LANES>();
        let vectors = self.a.chunks_exact(length).zip(self.b.chunks_exact(length));
        for (sum, (a, b)) in self.sums.iter_mut().zip(vectors) {
            let mut parts = [0.0_f32; LANES];
            let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
            for ((weights, a), b) in weights.iter().zip(a).zip(b) {
                for (lane, part) in parts.iter_mut().enumerate() {
                    let difference = a[lane] - b[lane];
                    *part += weights[lane] * (difference * difference);
                }
            }
            let mut rest = 0.0;
            for ((weight, a), b) in weights_rest.iter().zip(a_rest).zip(b_rest) {
                rest += weight * ((a - b) * (a - b));
            }
            *sum = parts.iter().sum::<f32>() + rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InstructionSet;

    #[test]
    fn a_vector_without_length_stays_without() {
        let mut vectors = vec![0.0, 0.0, 3.0, 4.0];
        normalise(&mut vectors, 2, 1e-10);
        assert_eq!(vectors, [0.0, 0.0, 0.6, 0.8]);
    }

    #[test]
    fn every_value_counts_by_its_weight() {
        let weights: Vec<f32> = (0..19_u8).map(f32::from).collect();
        let (a, b) = (vec![2.0; 38], vec![0.0; 38]);
        assert_eq!(weighted_differences(&weights, &a, &b), [4.0 * 171.0, 4.0 * 171.0]);
    }

    #[test]
    fn a_distance_of_taps_is_the_mean_over_the_places_of_a_picture() {
        // Two pictures of two places: at one place directions are equal, at the other opposite.
        let (a, b) =
            ([3.0, 4.0, 1.0, 0.0, 1.0, 0.0, 0.0, 2.0], [6.0, 8.0, -2.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
        assert_eq!(tap_distances(&[0.5, 7.0], [&a, &b], 2, 0.0), [1.0, 0.0]);
        let value = |i: usize| ((i * 7919 % 1009) as f32 - 500.0) / 300.0;
        let (a, b): (Vec<f32>, Vec<f32>) = (0..700 * 5).map(|i| (value(i), value(i + 77))).unzip();
        let found = tap_distances(&[0.5; 5], [&a, &b], 700, 1e-10)[0];
        let unit = |v: &[f32]| -> Vec<f64> {
            let length = v.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
            v.iter().map(|&v| f64::from(v) / length).collect()
        };
        let expected = a.chunks(5).zip(b.chunks(5)).map(|(a, b)| -> f64 {
            unit(a).iter().zip(unit(b)).map(|(a, b)| 0.5 * (a - b).powi(2)).sum()
        });
        // f32 against f64, over a mean near 1.
        assert!((found - expected.sum::<f64>() / 700.0).abs() < 1e-6, "{found}");
    }

    #[test]
    fn planes_are_vectors_in_another_order() {
        let (channels, places) = (5, 7);
        let value = |i: usize| ((i * 7919 % 1009) as f32 - 500.0) / 300.0;
        let planes = |first: usize| -> Vec<f32> {
            (first..first + 2 * channels * places).map(value).collect()
        };
        let (a, b, weights) = (planes(0), planes(77), [0.5, 1.0, 2.0, 0.0, 1.5]);
        let turned = |planes: &[f32]| -> Vec<f32> {
            let at = |image, place, channel| planes[(image * channels + channel) * places + place];
            let places = (0..2).flat_map(|image| (0..places).map(move |place| (image, place)));
            places
                .flat_map(|(i, p)| (0..channels).map(move |c| (i, p, c)))
                .map(|(i, p, c)| at(i, p, c))
                .collect()
        };
        let expected = tap_distances(&weights, [&turned(&a), &turned(&b)], places, 1e-10);
        assert_eq!(tap_distances_planes(&weights, [&a, &b], places, 1e-10), expected);
        assert_eq!(expected.len(), 2);
    }

    #[test]
    fn both_have_the_same_bits_on_every_instruction_set() {
        let value = |i: usize| ((i * 7919 % 1009) as f32 - 500.0) / 300.0;
        let values = |first: usize| -> Vec<f32> { (first..first + 4 * 37).map(value).collect() };
        let (a, b, weights) = (values(0), values(77), values(5));
        let run = |set: InstructionSet| -> Vec<u32> {
            let (mut vectors, mut sums) = (a.clone(), vec![0.0; 4]);
            set.run(Normalise { vectors: &mut vectors, length: 37, epsilon: 1e-10 });
            set.run(Differences { weights: &weights[..37], a: &a, b: &b, sums: &mut sums });
            vectors.iter().chain(&sums).map(|value| value.to_bits()).collect()
        };
        for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
            assert_eq!(run(set), run(InstructionSet::Best), "{set:?}");
        }
    }

    /// 1e-6: sums of 100 terms in f32.
    #[test]
    fn both_agree_with_f64() {
        let value = |i: usize| ((i * 7919 % 1009) as f32 - 500.0) / 300.0;
        let a: Vec<f32> = (0..1300).map(value).collect();
        let b: Vec<f32> = (0..1300).map(|i| value(i + 77)).collect();
        let weights: Vec<f32> = (0..100).map(|i| value(i + 5).abs()).collect();
        let mut unit = a.clone();
        normalise(&mut unit, 100, 1e-10);
        for (vector, unit) in a.chunks(100).zip(unit.chunks(100)) {
            let length = vector.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
            for (&v, &u) in vector.iter().zip(unit) {
                assert!((f64::from(v) / length - f64::from(u)).abs() < 1e-6);
            }
        }
        let found = weighted_differences(&weights, &a, &b);
        for ((a, b), found) in a.chunks(100).zip(b.chunks(100)).zip(found) {
            let terms = a.iter().zip(b).zip(&weights);
            let sum: f64 = terms
                .map(|((&a, &b), &w)| f64::from(w) * (f64::from(a) - f64::from(b)).powi(2))
                .sum();
            assert!((sum - f64::from(found)).abs() < 1e-6 * sum);
        }
    }
}
