//! DINOv2's grid of linear heads.

use prismbench_core::HeadChoice;
use rayon::prelude::*;

use super::batches::{Batches, initial_weights};
use super::held_out::HeldOut;
use super::softmax::{Block, Workspace};
use super::{Labelled, LinearClassifier, Predictions};
use crate::{MetricError, Selected};

/// Learning rates for a batch of 256.
const RATES: [f64; 13] =
    [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1];
/// Batch that the learning rates are for.
const RATED: f64 = 256.0;
const MOMENTUM: f32 = 0.9;

/// One head of a grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    /// Which of the poolings it sees.
    pub pooling: usize,
    /// Learning rate for a batch of 256.
    pub rate: f64,
    /// Names the stream of its initial weights.
    pub number: u64,
}

impl Head {
    /// DINOv2's 13 heads for each pooling, numbered in order.
    #[must_use]
    pub fn grid(poolings: usize) -> Vec<Self> {
        let pairs = (0..poolings).flat_map(|pooling| RATES.map(|rate| (pooling, rate)));
        pairs.zip(0..).map(|((pooling, rate), number)| Self { pooling, rate, number }).collect()
    }
}

/// How long heads are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SgdSchedule {
    /// Batches.
    pub iterations: usize,
    /// Samples of a batch.
    pub batch: usize,
}

impl Default for SgdSchedule {
    /// DINOv2's: 10 times 1,250 batches of 128 on each of 8 devices.
    fn default() -> Self {
        Self { iterations: 12_500, batch: 1024 }
    }
}

/// A head under way.
struct Training {
    head: Head,
    weights: Vec<f32>,
    intercepts: Vec<f32>,
    /// Running sums of the gradients, of weights and intercepts.
    momentum: [Vec<f32>; 2],
    workspace: Workspace,
}

impl Training {
    fn new(head: Head, classes: usize, columns: usize) -> Self {
        let weights = initial_weights(classes * columns, head.number);
        let momentum = [vec![0.0; weights.len()], vec![0.0; classes]];
        let (intercepts, workspace) = (vec![0.0; classes], Workspace::default());
        Self { head, weights, intercepts, momentum, workspace }
    }

    /// One step against the mean gradient of a batch.
    fn step(&mut self, block: &Block, rate: f32) {
        let sums = block.differentiate(&self.weights, &self.intercepts, &mut self.workspace);
        let share = 1.0 / block.labels().len() as f32;
        let [of_weights, of_intercepts] = &mut self.momentum;
        for ((weight, running), sum) in
            self.weights.iter_mut().zip(of_weights).zip(&self.workspace.weights)
        {
            *running = MOMENTUM * *running + sum * share;
            *weight -= rate * *running;
        }
        for ((intercept, running), sum) in
            self.intercepts.iter_mut().zip(of_intercepts).zip(&sums.intercepts)
        {
            *running = MOMENTUM * *running + *sum as f32 * share;
            *intercept -= rate * *running;
        }
    }

    fn classifier(self) -> LinearClassifier {
        let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect();
        LinearClassifier { weights: wide(self.weights), intercepts: wide(self.intercepts) }
    }
}

/// Trains heads side by side on the same batches: SGD with momentum 0.9 in f32 on the mean
/// cross-entropy, cosine to 0.
///
/// `poolings` are features of the same samples in the same order.
///
/// # Errors
/// [`MetricError::Shape`] when poolings differ in their labels or a head's pooling is missing,
/// [`MetricError::SmallClass`] for a class without samples, [`MetricError::Overflow`] when weights
/// leave the range of f32, [`MetricError::Read`].
pub fn fit_heads(
    poolings: &[Labelled<'_>],
    heads: &[Head],
    schedule: SgdSchedule,
) -> Result<Vec<LinearClassifier>, MetricError> {
    let labels = same_samples(poolings)?.labels();
    let mut training = vec![];
    for &head in heads {
        let Some(pooling) = poolings.get(head.pooling) else {
            let expected = format!("at least {} poolings", head.pooling + 1);
            return Err(MetricError::Shape { expected, found: poolings.len() });
        };
        pooling.check_classes("fit", 1)?;
        let columns = pooling.features().columns();
        training.push(Training::new(head, pooling.classes(), columns));
    }
    let mut batches = Batches::new(labels.len());
    for iteration in 0..schedule.iterations {
        let rows = batches.next(schedule.batch);
        let labels: Vec<u32> = rows.iter().map(|&row| labels[row]).collect();
        let mut blocks = vec![];
        for pooling in poolings {
            let columns = pooling.features().columns();
            let mut values = vec![0.0; rows.len() * columns];
            pooling.features().gather(&rows, &mut values).map_err(MetricError::read)?;
            blocks.push(Block::new(&values, columns, &labels));
        }
        let progress = iteration as f64 / schedule.iterations as f64;
        let cosine = 0.5 * (1.0 + libm::cos(std::f64::consts::PI * progress));
        let scale = cosine * schedule.batch as f64 / RATED;
        training.par_iter_mut().for_each(|training| {
            let rate = training.head.rate * scale;
            training.step(&blocks[training.head.pooling], rate as f32);
        });
    }
    let classifiers: Vec<_> = training.into_iter().map(Training::classifier).collect();
    let finite = |fit: &LinearClassifier| fit.weights.iter().all(|value| value.is_finite());
    if classifiers.iter().all(finite) {
        return Ok(classifiers);
    }
    Err(MetricError::Overflow { recipe: "probe/dinov2" })
}

/// The first of some poolings, when all have its labels.
fn same_samples<'a>(poolings: &[Labelled<'a>]) -> Result<Labelled<'a>, MetricError> {
    let Some(first) = poolings.first() else {
        let expected = "features of at least one pooling".to_owned();
        return Err(MetricError::Shape { expected, found: 0 });
    };
    if let Some(other) = poolings.iter().find(|other| other.labels() != first.labels()) {
        let expected = format!("the {} labels of the first pooling", first.samples());
        return Err(MetricError::Shape { expected, found: other.samples() });
    }
    Ok(*first)
}

/// The best head of the grid and its predictions for the test set.
pub(super) fn best_head(
    train: &[Labelled<'_>],
    test: &[Labelled<'_>],
    choice: HeadChoice,
    schedule: SgdSchedule,
) -> Result<(Head, Predictions), MetricError> {
    same_samples(test)?;
    let first = same_samples(train)?;
    if train.len() != test.len() {
        let expected = format!("{} poolings of the test set", train.len());
        return Err(MetricError::Shape { expected, found: test.len() });
    }
    let heads = Head::grid(train.len());
    if choice == HeadChoice::TestSet {
        return best(&heads, &fit_heads(train, &heads, schedule)?, test);
    }
    let split = HeldOut::of(&first)?;
    let [fit, held] = [&split.fit, &split.held].map(|rows| parts(train, rows));
    let [fit, held] = [labelled(&fit, first.classes())?, labelled(&held, first.classes())?];
    let (head, _) = best(&heads, &fit_heads(&fit, &heads, schedule)?, &held)?;
    let again = fit_heads(train, &[head], schedule)?;
    best(&[head], &again, test)
}

/// Some rows of each pooling, and their labels.
fn parts<'a>(poolings: &[Labelled<'a>], rows: &[usize]) -> Vec<(Selected<'a>, Vec<u32>)> {
    let of_pooling = |pooling: &Labelled<'a>| {
        let labels = rows.iter().map(|&row| pooling.labels()[row]).collect();
        (Selected::new(pooling.features(), rows.to_vec()), labels)
    };
    poolings.iter().map(of_pooling).collect()
}

fn labelled<'a>(
    parts: &'a [(Selected<'_>, Vec<u32>)],
    classes: usize,
) -> Result<Vec<Labelled<'a>>, MetricError> {
    parts.iter().map(|(features, labels)| Labelled::new(features, labels, classes)).collect()
}

/// The first head with the most samples right.
fn best(
    heads: &[Head],
    classifiers: &[LinearClassifier],
    sets: &[Labelled<'_>],
) -> Result<(Head, Predictions), MetricError> {
    let mut best: Option<(Head, Predictions)> = None;
    for (&head, classifier) in heads.iter().zip(classifiers) {
        let found = classifier.predict(&sets[head.pooling])?;
        if best.as_ref().is_none_or(|(_, best)| found.right() > best.right()) {
            best = Some((head, found));
        }
    }
    best.ok_or_else(|| MetricError::Shape { expected: "at least one head".to_owned(), found: 0 })
}
