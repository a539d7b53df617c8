use prismbench_core::{Better, MetricDef, Unit};
use prismbench_kernels::dots::{Part, Vectors, add_products};
use rayon::prelude::*;

use crate::features::{same_columns, slice};
use crate::jackknife::{self, outside};
use crate::pair_sums::{PairSums, groups_of};
use crate::{Features, Jackknife, MetricError};

/// CLIP maximum mean discrepancy.
pub const CMMD: MetricDef = MetricDef {
    id: "cmmd",
    title: "CMMD",
    unit: Unit::One,
    better: Better::Lower,
    version: 1,
    definition: "1,000 x the squared maximum mean discrepancy, biased, under \
        exp(-|x - y|^2 / (2 x 10^2)) of CLIP embeddings scaled to length 1; in f64. Jayasumana et \
        al., CVPR 2024",
};

/// Bandwidth of the kernel.
const SIGMA: f64 = 10.0;

/// Samples of a side whose kernels are made at a time.
const BLOCK: usize = 1024;

/// CMMD of two sets of embeddings, which are scaled to length 1 here, in f64.
///
/// # Errors
/// [`MetricError::Columns`] for different spaces, [`MetricError::TooFewSamples`] for an empty set,
/// [`MetricError::NoDirection`] for an embedding of zeros, [`MetricError::Read`].
pub fn cmmd(first: &dyn Features, second: &dyn Features) -> Result<f64, MetricError> {
    cmmd_jackknife(first, second, false).map(|(whole, _)| whole)
}

/// The same and its [`jackknife`](crate::jackknife()); `None` for fewer samples than that takes. Groups are left
/// out of `first`, and where the samples of `second` are the same in the same order (`paired`), of both.
///
/// # Errors
/// Those of [`cmmd`].
pub fn cmmd_jackknife(
    first: &dyn Features,
    second: &dyn Features,
    paired: bool,
) -> Result<(f64, Option<Jackknife>), MetricError> {
    same_columns(first, second)?;
    if first.rows().min(second.rows()) == 0 {
        let remedy = "the mean of no kernels is not defined";
        return Err(MetricError::TooFewSamples { metric: CMMD.id, found: 0, needed: 1, remedy });
    }
    let (of_first, first_sums) = mean_within(first, true)?;
    let (of_second, second_sums) = mean_within(second, paired)?;
    let (between, between_sums) = mean_between((first, true), (second, paired))?;
    let whole = 1000.0 * (of_first + of_second - 2.0 * between);
    let without = |group: usize| {
        let n = outside(first.rows(), group) as f64;
        let m = if paired { outside(second.rows(), group) } else { second.rows() } as f64;
        let within = first_sums.without(group) / (n * n) + second_sums.without(group) / (m * m);
        Ok(1000.0 * (within - 2.0 * between_sums.without(group) / (n * m)))
    };
    let some = jackknife::where_enough(jackknife::of_groups(first.rows(), whole, without))?;
    Ok((whole, some))
}

/// Mean kernel of all pairs of one set, each with itself included, and the kernels' sums by groups.
fn mean_within(set: &dyn Features, left_out: bool) -> Result<(f64, PairSums), MetricError> {
    let rows = set.rows();
    let (mut sum, mut sums) = (0.0, PairSums::new());
    for top in (0..rows).step_by(BLOCK) {
        let down = Block::read((set, left_out), top)?;
        sum += down.kernels(&down, 1.0, &mut sums);
        for left in (top + BLOCK..rows).step_by(BLOCK) {
            let across = Block::read((set, left_out), left)?;
            sum += 2.0 * down.kernels(&across, 2.0, &mut sums);
        }
    }
    Ok((sum / (rows as f64 * rows as f64), sums))
}

fn mean_between(
    first: (&dyn Features, bool),
    second: (&dyn Features, bool),
) -> Result<(f64, PairSums), MetricError> {
    let (n, m) = (first.0.rows(), second.0.rows());
    let (mut sum, mut sums) = (0.0, PairSums::new());
    for top in (0..n).step_by(BLOCK) {
        let down = Block::read(first, top)?;
        for left in (0..m).step_by(BLOCK) {
            sum += down.kernels(&Block::read(second, left)?, 1.0, &mut sums);
        }
    }
    Ok((sum / (n as f64 * m as f64), sums))
}

/// Some embeddings of length 1.
struct Block {
    vectors: Vectors,
    /// The group of the jackknife of each.
    groups: Vec<usize>,
    /// Squared lengths: 1, but for rounding.
    squares: Vec<f64>,
}

impl Block {
    fn read((set, left_out): (&dyn Features, bool), first: usize) -> Result<Self, MetricError> {
        let (rows, columns) = (BLOCK.min(set.rows() - first), set.columns());
        let values = slice(set, first, rows)?;
        let mut wide: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
        let mut squares = Vec::with_capacity(rows);
        for (number, row) in wide.chunks_exact_mut(columns).enumerate() {
            let length = square(row).sqrt();
            if length <= 0.0 {
                return Err(MetricError::NoDirection { sample: set.name(first + number) });
            }
            row.iter_mut().for_each(|value| *value /= length);
            squares.push(square(row));
        }
        let groups = groups_of(first..first + rows, left_out);
        Ok(Self { vectors: Vectors::of_rows(&wide, columns), groups, squares })
    }

    /// Sum of the kernels of all pairs: each row from left to right, the rows from top to bottom. `weight`
    /// times them are added to the sums by groups.
    fn kernels(&self, other: &Self, weight: f64, sums: &mut PairSums) -> f64 {
        let width = other.squares.len();
        let mut products = vec![0.0; self.squares.len() * width];
        add_products(&self.vectors, &other.vectors, Part::Whole, &mut products);
        let of_row = |(line, a): (&mut [f64], &f64)| {
            for (product, b) in line.iter_mut().zip(&other.squares) {
                let distance = (a + b - 2.0 * *product).max(0.0);
                *product = libm::exp(-distance / (2.0 * SIGMA * SIGMA));
            }
            line.iter().sum::<f64>()
        };
        let rows = products.par_chunks_mut(width).zip(&self.squares).map(of_row);
        let sum = rows.collect::<Vec<f64>>().iter().sum();
        sums.add(&products, (&self.groups, &other.groups), |_| 0, weight);
        sum
    }
}

fn square(row: &[f64]) -> f64 {
    row.iter().map(|value| value * value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureMatrix;

    #[test]
    fn opposite_directions_by_hand() {
        // Lengths do not matter; |x - y|^2 = 4, so that 1000 (1 + 1 - 2 exp(-4 / 200)).
        let x = FeatureMatrix::new(2, vec![3.0, 0.0, 1.0, 0.0]).unwrap();
        let y = FeatureMatrix::new(2, vec![-2.0, 0.0]).unwrap();
        let expected = 2000.0 * (1.0 - (-0.02_f64).exp());
        assert!((cmmd(&x, &y).unwrap() - expected).abs() < 1e-9);
        assert!(cmmd(&x, &x).unwrap().abs() < 1e-9);
    }

    #[test]
    fn blocks_do_not_change_the_mean() {
        // 2,500 samples in 3 directions: kernels of 3 x 3 pairs, weighted by their numbers.
        let rows = 2500;
        let value = |at: usize| if at % 3 == at / 3 % 3 { 1.0 } else { 0.0 };
        let x = FeatureMatrix::new(3, (0..3 * rows).map(value).collect()).unwrap();
        let y = FeatureMatrix::new(3, vec![1.0, 0.0, 0.0]).unwrap();
        let far = (-0.01_f64).exp();
        let shares = [834.0, 833.0, 833.0].map(|count| count / 2500.0);
        let same: f64 = shares.iter().map(|share| share * share).sum();
        let within = same + (1.0 - same) * far;
        let between = shares[0] + (1.0 - shares[0]) * far;
        let expected = 1000.0 * (within + 1.0 - 2.0 * between);
        let found = cmmd(&x, &y).unwrap();
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }

    #[test]
    fn an_embedding_of_zeros_is_named() {
        let names = vec!["a".to_owned(), "b".to_owned()];
        let x = FeatureMatrix::named(2, vec![1.0, 0.0, 0.0, 0.0], names).unwrap();
        let error = cmmd(&x, &x).unwrap_err();
        assert_eq!(error.to_string(), "normalise the features of sample `b`: they are all zero");
    }
}
