use std::io;
use std::sync::Arc;

use prismbench_core::Outcome;
use prismbench_metrics::{Aggregation, ImageScores, MetricError, ScoreSequence, Summary};

use crate::Column;

/// A number for each picture, and what they amount to.
pub(super) struct Scored {
    sequence: Result<ScoreSequence, MetricError>,
    scores: Column<f64>,
}

impl Scored {
    pub(super) fn new(aggregation: Aggregation) -> Self {
        Self { sequence: Ok(ScoreSequence::new(aggregation)), scores: Column::default() }
    }

    /// Takes in the scores of the next pictures.
    pub(super) fn take(&mut self, more: &ImageScores) -> io::Result<()> {
        for (index, score) in more.iter() {
            if let Ok(sequence) = &mut self.sequence
                && let Err(error) = sequence.add(index, score)
            {
                self.sequence = Err(error);
            }
            self.scores.push(score)?;
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// The score of each picture; what they amount to, and how many pictures entered it.
    pub(super) fn finish(self) -> (Column<f64>, (Outcome, u64)) {
        let Self { sequence, scores } = self;
        let unread = |error| MetricError::Read(Arc::new(error));
        let again = || scores.iter().collect::<io::Result<_>>().map_err(unread);
        let summary = sequence.and_then(|sequence| sequence.finish(again));
        (scores, outcome(summary))
    }
}

fn outcome(summary: Result<Summary, MetricError>) -> (Outcome, u64) {
    match summary {
        Ok(Summary { n, value, infinite: 0, interval }) => match value {
            Some(value) => {
                // A constant has no interval worth printing.
                let interval = interval.filter(|interval| interval.low < interval.high);
                let (low, high) = (interval.map(|i| i.low), interval.map(|i| i.high));
                (Outcome::Ok { value, low, high }, n)
            }
            None => (Outcome::Infinite { infinite: n, finite_mean: None }, n),
        },
        Ok(Summary { n, value, infinite, .. }) => {
            (Outcome::Infinite { infinite, finite_mean: value }, n)
        }
        Err(error) => (Outcome::failed(&error), 0),
    }
}
