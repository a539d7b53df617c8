//! MAE's linear probe: batch norm and LARS.

use super::batches::{initial_weights, shuffled};
use super::parallel::add_all;
use super::softmax::{BLOCK, Block, Workspace};
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
    /// Passes over the training set; what is left after whole batches is left out of a pass.
    pub epochs: usize,
    /// Passes of linear warm-up among them.
    pub warm_up: usize,
    /// Samples of a batch at most; smaller sets are one batch.
    pub batch: usize,
}

impl Default for LarsSchedule {
    /// MAE's: 90 epochs, 10 of warm-up, 512 on each of 32 devices.
    fn default() -> Self {
        Self { epochs: 90, warm_up: 10, batch: 16_384 }
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
    let batch = schedule.batch.min(samples).max(1);
    let steps = samples / batch;
    let mut norm = BatchNorm::new(train.features().columns());
    let mut head = Head::new(train.classes(), train.features().columns());
    let mut workspace = Workspace::default();
    for epoch in 0..schedule.epochs {
        let order = shuffled(samples, epoch);
        for (step, rows) in order.chunks_exact(batch).enumerate() {
            let mut values = vec![0.0; rows.len() * norm.mean.len()];
            train.features().gather(rows, &mut values).map_err(MetricError::read)?;
            norm.apply(&mut values);
            let labels: Vec<u32> = rows.iter().map(|&row| train.labels()[row]).collect();
            let rate = rate(epoch as f64 + step as f64 / steps as f64, schedule);
            head.step(&values, &labels, rate * batch as f64 / RATED, &mut workspace);
        }
    }
    let classifier = head.behind(&norm);
    if classifier.weights.iter().all(|value| value.is_finite()) {
        return Ok(classifier);
    }
    Err(MetricError::Overflow { recipe: "probe/mae" })
}

/// The learning rate for a batch of 256 at an epoch and its fraction.
fn rate(epoch: f64, schedule: LarsSchedule) -> f64 {
    let warm_up = schedule.warm_up as f64;
    if epoch < warm_up {
        return RATE * epoch / warm_up;
    }
    let progress = (epoch - warm_up) / (schedule.epochs as f64 - warm_up);
    RATE * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * progress))
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

    /// Normalises a batch by its own mean and variance, and takes notice of them.
    fn apply(&mut self, rows: &mut [f32]) {
        let columns = self.mean.len();
        let count = (rows.len() / columns) as f64;
        let (mut mean, mut variance) = (vec![0.0; columns], vec![0.0; columns]);
        for row in rows.chunks_exact(columns) {
            mean.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        mean.iter_mut().for_each(|sum| *sum /= count);
        for row in rows.chunks_exact(columns) {
            for ((sum, &value), mean) in variance.iter_mut().zip(row).zip(&mean) {
                *sum += (f64::from(value) - mean) * (f64::from(value) - mean);
            }
        }
        variance.iter_mut().for_each(|sum| *sum /= count);
        let inverse: Vec<f64> = variance.iter().map(|v| 1.0 / (v + EPSILON).sqrt()).collect();
        for row in rows.chunks_exact_mut(columns) {
            for ((value, mean), inverse) in row.iter_mut().zip(&mean).zip(&inverse) {
                *value = ((f64::from(*value) - mean) * inverse) as f32;
            }
        }
        // The running variance is unbiased, that of the batch is not.
        let unbiased = count / (count - 1.0).max(1.0);
        for (running, mean) in self.mean.iter_mut().zip(mean) {
            *running += RUNNING * (mean - *running);
        }
        for (running, variance) in self.variance.iter_mut().zip(variance) {
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
}

impl Head {
    fn new(classes: usize, columns: usize) -> Self {
        let weights = initial_weights(classes * columns, 0).into_iter().map(f64::from).collect();
        let momentum = [vec![0.0; classes * columns], vec![0.0; classes]];
        Self { weights, intercepts: vec![0.0; classes], momentum }
    }

    /// One step against the mean gradient of a batch; that of the weights has a length that their
    /// own decides.
    fn step(&mut self, rows: &[f32], labels: &[u32], rate: f64, workspace: &mut Workspace) {
        let columns = rows.len() / labels.len();
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
        let (weights, intercepts) = (narrow(&self.weights), narrow(&self.intercepts));
        let mut of_weights = vec![0.0; weights.len()];
        let mut of_intercepts = vec![0.0; intercepts.len()];
        for (rows, labels) in rows.chunks(BLOCK * columns).zip(labels.chunks(BLOCK)) {
            let block = Block::new(rows, columns, labels);
            let sums = block.differentiate(&weights, &intercepts, workspace);
            add_all(&mut of_weights, &[&workspace.weights]);
            of_intercepts.iter_mut().zip(sums.intercepts).for_each(|(sum, block)| *sum += block);
        }
        let share = 1.0 / labels.len() as f64;
        of_weights.iter_mut().chain(&mut of_intercepts).for_each(|sum| *sum *= share);
        let (length, change) = (length(&self.weights), length(&of_weights));
        let trust = if length > 0.0 && change > 0.0 { TRUST * length / change } else { 1.0 };
        of_weights.iter_mut().for_each(|value| *value *= trust);
        descend(&mut self.weights, &mut self.momentum[0], &of_weights, rate);
        descend(&mut self.intercepts, &mut self.momentum[1], &of_intercepts, rate);
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
    super::parallel::dot(values, values).sqrt()
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

    #[test]
    fn the_rate_warms_up_and_falls_by_half_a_cosine() {
        let schedule = LarsSchedule::default();
        for (epoch, expected) in [(0.0, 0.0), (2.5, 0.025), (10.0, 0.1), (50.0, 0.05), (90.0, 0.0)]
        {
            assert!((rate(epoch, schedule) - expected).abs() < 1e-15, "{epoch}");
        }
    }

    #[test]
    fn running_statistics_follow_the_batches() {
        let mut norm = BatchNorm::new(1);
        let mut rows = [1.0, 3.0, 5.0, 7.0];
        norm.apply(&mut rows);
        // Mean 4, biased variance 5, unbiased 20 / 3.
        assert!((norm.mean[0] - 0.4).abs() < 1e-15);
        assert!((norm.variance[0] - (0.9 + 0.1 * 20.0 / 3.0)).abs() < 1e-15);
        assert!((rows[0] + 3.0 / 5.000_001_f32.sqrt()).abs() < 1e-7, "{rows:?}");
    }
}
