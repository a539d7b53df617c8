//! Products of f32 matrices with the same bits on every machine and for any number of threads.

use std::ops::Range;

use crate::InstructionSet;
use crate::product::{self, Epilogue, Left, Output, Panels};

/// A matrix packed once, to be multiplied with many others.
#[derive(Clone, Debug)]
pub struct Packed {
    set: InstructionSet,
    columns: usize,
    panels: Panels,
}

impl Packed {
    /// Packs `rows`, one after the other, `columns` values each.
    ///
    /// # Panics
    /// When the length is not a multiple of `columns`.
    #[must_use]
    pub fn new(rows: &[f32], columns: usize) -> Self {
        Self::for_set(InstructionSet::Best, rows, columns)
    }

    /// As [`new`](Self::new), for an instruction set of one's choice: what tests compare.
    ///
    /// # Panics
    /// When the length is not a multiple of `columns`.
    #[must_use]
    pub fn for_set(set: InstructionSet, rows: &[f32], columns: usize) -> Self {
        let count = rows.len().checked_div(columns).unwrap_or(0);
        assert_eq!(rows.len(), count * columns, "rows must be whole");
        let panels = Panels::new(set, columns, count, |k, row| rows[row * columns + k]);
        Self { set, columns, panels }
    }

    /// Packs the columns of a matrix that lies row after row, `columns` values each, as if they were
    /// rows: [`multiply`] then sums over the rows of that matrix.
    ///
    /// # Panics
    /// When the length is not a multiple of `columns`.
    #[must_use]
    pub fn of_columns(rows: &[f32], columns: usize) -> Self {
        let set = InstructionSet::Best;
        let count = rows.len().checked_div(columns).unwrap_or(0);
        assert_eq!(rows.len(), count * columns, "rows must be whole");
        let panels = Panels::new(set, count, columns, |row, k| rows[row * columns + k]);
        Self { set, columns: count, panels }
    }

    /// Rows that were packed.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.panels.columns()
    }

    /// Values of each row.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }
}

/// Inner products: `out[i][j]` is the sum over k of `left[i][k] right[j][k]`, one chain of fused
/// products and sums in the order of k that starts at 0.
///
/// # Panics
/// When the lengths do not fit: `left` has whole rows of `right.columns()` values, `out` as many
/// rows of `right.rows()` values.
pub fn multiply(left: &[f32], right: &Packed, out: &mut [f32]) {
    let rows = left.len().checked_div(right.columns).unwrap_or(0);
    assert_eq!(left.len(), rows * right.columns, "rows of the left operand must be whole");
    assert_eq!(out.len(), rows * right.rows(), "one output for each pair of rows");
    let left = Rows { values: left, columns: right.columns };
    let out = Output { rows: out, stride: right.rows(), column: 0 };
    product::multiply(right.set, &left, &right.panels, out, Epilogue::default());
}

/// Rows that exist in memory.
pub(crate) struct Rows<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) columns: usize,
}

impl Left for Rows<'_> {
    fn depth(&self) -> usize {
        self.columns
    }

    #[inline(always)]
    fn pack(&self, row: usize, depth: Range<usize>, into: &mut [f32]) {
        let from = &self.values[row * self.columns + depth.start..];
        product::copy(from, into, depth.len());
    }

    #[inline(always)]
    fn whole(&self, row: usize, length: usize) -> Option<&[f32]> {
        (length == self.columns).then(|| &self.values[row * length..])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One chain of fused products and sums, as the documentation has it.
    fn chain(left: &[f32], right: &[f32]) -> f32 {
        left.iter().zip(right).fold(0.0, |sum, (&a, &b)| a.mul_add(b, sum))
    }

    fn values(seed: u64, len: usize) -> Vec<f32> {
        let hash = |i: u64| (i ^ (seed << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        (0..len as u64).map(|i| hash(i + 1) as f32 / (1 << 23) as f32 - 1.0).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn every_element_is_one_fused_chain_on_every_instruction_set(
            m in 0..40_usize, n in 0..70_usize, k in 0..600_usize, seed in 0..1000_u64,
        ) {
            let (a, b) = (values(seed, m * k), values(seed + 1, n * k));
            let mut expected = vec![0.0; if k == 0 { 0 } else { m * n }];
            for (at, value) in expected.iter_mut().enumerate() {
                *value = chain(&a[at / n * k..][..k], &b[at % n * k..][..k]);
            }
            for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
                let packed = Packed::for_set(set, &b, k);
                let mut out = vec![f32::NAN; expected.len()];
                multiply(&a, &packed, &mut out);
                prop_assert_eq!(&out, &expected, "{:?}", set);
            }
        }
    }

    #[test]
    fn columns_are_the_rows_of_the_transpose() {
        let (rows, columns) = (70, 45);
        let (left, right) = (values(3, 5 * rows), values(4, rows * columns));
        let turned: Vec<f32> =
            (0..columns * rows).map(|at| right[at % rows * columns + at / rows]).collect();
        let packed = [Packed::of_columns(&right, columns), Packed::new(&turned, rows)];
        let [found, expected] = packed.map(|packed| {
            assert_eq!((packed.rows(), packed.columns()), (columns, rows));
            let mut out = vec![0.0; 5 * columns];
            multiply(&left, &packed, &mut out);
            out
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn the_number_of_threads_does_not_move_a_bit() {
        let (a, b) = (values(1, 700 * 300), values(2, 50 * 300));
        let product = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut out = vec![0.0; 700 * 50];
            pool.install(|| multiply(&a, &Packed::new(&b, 300), &mut out));
            out
        };
        assert_eq!(product(1), product(3));
    }
}
