use std::io;

use prismbench_core::Outcome;
use prismbench_metrics::{Aggregation, ImageScores, MetricError, ScoreSequence, Summary};

use crate::Column;

/// A number for each picture, and what they amount to.
pub(super) struct Scored {
    sequence: Result<ScoreSequence, MetricError>,
    values: Column<f64>,
}

impl Scored {
    pub(super) fn new(aggregation: Aggregation) -> Self {
        Self { sequence: Ok(ScoreSequence::new(aggregation)), values: Column::default() }
    }

    /// Takes in the scores of the next pictures; `value` is what is shown of a score.
    pub(super) fn take(
        &mut self,
        more: &ImageScores,
        value: impl Fn(f64) -> f64,
    ) -> io::Result<()> {
        for (index, score) in more.iter() {
            if let Ok(sequence) = &mut self.sequence
                && let Err(error) = sequence.add(index, score)
            {
                self.sequence = Err(error);
            }
            self.values.push(value(score))?;
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The number of each picture; what they amount to, and how many pictures entered it.
    pub(super) fn finish(self) -> (Column<f64>, (Outcome, u64)) {
        (self.values, outcome(self.sequence.and_then(ScoreSequence::finish)))
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
