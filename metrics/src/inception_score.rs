use prismbench_core::{Better, InceptionScoreDialect, MetricDef, Unit};
use rayon::prelude::*;

use crate::features::in_blocks;
use crate::jackknife::{self, GROUPS};
use crate::numpy_random::RandomState;
use crate::{Features, Jackknife, MetricError, Selected};

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

/// Samples of a split of ADM's.
const ADM_SPLIT: usize = 5000;

/// Splits of torch-fidelity's.
const SPLITS: usize = 10;

/// The Inception Score of logits, one row of classes per sample.
///
/// # Errors
/// [`MetricError::TooFewSamples`] without a sample, or with fewer than one for each of 10 splits;
/// [`MetricError::Read`].
pub fn inception_score(
    logits: &dyn Features,
    dialect: InceptionScoreDialect,
) -> Result<InceptionScore, MetricError> {
    inception_score_jackknife(logits, dialect).map(|(whole, _)| whole)
}

/// The same and its [`jackknife`](crate::jackknife()); `None` for fewer samples than that takes.
///
/// A sample stays in its split, and a group's are left out of each. A split that keeps no sample leaves no jackknife.
///
/// # Errors
/// Those of [`inception_score`].
pub fn inception_score_jackknife(
    logits: &dyn Features,
    dialect: InceptionScoreDialect,
) -> Result<(InceptionScore, Option<Jackknife>), MetricError> {
    let rows = logits.rows();
    let splits: Vec<Vec<usize>> = match dialect {
        InceptionScoreDialect::Adm => {
            at_least(rows, 1)?;
            let starts = (0..rows).step_by(ADM_SPLIT);
            starts.map(|first| (first..rows.min(first + ADM_SPLIT)).collect()).collect()
        }
        InceptionScoreDialect::TorchFidelity => {
            at_least(rows, SPLITS)?;
            let order = RandomState::new(2020).permutation(rows);
            let of_split = |i: usize| order[i * rows / SPLITS..(i + 1) * rows / SPLITS].to_vec();
            (0..SPLITS).map(of_split).collect()
        }
    };
    let splits = splits.into_iter().map(|rows| Split::of(logits, rows));
    let splits: Vec<Split> = splits.collect::<Result<_, _>>()?;
    let scores: Vec<f64> = splits.iter().map(|split| split.whole).collect();
    let (mean, deviation) = mean_and_deviation(&scores);
    let deviation = (dialect == InceptionScoreDialect::TorchFidelity).then_some(deviation);
    let left = |group: usize| -> Option<f64> {
        let left: Option<Vec<f64>> = splits.iter().map(|split| split.without[group]).collect();
        left.map(|left| mean_and_deviation(&left).0)
    };
    let left: Option<Vec<f64>> = (0..GROUPS).map(left).collect();
    let jackknife = match left {
        Some(left) => {
            jackknife::where_enough(jackknife::of_groups(rows, mean, |group| Ok(left[group])))?
        }
        None => None,
    };
    Ok((InceptionScore { mean, deviation }, jackknife))
}

fn at_least(found: usize, needed: usize) -> Result<(), MetricError> {
    if found >= needed {
        return Ok(());
    }
    let remedy = "each split needs one";
    Err(MetricError::TooFewSamples { metric: INCEPTION_SCORE.id, found, needed, remedy })
}

/// The score of one split.
struct Split {
    whole: f64,
    /// Without each group; `None` where no sample is left.
    without: [Option<f64>; GROUPS],
}

impl Split {
    fn of(logits: &dyn Features, rows: Vec<usize>) -> Result<Self, MetricError> {
        let groups: Vec<usize> = rows.iter().map(|row| row % GROUPS).collect();
        let split = Selected::new(logits, rows);
        let classes = logits.columns();
        let mut all = Sums::new(classes);
        let mut of_groups = vec![Sums::new(classes); GROUPS];
        in_blocks(&split, 32 * BLOCK, |first, rows| {
            // Fixed blocks, added in order: the same bits for any number of threads.
            let groups = groups[first..].par_chunks(BLOCK);
            let blocks = rows.par_chunks(BLOCK * classes).zip(groups);
            let blocks = blocks.map(|(rows, groups)| of_block(rows, groups, classes));
            for (sums, some) in blocks.collect::<Vec<_>>() {
                all.add(&sums);
                of_groups.iter_mut().zip(&some).for_each(|(total, sums)| total.add(sums));
            }
            Ok(())
        })?;
        let mut without = [None; GROUPS];
        for (group, without) in without.iter_mut().enumerate() {
            let mut others = Sums::new(classes);
            let kept = of_groups.iter().enumerate().filter(|&(other, _)| other != group);
            kept.for_each(|(_, sums)| others.add(sums));
            *without = (others.count > 0).then(|| others.score());
        }
        Ok(Self { whole: all.score(), without })
    }
}

/// Sums over samples.
#[derive(Clone)]
struct Sums {
    count: usize,
    /// Of the probabilities of each class.
    marginal: Vec<f64>,
    /// Of `p log p` over classes.
    negative_entropy: f64,
}

impl Sums {
    fn new(classes: usize) -> Self {
        Self { count: 0, marginal: vec![0.0; classes], negative_entropy: 0.0 }
    }

    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.marginal.iter_mut().zip(&other.marginal).for_each(|(total, sum)| *total += sum);
        self.negative_entropy += other.negative_entropy;
    }

    /// `exp(mean sum p log p - sum q log q)`, `q` the mean of `p`.
    fn score(&self) -> f64 {
        let count = self.count as f64;
        let q = self.marginal.iter().map(|sum| sum / count).filter(|&q| q > 0.0);
        libm::exp(self.negative_entropy / count - q.map(|q| q * libm::log(q)).sum::<f64>())
    }
}

/// Sums over the samples of a block, and over those of each group.
fn of_block(rows: &[f32], groups: &[usize], classes: usize) -> (Sums, Vec<Sums>) {
    let (mut all, mut of_groups) = (Sums::new(classes), vec![Sums::new(classes); GROUPS]);
    let mut exponentials = vec![0.0; classes];
    for (row, &group) in rows.chunks_exact(classes).zip(groups) {
        let some = &mut of_groups[group];
        all.count += 1;
        some.count += 1;
        let largest = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let mut total = 0.0;
        for (exponential, &logit) in exponentials.iter_mut().zip(row) {
            *exponential = libm::exp(f64::from(logit) - largest);
            total += *exponential;
        }
        let log_total = libm::log(total);
        let sums = all.marginal.iter_mut().zip(&mut some.marginal);
        for (((sum, part), &exponential), &logit) in sums.zip(&exponentials).zip(row) {
            let p = exponential / total;
            *sum += p;
            *part += p;
            let term = p * (f64::from(logit) - largest - log_total);
            all.negative_entropy += term;
            some.negative_entropy += term;
        }
    }
    (all, of_groups)
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
