//! The products, in registers.
//!
//! Queries lie across the lanes of vectors, so that the maximum, the sum and the scaling of
//! softmax go from vector to vector and never across lanes. Keys (for the scores) and channels of
//! the values (for the output) are the rows of a tile; their elements are broadcast.
//!
//! A tile has eight rows where there are 32 registers and four where there are 16: with three
//! vectors of sums each, three of queries and a broadcast, the registers are full.

use pulp::{Simd, WithSimd};

use crate::InstructionSet;

/// Vectors of queries in a tile.
pub(super) const VECTORS: usize = 3;
/// Channels of a key that lie together; keys are filled up to a multiple with zeros.
pub(super) const CHUNK: usize = 16;

/// Queries of a block.
pub(super) fn queries(set: InstructionSet) -> usize {
    struct Lanes;

    impl WithSimd for Lanes {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            VECTORS * S::F32_LANES
        }
    }

    set.run(Lanes)
}

/// Scores of `R` keys: one fused chain over the channels each.
#[inline(always)]
pub(super) fn scores<S: Simd, const R: usize, const V: usize>(
    simd: S,
    keys: &[[[f32; CHUNK]; R]],
    queries: &[[S::f32s; V]],
) -> [[S::f32s; V]; R] {
    let mut sums = [[simd.splat_f32s(0.0); V]; R];
    for (keys, queries) in keys.iter().zip(queries.as_chunks::<CHUNK>().0) {
        for (channel, queries) in queries.iter().enumerate() {
            for (key, sums) in keys.iter().zip(&mut sums) {
                let element = simd.splat_f32s(key[channel]);
                for (sum, &query) in sums.iter_mut().zip(queries) {
                    *sum = simd.mul_add_f32s(element, query, *sum);
                }
            }
        }
    }
    sums
}

/// Adds the values of each key, `R` channels of them, times its parts to the sums.
#[inline(always)]
pub(super) fn accumulate<S: Simd, const R: usize, const V: usize>(
    simd: S,
    values: &[[f32; R]],
    parts: &[[S::f32s; V]],
    mut sums: [[S::f32s; V]; R],
) -> [[S::f32s; V]; R] {
    for (values, parts) in values.iter().zip(parts) {
        for (&value, sums) in values.iter().zip(&mut sums) {
            let element = simd.splat_f32s(value);
            for (sum, &part) in sums.iter_mut().zip(parts) {
                *sum = simd.mul_add_f32s(element, part, *sum);
            }
        }
    }
    sums
}
