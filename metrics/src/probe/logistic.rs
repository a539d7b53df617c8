//! Multinomial logistic regression.
//!
//! The objective is scikit-learn's, divided by C n: the mean cross-entropy plus `|W|^2 / (2 C n)`,
//! intercepts free. It has one minimum, and L-BFGS goes there on the features turned to their
//! principal axes, where the second derivatives are nearly a diagonal that is known: the variance
//! along an axis times the mean `p (1 - p)` of a class. Products are f32 (a chain of fused products
//! and sums in a block of samples), whose rounding averages out over samples; sums of blocks,
//! steps and line searches are f64.

use std::borrow::Borrow as _;
use std::ops::Range;

use rayon::prelude::*;

use super::blocks::{Blocks, IN_MEMORY};
use super::lbfgs::{self, Evaluation, Minimum, Stop};
use super::parallel::{add, dot};
use super::principal::Principal;
use super::softmax::{BLOCK, Block, Sums, Workspace, differentiate_all, workspaces};
use super::{Labelled, LinearClassifier};
use crate::MetricError;

/// Columns up to which features are turned: eigenvectors cost the cube of them.
const TURNED: usize = 2048;
/// Directions at most, as in DINOv2's evaluation and CLIP's.
const ITERATIONS: usize = 1000;
/// Curvature below which a class's intercept is taken to be this stiff.
const STIFF: f64 = 1e-8;

/// A fitted classifier.
#[derive(Clone, Debug)]
pub struct LogisticFit {
    /// Of the features as they are.
    pub classifier: LinearClassifier,
    /// The inverse strength of the penalty, scikit-learn's `C`.
    pub c: f64,
    /// The mean cross-entropy of the training samples plus the penalty.
    pub loss: f64,
    /// How far the loss is above its minimum, as [`Stop::Gap`] estimates.
    pub gap: f64,
    /// How often loss and gradient were computed.
    pub evaluations: usize,
}

/// Fits a classifier at a given inverse penalty.
///
/// Two classes have one weight vector between them, and its penalty, as in scikit-learn: the
/// multinomial problem with twice the penalty.
///
/// # Errors
/// [`MetricError::SmallClass`] for a class without samples, [`MetricError::Overflow`] for features
/// too large for f32 sums, [`MetricError::NoConvergence`], [`MetricError::Read`].
pub fn fit_logistic(train: &Labelled<'_>, c: f64, stop: Stop) -> Result<LogisticFit, MetricError> {
    train.check_classes("fit", 1)?;
    let all: Vec<usize> = (0..train.samples()).collect();
    let problem = Problem::new(train, &[&all], IN_MEMORY)?;
    let minimum = problem.fit(Part::All, c, stop, &problem.start())?;
    Ok(problem.classifier(c, &minimum))
}

/// A training set made ready to be fitted, at any penalty and in part.
pub(super) struct Problem {
    principal: Principal,
    classes: usize,
    blocks: Blocks,
    /// Blocks of the first part.
    first: usize,
}

/// Samples to fit or to judge.
#[derive(Clone, Copy)]
pub(super) enum Part {
    All,
    First,
    Rest,
}

impl Problem {
    /// The samples in the order of the parts, each of which starts a block. Blocks of `in_memory` bytes stay
    /// in memory, the others on disk; where they lie moves no bit.
    pub(super) fn new(
        train: &Labelled<'_>,
        parts: &[&[usize]],
        in_memory: usize,
    ) -> Result<Self, MetricError> {
        let features = train.features();
        let columns = features.columns();
        let principal = match columns {
            0..=TURNED => Principal::axes(features)?,
            _ => Principal::columns_of(features)?,
        };
        let pieces: Vec<&[usize]> = parts.iter().flat_map(|part| part.chunks(BLOCK)).collect();
        let block = |rows: &&[usize]| {
            let mut values = vec![0.0; rows.len() * columns];
            features.gather(rows, &mut values).map_err(MetricError::read)?;
            let turned: Vec<f32> =
                principal.turn(&values).into_iter().map(|value| value as f32).collect();
            let labels: Vec<u32> = rows.iter().map(|&row| train.labels()[row]).collect();
            Ok((turned, labels))
        };
        let mut blocks = Blocks::new(columns, in_memory);
        for pieces in pieces.chunks(rayon::current_num_threads()) {
            let turned: Vec<_> =
                pieces.par_iter().map(block).collect::<Result<_, MetricError>>()?;
            turned.into_iter().try_for_each(|(rows, labels)| blocks.push(&rows, labels))?;
        }
        let first = parts.first().map_or(0, |part| part.len().div_ceil(BLOCK));
        Ok(Self { principal, classes: train.classes(), blocks, first })
    }

    /// Where a first fit starts: every class equally probable.
    pub(super) fn start(&self) -> Vec<f64> {
        vec![0.0; self.classes * (self.columns() + 1)]
    }

    /// The minimum at an inverse penalty, from somewhere near it.
    pub(super) fn fit(
        &self,
        part: Part,
        c: f64,
        stop: Stop,
        start: &[f64],
    ) -> Result<Minimum, MetricError> {
        let blocks = self.part(part);
        let samples = self.blocks.samples(blocks.clone()) as f64;
        let vectors = if self.classes == 2 { 2.0 } else { 1.0 };
        let penalty = vectors / (c * samples);
        let mut loss = Loss { problem: self, blocks, samples, penalty, room: workspaces() };
        let minimum = lbfgs::minimise(&mut loss, start, stop, ITERATIONS)?;
        if minimum.loss.is_finite() && minimum.gap.is_finite() {
            return Ok(minimum);
        }
        Err(MetricError::Overflow { recipe: "probe/logistic" })
    }

    /// The mean cross-entropy of the samples that were not fitted, and how many are right.
    pub(super) fn judge(&self, minimum: &Minimum) -> Result<(f64, usize), MetricError> {
        let (weights, intercepts) = self.split(&minimum.at);
        let blocks = self.part(Part::Rest);
        let samples = self.blocks.samples(blocks.clone()).max(1);
        let judge = |number| {
            let held = self.blocks.get(number)?;
            let block: &Block = held.borrow();
            Ok(block.judge(&weights, &intercepts, &mut Workspace::default()))
        };
        let found: Vec<(f64, usize)> =
            blocks.into_par_iter().map(judge).collect::<Result<_, MetricError>>()?;
        let loss: f64 = found.iter().map(|found| found.0).sum();
        Ok((loss / samples as f64, found.iter().map(|found| found.1).sum()))
    }

    /// The classifier of the features as they are.
    pub(super) fn classifier(&self, c: f64, minimum: &Minimum) -> LogisticFit {
        let (weights, intercepts) = minimum.at.split_at(self.classes * self.columns());
        let classifier = LinearClassifier::turned_back(&self.principal, weights, intercepts);
        let &Minimum { loss, gap, evaluations, .. } = minimum;
        LogisticFit { classifier, c, loss, gap, evaluations }
    }

    fn columns(&self) -> usize {
        self.principal.mean().len()
    }

    /// The numbers of its blocks.
    fn part(&self, part: Part) -> Range<usize> {
        match part {
            Part::All => 0..self.blocks.len(),
            Part::First => 0..self.first,
            Part::Rest => self.first..self.blocks.len(),
        }
    }

    /// Weights and intercepts in f32, which the points of the iteration are exact in.
    fn split(&self, at: &[f64]) -> (Vec<f32>, Vec<f32>) {
        let mut weights: Vec<f32> = at.iter().map(|&value| value as f32).collect();
        let intercepts = weights.split_off(self.classes * self.columns());
        (weights, intercepts)
    }
}

/// The penalised loss of some blocks. Variables are the weights along the principal axes, class
/// after class, then the intercepts.
struct Loss<'a> {
    problem: &'a Problem,
    blocks: Range<usize>,
    samples: f64,
    penalty: f64,
    room: Vec<Workspace>,
}

impl lbfgs::Objective for Loss<'_> {
    fn evaluate(&mut self, at: &[f64]) -> Result<Evaluation, MetricError> {
        let (weights, intercepts) = self.problem.split(at);
        let count = weights.len();
        let blocks = (self.blocks.clone(), |number| self.problem.blocks.get(number));
        let Sums { loss, mut gradient, mut curvatures } =
            differentiate_all(blocks, &weights, &intercepts, &mut self.room)?;
        let weights = &at[..count];
        gradient.iter_mut().chain(&mut curvatures).for_each(|sum| *sum /= self.samples);
        add(&mut gradient[..count], self.penalty, weights);
        let loss = loss / self.samples + 0.5 * self.penalty * dot(weights, weights);
        Ok(Evaluation { loss, gradient, curvatures })
    }

    fn precondition(&self, here: &Evaluation, vector: &mut [f64]) {
        let variances = self.problem.principal.variances();
        let (weights, intercepts) = vector.split_at_mut(variances.len() * self.problem.classes);
        let rows = weights.par_chunks_mut(variances.len()).zip(&here.curvatures);
        rows.for_each(|(row, curvature)| {
            for (value, variance) in row.iter_mut().zip(variances) {
                *value /= curvature * variance + self.penalty;
            }
        });
        for (value, curvature) in intercepts.iter_mut().zip(&here.curvatures) {
            *value /= curvature.max(STIFF);
        }
    }

    /// By the weights of the features as they are.
    fn largest_derivative(&self, here: &Evaluation) -> f64 {
        let mean = self.problem.principal.mean();
        let (weights, intercepts) = here.gradient.split_at(mean.len() * self.problem.classes);
        let largest = |values: &mut dyn Iterator<Item = f64>| {
            values.fold(0.0, |largest: f64, value| largest.max(value.abs()))
        };
        let turned = self.problem.principal.turn_back(weights);
        let rows = turned.chunks_exact(mean.len()).zip(intercepts);
        let of_weights = rows
            .map(|(row, by_intercept)| {
                largest(&mut row.iter().zip(mean).map(|(value, mean)| value + mean * by_intercept))
            })
            .fold(0.0, f64::max);
        of_weights.max(largest(&mut intercepts.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use prismbench_core::Stream;

    use super::*;
    use crate::FeatureMatrix;

    #[test]
    fn where_the_blocks_lie_moves_no_bit_of_a_fit_nor_of_a_judgement() {
        // Two blocks and a bit in the first part, one and a bit in the rest.
        let (samples, columns) = (3 * BLOCK + 500, 6);
        let mut stream = Stream::new("test", 7, 0);
        let labels: Vec<u32> = (0..samples).map(|sample| (sample % 3) as u32).collect();
        let value = |at: usize| (stream.normal() + f64::from(labels[at / columns])) as f32;
        let values: Vec<f32> = (0..samples * columns).map(value).collect();
        let features = FeatureMatrix::new(columns, values).unwrap();
        let train = Labelled::new(&features, &labels, 3).unwrap();
        let split = 2 * BLOCK + 200;
        let (first, rest): (Vec<usize>, Vec<usize>) =
            ((0..split).collect(), (split..samples).collect());
        let found = |in_memory| {
            let problem = Problem::new(&train, &[&first, &rest], in_memory).unwrap();
            let fit = |part| problem.fit(part, 0.5, Stop::Gap(1e-9), &problem.start()).unwrap();
            let (part, all) = (fit(Part::First), fit(Part::All));
            let (loss, right) = problem.judge(&part).unwrap();
            let bits =
                |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            let kept = (0..problem.blocks.len()).filter(|&number| {
                matches!(problem.blocks.get(number), Ok(crate::probe::blocks::Held::Kept(_)))
            });
            (kept.count(), (bits(&part.at), bits(&all.at), loss.to_bits(), right))
        };
        let (all, expected) = found(IN_MEMORY);
        assert_eq!(all, 5);
        for (in_memory, expected_kept) in [(0, 0), (2 * BLOCK * columns * 8, 2)] {
            let (kept, bits) = found(in_memory);
            assert_eq!(kept, expected_kept, "features are larger than the budget");
            assert!(bits == expected, "{in_memory}");
        }
    }
}
