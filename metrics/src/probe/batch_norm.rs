//! MAE's linear probe: batch norm and LARS.

use rayon::prelude::*;

use super::batches::{initial_weights, shuffled};
use super::parallel::dot;
use super::softmax::{BLOCK, Block, Workspace, differentiate_all, workspaces};
use super::{Labelled, LinearClassifier};
use crate::MetricError;

/// Added to variances.
const EPSILON: f64 = 1e-6;
/// Share of a batch in the running mean and variance.
const RUNNING: f64 = 0.1;
const MOMENTUM: f64 = 0.9;
/// Trust coefficient of LARS (You, Gitman and Ginsburg, arXiv:1708.03888).
const TRUST: f64 = 0.001;
/// Learning rate for a batch of 256.
const RATE: f64 = 0.1;
/// Batch that the learning rate is for.
const RATED: f64 = 256.0;

/// How long the head is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LarsSchedule {
    /// Batches. What is left of an epoch after whole batches is left out.
    pub batches: usize,
    /// Batches of linear warm-up among them.
    pub warm_up: usize,
    /// Samples of a batch at most; smaller sets are one batch.
    pub batch: usize,
}

impl Default for LarsSchedule {
    /// MAE's on ImageNet: 90 epochs of 78 batches, 10 of them warm-up, 512 on each of 32 devices.
    fn default() -> Self {
        Self { batches: 90 * 78, warm_up: 10 * 78, batch: 16_384 }
    }
}

/// Batch norm without affine, by running statistics, and a linear layer, as one linear classifier.
///
/// Sums over a batch are f64, as are momentum and running statistics; products are f32.
///
/// # Errors
/// [`MetricError::SmallClass`] for a class without samples, [`MetricError::Overflow`] when weights
/// are not finite, [`MetricError::Read`].
pub fn fit_batch_norm(
    train: &Labelled<'_>,
    schedule: LarsSchedule,
) -> Result<LinearClassifier, MetricError> {
    train.check_classes("fit", 1)?;
    let samples = train.samples();
    let size = schedule.batch.min(samples).max(1);
    let mut norm = BatchNorm::new(train.features().columns());
    let mut head = Head::new(train.classes(), train.features().columns());
    let (mut order, mut epoch) = (vec![], 0);
    let mut last: Option<Batch> = None;
    for number in 0..schedule.batches {
        // A batch of all samples is always the same.
        let batch = match last.take() {
            Some(all) if size == samples => all,
            _ => {
                if order.len() < size {
                    order = shuffled(samples, epoch);
                    epoch += 1;
                }
                Batch::new(train, &order.drain(..size).collect::<Vec<_>>())?
            }
        };
        norm.follow(&batch);
        head.step(&batch, rate(number, schedule) * size as f64 / RATED)?;
        last = Some(batch);
    }
    let classifier = head.behind(&norm);
    if classifier.weights.iter().all(|value| value.is_finite()) {
        return Ok(classifier);
    }
    Err(MetricError::Overflow { recipe: "probe/mae" })
}

/// The learning rate for a batch of 256 at a batch.
fn rate(number: usize, schedule: LarsSchedule) -> f64 {
    if number < schedule.warm_up {
        return RATE * number as f64 / schedule.warm_up as f64;
    }
    let progress =
        (number - schedule.warm_up) as f64 / (schedule.batches - schedule.warm_up) as f64;
    RATE * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * progress))
}

/// Samples normalised by their own mean and variance.
struct Batch {
    size: usize,
    mean: Vec<f64>,
    variance: Vec<f64>,
    blocks: Vec<Block>,
}

impl Batch {
    fn new(train: &Labelled<'_>, rows: &[usize]) -> Result<Self, MetricError> {
        let (columns, size) = (train.features().columns(), rows.len());
        let mut values = vec![0.0; size * columns];
        train.features().gather(rows, &mut values).map_err(MetricError::read)?;
        let (mut mean, mut variance) = (vec![0.0; columns], vec![0.0; columns]);
        for row in values.chunks_exact(columns) {
            mean.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        mean.iter_mut().for_each(|sum| *sum /= size as f64);
        for row in values.chunks_exact(columns) {
            for ((sum, &value), mean) in variance.iter_mut().zip(row).zip(&mean) {
                *sum += (f64::from(value) - mean) * (f64::from(value) - mean);
            }
        }
        variance.iter_mut().for_each(|sum| *sum /= size as f64);
        let inverse: Vec<f64> = variance.iter().map(|v| 1.0 / (v + EPSILON).sqrt()).collect();
        values.par_chunks_exact_mut(columns).for_each(|row| {
            for ((value, mean), inverse) in row.iter_mut().zip(&mean).zip(&inverse) {
                *value = ((f64::from(*value) - mean) * inverse) as f32;
            }
        });
        let labels: Vec<u32> = rows.iter().map(|&row| train.labels()[row]).collect();
        let pieces = values.par_chunks(BLOCK * columns).zip(labels.par_chunks(BLOCK));
        let blocks = pieces.map(|(rows, labels)| Block::new(rows, columns, labels)).collect();
        Ok(Self { size, mean, variance, blocks })
    }
}

/// Running statistics of the features.
struct BatchNorm {
    mean: Vec<f64>,
    variance: Vec<f64>,
}

impl BatchNorm {
    fn new(columns: usize) -> Self {
        Self { mean: vec![0.0; columns], variance: vec![1.0; columns] }
    }

    fn follow(&mut self, batch: &Batch) {
        // The running variance is unbiased, that of the batch is not.
        let count = batch.size as f64;
        let unbiased = count / (count - 1.0).max(1.0);
        for (running, mean) in self.mean.iter_mut().zip(&batch.mean) {
            *running += RUNNING * (mean - *running);
        }
        for (running, variance) in self.variance.iter_mut().zip(&batch.variance) {
            *running += RUNNING * (variance * unbiased - *running);
        }
    }
}

/// A linear layer under way.
struct Head {
    weights: Vec<f64>,
    intercepts: Vec<f64>,
    /// Running sums of the steps, of weights and intercepts.
    momentum: [Vec<f64>; 2],
    room: Vec<Workspace>,
}

impl Head {
    fn new(classes: usize, columns: usize) -> Self {
        let weights = initial_weights(classes * columns, 0).into_iter().map(f64::from).collect();
        let momentum = [vec![0.0; classes * columns], vec![0.0; classes]];
        Self { weights, intercepts: vec![0.0; classes], momentum, room: workspaces() }
    }

    /// One step against the mean gradient of a batch; that of the weights is given a length that
    /// their own decides.
    fn step(&mut self, batch: &Batch, rate: f64) -> Result<(), MetricError> {
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
        let (weights, intercepts) = (narrow(&self.weights), narrow(&self.intercepts));
        let blocks = (0..batch.blocks.len(), |number: usize| Ok(&batch.blocks[number]));
        let sums = differentiate_all(blocks, &weights, &intercepts, &mut self.room)?;
        let mut by_weights = sums.gradient;
        by_weights.iter_mut().for_each(|sum| *sum /= batch.size as f64);
        let by_intercepts = by_weights.split_off(weights.len());
        let (length, change) = (length(&self.weights), length(&by_weights));
        let trust = if length > 0.0 && change > 0.0 { TRUST * length / change } else { 1.0 };
        by_weights.iter_mut().for_each(|value| *value *= trust);
        descend(&mut self.weights, &mut self.momentum[0], &by_weights, rate);
        descend(&mut self.intercepts, &mut self.momentum[1], &by_intercepts, rate);
        Ok(())
    }

    /// The layer on features that running statistics normalise.
    fn behind(self, norm: &BatchNorm) -> LinearClassifier {
        let Self { mut weights, mut intercepts, .. } = self;
        let rows = weights.chunks_exact_mut(norm.mean.len()).zip(&mut intercepts);
        for (row, intercept) in rows {
            for ((weight, mean), variance) in row.iter_mut().zip(&norm.mean).zip(&norm.variance) {
                *weight /= (variance + EPSILON).sqrt();
                *intercept -= *weight * mean;
            }
        }
        LinearClassifier { weights, intercepts }
    }
}

fn length(values: &[f64]) -> f64 {
    dot(values, values).sqrt()
}

fn descend(values: &mut [f64], momentum: &mut [f64], change: &[f64], rate: f64) {
    for ((value, running), change) in values.iter_mut().zip(momentum).zip(change) {
        *running = MOMENTUM * *running + change;
        *value -= rate * *running;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureMatrix;

    #[test]
    fn the_rate_warms_up_and_falls_by_half_a_cosine() {
        let schedule = LarsSchedule::default();
        for (number, expected) in [(0, 0.0), (195, 0.025), (780, 0.1), (3900, 0.05), (7020, 0.0)] {
            assert!((rate(number, schedule) - expected).abs() < 1e-15, "{number}");
        }
    }

    #[test]
    fn running_statistics_follow_the_batches() {
        let features = FeatureMatrix::new(1, vec![1.0, 3.0, 5.0, 7.0]).unwrap();
        let train = Labelled::new(&features, &[0, 1, 0, 1], 2).unwrap();
        let batch = Batch::new(&train, &[0, 1, 2, 3]).unwrap();
        let mut norm = BatchNorm::new(1);
        norm.follow(&batch);
        // Mean 4, biased variance 5, unbiased 20 / 3.
        assert!((batch.variance[0] - 5.0).abs() < 1e-15);
        assert!((norm.mean[0] - 0.4).abs() < 1e-15);
        assert!((norm.variance[0] - (0.9 + 0.1 * 20.0 / 3.0)).abs() < 1e-15);
    }
}
