use rayon::prelude::*;

use crate::jackknife::GROUPS;

/// In place of the group of a sample that is never left out.
pub(crate) const KEPT: usize = GROUPS;

/// Sums of kernels over pairs of samples, apart by the groups of the jackknife that the two are of: what
/// is left of a sum without a group then needs no kernel again.
#[derive(Clone, Debug)]
pub(crate) struct PairSums {
    sums: [[f64; GROUPS + 1]; GROUPS + 1],
}

impl PairSums {
    pub(crate) fn new() -> Self {
        Self { sums: [[0.0; GROUPS + 1]; GROUPS + 1] }
    }

    /// Adds `weight` times the kernels of pairs, a row for each sample of group `down[row]`, in which the
    /// column is of the sample of group `across[column]`; of a row those from `first(row)` on. The bits do
    /// not depend on the number of threads.
    pub(crate) fn add(
        &mut self,
        kernels: &[f64],
        (down, across): (&[usize], &[usize]),
        first: impl Fn(usize) -> usize + Sync,
        weight: f64,
    ) {
        let of_row = |(row, line): (usize, &[f64])| {
            let mut sums = [0.0; GROUPS + 1];
            let from = first(row);
            for (kernel, &group) in line[from..].iter().zip(&across[from..]) {
                sums[group] += kernel;
            }
            sums
        };
        let rows = kernels.par_chunks(across.len().max(1)).enumerate().map(of_row);
        for (row, &group) in rows.collect::<Vec<_>>().iter().zip(down) {
            for (sum, value) in self.sums[group].iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
    }

    /// The sum over the pairs that have no sample of a group.
    pub(crate) fn without(&self, group: usize) -> f64 {
        let others = || (0..=GROUPS).filter(move |&other| other != group);
        others().map(|a| others().map(|b| self.sums[a][b]).sum::<f64>()).sum()
    }
}

/// The group of each of some samples by their indices; [`KEPT`] where none is left out.
pub(crate) fn groups_of(rows: impl IntoIterator<Item = usize>, left_out: bool) -> Vec<usize> {
    rows.into_iter().map(|row| if left_out { row % GROUPS } else { KEPT }).collect()
}
