//! Ridge regression onto the classes, whose penalty the leave-one-out error chooses.

use prismbench_kernels::dots::Vectors;
use rayon::prelude::*;

use super::principal::{Principal, products};
use super::{Labelled, LinearClassifier};
use crate::MetricError;
use crate::features::in_blocks;

/// Rows that are treated at a time.
const BLOCK: usize = 1008;
/// Columns at most: the eigenvectors of so large a covariance already take minutes.
const WIDEST: usize = 8192;
/// Penalties that may be chosen: `10^i`.
const EXPONENTS: std::ops::RangeInclusive<i32> = -6..=8;

/// A fitted classifier.
#[derive(Clone, Debug)]
pub struct RidgeFit {
    /// Of the features as they are.
    pub classifier: LinearClassifier,
    /// The penalty, scikit-learn's `alpha`.
    pub alpha: f64,
    /// The mean over samples and classes of the squared leave-one-out error at that penalty.
    pub error: f64,
}

/// Fits `|Y - X W - b|^2 + alpha |W|^2` with Y +1 for a sample's class and -1 for the others, at
/// the `alpha` of the decades 1e-6 to 1e8 with the least squared leave-one-out error, which is
/// `(y - f) / (1 - h)` of the fit to all, h the sample's leverage.
///
/// # Errors
/// [`MetricError::SmallClass`] for a class without samples, [`MetricError::Shape`] for more than
/// 8,192 columns, [`MetricError::NoConvergence`], [`MetricError::Read`].
pub fn fit_ridge(train: &Labelled<'_>) -> Result<RidgeFit, MetricError> {
    train.check_classes("fit", 1)?;
    let columns = train.features().columns();
    if columns > WIDEST {
        let expected = format!("at most {WIDEST} columns for probe/ridge (pool the features)");
        return Err(MetricError::Shape { expected, found: columns });
    }
    let regression = Regression::new(train)?;
    let errors = alphas().into_iter().zip(regression.errors(train)?);
    let finite = errors.filter(|(_, error)| error.is_finite());
    // The first of equals: `min_by` keeps it.
    let Some((alpha, error)) = finite.min_by(|a, b| a.1.total_cmp(&b.1)) else {
        return Err(MetricError::Overflow { recipe: "probe/ridge" });
    };
    let weights = regression.weights(alpha);
    let classifier =
        LinearClassifier::turned_back(&regression.principal, &weights, &regression.means);
    Ok(RidgeFit { classifier, alpha, error })
}

fn alphas() -> Vec<f64> {
    EXPONENTS.map(|exponent| libm::exp10(f64::from(exponent))).collect()
}

/// What a ridge regression onto the classes needs of a training set, along its principal axes.
struct Regression {
    principal: Principal,
    /// Sums of squares along the axes.
    squares: Vec<f64>,
    /// For each class the products of its target with the coordinates, `classes x columns`.
    targets: Vec<f64>,
    /// The mean target of each class.
    means: Vec<f64>,
}

impl Regression {
    fn new(train: &Labelled<'_>) -> Result<Self, MetricError> {
        let (features, samples) = (train.features(), train.samples() as f64);
        let (columns, classes) = (features.columns(), train.classes());
        let principal = Principal::axes(features)?;
        let squares = principal.variances().iter().map(|variance| variance * samples).collect();
        let (mut of_class, mut counts) = (vec![0.0; classes * columns], vec![0.0; classes]);
        in_blocks(features, BLOCK, |first, rows| {
            for (row, &label) in rows.chunks_exact(columns).zip(&train.labels()[first..]) {
                let sums = &mut of_class[label as usize * columns..][..columns];
                counts[label as usize] += 1.0;
                for ((sum, &value), mean) in sums.iter_mut().zip(row).zip(principal.mean()) {
                    *sum += f64::from(value) - mean;
                }
            }
            Ok(())
        })?;
        // Targets are 2 for the class less 1 for all, and coordinates of all sum to 0.
        of_class.iter_mut().for_each(|sum| *sum *= 2.0);
        let targets = principal.turn_centred(&of_class);
        let means = counts.iter().map(|count| 2.0 * count / samples - 1.0).collect();
        Ok(Self { principal, squares, targets, means })
    }

    /// Along the principal axes, `classes x columns`.
    fn weights(&self, alpha: f64) -> Vec<f64> {
        let mut weights = self.targets.clone();
        for row in weights.chunks_exact_mut(self.squares.len()) {
            row.iter_mut().zip(&self.squares).for_each(|(value, square)| *value /= square + alpha);
        }
        weights
    }

    /// The mean squared leave-one-out error at each penalty.
    fn errors(&self, train: &Labelled<'_>) -> Result<Vec<f64>, MetricError> {
        let (columns, classes) = (self.squares.len(), self.means.len());
        let alphas = alphas();
        let packed: Vec<Vectors> =
            alphas.iter().map(|&alpha| Vectors::of_rows(&self.weights(alpha), columns)).collect();
        let mut sums = vec![0.0; alphas.len()];
        in_blocks(train.features(), BLOCK, |first, rows| {
            let turned = self.principal.turn(rows);
            let down = Vectors::of_rows(&turned, columns);
            for ((sum, &alpha), across) in sums.iter_mut().zip(&alphas).zip(&packed) {
                let fitted = products(&down, across);
                let samples =
                    turned.par_chunks_exact(columns).zip(fitted.par_chunks_exact(classes));
                let error = |(at, (row, fitted)): (usize, (&[f64], &[f64]))| {
                    let own = train.labels()[first + at] as usize;
                    self.squared_error(fitted, own) / self.room(row, alpha, train.samples())
                };
                let errors: Vec<f64> = samples.enumerate().map(error).collect();
                *sum += errors.iter().sum::<f64>();
            }
            Ok(())
        })?;
        let values = (train.samples() * classes) as f64;
        Ok(sums.into_iter().map(|sum| sum / values).collect())
    }

    /// Over the classes, of the fit to all samples.
    fn squared_error(&self, fitted: &[f64], own: usize) -> f64 {
        let fitted = fitted.iter().zip(&self.means).map(|(product, mean)| product + mean);
        let error = |(class, fitted): (usize, f64)| {
            let target = if class == own { 1.0 } else { -1.0 };
            (target - fitted) * (target - fitted)
        };
        fitted.enumerate().map(error).sum()
    }

    /// The square of 1 less a sample's leverage.
    fn room(&self, row: &[f64], alpha: f64, samples: usize) -> f64 {
        let along = |(value, square): (&f64, &f64)| value * value / (square + alpha);
        let leverage: f64 = row.iter().zip(&self.squares).map(along).sum();
        let room = 1.0 - 1.0 / samples as f64 - leverage;
        room * room
    }
}
