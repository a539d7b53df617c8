//! Whether a published number comes out again, and which protocol would give it if it does not.

mod output;
#[cfg(test)]
mod tests;

pub use output::write_reproduction;

use prismbench_core::{Outcome, Record, Unit};

/// Metrics whose value moves with the number of samples, so that other numbers say nothing.
const OF_THEIR_N: [&str; 13] = [
    "rfid",
    "sfid",
    "gfid",
    "fd-random",
    "fd-dinov2",
    "fid-infinity",
    "floor-fid",
    "cmmd",
    "is",
    "precision",
    "recall",
    "density",
    "coverage",
];

/// A number that somebody printed, and how far ours may lie from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// [Key](crate::PublishedRow::key) of the published row; empty for a number that a plan brings along.
    pub key: String,
    /// The tokenizer's published name, with its variant where it has one.
    pub tokenizer: String,
    /// Metric without version.
    pub metric: String,
    /// The setting it was measured at; may be empty.
    pub setting: String,
    /// The value, in the unit of the metric.
    pub value: f64,
    /// Decimals that were printed.
    pub decimals: usize,
    /// Unit of the value.
    pub unit: Unit,
    /// Pictures or samples behind it, where that is known.
    pub n: Option<u64>,
    /// What counts as the same.
    pub tolerance: Tolerance,
    /// Where it stands.
    pub source: String,
}

/// How far a reproduced value may lie from a published one, and why.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tolerance {
    /// In the unit of the metric.
    pub absolute: f64,
    /// As a share of the published value. The larger of the two holds.
    pub relative: f64,
    /// Where it comes from; for the reader.
    pub from: String,
}

/// Whether a published number came out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// It rounds to the digits that were printed, or is within the tolerance.
    Match,
    /// The published value lies in our 95 % interval, widened by what rounding may have taken.
    WithinNoise,
    /// Neither.
    Mismatch,
    /// There is nothing to compare; a note says why.
    NotMeasured,
}

impl Agreement {
    /// Every one, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Mismatch, Self::NotMeasured, Self::WithinNoise, Self::Match];

    /// The words that reports print.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Match => "MATCH",
            Self::WithinNoise => "WITHIN NOISE",
            Self::Mismatch => "MISMATCH",
            Self::NotMeasured => "NOT MEASURED",
        }
    }
}

/// A protocol under which the number may have been measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    /// What was changed: `psnr = pyiqa-y`.
    pub change: String,
    /// What is different then, in words, with the known direction.
    pub effect: String,
    /// What came of trying it.
    pub trial: Trial,
}

/// What came of measuring under a suspected protocol.
#[derive(Clone, Debug, PartialEq)]
pub enum Trial {
    /// It has this value, which agrees or does not.
    Value {
        /// The value.
        value: f64,
        /// Held against the published one.
        agreement: Agreement,
    },
    /// It could not be tried here.
    Untried {
        /// Why.
        reason: String,
    },
}

/// One published number and what came of measuring it again.
#[derive(Clone, Debug, PartialEq)]
pub struct Reproduction {
    /// The published number.
    pub target: Target,
    /// Title of the part of the plan that it belongs to.
    pub part: String,
    /// What was run for it: a tokenizer or generator; empty where this build has none.
    pub subject: String,
    /// What was measured.
    pub record: Option<Record>,
    /// The verdict.
    pub agreement: Agreement,
    /// What a reader must know beyond that: why nothing was measured, how many samples there were.
    pub note: String,
    /// Other protocols that were tried or named for a mismatch, the nearest first.
    pub suspects: Vec<Suspect>,
}

impl Target {
    /// Half of the last digit that was printed.
    #[must_use]
    pub fn rounding(&self) -> f64 {
        0.5 * 10_f64.powi(-(self.decimals as i32))
    }

    /// The value with the digits that were printed.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{:.*}", self.decimals, self.value)
    }

    /// The largest distance that counts as the same.
    #[must_use]
    pub fn slack(&self) -> f64 {
        let Tolerance { absolute, relative, .. } = self.tolerance;
        self.rounding().max(absolute).max(relative * self.value.abs())
    }

    /// Holds a record against the published number; the text is what a reader must know beyond the verdict.
    ///
    /// Of another number of samples an equal value is chance and no match. A metric of a distribution
    /// moves with that number: there is then nothing to compare.
    #[must_use]
    pub fn held_against(&self, record: &Record) -> (Agreement, String) {
        let (value, interval) = match &record.outcome {
            Outcome::Ok { value, low, high } => (*value, low.zip(*high)),
            Outcome::Infinite { .. } => return (Agreement::Mismatch, record.outcome.note()),
            Outcome::Skipped { reason } => return (Agreement::NotMeasured, reason.clone()),
            Outcome::Failed { reason } => {
                return (Agreement::NotMeasured, format!("failed: {reason}"));
            }
        };
        let other_n = self.n.filter(|&n| n != record.n);
        let note = other_n.map_or_else(String::new, |n| {
            format!("of {} samples, the published value of {n}", record.n)
        });
        if other_n.is_some() && OF_THEIR_N.contains(&self.metric.as_str()) {
            return (Agreement::NotMeasured, format!("{note}: {} moves with n", self.metric));
        }
        let off = (value - self.value).abs();
        // A value in the middle between two printable ones may be printed as either.
        let is_same = off <= self.slack() * (1.0 + 1e-9);
        let rounding = self.rounding();
        let is_inside = interval.is_some_and(|(low, high)| {
            low - rounding <= self.value && self.value <= high + rounding
        });
        let agreement = match (is_same, other_n) {
            (true, None) => Agreement::Match,
            (true, Some(_)) => Agreement::WithinNoise,
            (false, _) if is_inside => Agreement::WithinNoise,
            (false, _) => Agreement::Mismatch,
        };
        (agreement, note)
    }
}

impl Suspect {
    /// How far its value is from the published one; infinite where there is none.
    fn distance(&self, target: &Target) -> f64 {
        match self.trial {
            Trial::Value { value, .. } => (value - target.value).abs(),
            Trial::Untried { .. } => f64::INFINITY,
        }
    }

    fn agrees(&self, wanted: Agreement) -> bool {
        matches!(self.trial, Trial::Value { agreement, .. } if agreement == wanted)
    }
}

impl Reproduction {
    /// A number that was measured, or was to be.
    #[must_use]
    pub fn of(
        target: Target,
        (part, subject): (&str, &str),
        measured: Result<Record, String>,
    ) -> Self {
        let (part, subject) = (part.to_owned(), subject.to_owned());
        let suspects = Vec::new();
        match measured {
            Ok(record) => {
                let (agreement, note) = target.held_against(&record);
                Self { target, part, subject, record: Some(record), agreement, note, suspects }
            }
            Err(note) => {
                let (record, agreement) = (None, Agreement::NotMeasured);
                Self { target, part, subject, record, agreement, note, suspects }
            }
        }
    }

    /// The same with what other protocols gave, which are put into the order of their distance.
    #[must_use]
    pub fn suspecting(mut self, mut suspects: Vec<Suspect>) -> Self {
        let target = &self.target;
        suspects.sort_by(|a, b| a.distance(target).total_cmp(&b.distance(target)));
        self.suspects = suspects;
        self
    }

    /// The change of protocol that most likely explains a mismatch: of those that give the published value
    /// the nearest. `None` where none does.
    #[must_use]
    pub fn explanation(&self) -> Option<&Suspect> {
        self.suspects.iter().find(|suspect| suspect.agrees(Agreement::Match))
    }
}
