//! The matrix product under convolutions, linear layers and the bounds of distances.
//!
//! `out[i][j] = sum over k of left[i][k] right[k][j]`, each element one chain of fused products and
//! sums in the order of k that starts at 0. Blocking for caches cuts the chain and goes on where it
//! was, so neither blocks nor vectors nor threads decide a bit.
//!
//! A few rows of the left operand lie packed in the first-level cache while a piece of the right
//! operand passes by from the second; outputs are written along their rows. The packed rows are
//! kept whole, not interleaved: a tile broadcasts their elements from constant distances, so that
//! packing is copying.

mod panels;
mod tile;

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

pub(crate) use panels::Panels;

use crate::InstructionSet;
use crate::nn::Activation;
pub(crate) use tile::finish;
use tile::{load, store, tile};

/// Most steps of k in one go: two vectors of the right operand for each fill 32 KB.
const DEPTH: usize = 256;
/// Values of the right operand that stay in the second-level cache while rows pass by: 1 MB.
const SECOND_LEVEL: usize = 256 << 10;
/// Whole tiles of every instruction set.
const WHOLE: usize = 42;
/// Rows of one task at most, and rows below which a task is not worth while: between them as many
/// tasks as keep all cores busy. Each task reads the whole right operand.
const TASK: std::ops::RangeInclusive<usize> = 126..=1008;

/// The left operand, which may exist only on demand.
pub(crate) trait Left: Sync {
    /// Steps of k.
    fn depth(&self) -> usize;

    /// Writes the elements `depth` of row `row` to the front of `into`, which is as long or longer;
    /// what comes behind them may be overwritten too.
    fn pack(&self, row: usize, depth: Range<usize>, into: &mut [f32]);

    /// The values from the first of row `row` on, where rows lie in memory one after the other and
    /// have `length` values each.
    fn whole(&self, row: usize, length: usize) -> Option<&[f32]> {
        let _ = (row, length);
        None
    }
}

/// Values that are copied at a time: a cache line.
const LINE: usize = 16;

/// Copies the first `length` values; whole lines of them where there is room.
#[inline(always)]
pub(crate) fn copy(from: &[f32], into: &mut [f32], length: usize) {
    let padded = length.next_multiple_of(LINE);
    if padded <= from.len() && padded <= into.len() {
        let lines = into[..padded].as_chunks_mut::<LINE>().0.iter_mut();
        for (into, from) in lines.zip(from[..padded].as_chunks::<LINE>().0) {
            *into = *from;
        }
    } else {
        into[..length].copy_from_slice(&from[..length]);
    }
}

/// What becomes of a sum before it is stored.
#[derive(Clone, Copy, Default)]
pub(crate) struct Epilogue<'a> {
    /// One per column; none when empty.
    pub(crate) bias: &'a [f32],
    /// As large as the output.
    pub(crate) residual: Option<&'a [f32]>,
    pub(crate) activation: Activation,
}

/// Rows of the output: `columns.len()` values are written to each row of `stride` values.
pub(crate) struct Output<'a> {
    pub(crate) rows: &'a mut [f32],
    pub(crate) stride: usize,
    pub(crate) column: usize,
}

/// `left` times `right` on all cores; `out.rows` has a whole number of rows.
pub(crate) fn multiply(
    set: InstructionSet,
    left: &impl Left,
    right: &Panels,
    out: Output<'_>,
    epilogue: Epilogue<'_>,
) {
    let Output { rows, stride, column } = out;
    if stride == 0 || right.columns() == 0 {
        return;
    }
    let count = rows.len() / stride;
    let even = count.div_ceil(2 * rayon::current_num_threads());
    let task = even.clamp(*TASK.start(), *TASK.end()).next_multiple_of(WHOLE);
    rows.par_chunks_mut(task * stride).enumerate().for_each(|(number, rows)| {
        let start = number * task;
        let residual = epilogue.residual.map(|all| &all[start * stride..][..rows.len()]);
        let epilogue = Epilogue { residual, ..epilogue };
        let out = Output { rows, stride, column };
        set.run(Block { left, right, start, out, epilogue });
    });
}

/// The product for a few rows, on one core.
pub(crate) struct Block<'a, L> {
    pub(crate) left: &'a L,
    pub(crate) right: &'a Panels,
    /// First row of the left operand.
    pub(crate) start: usize,
    pub(crate) out: Output<'a>,
    pub(crate) epilogue: Epilogue<'a>,
}

impl<L: Left> WithSimd for Block<'_, L> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Two vectors for each row, two of the right operand and the broadcast fill the registers.
        if S::REGISTER_COUNT >= 32 { self.run::<S, 14>(simd) } else { self.run::<S, 6>(simd) }
    }
}

impl<L: Left> Block<'_, L> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(self, simd: S) {
        let steps = self.left.depth();
        // Narrow products are not spread over pages that they do not use.
        match steps {
            0..=64 => self.blocks::<S, ROWS, 64>(simd),
            65..=128 => self.blocks::<S, ROWS, 128>(simd),
            _ => self.blocks::<S, ROWS, DEPTH>(simd),
        }
    }

    #[inline(always)]
    fn blocks<S: Simd, const ROWS: usize, const D: usize>(self, simd: S) {
        let Self { left, right, start, mut out, epilogue } = self;
        let rows = out.rows.len() / out.stride;
        let steps = left.depth();
        let mut packed = [[0.0; D]; ROWS];
        // Blocks of k of equal length: a short last one would store every sum for little.
        let pieces = steps.div_ceil(D).max(1);
        let length = steps.div_ceil(pieces);
        let panels = (SECOND_LEVEL / (length * 2 * S::F32_LANES).max(1)).max(1);
        for piece in 0..pieces {
            let depth = (piece * length).min(steps)..((piece + 1) * length).min(steps);
            let stage = Stage { first: piece == 0, last: piece + 1 == pieces };
            for chunk in (0..right.count()).step_by(panels) {
                for first in (0..rows).step_by(ROWS) {
                    // Rows that lie as a tile needs them are not copied.
                    let whole = if pieces == 1 { left.whole(start + first, D) } else { None };
                    let whole = whole.and_then(|rows| rows.as_chunks::<D>().0.first_chunk());
                    if whole.is_none() {
                        for (into, row) in packed.iter_mut().zip(first..rows) {
                            left.pack(start + row, depth.clone(), into);
                        }
                    }
                    let left = whole.unwrap_or(&packed);
                    let rows = first..(first + ROWS).min(rows);
                    let tiles = Tiles { stage, epilogue, left, rows };
                    for panel in chunk..(chunk + panels).min(right.count()) {
                        let columns = right.columns_of(panel);
                        let right = right.piece(panel, depth.clone());
                        if right.len() == depth.len() * 2 * S::F32_LANES {
                            tiles.multiply::<S, 2>(simd, right, columns, &mut out);
                        } else {
                            tiles.multiply::<S, 1>(simd, right, columns, &mut out);
                        }
                    }
                }
            }
        }
    }
}

/// Where a piece of k lies.
#[derive(Clone, Copy)]
struct Stage {
    /// The sums start at 0.
    first: bool,
    /// The sums are complete.
    last: bool,
}

/// The tiles of a few packed rows.
struct Tiles<'a, const ROWS: usize, const D: usize> {
    stage: Stage,
    epilogue: Epilogue<'a>,
    left: &'a [[f32; D]; ROWS],
    /// Those of the block's rows that are packed.
    rows: Range<usize>,
}

impl<const ROWS: usize, const D: usize> Tiles<'_, ROWS, D> {
    #[inline(always)]
    fn multiply<S: Simd, const VECTORS: usize>(
        &self,
        simd: S,
        right: &[f32],
        columns: Range<usize>,
        out: &mut Output<'_>,
    ) {
        let right = S::as_simd_f32s(right).0.as_chunks::<VECTORS>().0;
        let stride = out.stride;
        let place = out.column + columns.start..out.column + columns.end;
        let outputs = &mut out.rows[self.rows.start * stride..self.rows.end * stride];
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        if !self.stage.first {
            for (sums, row) in sums.iter_mut().zip(outputs.chunks_exact(stride)) {
                *sums = load(simd, &row[place.clone()]);
            }
        }
        tile(simd, self.left, right, &mut sums);
        let bias = self.epilogue.bias.get(columns).unwrap_or_default();
        let rows = outputs.chunks_exact_mut(stride).zip(self.rows.clone());
        for ((row, i), mut sums) in rows.zip(sums) {
            if self.stage.last {
                let residual = self.epilogue.residual;
                let residual = residual.map(|all| &all[i * stride..][place.clone()]);
                sums = finish(simd, sums, bias, residual, self.epilogue.activation);
            }
            store(simd, sums, &mut row[place.clone()]);
        }
    }
}
