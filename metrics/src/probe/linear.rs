use prismbench_kernels::dots::Vectors;

use super::principal::{Principal, products};
use super::{Labelled, Predictions};
use crate::MetricError;
use crate::features::in_blocks;

/// Rows that are scored at a time.
const BLOCK: usize = 1008;

/// One weight vector and one intercept for each class; the highest score wins.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearClassifier {
    /// `classes x columns`, row by row.
    pub weights: Vec<f64>,
    /// One for each class.
    pub intercepts: Vec<f64>,
}

impl LinearClassifier {
    /// From weights and intercepts of the coordinates along principal axes.
    pub(super) fn turned_back(principal: &Principal, weights: &[f64], intercepts: &[f64]) -> Self {
        let mean = principal.mean();
        let weights = principal.turn_back(weights);
        let moved = |(row, intercept): (&[f64], &f64)| {
            intercept - row.iter().zip(mean).map(|(weight, mean)| weight * mean).sum::<f64>()
        };
        let intercepts = weights.chunks_exact(mean.len()).zip(intercepts).map(moved).collect();
        Self { weights, intercepts }
    }

    /// The predictions for a set, by scores in f64.
    ///
    /// # Errors
    /// [`MetricError::Columns`] for features of another space, [`MetricError::Read`].
    pub fn predict(&self, set: &Labelled<'_>) -> Result<Predictions, MetricError> {
        let (features, classes) = (set.features(), self.intercepts.len());
        let columns = self.weights.len() / classes.max(1);
        if columns != features.columns() {
            let second = features.columns();
            return Err(MetricError::Columns { first: columns, second });
        }
        let packed = Vectors::of_rows(&self.weights, columns);
        let mut predictions = Predictions::with_capacity(set.samples());
        in_blocks(features, BLOCK, |first, rows| {
            let scores = products(&Vectors::of_rows(rows, columns), &packed);
            for (row, &label) in scores.chunks_exact(classes).zip(&set.labels()[first..]) {
                let scores = row.iter().zip(&self.intercepts).map(|(a, b)| Some(a + b));
                predictions.push(scores, label);
            }
            Ok(())
        })?;
        Ok(predictions)
    }
}
