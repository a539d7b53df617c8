use std::f64::consts::{FRAC_1_SQRT_2, TAU};

use pulp::Simd;

use super::lines::{self, Lines, Room, VECTORS};

/// Outputs that are summed side by side.
const TILE: usize = 4;
/// Inputs of one chain: a longer one would lose digits. Decides bits.
const CHAIN: usize = 32;

/// The orthonormal matrix of an odd length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// DCT-II: `cos(pi k (2p + 1) / 2n)`.
    Cosine,
    /// DCT-IV: `cos(pi (2k + 1) (2p + 1) / 4n)`.
    QuarterWave,
    /// The mean, then `cos(2 pi f p / n)` and `sin(2 pi f p / n)` in turn.
    Fourier,
}

/// A product with a dense matrix, in place: the rare end of a factorisation.
///
/// Only one period of the cosine is kept, not the matrix: a side may be long.
#[derive(Clone, Debug)]
pub(super) struct Dense {
    kind: Kind,
    is_transposed: bool,
    pub(super) slots: Vec<u32>,
    /// `sqrt(2 / n)` times the cosine of each part of a turn.
    turn: Vec<f32>,
}

impl Dense {
    pub(super) fn new(kind: Kind, slots: Vec<u32>) -> Self {
        let n = slots.len();
        let parts = if kind == Kind::QuarterWave { 8 * n } else { 4 * n };
        let scale = (2.0 / n as f64).sqrt();
        let turn = (0..parts).map(|i| scale * libm::cos(TAU * i as f64 / parts as f64));
        let turn = turn.map(|value| value as f32).collect();
        Self { kind, is_transposed: false, slots, turn }
    }

    pub(super) fn transpose(&mut self) {
        self.is_transposed = !self.is_transposed;
    }

    /// Kind of the matrix, whether it is transposed, the cosines of a turn and the constant row.
    #[cfg(feature = "cuda")]
    pub(super) fn parts(&self) -> (Kind, bool, &[f32], f32) {
        (self.kind, self.is_transposed, &self.turn, self.constant())
    }

    /// The constant row, which is shorter than the others by the root of 2.
    #[inline(always)]
    fn constant(&self) -> f32 {
        (FRAC_1_SQRT_2 * (2.0 / self.slots.len() as f64).sqrt()) as f32
    }

    /// Row `row` of the matrix or, where `backwards`, of its transpose.
    #[inline(always)]
    fn row(&self, row: usize, backwards: bool, into: &mut [f32]) {
        let n = self.slots.len();
        let is_transposed = self.is_transposed != backwards;
        let constant = self.constant();
        match (self.kind, is_transposed) {
            (Kind::Cosine | Kind::Fourier, false) if row == 0 => into.fill(constant),
            (Kind::Cosine, false) => self.walk(row, 2 * row, into),
            (Kind::Cosine, true) => {
                self.walk(0, 2 * row + 1, into);
                into[0] = constant;
            }
            (Kind::QuarterWave, _) => self.walk(2 * row + 1, 2 * (2 * row + 1), into),
            // Three quarters of a turn further on, the cosine is the sine.
            (Kind::Fourier, false) => {
                let start = if row % 2 == 1 { 0 } else { 3 * n };
                self.walk(start, 4 * row.div_ceil(2), into);
            }
            (Kind::Fourier, true) => {
                into[0] = constant;
                let parts = self.turn.len();
                for (pair, f) in into[1..].chunks_exact_mut(2).zip(1..) {
                    let angle = 4 * f * row % parts;
                    pair[0] = self.turn[angle];
                    pair[1] = self.turn[(angle + 3 * n) % parts];
                }
            }
        }
    }

    #[inline(always)]
    fn walk(&self, start: usize, step: usize, into: &mut [f32]) {
        let parts = self.turn.len();
        let (mut at, step) = (start % parts, step % parts);
        for value in into {
            *value = self.turn[at];
            at += step;
            if at >= parts {
                at -= parts;
            }
        }
    }

    /// Each output the sum of chains of fused products and sums, in the order of the inputs.
    #[inline(always)]
    pub(super) fn apply<S: Simd>(
        &self,
        simd: S,
        lines: &mut Lines<S>,
        Room { rows, outputs }: &mut Room,
        backwards: bool,
    ) {
        let n = self.slots.len();
        rows.resize(TILE * n, 0.0);
        outputs.resize(n * lines::count::<S>(), 0.0);
        let outputs = lines::lines::<S>(outputs);
        for first in (0..n).step_by(TILE) {
            for (row, number) in rows.chunks_exact_mut(n).zip(first..n) {
                self.row(number, backwards, row);
            }
            for vector in 0..VECTORS {
                let mut sums = [simd.splat_f32s(0.0); TILE];
                for (chain, slots) in self.slots.chunks(CHAIN).enumerate() {
                    let mut parts = [simd.splat_f32s(0.0); TILE];
                    for (p, &slot) in (chain * CHAIN..).zip(slots) {
                        let x = lines[slot as usize][vector];
                        for (part, row) in parts.iter_mut().zip(rows.chunks_exact(n)) {
                            *part = simd.mul_add_f32s(simd.splat_f32s(row[p]), x, *part);
                        }
                    }
                    for (sum, part) in sums.iter_mut().zip(parts) {
                        *sum = simd.add_f32s(*sum, part);
                    }
                }
                for (output, sum) in outputs[first..].iter_mut().zip(sums) {
                    output[vector] = sum;
                }
            }
        }
        for (&slot, output) in self.slots.iter().zip(outputs) {
            lines[slot as usize] = *output;
        }
    }
}
