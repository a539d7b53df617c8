//! The part of a product that stays in registers.

use std::ops::Range;

use pulp::Simd;

use super::ahead::Ahead;
use super::{Epilogue, Output};
use crate::nn::Activation;

/// What becomes of the products of a few packed rows with a piece of a panel.
pub(super) struct Job<'a> {
    pub(super) stage: Stage,
    pub(super) right: &'a [f32],
    /// Rows of the output, as many as there are of the packed ones, and columns.
    pub(super) place: (Range<usize>, Range<usize>),
    /// What to ask for meanwhile.
    pub(super) ahead: Ahead<'a>,
    pub(super) epilogue: Epilogue<'a>,
}

/// Where a piece of k lies.
#[derive(Clone, Copy)]
pub(super) struct Stage {
    /// The sums start at 0.
    pub(super) first: bool,
    /// The sums are complete.
    pub(super) last: bool,
}

impl Job<'_> {
    /// The panel is so many vectors wide.
    #[inline(always)]
    pub(super) fn run<S: Simd, const VECTORS: usize, const ROWS: usize, const D: usize>(
        self,
        simd: S,
        left: &[[f32; D]; ROWS],
        out: &mut Output<'_>,
    ) {
        let right = S::as_simd_f32s(self.right).0.as_chunks::<VECTORS>().0;
        let (rows, columns) = self.place.clone();
        let stride = out.stride;
        let place = out.column + columns.start..out.column + columns.end;
        let outputs = &mut out.rows[rows.start * stride..rows.end * stride];
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        if !self.stage.first {
            for (sums, row) in sums.iter_mut().zip(outputs.chunks_exact(stride)) {
                *sums = load(simd, &row[place.clone()]);
            }
        }
        add_products(simd, left, right, self.ahead, &mut sums);
        let bias = self.epilogue.bias.get(columns).unwrap_or_default();
        for ((row, i), mut sums) in outputs.chunks_exact_mut(stride).zip(rows).zip(sums) {
            if self.stage.last {
                let residual = self.epilogue.residual;
                let residual = residual.map(|all| &all[i * stride..][place.clone()]);
                sums = finish(simd, sums, bias, residual, self.epilogue.activation);
            }
            store(simd, sums, &mut row[place.clone()]);
        }
    }
}

/// Adds the products of the steps, in their order, to the sums.
///
/// Extents are constants, so that the sums are registers and every element of `left` is a constant
/// distance away: 97 % of what the machine can do on AVX-512 when both operands are in the
/// first-level cache.
#[inline(always)]
fn add_products<S: Simd, const ROWS: usize, const VECTORS: usize, const D: usize>(
    simd: S,
    left: &[[f32; D]; ROWS],
    right: &[[S::f32s; VECTORS]],
    ahead: Ahead<'_>,
    sums: &mut [[S::f32s; VECTORS]; ROWS],
) {
    let mut local = *sums;
    for (k, right) in right.iter().enumerate().take(D) {
        ahead.step(k);
        for (row, sums) in left.iter().zip(&mut local) {
            let element = simd.splat_f32s(row[k]);
            for (sum, &right) in sums.iter_mut().zip(right) {
                *sum = simd.mul_add_f32s(element, right, *sum);
            }
        }
    }
    *sums = local;
}

/// Values of a row at most: two vectors of 16.
const WIDEST: usize = 32;

/// A row of a tile from memory, where it may be cut short.
#[inline(always)]
pub(super) fn load<S: Simd, const VECTORS: usize>(simd: S, row: &[f32]) -> [S::f32s; VECTORS] {
    let whole = S::as_simd_f32s(row).0;
    if let Ok(whole) = whole.try_into() {
        return whole;
    }
    let mut padded = [0.0; WIDEST];
    padded[..row.len()].copy_from_slice(row);
    let padded = S::as_simd_f32s(&padded).0;
    std::array::from_fn(
        #[inline(always)]
        |i| padded.get(i).copied().unwrap_or(simd.splat_f32s(0.0)),
    )
}

/// A row of a tile to memory, where it may be cut short.
#[inline(always)]
pub(super) fn store<S: Simd, const VECTORS: usize>(
    _: S,
    sums: [S::f32s; VECTORS],
    row: &mut [f32],
) {
    if row.len() == VECTORS * S::F32_LANES {
        for (place, sum) in S::as_mut_simd_f32s(row).0.iter_mut().zip(sums) {
            *place = sum;
        }
        return;
    }
    let mut padded = [0.0; WIDEST];
    for (place, sum) in S::as_mut_simd_f32s(&mut padded).0.iter_mut().zip(sums) {
        *place = sum;
    }
    row.copy_from_slice(&padded[..row.len()]);
}

/// Bias, then residual, then activation.
#[inline(always)]
pub(crate) fn finish<S: Simd, const VECTORS: usize>(
    simd: S,
    mut sums: [S::f32s; VECTORS],
    bias: &[f32],
    residual: Option<&[f32]>,
    activation: Activation,
) -> [S::f32s; VECTORS] {
    if !bias.is_empty() {
        let bias = load::<S, VECTORS>(simd, bias);
        for (sum, bias) in sums.iter_mut().zip(bias) {
            *sum = simd.add_f32s(*sum, bias);
        }
    }
    if let Some(residual) = residual {
        let residual = load::<S, VECTORS>(simd, residual);
        for (sum, residual) in sums.iter_mut().zip(residual) {
            *sum = simd.add_f32s(*sum, residual);
        }
    }
    if activation != Activation::Identity {
        for sum in &mut sums {
            *sum = activation.apply_simd(simd, *sum);
        }
    }
    sums
}
