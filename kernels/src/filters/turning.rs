//! Columns that lie side by side to rows that do, and back.

use pulp::Simd;

use super::lines::{Lines, VECTORS, count, lines};

/// Rows that are exchanged with as many columns at a time.
const SIDE: usize = 4;
/// Values of the widest vector.
const WIDEST: usize = 16;

/// Tiles of a plane, `[tile][slot][column of the tile]`, one after the other with a gap between.
pub(super) struct Tiles<'a> {
    pub(super) values: &'a mut [f32],
    /// Values of a tile, with its gap.
    pub(super) stride: usize,
}

impl Tiles<'_> {
    /// Takes a plane apart into tiles; what the last one lacks is 0.
    #[inline(always)]
    pub(super) fn fill<S: Simd>(&mut self, simd: S, plane: &[f32], width: usize) {
        let columns = count::<S>();
        // Row by row: memory is then read as it lies.
        for (number, row) in plane.chunks_exact(width).enumerate() {
            for (tile, first) in (0..width).step_by(columns).enumerate() {
                let tile = &mut self.values[tile * self.stride + number * columns..];
                if let Some(line) = lines::<S>(tile).first_mut() {
                    *line = at(simd, &row[first..]);
                }
            }
        }
    }

    /// Puts a plane together again; where there is a mean, what the tiles leave of `plane`, plus it.
    #[inline(always)]
    pub(super) fn empty<S: Simd>(
        &mut self,
        simd: S,
        (plane, width): (&[f32], usize),
        mean: Option<f32>,
        out: &mut [f32],
    ) {
        let columns = count::<S>();
        let rows = out.chunks_exact_mut(width).zip(plane.chunks_exact(width));
        for (number, (out, row)) in rows.enumerate() {
            for (tile, first) in (0..width).step_by(columns).enumerate() {
                let tile = &mut self.values[tile * self.stride + number * columns..];
                let Some(&line) = lines::<S>(tile).first() else { continue };
                let line = match mean {
                    None => line,
                    Some(mean) => high(simd, at(simd, &row[first..]), line, mean),
                };
                let out = &mut out[first..];
                match S::as_mut_simd_f32s(out).0.first_chunk_mut::<VECTORS>() {
                    Some(whole) => *whole = line,
                    None => {
                        let mut padded = [0.0; VECTORS * WIDEST];
                        store::<S>(line, &mut padded);
                        out.copy_from_slice(&padded[..out.len()]);
                    }
                }
            }
        }
    }
}

/// The first values of a row, with zeros behind them where it ends.
#[inline(always)]
fn at<S: Simd>(simd: S, row: &[f32]) -> [S::f32s; VECTORS] {
    if let Some(&whole) = S::as_simd_f32s(row).0.first_chunk::<VECTORS>() {
        return whole;
    }
    let mut padded = [0.0; VECTORS * WIDEST];
    padded[..row.len()].copy_from_slice(row);
    let mut line = [simd.splat_f32s(0.0); VECTORS];
    line.iter_mut().zip(S::as_simd_f32s(&padded).0).for_each(|(line, &part)| *line = part);
    line
}

#[inline(always)]
fn store<S: Simd>(line: [S::f32s; VECTORS], into: &mut [f32]) {
    S::as_mut_simd_f32s(into).0.iter_mut().zip(line).for_each(|(into, part)| *into = part);
}

#[inline(always)]
fn high<S: Simd>(
    simd: S,
    values: [S::f32s; VECTORS],
    mut line: [S::f32s; VECTORS],
    mean: f32,
) -> [S::f32s; VECTORS] {
    let mean = simd.splat_f32s(mean);
    for (low, value) in line.iter_mut().zip(values) {
        *low = simd.add_f32s(simd.sub_f32s(value, *low), mean);
    }
    line
}

/// `block[column][number] = tile[slots[number]][column]`: at most as many slots as lines.
#[inline(always)]
pub(super) fn gather<S: Simd>(simd: S, tiles: &mut Tiles<'_>, slots: &[u32], block: &mut [f32]) {
    let width = count::<S>();
    for (number, tile) in tiles.values.chunks_exact_mut(tiles.stride).enumerate() {
        let (tile, block) = (lines::<S>(tile), &mut block[number * width * width..]);
        for (top, four) in (0..).step_by(SIDE).zip(slots.chunks(SIDE)) {
            for vector in 0..VECTORS {
                let turned = exchange_in(simd, load::<S>(simd, tile, four, vector));
                for (j, values) in turned.iter().enumerate() {
                    let parts = values[..S::F32_LANES].as_chunks::<SIDE>().0;
                    for (part, values) in parts.iter().enumerate() {
                        let column = vector * S::F32_LANES + part * SIDE + j;
                        if let Some(four) = block[column * width + top..].first_chunk_mut() {
                            *four = *values;
                        }
                    }
                }
            }
        }
    }
}

/// The inverse of [`gather`].
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "several slots at one place")]
pub(super) fn scatter<S: Simd>(simd: S, block: &[f32], slots: &[u32], tiles: &mut Tiles<'_>) {
    let width = count::<S>();
    for (number, tile) in tiles.values.chunks_exact_mut(tiles.stride).enumerate() {
        let (tile, block) = (lines::<S>(tile), &block[number * width * width..]);
        for (top, four) in (0..).step_by(SIDE).zip(slots.chunks(SIDE)) {
            for vector in 0..VECTORS {
                let mut turned = [[0.0; WIDEST]; SIDE];
                for (j, values) in turned.iter_mut().enumerate() {
                    let parts = values[..S::F32_LANES].as_chunks_mut::<SIDE>().0;
                    for (part, values) in parts.iter_mut().enumerate() {
                        let column = vector * S::F32_LANES + part * SIDE + j;
                        if let Some(four) = block[column * width + top..].first_chunk() {
                            *values = *four;
                        }
                    }
                }
                for (&slot, values) in four.iter().zip(exchange_out(simd, &turned)) {
                    tile[slot as usize][vector] = values;
                }
            }
        }
    }
}

#[inline(always)]
fn load<S: Simd>(simd: S, tile: &Lines<S>, four: &[u32], vector: usize) -> [S::f32s; SIDE] {
    let mut rows = [simd.splat_f32s(0.0); SIDE];
    for (row, &slot) in rows.iter_mut().zip(four) {
        *row = tile[slot as usize][vector];
    }
    rows
}

/// `out[j][4 part + i] = rows[i][4 part + j]`: squares of four are exchanged.
#[inline(always)]
fn exchange_in<S: Simd>(simd: S, rows: [S::f32s; SIDE]) -> [[f32; WIDEST]; SIDE] {
    let mut out = [[0.0; WIDEST]; SIDE];
    if deinterleaving_exchanges(simd) {
        for (out, vector) in out.iter_mut().zip(simd.deinterleave_shfl_f32s(rows)) {
            S::as_mut_simd_f32s(out).0[0] = vector;
        }
        return out;
    }
    for (i, row) in rows.iter().enumerate() {
        let mut values = [0.0; WIDEST];
        S::as_mut_simd_f32s(&mut values).0[0] = *row;
        for (at, &value) in values.iter().enumerate() {
            out[at % SIDE][at / SIDE * SIDE + i] = value;
        }
    }
    out
}

/// The same exchange, which is its own inverse.
#[inline(always)]
fn exchange_out<S: Simd>(simd: S, turned: &[[f32; WIDEST]; SIDE]) -> [S::f32s; SIDE] {
    let mut rows = [simd.splat_f32s(0.0); SIDE];
    for (row, values) in rows.iter_mut().zip(turned) {
        *row = S::as_simd_f32s(values).0[0];
    }
    let out = exchange_in(simd, rows);
    for (row, values) in rows.iter_mut().zip(&out) {
        *row = S::as_simd_f32s(values).0[0];
    }
    rows
}

/// Whether pulp's operation, which leaves the order of lanes open, is this exchange: it is on x86.
#[inline(always)]
fn deinterleaving_exchanges<S: Simd>(simd: S) -> bool {
    if S::F32_LANES > WIDEST || !S::F32_LANES.is_multiple_of(SIDE) {
        return false;
    }
    let mut rows = [simd.splat_f32s(0.0); SIDE];
    for (i, row) in rows.iter_mut().enumerate() {
        let mut values = [0.0; WIDEST];
        for (at, value) in values.iter_mut().enumerate() {
            *value = (WIDEST * i + at) as f32;
        }
        *row = S::as_simd_f32s(&values).0[0];
    }
    let turned = simd.deinterleave_shfl_f32s(rows);
    let mut holds = true;
    for (j, vector) in turned.iter().enumerate() {
        let mut values = [0.0; WIDEST];
        S::as_mut_simd_f32s(&mut values).0[0] = *vector;
        for (at, &value) in values[..S::F32_LANES].iter().enumerate() {
            let expected = WIDEST * (at % SIDE) + at / SIDE * SIDE + j;
            holds &= value as usize == expected;
        }
    }
    holds
}
