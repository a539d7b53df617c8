use prismbench_kernels::dots::{Part, Vectors, add_products};
use prismbench_kernels::gram::Gram;

use crate::features::in_blocks;
use crate::moments::mean;
use crate::symmetric::eigenvectors;
use crate::{Features, MetricError};

/// Rows that are read at a time.
const BLOCK: usize = 1024;

/// The mean of some features and the principal axes about it.
///
/// Along the axes the features are uncorrelated, so that the mean curvature of a linear classifier's
/// loss is a diagonal. A classifier of the turned features is one of the features themselves with
/// the same penalty: turning keeps lengths, and an intercept takes up the mean.
pub(super) struct Principal {
    mean: Vec<f64>,
    /// The variance along each axis, divisor n.
    variances: Vec<f64>,
    /// One axis after the other; `None` for the columns themselves.
    axes: Option<Axes>,
}

struct Axes {
    rows: Vec<f64>,
    packed: Vectors,
}

impl Principal {
    /// The axes of the covariance.
    pub(super) fn axes(features: &dyn Features) -> Result<Self, MetricError> {
        let (columns, samples) = (features.columns(), features.rows() as f64);
        let mut gram = Gram::about(mean(features)?);
        in_blocks(features, BLOCK, |_, rows| {
            gram.add(rows);
            Ok(())
        })?;
        let mean = gram.mean().unwrap_or_else(|| vec![0.0; columns]);
        let covariance = gram.covariance().unwrap_or_else(|| vec![0.0; columns * columns]);
        let (values, rows) = eigenvectors(&covariance, columns)?;
        // Rounding makes eigenvalues of 0 a little negative.
        let variance = |value: &f64| value.max(0.0) * (samples - 1.0) / samples;
        let packed = Vectors::of_rows(&rows, columns);
        let variances = values.iter().map(variance).collect();
        Ok(Self { mean, variances, axes: Some(Axes { rows, packed }) })
    }

    /// The columns as they are, about their means.
    pub(super) fn columns_of(features: &dyn Features) -> Result<Self, MetricError> {
        let mean = mean(features)?;
        let mut variances = vec![0.0; mean.len()];
        in_blocks(features, BLOCK, |_, rows| {
            for row in rows.chunks_exact(mean.len()) {
                for ((sum, &value), mean) in variances.iter_mut().zip(row).zip(&mean) {
                    *sum += (f64::from(value) - mean) * (f64::from(value) - mean);
                }
            }
            Ok(())
        })?;
        variances.iter_mut().for_each(|sum| *sum /= features.rows() as f64);
        Ok(Self { mean, variances, axes: None })
    }

    pub(super) fn mean(&self) -> &[f64] {
        &self.mean
    }

    pub(super) fn variances(&self) -> &[f64] {
        &self.variances
    }

    /// Coordinates along the axes of rows of features, less the mean.
    pub(super) fn turn(&self, rows: &[f32]) -> Vec<f64> {
        let mut centred: Vec<f64> = rows.iter().map(|&value| f64::from(value)).collect();
        for row in centred.chunks_exact_mut(self.mean.len()) {
            row.iter_mut().zip(&self.mean).for_each(|(value, mean)| *value -= mean);
        }
        self.turn_centred(&centred)
    }

    /// Coordinates along the axes of rows that the mean is already taken from.
    pub(super) fn turn_centred(&self, rows: &[f64]) -> Vec<f64> {
        match &self.axes {
            None => rows.to_vec(),
            Some(axes) => products(&Vectors::of_rows(rows, self.mean.len()), &axes.packed),
        }
    }

    /// Rows along the columns from rows along the axes: weights of the features from those of their
    /// coordinates.
    pub(super) fn turn_back(&self, rows: &[f64]) -> Vec<f64> {
        let columns = self.mean.len();
        match &self.axes {
            None => rows.to_vec(),
            Some(axes) => {
                let entry = |at| axes.rows[at % columns * columns + at / columns];
                let transposed: Vec<f64> = (0..columns * columns).map(entry).collect();
                products(&Vectors::of_rows(rows, columns), &Vectors::of_rows(&transposed, columns))
            }
        }
    }
}

/// Every vector of one set times every vector of another.
pub(super) fn products(down: &Vectors, across: &Vectors) -> Vec<f64> {
    let mut out = vec![0.0; down.count() * across.count()];
    add_products(down, across, Part::Whole, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureMatrix;

    fn features() -> FeatureMatrix {
        let value = |i: usize| ((i * i * 7919) % 1009) as f32 / 100.0 + (i % 3) as f32;
        FeatureMatrix::new(3, (0..60).map(value).collect()).unwrap()
    }

    #[test]
    fn coordinates_are_uncorrelated_with_the_stated_variances() {
        let features = features();
        let principal = Principal::axes(&features).unwrap();
        let turned = principal.turn(&crate::features::slice(&features, 0, 20).unwrap());
        for i in 0..3 {
            for j in 0..3 {
                let product: f64 =
                    turned.chunks_exact(3).map(|row| row[i] * row[j]).sum::<f64>() / 20.0;
                let expected = if i == j { principal.variances()[i] } else { 0.0 };
                assert!((product - expected).abs() < 1e-12, "{product} {expected}");
            }
        }
    }

    #[test]
    fn weights_that_are_turned_back_score_as_before() {
        let features = features();
        let rows = crate::features::slice(&features, 0, 20).unwrap();
        for principal in
            [Principal::axes(&features).unwrap(), Principal::columns_of(&features).unwrap()]
        {
            let weights = [0.5, -1.0, 2.0];
            let back = principal.turn_back(&weights);
            for (turned, row) in principal.turn(&rows).chunks_exact(3).zip(rows.chunks_exact(3)) {
                let score: f64 = turned.iter().zip(&weights).map(|(x, w)| x * w).sum();
                let centred = row.iter().zip(principal.mean()).map(|(&x, m)| f64::from(x) - m);
                let expected: f64 = centred.zip(&back).map(|(x, w)| x * w).sum();
                assert!((score - expected).abs() < 1e-12, "{score} {expected}");
            }
        }
    }

    #[test]
    fn columns_have_the_variances_of_the_covariance() {
        let features = features();
        let [axes, columns] =
            [Principal::axes(&features).unwrap(), Principal::columns_of(&features).unwrap()];
        let total = |principal: &Principal| principal.variances().iter().sum::<f64>();
        assert!((total(&axes) - total(&columns)).abs() < 1e-12);
    }
}
