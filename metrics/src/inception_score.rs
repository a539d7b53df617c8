use prismbench_core::{Better, InceptionScoreDialect, MetricDef, Unit};
use rayon::prelude::*;

use crate::features::in_blocks;
use crate::numpy_random::RandomState;
use crate::{Features, MetricError, Selected};

/// Inception Score.
pub const INCEPTION_SCORE: MetricDef = MetricDef {
    id: "is",
    title: "IS",
    unit: Unit::One,
    better: Better::Higher,
    version: 1,
    definition: "exp of the mean over samples of KL(p(y|x) || p(y)), p the softmax over 1008 \
        logits without bias and p(y) its mean over the split, mean over splits; in f64. \
        Salimans et al., NeurIPS 2016",
};

/// An Inception Score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InceptionScore {
    /// Mean over the splits.
    pub mean: f64,
    /// Standard deviation over the splits, with their number as divisor; `None` where the dialect
    /// has none.
    pub deviation: Option<f64>,
}

/// Samples whose probabilities are summed before they are added to those of the split.
const BLOCK: usize = 64;

/// The Inception Score of logits, one row of classes per sample.
///
/// # Errors
/// [`MetricError::TooFewSamples`] without a sample, or with fewer than one for each of 10 splits;
/// [`MetricError::Read`].
pub fn inception_score(
    logits: &dyn Features,
    dialect: InceptionScoreDialect,
) -> Result<InceptionScore, MetricError> {
    match dialect {
        InceptionScoreDialect::Adm => blocks_of(logits, 5000),
        InceptionScoreDialect::TorchFidelity => {
            let order = RandomState::new(2020).permutation(logits.rows());
            let shuffled = Selected::new(logits, order);
            let (mean, deviation) = mean_and_deviation(&splits(&shuffled, 10)?);
            Ok(InceptionScore { mean, deviation: Some(deviation) })
        }
    }
}

fn blocks_of(logits: &dyn Features, size: usize) -> Result<InceptionScore, MetricError> {
    at_least(logits.rows(), 1)?;
    let starts = (0..logits.rows()).step_by(size);
    let scores: Vec<f64> = starts
        .map(|first| of_split(logits, first, logits.rows().min(first + size)))
        .collect::<Result<_, _>>()?;
    Ok(InceptionScore { mean: mean_and_deviation(&scores).0, deviation: None })
}

fn splits(logits: &dyn Features, count: usize) -> Result<Vec<f64>, MetricError> {
    let rows = logits.rows();
    at_least(rows, count)?;
    (0..count).map(|i| of_split(logits, i * rows / count, (i + 1) * rows / count)).collect()
}

fn at_least(found: usize, needed: usize) -> Result<(), MetricError> {
    if found >= needed {
        return Ok(());
    }
    let remedy = "each split needs one";
    Err(MetricError::TooFewSamples { metric: INCEPTION_SCORE.id, found, needed, remedy })
}

/// The score of samples `first..end`, as `exp(mean sum p log p - sum q log q)`, `q` the mean of `p`.
fn of_split(logits: &dyn Features, first: usize, end: usize) -> Result<f64, MetricError> {
    let split = Selected::new(logits, (first..end).collect());
    let (classes, count) = (logits.columns(), (end - first) as f64);
    let (mut marginal, mut negative_entropy) = (vec![0.0; classes], 0.0);
    in_blocks(&split, 32 * BLOCK, |_, rows| {
        // Fixed blocks, added in order: the same bits for any number of threads.
        let blocks = rows.par_chunks(BLOCK * classes).map(|rows| of_block(rows, classes));
        for (sums, entropy) in blocks.collect::<Vec<_>>() {
            marginal.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
            negative_entropy += entropy;
        }
        Ok(())
    })?;
    let q = marginal.iter().map(|sum| sum / count).filter(|&q| q > 0.0);
    Ok(libm::exp(negative_entropy / count - q.map(|q| q * libm::log(q)).sum::<f64>()))
}

/// Sums over samples of the probabilities and of `p log p` over classes.
fn of_block(rows: &[f32], classes: usize) -> (Vec<f64>, f64) {
    let (mut sums, mut negative_entropy) = (vec![0.0; classes], 0.0);
    let mut exponentials = vec![0.0; classes];
    for row in rows.chunks_exact(classes) {
        let largest = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let mut total = 0.0;
        for (exponential, &logit) in exponentials.iter_mut().zip(row) {
            *exponential = libm::exp(f64::from(logit) - largest);
            total += *exponential;
        }
        let log_total = libm::log(total);
        for ((sum, &exponential), &logit) in sums.iter_mut().zip(&exponentials).zip(row) {
            let p = exponential / total;
            *sum += p;
            negative_entropy += p * (f64::from(logit) - largest - log_total);
        }
    }
    (sums, negative_entropy)
}

/// Mean and standard deviation with the number of values as divisor.
pub(crate) fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (mean, (squares / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureMatrix;

    fn certain(rows: usize, classes: usize) -> FeatureMatrix {
        let values = (0..rows * classes)
            .map(|at| if at % classes == at / classes % classes { 2000.0 } else { 0.0 })
            .collect();
        FeatureMatrix::new(classes, values).unwrap()
    }

    #[test]
    fn certain_and_balanced_predictions_score_the_number_of_classes() {
        // Logits far beyond where exp underflows: probabilities of exactly 0 and 1.
        for dialect in [InceptionScoreDialect::Adm, InceptionScoreDialect::TorchFidelity] {
            let score = inception_score(&certain(10_000, 1), dialect).unwrap();
            assert!((score.mean - 1.0).abs() < 1e-12);
        }
        let score = inception_score(&certain(10_000, 8), InceptionScoreDialect::Adm).unwrap();
        assert!((score.mean - 8.0).abs() < 1e-9, "{score:?}");
    }

    #[test]
    fn a_constant_added_to_a_samples_logits_changes_nothing() {
        let logits: Vec<f32> = (0..400).map(|i| ((i * 37) % 64) as f32 * 0.125).collect();
        let moved =
            logits.iter().enumerate().map(|(i, l)| l + (i / 20 % 3) as f32 * 64.0).collect();
        let score = |values| {
            let logits = FeatureMatrix::new(20, values).unwrap();
            inception_score(&logits, InceptionScoreDialect::TorchFidelity).unwrap().mean
        };
        assert!((score(logits) - score(moved)).abs() < 1e-12);
    }

    #[test]
    fn too_few_samples_for_the_splits_are_refused() {
        let error =
            inception_score(&certain(9, 4), InceptionScoreDialect::TorchFidelity).unwrap_err();
        assert!(error.to_string().contains("9 samples: at least 10"), "{error}");
        assert!(inception_score(&certain(0, 4), InceptionScoreDialect::Adm).is_err());
    }
}
