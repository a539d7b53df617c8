//! Probes: how well a simple classifier of frozen features tells classes apart.
//!
//! Features and labels in, accuracy and the prediction for every test sample out. Nothing here
//! depends on the number of threads; random draws come from named streams.

mod accuracy;
mod batch_norm;
mod batches;
mod blocks;
mod held_out;
mod inputs;
mod labelled;
mod lbfgs;
mod linear;
mod logistic;
mod mcnemar;
mod parallel;
mod penalty;
mod principal;
mod ridge;
mod sgd_grid;
mod softmax;
mod voting;
mod wilson;

use std::fmt;

use prismbench_core::{Better, HeadChoice, MetricDef, ProbeRecipe, Unit};

pub use accuracy::{Accuracy, MEAN_PER_CLASS, Predictions, TOP1, TOP5};
pub use batch_norm::{LarsSchedule, fit_batch_norm};
pub use inputs::ProbeInputs;
pub use labelled::Labelled;
pub use lbfgs::Stop;
pub use linear::LinearClassifier;
pub use logistic::{LogisticFit, fit_logistic};
pub use mcnemar::{McNemar, mcnemar};
pub use ridge::{RidgeFit, fit_ridge};
pub use sgd_grid::{Head, SgdSchedule, fit_heads};
pub use wilson::Proportion;

use crate::MetricError;
use crate::features::same_columns;

/// What a probe found.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// What was chosen or varied.
    pub setting: ProbeSetting,
    /// How often it is right.
    pub accuracy: Accuracy,
    /// What it says of each test sample, in their order: to be compared with another's by
    /// [`mcnemar`].
    pub predictions: Predictions,
}

/// What a recipe leaves open: the choice it made on the training set, or the value it varies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ProbeSetting {
    /// The inverse penalty that was chosen.
    InversePenalty(f64),
    /// The penalty that was chosen.
    Penalty(f64),
    /// The head that was chosen.
    Head(Head),
    /// Nothing.
    LastEpoch,
    /// Neighbours that vote: one result for each.
    Neighbours(usize),
}

/// What [`ProbeSetting::chosen`] gives.
pub const CHOSEN: MetricDef = MetricDef {
    id: "chosen",
    title: "chosen",
    unit: Unit::One,
    better: Better::Neither,
    version: 1,
    definition: "what the recipe chose on held-out training samples: C of probe/logistic, the \
        penalty of probe/ridge (on all, leaving one out), the learning rate of probe/dinov2 for a \
        batch of 256. At an end of its grid the grid was too short",
};

impl ProbeSetting {
    /// The number that was chosen, where one was.
    #[must_use]
    pub fn chosen(&self) -> Option<f64> {
        match *self {
            Self::InversePenalty(value) | Self::Penalty(value) => Some(value),
            Self::Head(Head { rate, .. }) => Some(rate),
            Self::LastEpoch | Self::Neighbours(_) => None,
        }
    }
}

impl fmt::Display for ProbeSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InversePenalty(c) => write!(f, "C={c:.4e}"),
            Self::Penalty(alpha) => write!(f, "alpha={alpha:.0e}"),
            Self::Head(Head { pooling, rate, .. }) => write!(f, "pooling={pooling} lr={rate}"),
            Self::LastEpoch => f.write_str("last epoch"),
            Self::Neighbours(k) => write!(f, "k={k}"),
        }
    }
}

/// Fits a classifier to the training set by a recipe and judges it on the test set. One result, or
/// one for each number of neighbours.
///
/// The grid of [`ProbeRecipe::Dinov2`] has the 13 heads of each of `inputs` ([`ProbeInputs`]), the best
/// chosen on held-out training samples.
///
/// # Errors
/// [`MetricError::Columns`] and [`MetricError::Classes`] for sets that do not belong together,
/// [`MetricError::SmallClass`] for a class with fewer than two training samples
/// ([`ProbeRecipe::Logistic`], [`ProbeRecipe::Dinov2`]) or none,
/// [`MetricError::TooFewSamples`] for fewer than 10 neighbours; those of the fits.
pub fn probe(
    recipe: ProbeRecipe,
    inputs: ProbeInputs,
    train: &Labelled<'_>,
    test: &Labelled<'_>,
) -> Result<Vec<Probe>, MetricError> {
    check_pair(train, test)?;
    let judged = |setting, classifier: &LinearClassifier| {
        Ok(vec![Probe::new(setting, classifier.predict(test)?, test)])
    };
    match recipe {
        ProbeRecipe::Logistic => {
            let fit = penalty::fit_at_best_penalty(train)?;
            judged(ProbeSetting::InversePenalty(fit.c), &fit.classifier)
        }
        ProbeRecipe::Ridge => {
            let fit = fit_ridge(train)?;
            judged(ProbeSetting::Penalty(fit.alpha), &fit.classifier)
        }
        ProbeRecipe::Dinov2 => {
            let (choice, schedule) = (HeadChoice::HeldOut, SgdSchedule::default());
            let (train, test) = (inputs.of(train)?, inputs.of(test)?);
            Ok(vec![probe_heads(&train.labelled()?, &test.labelled()?, choice, schedule)?])
        }
        ProbeRecipe::Mae => {
            judged(ProbeSetting::LastEpoch, &fit_batch_norm(train, LarsSchedule::default())?)
        }
        ProbeRecipe::Knn => {
            train.check_classes("vote for", 1)?;
            let votes = voting::vote(train, test)?.into_iter();
            let judged = |(k, found)| Probe::new(ProbeSetting::Neighbours(k), found, test);
            Ok(votes.map(judged).collect())
        }
    }
}

/// Trains DINOv2's grid of 13 heads for each pooling and judges the best on the test set.
///
/// # Errors
/// Those of [`probe`]; [`MetricError::Shape`] when the poolings are not of the same samples.
pub fn probe_heads(
    train: &[Labelled<'_>],
    test: &[Labelled<'_>],
    choice: HeadChoice,
    schedule: SgdSchedule,
) -> Result<Probe, MetricError> {
    for (train, test) in train.iter().zip(test) {
        check_pair(train, test)?;
    }
    let (head, found) = sgd_grid::best_head(train, test, choice, schedule)?;
    Ok(Probe::new(ProbeSetting::Head(head), found, &test[head.pooling]))
}

/// Fits [`ProbeRecipe::Logistic`] without judging it.
///
/// # Errors
/// [`MetricError::SmallClass`] for a class of fewer than two samples; those of [`fit_logistic`].
pub fn fit_logistic_at_best_penalty(train: &Labelled<'_>) -> Result<LogisticFit, MetricError> {
    penalty::fit_at_best_penalty(train)
}

fn check_pair(train: &Labelled<'_>, test: &Labelled<'_>) -> Result<(), MetricError> {
    same_columns(train.features(), test.features())?;
    match (train.classes(), test.classes()) {
        (train, test) if train == test => Ok(()),
        (train, test) => Err(MetricError::Classes { train, test }),
    }
}

impl Probe {
    fn new(setting: ProbeSetting, predictions: Predictions, test: &Labelled<'_>) -> Self {
        let accuracy = Accuracy::of(&predictions, test.labels(), test.classes());
        Self { setting, accuracy, predictions }
    }
}
