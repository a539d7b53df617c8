//! What changed between two runs, metric by metric.

mod evidence;
mod limits;
mod matching;
mod output;
#[cfg(test)]
mod power;
mod side;
mod slices;
#[cfg(test)]
mod tests;

pub use evidence::Evidence;
pub use limits::{Limit, Rule, Sides, Slicing, Weight, limit_for};
pub use output::{CompareFormat, write_comparison};
pub use side::Side;
pub use slices::Slice;

pub(crate) use output::{gain_text, json_of, metric_text, subject_text, value_text};
pub(crate) use side::{PerImage, setting_column};

use prismbench_core::Record;
use prismbench_metrics::Interval;

use crate::ReportError;
use matching::{Match, matched};

/// What a comparison says of one metric of one tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Beyond noise, beyond the floor, and better.
    Better,
    /// Beyond noise, beyond the floor, and worse.
    Worse,
    /// No difference beyond the floor.
    Same,
    /// Neither a difference nor its absence is shown.
    Inconclusive,
    /// Beyond noise and beyond the floor, of a metric that no direction improves.
    Changed,
    /// There was a value, and now there is none.
    Lost,
    /// There was none, and now there is one.
    Gained,
    /// Another protocol, other pictures, another version: not to be compared.
    Incomparable,
}

impl Verdict {
    /// Every verdict, the most urgent first.
    pub const ALL: [Self; 8] = [
        Self::Worse,
        Self::Lost,
        Self::Incomparable,
        Self::Inconclusive,
        Self::Changed,
        Self::Better,
        Self::Gained,
        Self::Same,
    ];

    /// The word that tables print.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Same => "same",
            Self::Inconclusive => "inconclusive",
            Self::Changed => "changed",
            Self::Lost => "lost",
            Self::Gained => "gained",
            Self::Incomparable => "incomparable",
        }
    }
}

/// One metric of one tokenizer in two runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What was measured before; `None` where it is new.
    pub before: Option<Record>,
    /// What was measured after; `None` where it is gone.
    pub after: Option<Record>,
    /// The call.
    pub verdict: Verdict,
    /// Change of the value, signed so that positive is better (of a metric without direction: larger);
    /// `None` where there are no two values.
    pub gain: Option<f64>,
    /// Interval of the gain at the confidence of the limit.
    pub interval: Option<Interval>,
    /// What the call rests on.
    pub evidence: Evidence,
    /// Slices that are worse although the whole need not be.
    pub slices: Vec<Slice>,
    /// What a reader must know beyond that; may be empty.
    pub note: String,
    /// What it was judged by.
    pub limit: Limit,
}

impl Comparison {
    /// The record that says what is compared: the one before, where there is one.
    ///
    /// `None` never happens for a comparison that [`compare`] made.
    #[must_use]
    pub fn subject(&self) -> Option<&Record> {
        self.before.as_ref().or(self.after.as_ref())
    }
}

/// Compares two runs, in the order of the first; what only the second has comes last.
///
/// Values of single images decide where both sides have them: the paired bootstrap over images, and
/// McNemar's test where each is right or wrong. Without them the records' intervals do, as if the two
/// runs were independent; runs on the same pictures are not, so that real changes may then be called
/// inconclusive, never the reverse. Rules come first, defaults after them; see [`limit_for`].
///
/// # Errors
/// [`ReportError::Twice`] when one side has two records of one thing.
pub fn compare(
    before: &Side,
    after: &Side,
    rules: &[Rule],
) -> Result<Vec<Comparison>, ReportError> {
    let matches = matched(before, after)?;
    Ok(matches.into_iter().map(|pair| judged(pair, before, after, rules)).collect())
}

fn judged(pair: Match<'_>, before: &Side, after: &Side, rules: &[Rule]) -> Comparison {
    let (old, new) = (pair.before.cloned(), pair.after.cloned());
    let limit = pair.before.or(pair.after).map_or_else(Limit::default, |r| limit_for(r, rules));
    let blank = Comparison {
        before: old,
        after: new,
        verdict: Verdict::Incomparable,
        gain: None,
        interval: None,
        evidence: Evidence::Nothing,
        slices: Vec::new(),
        note: String::new(),
        limit,
    };
    match (pair.before, pair.after, pair.difference) {
        (Some(_), Some(_), Some(difference)) => Comparison { note: difference, ..blank },
        (Some(old), Some(new), None) => {
            let pairs = before.pairs_with(after, old, new);
            evidence::judge(old, new, pairs, blank)
        }
        (Some(old), None, _) => {
            let was_there = crate::standing::is_valued(&old.outcome);
            let verdict = if was_there { Verdict::Lost } else { Verdict::Same };
            Comparison { verdict, note: "no record of it".to_owned(), ..blank }
        }
        (None, _, _) => Comparison { verdict: Verdict::Gained, ..blank },
    }
}
