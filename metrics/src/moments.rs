use prismbench_kernels::gram::Gram;

use crate::features::in_blocks;
use crate::{Features, MetricError};

/// Rows that are read at a time.
pub(crate) const BLOCK: usize = 1024;

/// Mean and unbiased covariance of a set of features.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    samples: Option<u64>,
    mean: Vec<f64>,
    /// `columns x columns`, symmetric.
    covariance: Vec<f64>,
}

impl Moments {
    /// Moments of features, in two passes: the mean, then sums about the mean, in index order. A
    /// mean that is large against the spread costs no digits.
    ///
    /// # Errors
    /// [`MetricError::TooFewSamples`] for fewer than two rows, [`MetricError::Read`] when the
    /// features cannot be read.
    pub fn of(features: &dyn Features) -> Result<Self, MetricError> {
        let mut gram = Gram::about(mean(features)?);
        in_blocks(features, BLOCK, |_, rows| {
            gram.add(rows);
            Ok(())
        })?;
        Self::from_gram(&gram).ok_or(too_few(features.rows()))
    }

    /// Moments from somewhere else: `samples` behind them where that is known, the mean, and the
    /// covariance row by row.
    ///
    /// # Errors
    /// [`MetricError::Shape`] unless there are as many rows and columns as means;
    /// [`MetricError::Covariance`] when a value is not finite, a variance is negative, or the two
    /// halves differ by more than 1e-6 of the largest variance; [`MetricError::TooFewSamples`] for
    /// fewer than two samples.
    pub fn from_parts(
        samples: Option<u64>,
        mean: Vec<f64>,
        mut covariance: Vec<f64>,
    ) -> Result<Self, MetricError> {
        let columns = mean.len();
        if columns == 0 || covariance.len() != columns * columns {
            let expected = format!("a {columns}x{columns} covariance for a mean of {columns}");
            return Err(MetricError::Shape { expected, found: covariance.len() });
        }
        if let Some(found @ 0..2) = samples {
            return Err(too_few(found as usize));
        }
        let problem = |problem: String| MetricError::Covariance { problem };
        if !mean.iter().chain(&covariance).all(|value| value.is_finite()) {
            return Err(problem("mean and covariance must be finite".to_owned()));
        }
        let variances = || covariance.iter().step_by(columns + 1);
        if let Some(column) = variances().position(|&variance| variance < 0.0) {
            return Err(problem(format!("the variance of column {column} is negative")));
        }
        let largest = variances().fold(0.0, |largest: f64, &variance| largest.max(variance));
        for i in 0..columns {
            for j in 0..i {
                let (below, above) = (covariance[i * columns + j], covariance[j * columns + i]);
                if (below - above).abs() > 1e-6 * largest {
                    return Err(problem(format!("entries ({i}, {j}) and ({j}, {i}) differ")));
                }
                let middle = 0.5 * (below + above);
                covariance[i * columns + j] = middle;
                covariance[j * columns + i] = middle;
            }
        }
        Ok(Self { samples, mean, covariance })
    }

    pub(crate) fn from_gram(gram: &Gram) -> Option<Self> {
        let (mean, covariance) = gram.mean().zip(gram.covariance())?;
        Some(Self { samples: Some(gram.rows()), mean, covariance })
    }

    /// Samples behind the moments, where that is known.
    #[must_use]
    pub fn samples(&self) -> Option<u64> {
        self.samples
    }

    /// How many columns the features have.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.mean.len()
    }

    /// The mean of each column.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The covariance with divisor `n - 1`, row by row.
    #[must_use]
    pub fn covariance(&self) -> &[f64] {
        &self.covariance
    }

    /// The sum of the variances.
    #[must_use]
    pub fn trace(&self) -> f64 {
        self.covariance.iter().step_by(self.columns() + 1).sum()
    }
}

/// The mean row, summed in f64 in index order.
pub(crate) fn mean(features: &dyn Features) -> Result<Vec<f64>, MetricError> {
    let mut sums = vec![0.0; features.columns()];
    in_blocks(features, BLOCK, |_, rows| {
        for row in rows.chunks_exact(sums.len()) {
            sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        Ok(())
    })?;
    Ok(sums.iter().map(|sum| sum / features.rows().max(1) as f64).collect())
}

pub(crate) fn too_few(found: usize) -> MetricError {
    let remedy = "a covariance of one sample is not defined";
    MetricError::TooFewSamples { metric: "a Fréchet distance", found, needed: 2, remedy }
}
