//! Whether a run is as good as a baseline: a decision that continuous integration can trust.

mod baseline;
mod from_history;
mod junit;
mod output;
mod parquet;
#[cfg(test)]
mod tests;
mod update;
mod written;

pub use baseline::Baseline;
pub use from_history::{HistoryRule, HistoryRules, history_rules};
pub use output::{GateFormat, write_gate};
pub use update::update_baseline;

use prismbench_core::{Better, Outcome};

use crate::ReportError;
use crate::compare::{Comparison, Side, Sides, Verdict, Weight, compare};
use crate::standing::is_valued;

/// What a gate says as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Everything in the baseline was compared, and nothing is worse.
    Pass,
    /// Something is worse, lost, or beyond a hard limit.
    Regressed,
    /// Nothing is worse, and not everything is shown to be as good.
    Inconclusive,
    /// There was nothing to compare.
    Nothing,
}

impl Decision {
    /// The word that reports print.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Regressed => "regressed",
            Self::Inconclusive => "inconclusive",
            Self::Nothing => "nothing compared",
        }
    }
}

/// What a gate says of one metric of one tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As good, better, or new.
    Pass,
    /// Worse, lost, or beyond a hard limit.
    Regressed,
    /// Not shown to be as good.
    Inconclusive,
    /// It would have failed, and its rule is advisory.
    Advisory,
}

impl Status {
    /// The word that reports print.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Regressed => "regressed",
            Self::Inconclusive => "inconclusive",
            Self::Advisory => "advisory",
        }
    }
}

/// One metric of one tokenizer, and whether it fails.
#[derive(Clone, Debug, PartialEq)]
pub struct GateRow {
    /// What was compared.
    pub comparison: Comparison,
    /// Whether it fails.
    pub status: Status,
    /// Why, in words; empty for a pass.
    pub reason: String,
}

/// A run held against a baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct GateReport {
    /// The run that the baseline was written from.
    pub before: String,
    /// The run that is judged.
    pub after: String,
    /// Everything in the baseline, in its order, then what is new.
    pub rows: Vec<GateRow>,
    /// What changed about how the numbers were made, and does not decide by itself: weights, device.
    pub notes: Vec<String>,
}

impl GateReport {
    /// Of a run that has no records.
    #[must_use]
    pub fn of_nothing(baseline: &Baseline, after: &str) -> Self {
        let notes = vec!["the run has no records".to_owned()];
        let (before, after) = (baseline.run.clone(), after.to_owned());
        Self { before, after, rows: Vec::new(), notes }
    }

    /// Regressed where anything is; else inconclusive where anything is; a pass needs a comparison.
    #[must_use]
    pub fn decision(&self) -> Decision {
        let any = |status| self.rows.iter().any(|row| row.status == status);
        let compared = |row: &GateRow| {
            let Comparison { verdict, after, .. } = &row.comparison;
            // Two that have no number say nothing of any.
            let has_number = after.as_ref().is_some_and(|record| is_valued(&record.outcome));
            let absent = [Verdict::Gained, Verdict::Lost, Verdict::Incomparable].contains(verdict);
            has_number && !absent
        };
        match () {
            () if any(Status::Regressed) => Decision::Regressed,
            () if any(Status::Inconclusive) => Decision::Inconclusive,
            () if !self.rows.iter().any(compared) => Decision::Nothing,
            () => Decision::Pass,
        }
    }
}

/// Holds a run against a baseline, by the rules in its file.
///
/// # Errors
/// Those of [`compare`].
pub fn gate(baseline: &Baseline, run: &Side) -> Result<GateReport, ReportError> {
    let comparisons = compare(&baseline.side, run, &baseline.rules)?;
    let notes = notes(&comparisons);
    let rows = comparisons.into_iter().map(row).collect();
    let after = run.records.first().map_or_else(String::new, |record| record.run.clone());
    Ok(GateReport { before: baseline.run.clone(), after, rows, notes })
}

fn row(comparison: Comparison) -> GateRow {
    let (status, reason) = judged(&comparison);
    let status = match (status, comparison.limit.weight) {
        (Status::Regressed | Status::Inconclusive, Weight::Advisory) => Status::Advisory,
        (status, _) => status,
    };
    GateRow { comparison, status, reason }
}

fn judged(row: &Comparison) -> (Status, String) {
    if let Some(reason) = beyond_limit(row) {
        return (Status::Regressed, reason);
    }
    let two_sided = row.limit.sides == Sides::Two;
    let noted = |what: &str| match row.note.as_str() {
        "" => what.to_owned(),
        note => format!("{what}: {note}"),
    };
    let slices: Vec<&str> = row.slices.iter().map(|slice| slice.name.as_str()).collect();
    match row.verdict {
        Verdict::Worse => (Status::Regressed, noted("worse")),
        Verdict::Lost => (Status::Regressed, noted("lost")),
        _ if !slices.is_empty() => (Status::Regressed, format!("worse in {}", slices.join(", "))),
        Verdict::Better if two_sided => {
            (Status::Regressed, "better, and its rule is two-sided".to_owned())
        }
        Verdict::Changed if two_sided => {
            (Status::Regressed, "changed, and its rule is two-sided".to_owned())
        }
        Verdict::Changed => (Status::Inconclusive, noted("changed")),
        Verdict::Inconclusive => (Status::Inconclusive, noted("inconclusive")),
        Verdict::Incomparable => (Status::Inconclusive, noted("not comparable")),
        Verdict::Better | Verdict::Same | Verdict::Gained => (Status::Pass, String::new()),
    }
}

/// Hard limits hold whatever the baseline says. An infinite value is beyond any on the better side.
fn beyond_limit(row: &Comparison) -> Option<String> {
    let record = row.after.as_ref()?;
    let value = match (&record.outcome, record.better) {
        (Outcome::Ok { value, .. }, _) => *value,
        (Outcome::Infinite { .. }, Better::Higher) => f64::INFINITY,
        _ => return None,
    };
    match (row.limit.min, row.limit.max) {
        (Some(min), _) if value < min => Some(format!("below the limit of {min}")),
        (_, Some(max)) if value > max => Some(format!("above the limit of {max}")),
        _ => None,
    }
}

/// What a reader should know of the two runs, once for each tokenizer.
fn notes(comparisons: &[Comparison]) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for row in comparisons {
        let (Some(before), Some(after)) = (&row.before, &row.after) else { continue };
        let short = |hash: &str| match crate::row_names::short(hash) {
            "" => "none".to_owned(),
            short => short.to_owned(),
        };
        let facts = [
            ("weights", short(&before.weights_sha256), short(&after.weights_sha256)),
            ("device", before.device.clone(), after.device.clone()),
            ("arithmetic", before.dtype.clone(), after.dtype.clone()),
        ];
        for (what, old, new) in facts {
            let note = format!("{what} of {}: {old} → {new}", after.tokenizer);
            if old != new && !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}
