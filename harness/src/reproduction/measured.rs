use prismbench_core::{Record, unversioned};
use prismbench_reports::Target;

/// Records, or why there are none.
pub(super) type Measured = Result<Vec<Record>, String>;

/// The record of a target: of several settings that of its own, else the one without any. Published settings
/// are words of papers (`guided`, `linear`), most of which no record has.
pub(super) fn record_of(target: &Target, measured: &Measured) -> Result<Record, String> {
    let records = measured.as_ref().map_err(Clone::clone)?;
    let of_metric: Vec<&Record> =
        records.iter().filter(|record| unversioned(&record.metric) == target.metric).collect();
    let at = |setting: &str| of_metric.iter().find(|record| record.setting == setting).copied();
    let found = at(&target.setting).or_else(|| at("")).or(match of_metric.as_slice() {
        [only] => Some(*only),
        _ => None,
    });
    match (found, of_metric.as_slice()) {
        (Some(record), _) => Ok(record.clone()),
        (None, []) => Err(format!("there is no record of {}", target.metric)),
        (None, several) => {
            let settings: Vec<&str> = several.iter().map(|record| &*record.setting).collect();
            Err(format!(
                "{} has values at {}, and the published one does not say which of these it is at",
                target.metric,
                settings.join(", ")
            ))
        }
    }
}
