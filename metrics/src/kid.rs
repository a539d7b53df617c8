use prismbench_core::{Better, MetricDef, Unit};
use prismbench_kernels::dots::{Part, Vectors, add_products};
use rayon::prelude::*;

use crate::features::same_columns;
use crate::inception_score::mean_and_deviation;
use crate::jackknife::{self, GROUPS};
use crate::numpy_random::RandomState;
use crate::pair_sums::{PairSums, groups_of};
use crate::{Features, Jackknife, MetricError};

/// Kernel Inception Distance.
pub const KID: MetricDef = MetricDef {
    id: "kid",
    title: "KID",
    unit: Unit::One,
    better: Better::Lower,
    version: 1,
    definition: "unbiased squared maximum mean discrepancy under (x.y / d + 1)^3, mean over 100 \
        subsets of each set, `kid-subset` samples each (papers take 1,000), drawn without \
        replacement as torch-fidelity draws them (numpy RandomState(2020)); kernels in f64; not \
        multiplied by 1,000. Binkowski et al., ICLR 2018",
};

/// How many samples a subset has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubsetSize {
    /// So many; smaller sets are refused.
    Exactly(usize),
    /// So many, or as many as the smaller set has.
    AtMost(usize),
}

/// Which subsets a [`kernel_inception_distance`] is the mean over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subsets {
    /// How many.
    pub count: usize,
    /// Samples of each set in one.
    pub size: SubsetSize,
}

impl Default for Subsets {
    fn default() -> Self {
        Self { count: 100, size: SubsetSize::Exactly(1000) }
    }
}

/// A Kernel Inception Distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KernelInceptionDistance {
    /// Mean over the subsets; slightly negative values are normal for equal distributions.
    pub mean: f64,
    /// Standard deviation over the subsets, with their number as divisor.
    pub deviation: f64,
    /// Samples of each set in a subset, as used.
    pub subset_size: usize,
}

/// The Kernel Inception Distance of two sets; `first` is torch-fidelity's `input1`.
///
/// Draws follow each other as there: one `RandomState(2020)`, and for each subset those of the
/// first set, then those of the second.
///
/// # Errors
/// [`MetricError::Columns`] for different spaces; [`MetricError::TooFewSamples`] when a set is
/// smaller than a subset or a subset smaller than 2; [`MetricError::Read`].
pub fn kernel_inception_distance(
    first: &dyn Features,
    second: &dyn Features,
    subsets: Subsets,
) -> Result<KernelInceptionDistance, MetricError> {
    kernel_inception_jackknife(first, second, subsets, false).map(|(whole, _)| whole)
}

/// The same and its [`jackknife`](crate::jackknife()); `None` for fewer samples than that takes.
///
/// The subsets stay as they were drawn, and a group's samples are left out of each: those of `first`, and where
/// the samples of `second` are the same in the same order (`paired`), theirs too. A subset that keeps fewer than
/// two samples leaves no jackknife.
///
/// # Errors
/// Those of [`kernel_inception_distance`].
pub fn kernel_inception_jackknife(
    first: &dyn Features,
    second: &dyn Features,
    subsets: Subsets,
    paired: bool,
) -> Result<(KernelInceptionDistance, Option<Jackknife>), MetricError> {
    let columns = same_columns(first, second)?;
    let smaller = first.rows().min(second.rows());
    let size = match subsets.size {
        SubsetSize::Exactly(size) => size.max(2),
        SubsetSize::AtMost(size) => size.min(smaller).max(2),
    };
    if smaller < size || subsets.count == 0 {
        let remedy = "measure more samples, or ask for smaller subsets";
        let (metric, found) = (KID.id, smaller);
        return Err(MetricError::TooFewSamples { metric, found, needed: size, remedy });
    }
    let mut random = RandomState::new(2020);
    let mut pick = |set: &dyn Features| {
        let mut rows = vec![0.0; size * columns];
        let chosen = random.choice(set.rows(), size);
        set.gather(&chosen, &mut rows).map_err(MetricError::read)?;
        Ok::<_, MetricError>((Vectors::of_rows(&rows, columns), chosen))
    };
    let mut values = Vec::with_capacity(subsets.count);
    let mut left = [Some(0.0); GROUPS];
    let mut kernels = vec![0.0; size * size];
    for _ in 0..subsets.count {
        let ((x, of_x), (y, of_y)) = (pick(first)?, pick(second)?);
        let (of_x, of_y) = (groups_of(of_x, true), groups_of(of_y, paired));
        let mut sum = |(x, down): (_, &[usize]), (y, across): (_, &[usize]), part| {
            kernels.fill(0.0);
            add_products(x, y, part, &mut kernels);
            let sum = sum_of_kernels(&mut kernels, columns, size, part);
            let mut by_group = PairSums::new();
            by_group.add(&kernels, (down, across), |row| first_column(part, row), 1.0);
            (sum, by_group)
        };
        let (x, y) = ((&x, of_x.as_slice()), (&y, of_y.as_slice()));
        let (xx, yy) = (sum(x, x, Part::Upper), sum(y, y, Part::Upper));
        let xy = sum(x, y, Part::Whole);
        let m = size as f64;
        values.push(2.0 * (xx.0 + yy.0) / (m * (m - 1.0)) - 2.0 * xy.0 / (m * m));
        for (group, left) in left.iter_mut().enumerate() {
            let count = |of: &[usize]| of.iter().filter(|&&other| other != group).count() as f64;
            let (m, n) = (count(&of_x), count(&of_y));
            let [xx, yy, xy] = [&xx.1, &yy.1, &xy.1].map(|sums| sums.without(group));
            let value =
                2.0 * xx / (m * (m - 1.0)) + 2.0 * yy / (n * (n - 1.0)) - 2.0 * xy / (m * n);
            *left = left.filter(|_| m.min(n) >= 2.0).map(|left| left + value);
        }
    }
    let (mean, deviation) = mean_and_deviation(&values);
    let left: Option<Vec<f64>> = left.into_iter().collect();
    let jackknife = match left {
        Some(left) => jackknife::where_enough(jackknife::of_groups(first.rows(), mean, |group| {
            Ok(left[group] / subsets.count as f64)
        }))?,
        None => None,
    };
    Ok((KernelInceptionDistance { mean, deviation, subset_size: size }, jackknife))
}

/// The first column of a row whose pair counts.
fn first_column(part: Part, row: usize) -> usize {
    if part == Part::Upper { row + 1 } else { 0 }
}

/// Makes kernels of dot products, of all pairs or of those above the diagonal, and sums them: each row
/// from left to right, and the rows from top to bottom.
fn sum_of_kernels(products: &mut [f64], columns: usize, size: usize, part: Part) -> f64 {
    let scale = 1.0 / columns as f64;
    let of_row = |(row, line): (usize, &mut [f64])| {
        let line = &mut line[first_column(part, row)..];
        for product in line.iter_mut() {
            let linear = *product * scale + 1.0;
            *product = linear * linear * linear;
        }
        line.iter().sum::<f64>()
    };
    products.par_chunks_mut(size).enumerate().map(of_row).collect::<Vec<f64>>().iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureMatrix;

    fn features(rows: usize) -> FeatureMatrix {
        let values = (0..rows * 3).map(|i| ((i * 7919) % 101) as f32 / 101.0).collect();
        FeatureMatrix::new(3, values).unwrap()
    }

    #[test]
    fn a_subset_larger_than_a_set_is_refused_unless_it_may_shrink() {
        let (few, many) = (features(50), features(2000));
        let error = kernel_inception_distance(&many, &few, Subsets::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "compute kid of 50 samples: at least 1000 are needed; measure more samples, or ask for \
             smaller subsets"
        );
        let subsets = Subsets { count: 3, size: SubsetSize::AtMost(1000) };
        let found = kernel_inception_distance(&many, &few, subsets).unwrap();
        assert_eq!(found.subset_size, 50);
        assert!(kernel_inception_distance(&many, &features(1), subsets).is_err());
    }

    #[test]
    fn two_pairs_by_hand() {
        // d = 1: kernels (xy + 1)^3. x = {0, 1}, y = {1, 2}, in any order of drawing.
        let x = FeatureMatrix::new(1, vec![0.0, 1.0]).unwrap();
        let y = FeatureMatrix::new(1, vec![1.0, 2.0]).unwrap();
        let subsets = Subsets { count: 2, size: SubsetSize::Exactly(2) };
        let found = kernel_inception_distance(&x, &y, subsets).unwrap();
        // Within: 1 and 27. Between: 1, 1, 8, 27. (2 + 54) / 2 - 2 x 37 / 4.
        assert!((found.mean - 9.5).abs() < 1e-12 && found.deviation.abs() < 1e-12);
    }
}
