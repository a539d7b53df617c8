//! Sums over a row in an order that no instruction set decides.

use pulp::Simd;

/// Value `i` of a row goes to partial sum `i % PARTIAL`; the partial sums are added in pairs.
const PARTIAL: usize = 32;

/// The sum of `term` over a row.
///
/// `term` must be `inline(always)`: it would be compiled for the base line otherwise.
#[inline(always)]
pub(crate) fn sum<S: Simd>(simd: S, row: &[f32], term: impl Fn(S::f32s) -> S::f32s) -> f32 {
    // The vectors that make up the partial sums are a constant of the loop.
    match S::F32_LANES {
        16 => sum_in::<S, { PARTIAL / 16 }>(simd, row, term),
        8 => sum_in::<S, { PARTIAL / 8 }>(simd, row, term),
        4 => sum_in::<S, { PARTIAL / 4 }>(simd, row, term),
        _ => sum_in::<S, PARTIAL>(simd, row, term),
    }
}

#[inline(always)]
fn sum_in<S: Simd, const N: usize>(simd: S, row: &[f32], term: impl Fn(S::f32s) -> S::f32s) -> f32 {
    let mut sums = [simd.splat_f32s(0.0); N];
    let (vectors, rest) = S::as_simd_f32s(row);
    let (blocks, vectors) = vectors.as_chunks::<N>();
    for block in blocks {
        for (sum, &values) in sums.iter_mut().zip(block) {
            *sum = simd.add_f32s(*sum, term(values));
        }
    }
    for (sum, &values) in sums.iter_mut().zip(vectors) {
        *sum = simd.add_f32s(*sum, term(values));
    }
    let mut partial = [0.0; PARTIAL];
    for (partial, sum) in S::as_mut_simd_f32s(&mut partial).0.iter_mut().zip(&sums) {
        *partial = *sum;
    }
    // Only the lanes that hold values count: the term of zero need not be zero.
    let mut last = [0.0; PARTIAL];
    let last = &mut last[..rest.len()];
    simd.partial_store_f32s(last, term(simd.partial_load_f32s(rest)));
    for (partial, &last) in partial[vectors.len() * S::F32_LANES..].iter_mut().zip(&*last) {
        *partial += last;
    }
    let mut width = PARTIAL / 2;
    while width > 0 {
        for i in 0..width {
            partial[i] += partial[i + width];
        }
        width /= 2;
    }
    partial[0]
}

/// The largest value of a row, where NaN does not count; minus infinity without any.
///
/// Of zeros of both signs, which one comes out is not fixed: only for uses that do not tell.
#[inline(always)]
pub(crate) fn max<S: Simd>(simd: S, row: &[f32]) -> f32 {
    let mut largest = [simd.splat_f32s(f32::NEG_INFINITY); 4];
    let (vectors, rest) = S::as_simd_f32s(row);
    let (blocks, vectors) = vectors.as_chunks::<4>();
    for block in blocks {
        for (largest, &values) in largest.iter_mut().zip(block) {
            *largest = larger(simd, *largest, values);
        }
    }
    for &values in vectors {
        largest[0] = larger(simd, largest[0], values);
    }
    let first = larger(simd, largest[0], largest[1]);
    let second = larger(simd, largest[2], largest[3]);
    let largest = larger(simd, first, second);
    let rest = rest.iter().copied();
    rest.fold(simd.reduce_max_f32s(largest), |a, b| if b > a { b } else { a })
}

#[inline(always)]
fn larger<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
    simd.select_f32s(simd.greater_than_f32s(b, a), b, a)
}
