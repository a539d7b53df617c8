//! The matrix product under convolutions, linear layers and the bounds of distances.
//!
//! `out[i][j] = sum over k of left[i][k] right[k][j]`, each element one chain of fused products and
//! sums in the order of k that starts at 0. Blocking for caches cuts the chain and goes on where it
//! was, so neither blocks nor vectors nor threads decide a bit.

mod ahead;
mod block;
mod panels;
mod tile;

use std::ops::Range;

use rayon::prelude::*;

use crate::InstructionSet;
use crate::aligned::LINE;
use crate::nn::Activation;
pub(crate) use block::Block;
pub(crate) use panels::Panels;
pub(crate) use tile::finish;

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
    let (threads, high) = (rayon::current_num_threads(), block::rows_at_once(left.depth()));
    // As few rounds of all cores as the caches allow, and tasks of equal length.
    let rounds = count.div_ceil(high * threads).max(1);
    let tile = block::tile_rows(set);
    let task = count.div_ceil(rounds * threads).next_multiple_of(tile).clamp(tile, high);
    rows.par_chunks_mut(task * stride).enumerate().for_each(|(number, rows)| {
        let start = number * task;
        let residual = epilogue.residual.map(|all| &all[start * stride..][..rows.len()]);
        let epilogue = Epilogue { residual, ..epilogue };
        let out = Output { rows, stride, column };
        Block { left, right, start, out, epilogue }.run(set);
    });
}
