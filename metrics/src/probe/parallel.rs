//! Sums and combinations of long vectors, on all cores and with bits of their own.

use rayon::prelude::*;

/// Values of one task.
const CHUNK: usize = 1 << 13;
/// Partial sums.
const PARTIAL: usize = 8;

/// `sum a b`: partial sums of chunks of fixed length, added in order.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let sums: Vec<f64> =
        a.par_chunks(CHUNK).zip(b.par_chunks(CHUNK)).map(|(a, b)| dot_of_chunk(a, b)).collect();
    sums.iter().sum()
}

fn dot_of_chunk(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; PARTIAL];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<PARTIAL>(), b.as_chunks::<PARTIAL>());
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    for ((sum, a), b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        *sum += a * b;
    }
    sums.iter().sum()
}

/// `into += factor * what`.
pub(super) fn add(into: &mut [f64], factor: f64, what: &[f64]) {
    into.par_chunks_mut(CHUNK).zip(what.par_chunks(CHUNK)).for_each(|(into, what)| {
        into.iter_mut().zip(what).for_each(|(into, what)| *into += factor * what);
    });
}

/// Adds vectors of f32, in their order.
pub(super) fn add_all(into: &mut [f64], vectors: &[&[f32]]) {
    into.par_chunks_mut(CHUNK).enumerate().for_each(|(number, into)| {
        for vector in vectors {
            let here = &vector[number * CHUNK..][..into.len()];
            into.iter_mut().zip(here).for_each(|(into, &value)| *into += f64::from(value));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_long_vectors_are_right_and_the_same_for_any_threads() {
        let a: Vec<f64> = (0..30_011).map(|i| f64::from(i % 97) - 40.0).collect();
        let b: Vec<f64> = (0..30_011).map(|i| f64::from(i % 89) / 64.0).collect();
        let plain: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        // Multiples of 1 / 64: exact in any order.
        assert_eq!(dot(&a, &b).to_bits(), plain.to_bits());
        let mut sums = b.clone();
        add(&mut sums, 2.0, &a);
        assert!(sums.iter().zip(&b).zip(&a).all(|((sum, b), a)| (sum - b - 2.0 * a).abs() < 1e-12));
        let small: Vec<f32> = a.iter().map(|&a| a as f32).collect();
        let mut twice = vec![0.0; a.len()];
        add_all(&mut twice, &[&small, &small]);
        assert!(twice.iter().zip(&a).all(|(twice, a)| (twice - 2.0 * a).abs() < 1e-12));
    }
}
