//! What this machine can do at most, measured: the yardstick of every speed.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::matrix::{Packed, multiply};

/// Side of the matrices: large enough that packing them does not count.
const SIDE: usize = 1536;
/// Values that are copied, 128 MiB: larger than any cache.
const COPIED: usize = 32 << 20;
/// Values that a thread copies at a time.
const PIECE: usize = 1 << 16;
/// Fewest repetitions.
const LEAST: usize = 5;

/// Floating-point operations a second of a product of f32 matrices on all threads of the pool, the
/// fastest of at least 5 within `limit`.
#[must_use]
pub fn matrix_product(limit: Duration) -> f64 {
    let value = |at: usize| (at * 37 % 101) as f32 / 101.0 - 0.5;
    let values: Vec<f32> = (0..SIDE * SIDE).map(value).collect();
    let (packed, mut out) = (Packed::new(&values, SIDE), vec![0.0; SIDE * SIDE]);
    let seconds = fastest(limit, || {
        multiply(&values, &packed, &mut out);
        black_box(&mut out);
    });
    2.0 * (SIDE * SIDE * SIDE) as f64 / seconds
}

/// Bytes read and written a second by copying on all threads of the pool, the fastest of at least 5
/// copies within `limit`.
#[must_use]
pub fn copy(limit: Duration) -> f64 {
    let from = vec![1.0_f32; COPIED];
    let mut to = vec![0.0_f32; COPIED];
    let seconds = fastest(limit, || {
        to.par_chunks_mut(PIECE)
            .zip(from.par_chunks(PIECE))
            .for_each(|(to, from)| to.copy_from_slice(from));
        black_box(&mut to);
    });
    (2 * COPIED * size_of::<f32>()) as f64 / seconds
}

fn fastest(limit: Duration, mut run: impl FnMut()) -> f64 {
    run();
    let (start, mut fastest) = (Instant::now(), f64::INFINITY);
    for count in 1.. {
        let begun = Instant::now();
        run();
        fastest = fastest.min(begun.elapsed().as_secs_f64());
        if count >= LEAST && start.elapsed() >= limit {
            break;
        }
    }
    fastest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_are_those_of_a_computer() {
        // From a slow phone to a large server, and neither 0 nor infinite.
        let (product, copied) = (matrix_product(Duration::ZERO), copy(Duration::ZERO));
        assert!((1e8..1e15).contains(&product), "{product:e} FLOP/s");
        assert!((1e7..1e14).contains(&copied), "{copied:e} B/s");
    }
}
