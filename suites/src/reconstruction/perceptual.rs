use std::io;

use prismbench_core::{Choice, Outcome, Reconstruction};
use prismbench_kernels::device_pictures::DevicePictures;
use prismbench_metrics::{
    Accumulator, Aggregation, ImageScores, LPIPS, Lpips, LpipsInput, NetworkError,
};
use rayon::prelude::*;

use super::scored::Scored;
use crate::networks::weights_id;
use crate::pictures::{PictureBlock, Prepared};
use crate::quantised::Quantised;
use crate::{Column, Measurement};

/// Pictures whose maps are on a device at a time: 1 GB of VGG's.
const TOGETHER: usize = 16;

/// LPIPS of what every tokenizer made: each original goes through the network once.
pub(super) struct Perceptual<'a> {
    network: &'a Lpips,
    /// One entry per tokenizer.
    scores: Vec<Result<Scored, Outcome>>,
}

/// Distances of a block, or why there are none.
pub(super) type Scores = Result<ImageScores, Outcome>;

/// All distances of one tokenizer, or why there are none.
pub(super) struct Distances {
    dialect: String,
    scores: Result<Scored, Outcome>,
}

/// What the tokenizers made of one block: `None` for one that gave nothing.
pub(super) type MadeOfBlock = Vec<Option<Quantised>>;

impl<'a> Perceptual<'a> {
    pub(super) fn new(network: &'a Lpips, subjects: usize) -> Self {
        let scores = (0..subjects).map(|_| Ok(Scored::new(Aggregation::Mean))).collect();
        Self { network, scores }
    }

    /// What decides the distances.
    pub(super) fn origin(&self) -> (String, String) {
        let (trunk, weights) = (self.network.trunk().id(), weights_id(self.network.weights()));
        ("lpips".to_owned(), format!("{trunk}{weights}"))
    }

    /// The distances of a block, for each tokenizer; none for one that made nothing.
    pub(super) fn measure(&self, block: &PictureBlock, made: &MadeOfBlock) -> Vec<Scores> {
        self.on_device(block, made).unwrap_or_else(|| self.on_host(block, made))
    }

    /// Where originals and everything that was made are on a device: some pictures at a time.
    fn on_device(&self, block: &PictureBlock, made: &MadeOfBlock) -> Option<Vec<Scores>> {
        let originals = block.sent()?;
        let mut on_device: Vec<Option<&DevicePictures>> = Vec::with_capacity(made.len());
        for made in made {
            on_device.push(match made {
                Some(made) => Some(made.device()?),
                None => None,
            });
        }
        let made = on_device;
        let mut all: Vec<Scores> = made.iter().map(|_| nothing()).collect();
        for start in (0..block.len()).step_by(TOGETHER) {
            let places = start..block.len().min(start + TOGETHER);
            let taps = self.network.taps_on_device(originals, places.clone());
            for (scores, made) in all.iter_mut().zip(&made) {
                let Ok(known) = scores else { continue };
                let distances = match (&taps, made) {
                    (Err(error), _) => Err(absent(error, &block[start].id)),
                    // As on the host.
                    (Ok(_), None) => Ok(vec![0.0; places.len()]),
                    (Ok(taps), Some(made)) => self
                        .network
                        .taps_on_device(made, places.clone())
                        .and_then(|made| self.network.distances_on_device(taps, &made))
                        .map_err(|error| absent(&error, &block[start].id)),
                };
                let added = distances.and_then(|distances| {
                    let mut pictures = block[places.clone()].iter().zip(distances);
                    pictures
                        .try_for_each(|(picture, distance)| known.update((picture.index, distance)))
                        .map_err(|error| Outcome::failed(&error))
                });
                if let Err(outcome) = added {
                    *scores = Err(outcome);
                }
            }
        }
        Some(all)
    }

    fn on_host(&self, block: &PictureBlock, made: &MadeOfBlock) -> Vec<Scores> {
        let copied: Vec<_> = made.iter().map(|made| made.as_ref().map(Quantised::host)).collect();
        let made: Vec<Option<&[Reconstruction]>> =
            copied.iter().map(|made| made.as_ref()?.as_ref().ok().copied()).collect();
        let rows: Vec<Vec<Result<f64, NetworkError>>> = block
            .par_iter()
            .enumerate()
            .map(|(number, picture)| self.distances(number, picture, &made))
            .collect();
        let scores = |copied: &Option<Result<_, _>>| match copied {
            Some(Err(error)) => Err(Outcome::failed(error)),
            _ => nothing(),
        };
        let mut all: Vec<Scores> = copied.iter().map(scores).collect();
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
    pub(super) fn take(&mut self, found: Vec<Scores>) -> io::Result<()> {
        for (scores, found) in self.scores.iter_mut().zip(found) {
            match (&mut *scores, found) {
                (Ok(known), Ok(more)) => known.take(&more)?,
                (Ok(_), Err(outcome)) => *scores = Err(outcome),
                (Err(_), _) => {}
            }
        }
        Ok(())
    }

    /// All that was taken in, tokenizer by tokenizer.
    pub(super) fn into_each(self) -> impl Iterator<Item = Distances> {
        let trunk = self.network.trunk();
        let dialect = format!("{}{}", trunk.id(), weights_id(self.network.weights()));
        self.scores.into_iter().map(move |scores| Distances { dialect: dialect.clone(), scores })
    }

    /// The distance of one picture to what each tokenizer made of it.
    fn distances(
        &self,
        number: usize,
        picture: &Prepared,
        made: &[Option<&[Reconstruction]>],
    ) -> Vec<Result<f64, NetworkError>> {
        let mut original = None;
        let mut distance = |made: &Option<&[Reconstruction]>| {
            let Some(made) = made.and_then(|made| made.get(number)) else {
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
}

impl Distances {
    /// The measurement and the values per picture; `failure` is why the tokenizer has none.
    pub(super) fn report(self, failure: Option<&Outcome>) -> (Measurement, Option<Column<f64>>) {
        let (values, (outcome, n)) = match (failure, self.scores) {
            (Some(outcome), _) => (None, (outcome.clone(), 0)),
            (None, Err(outcome)) => (None, (outcome, 0)),
            (None, Ok(scored)) => {
                let (values, outcome) = scored.finish();
                (Some(values), outcome)
            }
        };
        let measurement = Measurement {
            metric: &LPIPS,
            dialect: self.dialect,
            setting: String::new(),
            outcome,
            n,
            reference: None,
            warnings: Vec::new(),
            replicates: Vec::new(),
        };
        (measurement, values)
    }
}

fn nothing() -> Scores {
    Ok(ImageScores::new(Aggregation::Mean))
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
