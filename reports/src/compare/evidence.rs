//! From values to a verdict.

use std::cmp::Ordering;

use prismbench_core::{Better, Outcome, Record};
use prismbench_metrics::probe::McNemar;
use prismbench_metrics::{Interval, paired_interval, paired_jackknife, student_quantile};

use super::side::Pairs;
use super::slices::worse_slices;
use super::{Comparison, Limit, Verdict};
use crate::standing::{self, is_valued};

/// Degrees of freedom of the records' intervals: those of a jackknife with ten groups, the widest.
const FREEDOM: f64 = 9.0;

/// Beyond this, a change of the value is not that of the mean of its images, which a baseline rounds to 1e-6.
const UNLIKE: f64 = 1e-5;

/// What a verdict rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Evidence {
    /// No bit differs.
    Identical,
    /// The paired bootstrap over images that both sides have.
    Paired {
        /// Images.
        pairs: usize,
    },
    /// McNemar's test over images that are right or wrong.
    McNemar {
        /// Right before and wrong after.
        lost: u64,
        /// Wrong before and right after.
        won: u64,
        /// Probability of as large a difference between equally good ones.
        p_value: f64,
    },
    /// The jackknife of the difference of two numbers of distributions, the same tenths of the samples left out
    /// of both.
    Jackknife,
    /// The records' own intervals, as if the two runs were independent.
    Intervals,
    /// The two values alone: nobody knows their noise, and the floor decides.
    Values,
    /// There is nothing to compare.
    Nothing,
}

impl Evidence {
    /// As tables print it.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Identical => "identical".to_owned(),
            Self::Paired { pairs } => format!("{pairs} pairs"),
            Self::McNemar { lost, won, p_value } => {
                format!("McNemar {won} won, {lost} lost, p = {p_value:.2e}")
            }
            Self::Jackknife => "paired jackknife".to_owned(),
            Self::Intervals => "intervals, as if independent".to_owned(),
            Self::Values => "values alone".to_owned(),
            Self::Nothing => String::new(),
        }
    }
}

/// Judges two records that may be compared.
pub(super) fn judge(
    old: &Record,
    new: &Record,
    pairs: Option<Result<Pairs, String>>,
    blank: Comparison,
) -> Comparison {
    if let Some(verdict) = presence(&old.outcome, &new.outcome) {
        let note = match &new.outcome {
            Outcome::Skipped { reason } => format!("skipped: {reason}"),
            Outcome::Failed { reason } => format!("failed: {reason}"),
            Outcome::Ok { .. } | Outcome::Infinite { .. } => String::new(),
        };
        return Comparison { verdict, note, ..blank };
    }
    match pairs {
        Some(Ok(pairs)) => of_pairs(old, new, &pairs, blank),
        Some(Err(note)) => Comparison { note, ..of_values(old, new, blank) },
        None => of_values(old, new, blank),
    }
}

/// The verdict where one side has no value; `None` where both have.
fn presence(old: &Outcome, new: &Outcome) -> Option<Verdict> {
    let skipped = |outcome: &Outcome| matches!(outcome, Outcome::Skipped { .. });
    match (is_valued(old), is_valued(new)) {
        (true, true) => None,
        (true, false) => Some(Verdict::Lost),
        (false, true) => Some(Verdict::Gained),
        (false, false) if skipped(old) && skipped(new) => Some(Verdict::Same),
        // What failed before and fails still has not been shown to be as good.
        (false, false) => Some(Verdict::Inconclusive),
    }
}

/// Signed so that positive is better; of a metric without direction, so that positive is larger.
pub(super) fn gain(better: Better, before: f64, after: f64) -> f64 {
    match better {
        Better::Neither => after - before,
        better => better.gain(before, after),
    }
}

fn of_pairs(old: &Record, new: &Record, pairs: &Pairs, blank: Comparison) -> Comparison {
    let better = old.better;
    let of_records = match (old.outcome.value(), new.outcome.value()) {
        (Some(before), Some(after)) => Some(gain(better, before, after)),
        _ => None,
    };
    // A baseline keeps images rounded, and values as they are.
    let moved = of_records.is_some_and(|gain| gain.abs() > 0.0);
    if pairs.identical && !moved {
        let gain = of_records.or(Some(0.0));
        return Comparison { verdict: Verdict::Same, gain, evidence: Evidence::Identical, ..blank };
    }
    let finite = pairs.values.iter().filter(|(a, b)| a.is_finite() && b.is_finite());
    let gains: Vec<f64> = finite.map(|&(a, b)| gain(better, a, b)).collect();
    let limit = blank.limit;
    let mean = (!gains.is_empty()).then(|| gains.iter().sum::<f64>() / gains.len() as f64);
    // The images tell the noise and the records the change: a value need not be the mean of its images.
    let shift = of_records.zip(mean).map_or(0.0, |(records, mean)| records - mean);
    let interval = paired_interval(&gains, limit.confidence)
        .map(|interval| Interval { low: interval.low + shift, high: interval.high + shift });
    let gain = of_records.or(mean);
    let (evidence, beyond_noise) = noise(pairs, gains.len(), interval, limit.confidence);
    let floor = limit.floor(old.outcome.value().unwrap_or(0.0));
    let of_finite = match (gain, interval) {
        (Some(gain), Some(interval)) => call(gain, interval, beyond_noise, floor),
        // A single image shows nothing.
        (Some(_), None) => Verdict::Inconclusive,
        (None, _) => Verdict::Same,
    };
    let verdict = directed(better, with_exact(pairs, better, of_finite));
    let slices = worse_slices(pairs, better, limit, floor);
    let note = match shift.abs() > UNLIKE {
        true => "the value moved otherwise than the mean of its images".to_owned(),
        false => String::new(),
    };
    Comparison { verdict, gain, interval, evidence, slices, note, ..blank }
}

/// What the noise is judged by, and whether the difference is beyond it.
fn noise(
    pairs: &Pairs,
    finite: usize,
    interval: Option<Interval>,
    confidence: f64,
) -> (Evidence, bool) {
    // Rounded in a baseline as anywhere else, right and wrong are 1 and 0.
    let is = |value: f64, of: f64| (value - of).abs() < 1e-9;
    let binary = |value: f64| is(value, 0.0) || is(value, 1.0);
    if pairs.values.iter().all(|&(a, b)| binary(a) && binary(b)) {
        let count = |from: f64, to: f64| {
            pairs.values.iter().filter(|(a, b)| is(*a, from) && is(*b, to)).count() as u64
        };
        let test = McNemar::of_counts(count(1.0, 0.0), count(0.0, 1.0));
        let McNemar { first_only: lost, second_only: won, p_value } = test;
        return (Evidence::McNemar { lost, won, p_value }, p_value < 1.0 - confidence);
    }
    let beyond = interval.is_some_and(|interval| interval.low > 0.0 || interval.high < 0.0);
    (Evidence::Paired { pairs: finite }, beyond)
}

/// Better or worse beyond noise and floor; the same where the whole interval is within the floor.
fn call(gain: f64, interval: Interval, beyond_noise: bool, floor: f64) -> Verdict {
    match () {
        () if beyond_noise && gain.abs() >= floor && gain > 0.0 => Verdict::Better,
        () if beyond_noise && gain.abs() >= floor && gain < 0.0 => Verdict::Worse,
        () if interval.low >= -floor && interval.high <= floor => Verdict::Same,
        () => Verdict::Inconclusive,
    }
}

/// Images that were exact and no longer are, or the reverse, have no finite difference. They count as
/// worse or better; where the others say the opposite, nothing is decided.
fn with_exact(pairs: &Pairs, better: Better, others: Verdict) -> Verdict {
    let (mut won, mut lost) = (0, 0);
    for &(before, after) in &pairs.values {
        let order = match (before.is_infinite(), after.is_infinite()) {
            (false, true) => gain(better, 0.0, after),
            (true, false) => gain(better, before, 0.0),
            _ => 0.0,
        };
        won += u64::from(order > 0.0);
        lost += u64::from(order < 0.0);
    }
    match (won, lost, others) {
        (0, 0, others) => others,
        (0, _, Verdict::Better) | (_, 0, Verdict::Worse) => Verdict::Inconclusive,
        (0, _, _) => Verdict::Worse,
        (_, 0, _) => Verdict::Better,
        (_, _, _) => Verdict::Inconclusive,
    }
}

/// Nothing is better or worse about a metric without direction.
fn directed(better: Better, verdict: Verdict) -> Verdict {
    match (better, verdict) {
        (Better::Neither, Verdict::Better | Verdict::Worse) => Verdict::Changed,
        (_, verdict) => verdict,
    }
}

/// Judges values whose images are not known.
fn of_values(old: &Record, new: &Record, blank: Comparison) -> Comparison {
    let better = old.better;
    let (before, after) = match (&old.outcome, &new.outcome) {
        (Outcome::Ok { value: before, .. }, Outcome::Ok { value: after, .. }) => (*before, *after),
        (old, new) => {
            let verdict = match standing::compare(better, Some(new), Some(old)) {
                Ordering::Less => Verdict::Better,
                Ordering::Equal => Verdict::Same,
                Ordering::Greater => Verdict::Worse,
            };
            let evidence = match verdict {
                Verdict::Same => Evidence::Identical,
                _ => Evidence::Values,
            };
            return Comparison { verdict: directed(better, verdict), evidence, ..blank };
        }
    };
    let gain_of = gain(better, before, after);
    let gain = Some(gain_of);
    if before.to_bits() == after.to_bits() {
        let evidence = Evidence::Identical;
        return Comparison { verdict: Verdict::Same, gain, evidence, ..blank };
    }
    let floor = blank.limit.floor(before);
    if let Some(interval) = jackknife_interval(old, new, after - before, blank.limit) {
        let beyond_noise = interval.low > 0.0 || interval.high < 0.0;
        let verdict = directed(better, call(gain_of, interval, beyond_noise, floor));
        let (interval, evidence) = (Some(interval), Evidence::Jackknife);
        return Comparison { verdict, gain, interval, evidence, ..blank };
    }
    let note = match old.replicates.is_empty() == new.replicates.is_empty() {
        true => blank.note.clone(),
        false => "one of the runs was made without what its differences are judged by: measured \
                  anew, both would be paired"
            .to_owned(),
    };
    let interval = difference_interval(old, new, gain_of, blank.limit);
    let beyond_noise = interval.is_none_or(|interval| interval.low > 0.0 || interval.high < 0.0);
    let verdict = match (gain_of.abs() <= floor, beyond_noise) {
        // On the same pictures most of the noise is shared, so that the floor may call it noise.
        (true, _) => Verdict::Same,
        (false, false) => Verdict::Inconclusive,
        (false, true) if gain_of > 0.0 => Verdict::Better,
        (false, true) => Verdict::Worse,
    };
    let evidence = if interval.is_some() { Evidence::Intervals } else { Evidence::Values };
    Comparison { verdict: directed(better, verdict), gain, interval, evidence, note, ..blank }
}

/// The interval of the gain of a number of distributions, where both runs kept what it was without
/// each tenth of their samples.
fn jackknife_interval(
    old: &Record,
    new: &Record,
    difference: f64,
    limit: Limit,
) -> Option<Interval> {
    let (before, after) = (&old.replicates, &new.replicates);
    let found = paired_jackknife(before, after, difference, limit.confidence)?;
    Some(match old.better {
        Better::Lower => Interval { low: -found.high, high: -found.low },
        Better::Higher | Better::Neither => found,
    })
}

/// The interval of a difference whose two values have their own, as if these were independent: their half
/// widths add like the sides of a right angle, and are widened from 95 % by Student's t.
fn difference_interval(old: &Record, new: &Record, gain: f64, limit: Limit) -> Option<Interval> {
    let half = |outcome: &Outcome| match *outcome {
        Outcome::Ok { low: Some(low), high: Some(high), .. } => Some((high - low) / 2.0),
        _ => None,
    };
    let half = half(&old.outcome)?.hypot(half(&new.outcome)?);
    let quantile = |confidence| student_quantile(confidence, FREEDOM);
    let widened = half * quantile(limit.confidence)? / quantile(0.95)?;
    Some(Interval { low: gain - widened, high: gain + widened })
}
