use prismbench_core::{Choice, Outcome, Reconstruction};
use prismbench_metrics::{
    Accumulator, Aggregation, ImageScores, LPIPS, Lpips, LpipsInput, NetworkError,
};
use rayon::prelude::*;

use super::outcome;
use crate::Measurement;
use crate::networks::weights_id;
use crate::pictures::Prepared;

/// LPIPS of what every tokenizer made: each original goes through the network once.
pub(super) struct Perceptual<'a> {
    network: &'a Lpips,
    /// One entry per tokenizer.
    scores: Vec<Scores>,
}

/// Distances, or why there are none.
pub(super) type Scores = Result<ImageScores, Outcome>;

/// What the tokenizers made of one block: `None` for one that gave nothing.
pub(super) type Made = Vec<Option<Vec<Reconstruction>>>;

impl<'a> Perceptual<'a> {
    pub(super) fn new(network: &'a Lpips, subjects: usize) -> Self {
        let scores = (0..subjects).map(|_| Ok(ImageScores::new(Aggregation::Mean))).collect();
        Self { network, scores }
    }

    /// What decides the distances.
    pub(super) fn origin(&self) -> (String, String) {
        let (trunk, weights) = (self.network.trunk().id(), weights_id(self.network.weights()));
        ("lpips".to_owned(), format!("{trunk}{weights}"))
    }

    /// The distances of a block, for each tokenizer; none for one that made nothing.
    pub(super) fn measure(&self, block: &[Prepared], made: &Made) -> Vec<Scores> {
        let rows: Vec<Vec<Result<f64, NetworkError>>> = block
            .par_iter()
            .enumerate()
            .map(|(number, picture)| self.distances(number, picture, made))
            .collect();
        let mut all: Vec<Scores> =
            made.iter().map(|_| Ok(ImageScores::new(Aggregation::Mean))).collect();
        for (picture, row) in block.iter().zip(rows) {
            for (scores, distance) in all.iter_mut().zip(row) {
                let Ok(known) = scores else { continue };
                let added = match distance {
                    Ok(distance) => known
                        .update((picture.index, distance))
                        .map_err(|error| Outcome::failed(&error)),
                    Err(error) => Err(absent(&error, &picture.id)),
                };
                if let Err(outcome) = added {
                    *scores = Err(outcome);
                }
            }
        }
        all
    }

    /// Takes in what a block gave.
    pub(super) fn take(&mut self, found: Vec<Scores>) {
        for (scores, found) in self.scores.iter_mut().zip(found) {
            let Ok(known) = scores else { continue };
            let merged =
                found.and_then(|more| known.merge(more).map_err(|error| Outcome::failed(&error)));
            if let Err(outcome) = merged {
                *scores = Err(outcome);
            }
        }
    }

    /// The distance of one picture to what each tokenizer made of it.
    fn distances(
        &self,
        number: usize,
        picture: &Prepared,
        made: &Made,
    ) -> Vec<Result<f64, NetworkError>> {
        let mut original = None;
        let mut distance = |made: &Option<Vec<Reconstruction>>| {
            let Some(made) = made.as_ref().and_then(|made| made.get(number)) else {
                // It has failed already, and its reason stands in every row of it.
                return Ok(0.0);
            };
            let made = match &original {
                Some(_) => self.network.features_of(made)?,
                None => {
                    let pair = [LpipsInput::Original(&picture.image), LpipsInput::Made(made)];
                    let [first, made] = self.network.features_together(pair)?;
                    original = Some(first);
                    made
                }
            };
            original.as_ref().map_or(Ok(0.0), |original| self.network.distance(original, &made))
        };
        made.iter().map(&mut distance).collect()
    }

    /// The measurement of one tokenizer and its values per picture; `failure` is why it has none.
    pub(super) fn report(
        &self,
        subject: usize,
        failure: Option<&Outcome>,
    ) -> (Measurement, Option<Vec<f64>>) {
        let trunk = self.network.trunk();
        let dialect = format!("{}{}", trunk.id(), weights_id(self.network.weights()));
        let (values, (outcome, n)) = match (failure, self.scores.get(subject)) {
            (Some(outcome), _) | (None, Some(Err(outcome))) => (None, (outcome.clone(), 0)),
            (None, Some(Ok(scores))) => {
                let values = scores.iter().map(|(_, score)| score).collect();
                (Some(values), outcome(scores.clone()))
            }
            (None, None) => (None, (Outcome::Skipped { reason: "nothing was made".to_owned() }, 0)),
        };
        let setting = String::new();
        (
            Measurement {
                metric: &LPIPS,
                dialect,
                setting,
                outcome,
                n,
                reference: None,
                warnings: Vec::new(),
                replicates: Vec::new(),
            },
            values,
        )
    }
}

/// Pictures that are too small for the network have no LPIPS; anything else is a failure.
fn absent(error: &NetworkError, picture: &str) -> Outcome {
    match error {
        NetworkError::Layer { cause, .. } if cause.is_too_small() => {
            Outcome::Skipped { reason: format!("pictures are too small: {cause}") }
        }
        _ => match Outcome::failed(error) {
            Outcome::Failed { reason } => {
                Outcome::Failed { reason: format!("of `{picture}`: {reason}") }
            }
            other => other,
        },
    }
}
