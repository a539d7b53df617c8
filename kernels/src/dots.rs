//! Dot products of many vectors with many others, in f64.
//!
//! Every element is one chain of fused multiply-adds along the vectors, so its bits depend neither
//! on the instruction set, the threads, nor the other vectors. Products of two widened f32 are
//! exact in f64: of those a chain is also the plain sum, term after term.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::InstructionSet;

/// Registers of sums side by side in a tile.
const ACROSS: usize = 3;
/// Steps along the vectors between two visits to memory: a panel then stays in the nearest caches.
const DEPTH: usize = 256;
/// Rows of the result that one task makes: whole tiles on every instruction set.
const BAND: usize = 48;

/// Vectors of f64, repacked for the registers of this machine.
#[derive(Clone, Debug)]
pub struct Vectors {
    count: usize,
    depth: usize,
    set: InstructionSet,
    width: usize,
    /// `[panel][step][vector within the panel]`; missing vectors of the last panel are zero.
    panels: Vec<f64>,
}

/// Which elements of a square result are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of them.
    Whole,
    /// Those on the diagonal and to its right; what the others hold afterwards is not defined.
    Upper,
}

impl Vectors {
    /// The rows of a matrix, `depth` values each, one after the other.
    ///
    /// # Panics
    /// When the rows are not whole.
    #[must_use]
    pub fn of_rows<T: Copy + Into<f64> + Sync>(rows: &[T], depth: usize) -> Self {
        assert!(depth > 0 && rows.len().is_multiple_of(depth), "rows must be whole");
        let at = |vector: usize, step: usize| rows[vector * depth + step].into();
        Self::pack(InstructionSet::Best, rows.len() / depth, depth, at)
    }

    /// The columns of a matrix that lies row after row, each less its entry of `shift`.
    ///
    /// # Panics
    /// When the rows are not whole.
    #[must_use]
    pub fn of_columns(rows: &[f32], shift: &[f64]) -> Self {
        let columns = shift.len();
        assert!(columns > 0 && rows.len().is_multiple_of(columns), "rows must be whole");
        let at =
            |vector: usize, step: usize| f64::from(rows[step * columns + vector]) - shift[vector];
        Self::pack(InstructionSet::Best, columns, rows.len() / columns, at)
    }

    /// How many vectors there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    fn pack(
        set: InstructionSet,
        count: usize,
        depth: usize,
        at: impl Fn(usize, usize) -> f64 + Sync,
    ) -> Self {
        let width = set.run(Width);
        let mut panels = vec![0.0; count.next_multiple_of(width) * depth];
        let every_panel = panels.par_chunks_mut((width * depth).max(1)).enumerate();
        every_panel.for_each(|(panel, values)| {
            let first = panel * width;
            let here = first..count.min(first + width);
            for (step, line) in values.chunks_exact_mut(width).enumerate() {
                for (value, vector) in line.iter_mut().zip(here.clone()) {
                    *value = at(vector, step);
                }
            }
        });
        Self { count, depth, set, width, panels }
    }

    fn panel(&self, number: usize) -> &[f64] {
        &self.panels[number * self.depth * self.width..][..self.depth * self.width]
    }
}

/// `out[i][j] += down[i] . across[j]`, `down.count()` rows of `across.count()` values.
///
/// # Panics
/// When the vectors differ in length, or `out` in size.
pub fn add_products(down: &Vectors, across: &Vectors, part: Part, out: &mut [f64]) {
    assert_eq!(down.depth, across.depth, "vectors must be equally long");
    assert_eq!(out.len(), down.count * across.count, "the result has one value per pair");
    if out.is_empty() {
        return;
    }
    let bands = out.par_chunks_mut(BAND * across.count).enumerate();
    bands.for_each(|(number, out)| {
        let top = number * BAND;
        down.set.run(Band { down, across, part, top, out });
    });
}

/// Values across a tile.
struct Width;

impl WithSimd for Width {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        ACROSS * S::F64_LANES
    }
}

/// A few rows of the result.
struct Band<'a> {
    down: &'a Vectors,
    across: &'a Vectors,
    part: Part,
    top: usize,
    out: &'a mut [f64],
}

impl WithSimd for Band<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many rows as keep all sums, a line of `across` and one of `down` in registers.
        match S::F64_LANES {
            8 => self.fill::<S, 8>(simd),
            4 => self.fill::<S, 4>(simd),
            2 => self.fill::<S, 6>(simd),
            _ => self.fill::<S, 3>(simd),
        }
    }
}

impl Band<'_> {
    #[inline(always)]
    fn fill<S: Simd, const DOWN: usize>(self, simd: S) {
        let width = ACROSS * S::F64_LANES;
        let Self { down, across, part, top, out } = self;
        assert!(down.width == width && across.width == width, "packed for other registers");
        let (stride, height) = (across.count, out.len() / across.count);
        let mut sums = [0.0; 8 * ACROSS * 8];
        let sums = &mut sums[..DOWN * width];
        for from in (0..down.depth).step_by(DEPTH) {
            let steps = from * width..down.depth.min(from + DEPTH) * width;
            let first = if part == Part::Upper { top / width } else { 0 };
            for panel in first..stride.div_ceil(width) {
                let left = panel * width;
                let wide = width.min(stride - left);
                for row in (0..height).step_by(DOWN) {
                    // The rows beyond the last are sums of zeros, and are dropped.
                    let high = DOWN.min(height - row);
                    let (at, rest) = ((top + row) / width, (top + row) % width);
                    let lines = out[row * stride..].chunks_mut(stride).take(high);
                    for (sums, line) in sums.chunks_exact_mut(width).zip(lines) {
                        sums[..wide].copy_from_slice(&line[left..left + wide]);
                    }
                    let a = &down.panel(at)[steps.clone()];
                    let b = &across.panel(panel)[steps.clone()];
                    tile::<S, DOWN>(simd, (a, rest), b, sums);
                    let lines = out[row * stride..].chunks_mut(stride).take(high);
                    for (sums, line) in sums.chunks_exact(width).zip(lines) {
                        line[left..left + wide].copy_from_slice(&sums[..wide]);
                    }
                }
            }
        }
    }
}

/// Continues the chains of one tile: `DOWN` vectors, from the given one on, with those of a panel.
#[inline(always)]
fn tile<S: Simd, const DOWN: usize>(
    simd: S,
    (down, first): (&[f64], usize),
    across: &[f64],
    sums: &mut [f64],
) {
    let width = ACROSS * S::F64_LANES;
    let mut chains = [[simd.splat_f64s(0.0); ACROSS]; DOWN];
    let lines = S::as_simd_f64s(sums).0.as_chunks::<ACROSS>().0;
    for (chains, line) in chains.iter_mut().zip(lines) {
        *chains = *line;
    }
    let panel = S::as_simd_f64s(across).0.as_chunks::<ACROSS>().0;
    for (down, across) in down.chunks_exact(width).zip(panel) {
        for (chains, &value) in chains.iter_mut().zip(&down[first..first + DOWN]) {
            let value = simd.splat_f64s(value);
            for (chain, &other) in chains.iter_mut().zip(across) {
                *chain = simd.mul_add_f64s(value, other, *chain);
            }
        }
    }
    let lines = S::as_mut_simd_f64s(sums).0.as_chunks_mut::<ACROSS>().0;
    for (line, chains) in lines.iter_mut().zip(&chains) {
        *line = *chains;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fractions(n: usize, seed: usize) -> Vec<f64> {
        (0..n).map(|i| 1.0 / (1.0 + (((i + seed) * 7919) % 1009) as f64) - 0.01).collect()
    }

    #[test]
    fn every_element_is_one_chain_of_fused_sums_on_every_instruction_set() {
        for (n, m, depth) in [(1, 1, 1), (3, 50, 7), (49, 25, 300), (100, 24, 256), (8, 97, 513)] {
            let (a, b) = (fractions(n * depth, 1), fractions(m * depth, 77));
            let mut plain = fractions(n * m, 5);
            for (at, sum) in plain.iter_mut().enumerate() {
                let (i, j) = (at / m, at % m);
                for k in 0..depth {
                    *sum = a[i * depth + k].mul_add(b[j * depth + k], *sum);
                }
            }
            for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
                let [a, b] = [&a, &b].map(|rows| {
                    let at = |vector, step| rows[vector * depth + step];
                    Vectors::pack(set, rows.len() / depth, depth, at)
                });
                let mut out = fractions(n * m, 5);
                add_products(&a, &b, Part::Whole, &mut out);
                assert_eq!(plain, out, "{set:?}");
            }
        }
    }

    #[test]
    fn the_upper_part_is_that_of_the_whole() {
        let (n, depth) = (131, 40);
        let vectors = Vectors::of_rows(&fractions(n * depth, 3), depth);
        let mut results = [Part::Whole, Part::Upper].map(|part| {
            let mut out = vec![0.0; n * n];
            add_products(&vectors, &vectors, part, &mut out);
            out
        });
        for i in 0..n {
            results[0][i * n..i * n + i].fill(0.0);
            results[1][i * n..i * n + i].fill(0.0);
        }
        assert_eq!(results[0], results[1]);
    }

    #[test]
    fn columns_are_the_rows_of_the_transpose_less_their_shift() {
        let (rows, columns) = (9, 30);
        let values: Vec<f32> = fractions(rows * columns, 2).iter().map(|&v| v as f32).collect();
        let shift = fractions(columns, 8);
        let at = |i: usize, k: usize| f64::from(values[k * columns + i]) - shift[i];
        let turned: Vec<f64> = (0..columns * rows).map(|at_| at(at_ / rows, at_ % rows)).collect();
        let (a, b) = (Vectors::of_columns(&values, &shift), Vectors::of_rows(&turned, rows));
        assert_eq!(a.panels, b.panels);
    }
}
