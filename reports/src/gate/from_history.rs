//! Rules that earlier runs write: floors as wide as the noise from run to run.

use std::collections::BTreeMap;
use std::fmt::Write;

use prismbench_core::unversioned;
use prismbench_metrics::change_bound;

use crate::compare::Limit;
use crate::history::{FEW, trends};
use crate::{Measured, ReportError};

/// Begins the block of these rules; the block ends where the values begin.
pub(super) const MARK: &str = "# ---- from history: `gate --update --from-history` replaces the rules down to the next such line ----";

/// What the runs of the past say about noise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryRules {
    /// Ordered by what they are for.
    pub rules: Vec<HistoryRule>,
    /// Series of values with too few runs for a rule.
    pub insufficient: usize,
}

/// A floor for one metric of one tokenizer whose values scatter more than its default allows.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryRule {
    /// Suite, data set, tokenizer and metric, without versions.
    pub of: [String; 4],
    /// In the unit of the metric.
    pub floor: f64,
    /// Runs that it is from.
    pub runs: usize,
}

/// The floors that runs of the past call for: [`change_bound`] of each series of at least 10 comparable
/// values, where that is more than the default floor. Of several series of one metric (protocols, settings,
/// numbers of pictures) the largest bound holds.
///
/// # Errors
/// [`ReportError::Empty`] without a record.
pub fn history_rules(measured: &[Measured]) -> Result<HistoryRules, ReportError> {
    if measured.is_empty() {
        return Err(ReportError::Empty);
    }
    let mut insufficient = 0;
    let mut found: BTreeMap<[String; 4], (f64, usize)> = BTreeMap::new();
    let bare = |text: &str| unversioned(text).to_owned();
    let mut metrics: Vec<&str> =
        measured.iter().map(|point| point.record.metric.as_str()).collect();
    metrics.sort_unstable();
    metrics.dedup();
    for trend in metrics.into_iter().flat_map(|metric| trends(measured, metric)) {
        let values = trend.values();
        let Some(first) = trend.points.first().map(|point| &point.record) else { continue };
        if values.len() < FEW {
            insufficient += 1;
            continue;
        }
        let metric = bare(&first.metric);
        let last = values.last().copied().unwrap_or_default();
        let Some(bound) = change_bound(&values) else { continue };
        if bound <= Limit::of_metric(&metric).floor(last) {
            continue;
        }
        let of = [bare(&first.suite), first.dataset.clone(), first.tokenizer.clone(), metric];
        let known = found.entry(of).or_default();
        if bound > known.0 {
            *known = (bound, values.len());
        }
    }
    let rules = found.into_iter().map(|(of, (floor, runs))| HistoryRule { of, floor, runs });
    Ok(HistoryRules { rules: rules.collect(), insufficient })
}

/// The rules of a file with these in the place of the last such block.
pub(super) fn with_block(head: &str, rules: &[HistoryRule]) -> String {
    let own = match head.split(MARK).next().unwrap_or(head).trim_end() {
        "" => String::new(),
        own => format!("{own}\n\n"),
    };
    if rules.is_empty() {
        return own;
    }
    let mut text = format!("{own}{MARK}\n");
    for HistoryRule { of: [suite, dataset, tokenizer, metric], floor, runs } in rules {
        let keys =
            [("metric", metric), ("tokenizer", tokenizer), ("suite", suite), ("dataset", dataset)];
        text += "[[rule]]\n";
        for (key, value) in keys {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{key} = {}", super::written::quoted(value));
        }
        let _ =
            writeln!(text, "floor = {floor:?}  # Q3 + 3 IQR of the changes between {runs} runs\n");
    }
    text
}
