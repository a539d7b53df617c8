use std::borrow::Borrow;
use std::ops::Range;

use prismbench_kernels::cross_entropy::{differentiate, sum_classes};
use prismbench_kernels::matrix::{Packed, multiply};
use rayon::prelude::*;

use super::parallel::{add, add_all};
use crate::MetricError;

/// Samples of one block: its logits and their derivatives for 1,000 classes are 4 MB.
pub(super) const BLOCK: usize = 1008;

/// Samples prepared for both products of a linear classifier's loss: of the weights with the samples,
/// and of the derivatives with the features.
pub(super) struct Block {
    samples: Packed,
    features: Packed,
    labels: Vec<u32>,
}

/// What a block needs memory for, to be used again.
#[derive(Clone, Default)]
pub(super) struct Workspace {
    logits: Vec<f32>,
    /// The sums over the samples of derivative times feature, `classes x columns`.
    pub(super) weights: Vec<f32>,
}

/// Sums over the samples of a block.
pub(super) struct BlockSums {
    /// Cross-entropy.
    pub(super) loss: f64,
    /// Its derivatives by the intercepts.
    pub(super) intercepts: Vec<f64>,
    /// Its second derivatives by the intercepts.
    pub(super) curvatures: Vec<f64>,
}

impl Block {
    /// Rows of `columns` features, and their classes.
    pub(super) fn new(rows: &[f32], columns: usize, labels: &[u32]) -> Self {
        let (samples, features) = (Packed::new(rows, columns), Packed::of_columns(rows, columns));
        Self { samples, features, labels: labels.to_vec() }
    }

    pub(super) fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The scores less the intercepts, class after class, a column for each sample.
    fn logits<'a>(&self, weights: &[f32], room: &'a mut Vec<f32>) -> &'a mut [f32] {
        let classes = weights.len() / self.samples.columns();
        room.resize(classes * self.labels.len(), 0.0);
        multiply(weights, &self.samples, room);
        room
    }

    /// The sums of the loss and its derivatives; those by the weights are left in `workspace`.
    pub(super) fn differentiate(
        &self,
        weights: &[f32],
        intercepts: &[f32],
        workspace: &mut Workspace,
    ) -> BlockSums {
        let logits = self.logits(weights, &mut workspace.logits);
        let loss = differentiate(logits, intercepts, &self.labels);
        let sums = sum_classes(logits, self.labels.len());
        workspace.weights.resize(weights.len(), 0.0);
        multiply(logits, &self.features, &mut workspace.weights);
        BlockSums { loss, intercepts: sums.derivatives, curvatures: sums.curvatures }
    }

    /// The sum of the cross-entropies, and how many samples have their own class first, of equal
    /// scores the first.
    pub(super) fn judge(
        &self,
        weights: &[f32],
        intercepts: &[f32],
        workspace: &mut Workspace,
    ) -> (f64, usize) {
        let logits = self.logits(weights, &mut workspace.logits);
        let samples = self.labels.len();
        let mut best = vec![(0, f32::NEG_INFINITY); samples];
        for (class, (row, intercept)) in (0..).zip(logits.chunks_exact(samples).zip(intercepts)) {
            for (best, &logit) in best.iter_mut().zip(row) {
                if logit + intercept > best.1 {
                    *best = (class, logit + intercept);
                }
            }
        }
        let right = best.iter().zip(&self.labels).filter(|(best, label)| best.0 == **label).count();
        (differentiate(logits, intercepts, &self.labels), right)
    }
}

/// Sums over the samples of many blocks, in f64.
pub(super) struct Sums {
    /// Cross-entropy.
    pub(super) loss: f64,
    /// Its derivatives by the weights, then by the intercepts.
    pub(super) gradient: Vec<f64>,
    /// Its second derivatives by the intercepts.
    pub(super) curvatures: Vec<f64>,
}

/// As many workspaces as keep all threads busy.
pub(super) fn workspaces() -> Vec<Workspace> {
    vec![Workspace::default(); 2 * rayon::current_num_threads()]
}

/// Differentiates the loss of blocks side by side and adds them in their order; `get` gives the block of a
/// number.
pub(super) fn differentiate_all<B: Borrow<Block>>(
    (blocks, get): (Range<usize>, impl Fn(usize) -> Result<B, MetricError> + Sync),
    weights: &[f32],
    intercepts: &[f32],
    room: &mut [Workspace],
) -> Result<Sums, MetricError> {
    let mut loss = 0.0;
    let mut gradient = vec![0.0; weights.len() + intercepts.len()];
    let mut curvatures = vec![0.0; intercepts.len()];
    let (by_weights, by_intercepts) = gradient.split_at_mut(weights.len());
    for first in blocks.clone().step_by(room.len()) {
        let some = first..blocks.end.min(first + room.len());
        let count = some.len();
        let differentiate = |(number, room): (usize, &mut Workspace)| {
            Ok(get(number)?.borrow().differentiate(weights, intercepts, room))
        };
        let work = some.into_par_iter().zip(&mut *room);
        let sums: Vec<BlockSums> = work.map(differentiate).collect::<Result<_, MetricError>>()?;
        let products: Vec<&[f32]> = room[..count].iter().map(|room| &room.weights[..]).collect();
        add_all(by_weights, &products);
        for block in sums {
            loss += block.loss;
            add(by_intercepts, 1.0, &block.intercepts);
            add(&mut curvatures, 1.0, &block.curvatures);
        }
    }
    Ok(Sums { loss, gradient, curvatures })
}
