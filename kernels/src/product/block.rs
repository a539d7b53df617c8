//! The product for some rows on one core: which pieces of the operands meet in which cache.
//!
//! Rows of the left operand lie packed in the second-level cache while the right operand passes by
//! once, a panel's piece at a time, through the first. While the tiles of one piece are computed the
//! next one is asked for: a network's weights come from memory, each once for every block of rows.
//! The packed rows are kept whole, not interleaved: a tile broadcasts their elements from constant
//! distances, so that packing is copying.

use std::cell::Cell;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::ahead::Ahead;
use super::tile::{Job, Stage};
use super::{Epilogue, Left, Output, Panels};
use crate::InstructionSet;
use crate::aligned::Aligned;

/// Most steps of k in a piece: two vectors of the right operand for each fill 32 KB.
const DEPTH: usize = 256;
/// Values of the left operand that stay in the second-level cache: 1 MB.
const SECOND_LEVEL: usize = 256 << 10;
/// Pieces of k for which rows are packed together, so that their sums stay in the second-level cache
/// as well.
const PIECES: usize = 3;
/// Whole tiles of every instruction set.
const WHOLE: usize = 42;

thread_local! {
    /// Packed rows; kept because fresh memory costs a page fault per 4 KB.
    static PACKED: Cell<Aligned> = Cell::default();
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

/// Rows that are packed together, where there are as many.
pub(super) fn rows_at_once(steps: usize) -> usize {
    let pieces = steps.div_ceil(DEPTH).clamp(1, PIECES);
    SECOND_LEVEL / (pieces * DEPTH) / WHOLE * WHOLE
}

/// Rows of a tile.
pub(super) fn tile_rows(set: InstructionSet) -> usize {
    set.run(TileRows)
}

struct TileRows;

impl WithSimd for TileRows {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        // Two vectors for each row, two of the right operand and the broadcast fill the registers.
        if S::REGISTER_COUNT >= 32 { 14 } else { 6 }
    }
}

impl<L: Left> Block<'_, L> {
    pub(crate) fn run(self, set: InstructionSet) {
        #[cfg(test)]
        crate::executed::add(
            self.out.rows.len() / self.out.stride * self.left.depth() * self.right.columns(),
        );
        let mut packed = PACKED.take();
        set.run(Packing { block: self, packed: &mut packed });
        PACKED.set(packed);
    }
}

/// A block and the memory for its packed rows.
struct Packing<'a, 'b, L> {
    block: Block<'b, L>,
    packed: &'a mut Aligned,
}

impl<L: Left> WithSimd for Packing<'_, '_, L> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if TileRows.with_simd(simd) == 14 {
            self.of_depth::<S, 14, 7>(simd);
        } else {
            self.of_depth::<S, 6, 3>(simd);
        }
    }
}

impl<L: Left> Packing<'_, '_, L> {
    #[inline(always)]
    fn of_depth<S: Simd, const ROWS: usize, const HALF: usize>(self, simd: S) {
        // Narrow products are not spread over pages that they do not use.
        match self.block.left.depth() {
            0..=64 => self.all::<S, ROWS, HALF, 64>(simd),
            65..=128 => self.all::<S, ROWS, HALF, 128>(simd),
            _ => self.all::<S, ROWS, HALF, DEPTH>(simd),
        }
    }

    #[inline(always)]
    fn all<S: Simd, const ROWS: usize, const HALF: usize, const D: usize>(self, simd: S) {
        let Self { mut block, packed } = self;
        let rows = block.out.rows.len() / block.out.stride;
        let pieces = Pieces::of(block.left.depth(), D);
        let high = rows_at_once(block.left.depth());
        let needed = pieces.count.min(PIECES) * high.min(rows).next_multiple_of(ROWS) * D;
        if packed.len() < needed {
            *packed = Aligned::zeros(needed);
        }
        let packed = packed.as_chunks_mut::<D>().0.as_chunks_mut::<ROWS>().0;
        for top in (0..rows).step_by(high) {
            let rows = top..(top + high).min(rows);
            for first in (0..pieces.count).step_by(PIECES) {
                let group = first..(first + PIECES).min(pieces.count);
                block.pack(pieces, group.clone(), rows.clone(), packed);
                block.multiply::<S, ROWS, HALF, D>(
                    simd,
                    Sweep { pieces, group, rows: rows.clone(), packed },
                );
            }
        }
    }
}

/// How k is cut: pieces of equal length, because a short last one would store every sum for little.
#[derive(Clone, Copy)]
struct Pieces {
    steps: usize,
    count: usize,
    length: usize,
}

impl Pieces {
    fn of(steps: usize, longest: usize) -> Self {
        let count = steps.div_ceil(longest).max(1);
        Self { steps, count, length: steps.div_ceil(count) }
    }

    fn depth(self, piece: usize) -> Range<usize> {
        let end = |piece: usize| (piece * self.length).min(self.steps);
        end(piece)..end(piece + 1)
    }
}

/// What lies in the second-level cache: `group` pieces of `rows`, tile by tile.
struct Sweep<'a, const ROWS: usize, const D: usize> {
    pieces: Pieces,
    group: Range<usize>,
    rows: Range<usize>,
    packed: &'a [[[f32; D]; ROWS]],
}

impl<L: Left> Block<'_, L> {
    #[inline(always)]
    fn pack<const ROWS: usize, const D: usize>(
        &self,
        pieces: Pieces,
        group: Range<usize>,
        rows: Range<usize>,
        packed: &mut [[[f32; D]; ROWS]],
    ) {
        let tiles = rows.len().div_ceil(ROWS);
        for (piece, packed) in group.zip(packed.chunks_exact_mut(tiles)) {
            for (first, packed) in rows.clone().step_by(ROWS).zip(packed) {
                if in_place::<L, ROWS, D>(self.left, pieces, self.start + first).is_none() {
                    for (row, into) in (first..rows.end).zip(packed) {
                        self.left.pack(self.start + row, pieces.depth(piece), into);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn multiply<S: Simd, const ROWS: usize, const HALF: usize, const D: usize>(
        &mut self,
        simd: S,
        sweep: Sweep<'_, ROWS, D>,
    ) {
        let Sweep { pieces, group, rows, packed } = sweep;
        let (left, right, out, epilogue) = (self.left, self.right, &mut self.out, self.epilogue);
        let tiles = rows.len().div_ceil(ROWS);
        for panel in 0..right.count() {
            let columns = right.columns_of(panel);
            for (piece, packed) in group.clone().zip(packed.chunks_exact(tiles)) {
                let next = match piece + 1 {
                    next if next < group.end => right.piece(panel, pieces.depth(next)),
                    _ if panel + 1 < right.count() => {
                        right.piece(panel + 1, pieces.depth(group.start))
                    }
                    _ => &[],
                };
                let ahead = Ahead::new(next, tiles, pieces.length);
                let stage = Stage { first: piece == 0, last: piece + 1 == pieces.count };
                let depth = pieces.depth(piece);
                let whole = columns.len() > S::F32_LANES;
                let right = right.piece(panel, depth);
                for (number, first) in rows.clone().step_by(ROWS).enumerate() {
                    let in_place = in_place(left, pieces, self.start + first);
                    let left = in_place.unwrap_or(&packed[number]);
                    let place = (first..(first + ROWS).min(rows.end), columns.clone());
                    let job = Job { stage, right, place, ahead: ahead.part(number), epilogue };
                    match left.first_chunk::<HALF>().filter(|_| rows.end - first <= HALF) {
                        Some(half) if whole => job.run::<S, 2, HALF, D>(simd, half, out),
                        Some(half) => job.run::<S, 1, HALF, D>(simd, half, out),
                        None if whole => job.run::<S, 2, ROWS, D>(simd, left, out),
                        None => job.run::<S, 1, ROWS, D>(simd, left, out),
                    }
                }
            }
        }
    }
}

/// The rows of a tile that lie as it needs them, and are not packed.
#[inline(always)]
fn in_place<L: Left, const ROWS: usize, const D: usize>(
    left: &L,
    pieces: Pieces,
    row: usize,
) -> Option<&[[f32; D]; ROWS]> {
    let rows = if pieces.count == 1 { left.whole(row, D) } else { None };
    rows.and_then(|rows| rows.as_chunks::<D>().0.first_chunk())
}
