//! Which record of one run belongs to which of another.

use std::collections::HashMap;

use prismbench_core::{Record, unversioned};
use prismbench_metrics::is_timed;

use super::Side;
use crate::ReportError;
use crate::row_names::short;
use crate::standing::is_valued;

/// Two records of one thing, or one that has no counterpart.
pub(super) struct Match<'s> {
    pub(super) before: Option<&'s Record>,
    pub(super) after: Option<&'s Record>,
    /// Why the two must not be compared, where both are there.
    pub(super) difference: Option<String>,
}

type Thing<'s> = [&'s str; 8];

/// What a record is of, whatever it was measured by.
fn thing(record: &Record) -> Thing<'_> {
    let Record { tokenizer, variant, dataset, split, resolution, setting, .. } = record;
    let (suite, metric) = (unversioned(&record.suite), unversioned(&record.metric));
    [suite, tokenizer, variant, dataset, split, resolution, metric, setting]
}

fn protocol(record: &Record) -> [&str; 2] {
    [&record.protocol_sha256, &record.dialect]
}

pub(super) fn matched<'s>(
    before: &'s Side,
    after: &'s Side,
) -> Result<Vec<Match<'s>>, ReportError> {
    indexed(&before.records)?;
    let new = indexed(&after.records)?;
    let mut taken = vec![false; after.records.len()];
    let exact: Vec<Option<usize>> = before
        .records
        .iter()
        .map(|record| {
            let namesakes = new.get(&thing(record))?.iter().copied();
            let found = namesakes
                .into_iter()
                .find(|&at| protocol(&after.records[at]) == protocol(record))?;
            taken[found] = true;
            Some(found)
        })
        .collect();
    // Only what no protocol fits is shown against a record of another one.
    let mut matches: Vec<Match<'s>> = Vec::new();
    for (record, exact) in before.records.iter().zip(exact) {
        let found = exact.or_else(|| {
            let other = new.get(&thing(record))?.iter().copied().find(|&at| !taken[at])?;
            taken[other] = true;
            Some(other)
        });
        let counterpart = found.map(|at| &after.records[at]);
        let difference = counterpart.and_then(|after| difference(record, after));
        matches.push(Match { before: Some(record), after: counterpart, difference });
    }
    let rest = after.records.iter().zip(&taken).filter(|(_, taken)| !**taken);
    matches.extend(rest.map(|(record, _)| Match {
        before: None,
        after: Some(record),
        difference: None,
    }));
    Ok(matches)
}

fn indexed(records: &[Record]) -> Result<HashMap<Thing<'_>, Vec<usize>>, ReportError> {
    let mut index: HashMap<Thing<'_>, Vec<usize>> = HashMap::new();
    for (at, record) in records.iter().enumerate() {
        let namesakes = index.entry(thing(record)).or_default();
        if namesakes.iter().any(|&other| protocol(&records[other]) == protocol(record)) {
            return Err(ReportError::Twice {
                run: record.run.clone(),
                tokenizer: record.tokenizer.clone(),
                metric: record.metric.clone(),
            });
        }
        namesakes.push(at);
    }
    Ok(index)
}

/// The first field in which two records must agree and do not.
fn difference(old: &Record, new: &Record) -> Option<String> {
    let named = |record: &Record| format!("{} {}", record.protocol, short(&record.protocol_sha256));
    let pictures = |record: &Record| short(&record.reference_sha256).to_owned();
    let unit = |record: &Record| format!("{:?}, better {:?}", record.unit, record.better);
    let other = |name: &str, old: &str, new: &str| Some(format!("another {name}: {old} → {new}"));
    let valued = is_valued(&old.outcome) && is_valued(&new.outcome);
    match () {
        () if old.metric != new.metric => other("metric", &old.metric, &new.metric),
        () if old.suite != new.suite => other("suite", &old.suite, &new.suite),
        () if old.protocol_sha256 != new.protocol_sha256 => {
            other("protocol", &named(old), &named(new))
        }
        () if old.dialect != new.dialect => other("dialect", &old.dialect, &new.dialect),
        () if unit(old) != unit(new) => other("unit or direction", &unit(old), &unit(new)),
        () if valued && old.reference_sha256 != new.reference_sha256 => {
            Some(format!("other pictures: {} → {}", pictures(old), pictures(new)))
        }
        () if valued && is_timed(unversioned(&old.metric)) && old.device != new.device => {
            other("machine", &old.device, &new.device)
        }
        () if valued && old.n != new.n => Some(format!("n = {} → {}", old.n, new.n)),
        () => None,
    }
}
