use std::time::{Duration, Instant};

use super::judging::Judging;
use super::source::{SampleSource, Trial};
use crate::{Context, SuiteError};

/// How long the samples that are left will take, found out by making a few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Samples that are left to draw: of this shard, behind what an earlier run has drawn.
    pub samples: u64,
    /// Time in the generator's networks.
    pub drawing: Duration,
    /// Time in the decoder.
    pub decoding: Duration,
    /// Time in the networks of the metrics.
    pub measuring: Duration,
}

/// Batches that must be left for one of them to be tried: it costs a sixteenth of the run at most.
const WORTH: u64 = 16;

impl Forecast {
    /// Tries a batch, of one sample where few are left. `None` for samples that are there already.
    pub(super) fn of(
        source: &dyn SampleSource,
        judging: &Judging<'_>,
        (left, context): (u64, &Context<'_>),
    ) -> Result<Option<Self>, SuiteError> {
        let batch = context.batch.max(1);
        let tried = if left / WORTH >= batch as u64 { batch } else { 1 };
        let Some(Trial { drawing, decoding, block }) = source.trial(tried, context.device)? else {
            return Ok(None);
        };
        let start = Instant::now();
        judging.measure(&block)?;
        let measuring = start.elapsed();
        let all = |time: Duration| time.mul_f64(left as f64 / tried as f64);
        Ok(Some(Self {
            samples: left,
            drawing: all(drawing),
            decoding: all(decoding),
            measuring: all(measuring),
        }))
    }

    /// All of it.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.drawing + self.decoding + self.measuring
    }
}
