//! Multinomial logistic regression.
//!
//! The objective is scikit-learn's, divided by C n: the mean cross-entropy plus `|W|^2 / (2 C n)`,
//! intercepts free. It has one minimum, and L-BFGS goes there on the features turned to their
//! principal axes, where the second derivatives are nearly a diagonal that is known: the variance
//! along an axis times the mean `p (1 - p)` of a class. Products are f32 (a chain of fused products
//! and sums in a block of samples), whose rounding averages out over samples; sums of blocks,
//! steps and line searches are f64.

use rayon::prelude::*;

use super::lbfgs::{self, Evaluation, Minimum, Stop};
use super::parallel::{add, add_all, dot};
use super::principal::Principal;
use super::softmax::{BLOCK, Block, BlockSums, Workspace};
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
    let problem = Problem::new(train, &[&all])?;
    let minimum = problem.fit(Part::All, c, stop, &problem.start())?;
    Ok(problem.classifier(c, &minimum))
}

/// A training set made ready to be fitted, at any penalty and in part.
pub(super) struct Problem {
    principal: Principal,
    classes: usize,
    blocks: Vec<Block>,
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
    /// The samples in the order of the parts, each of which starts a block.
    pub(super) fn new(train: &Labelled<'_>, parts: &[&[usize]]) -> Result<Self, MetricError> {
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
            Ok(Block::new(&turned, columns, &labels))
        };
        let blocks = pieces.par_iter().map(block).collect::<Result<_, MetricError>>()?;
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
        let samples = blocks.iter().map(|block| block.labels().len()).sum::<usize>() as f64;
        let vectors = if self.classes == 2 { 2.0 } else { 1.0 };
        let penalty = vectors / (c * samples);
        let room = vec![Workspace::default(); 2 * rayon::current_num_threads()];
        let mut loss = Loss { problem: self, blocks, samples, penalty, room };
        let minimum = lbfgs::minimise(&mut loss, start, stop, ITERATIONS)?;
        if minimum.loss.is_finite() && minimum.gap.is_finite() {
            return Ok(minimum);
        }
        Err(MetricError::Overflow { recipe: "probe/logistic" })
    }

    /// The mean cross-entropy of the samples that were not fitted, and how many are right.
    pub(super) fn judge(&self, minimum: &Minimum) -> (f64, usize) {
        let (weights, intercepts) = self.split(&minimum.at);
        let blocks = self.part(Part::Rest);
        let judge = |block: &Block| block.judge(&weights, &intercepts, &mut Workspace::default());
        let found: Vec<(f64, usize)> = blocks.par_iter().map(judge).collect();
        let samples = blocks.iter().map(|block| block.labels().len()).sum::<usize>().max(1);
        let loss: f64 = found.iter().map(|found| found.0).sum();
        (loss / samples as f64, found.iter().map(|found| found.1).sum())
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

    fn part(&self, part: Part) -> &[Block] {
        match part {
            Part::All => &self.blocks,
            Part::First => &self.blocks[..self.first],
            Part::Rest => &self.blocks[self.first..],
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
    blocks: &'a [Block],
    samples: f64,
    penalty: f64,
    room: Vec<Workspace>,
}

impl lbfgs::Objective for Loss<'_> {
    fn evaluate(&mut self, at: &[f64]) -> Result<Evaluation, MetricError> {
        let (weights, intercepts) = self.problem.split(at);
        let (count, classes) = (weights.len(), intercepts.len());
        let (mut loss, mut gradient) = (0.0, vec![0.0; at.len()]);
        let mut curvatures = vec![0.0; classes];
        for blocks in self.blocks.chunks(self.room.len()) {
            let work = blocks.par_iter().zip(&mut self.room);
            let sums: Vec<BlockSums> = work
                .map(|(block, room)| block.differentiate(&weights, &intercepts, room))
                .collect();
            let products: Vec<&[f32]> =
                self.room[..blocks.len()].iter().map(|room| &room.weights[..]).collect();
            add_all(&mut gradient[..count], &products);
            for block in sums {
                loss += block.loss;
                add(&mut gradient[count..], 1.0, &block.intercepts);
                add(&mut curvatures, 1.0, &block.curvatures);
            }
        }
        let weights = &at[..count];
        gradient.iter_mut().chain(&mut curvatures).for_each(|sum| *sum /= self.samples);
        add(&mut gradient[..count], self.penalty, weights);
        loss = loss / self.samples + 0.5 * self.penalty * dot(weights, weights);
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
