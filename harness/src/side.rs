//! Runs as sides of a comparison, checked against what this build knows of their metrics.

use std::path::Path;

use prismbench_core::Record;
use prismbench_reports::{ReportError, Side};
use prismbench_suites::suites;

use crate::Streams;
use crate::error::Failure;

/// Reads a run.
pub(crate) fn read(path: &Path, streams: &mut Streams<'_>) -> Result<Side, Failure> {
    let side = Side::read(path)?;
    for warning in &side.warnings {
        streams.say(&format!("warning: {warning}"));
    }
    check(&side.records)?;
    Ok(side)
}

/// A record whose metric this build knows must have its unit and direction: with the sign of better wrong,
/// a loss would pass as a gain.
pub(crate) fn check(records: &[Record]) -> Result<(), Failure> {
    let suites = suites();
    let metrics: Vec<_> = suites.iter().flat_map(|suite| suite.metrics()).collect();
    for (index, record) in records.iter().enumerate() {
        let known = metrics.iter().find(|metric| metric.versioned_id() == record.metric);
        let Some(metric) = known else { continue };
        if (metric.better, metric.unit) != (record.better, record.unit) {
            let reason = format!(
                "better is {:?} in {:?}, and the record says {:?} in {:?}",
                metric.better, metric.unit, record.better, record.unit
            );
            let (tokenizer, metric) = (record.tokenizer.clone(), record.metric.clone());
            return Err(ReportError::Record { index, tokenizer, metric, reason }.into());
        }
    }
    Ok(())
}
