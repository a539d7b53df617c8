use polars::prelude::{Column, DataFrame, PolarsResult};
use prismbench_core::{Better, Outcome, Record, Unit};

use crate::{Contents, PublishedRow, ReportError};

/// The columns that must agree before two rows may be ranked against each other: same task, same
/// pictures, same number of them, same protocol.
pub const COMPARABLE: [&str; 7] =
    ["suite", "dataset", "split", "resolution", "n", "protocol_sha256", "reference_sha256"];

/// The long frame: a row per record, the columns of [`Record`] in its order, in every export.
///
/// The outcome takes seven columns: `outcome` (the word), `value`, `low`, `high`, `infinite` and
/// `finite_mean` (null where there is none), and `note` (the reason, explanation or warnings as text,
/// else empty). All other text is never null; an empty text means that there is none.
///
/// # Errors
/// [`ReportError::Record`] for a number that is not finite or an interval that is none.
pub fn frame(records: &[Record]) -> Result<DataFrame, ReportError> {
    check_all(records)?;
    let columns = [identity(records), outcome(records), circumstances(records)].concat();
    DataFrame::new(records.len(), columns).map_err(ReportError::frame("build the frame of records"))
}

fn check_all(records: &[Record]) -> Result<(), ReportError> {
    for (index, record) in records.iter().enumerate() {
        check(record).map_err(|reason| ReportError::Record {
            index,
            tokenizer: record.tokenizer.clone(),
            metric: record.metric.clone(),
            reason,
        })?;
    }
    Ok(())
}

/// The long frame of what was measured and published. Published rows bring five columns more: `paper`,
/// `paper_version`, `confidence`, `contradicted` and `key`, empty or null for measured ones; their `note` is the
/// source's.
pub(crate) fn long_frame(contents: Contents<'_>) -> Result<DataFrame, ReportError> {
    let Contents { records, published, .. } = contents;
    if published.is_empty() {
        return frame(records);
    }
    let mut all = records.to_vec();
    all.extend(published.iter().map(PublishedRow::record));
    let mut frame = frame(&all)?;
    let text = |name: &str, field: fn(&PublishedRow) -> &str| {
        let measured = records.iter().map(|_| "");
        Column::new(name.into(), measured.chain(published.iter().map(field)).collect::<Vec<_>>())
    };
    let measured_notes = records.iter().map(note);
    let notes = measured_notes.chain(published.iter().map(|row| row.note.clone()));
    let contradicted = records.iter().map(|_| None);
    let contradicted = contradicted.chain(published.iter().map(|row| Some(row.contradicted)));
    let columns = [
        Column::new("note".into(), notes.collect::<Vec<_>>()),
        text("paper", |row| &row.paper),
        text("paper_version", |row| &row.paper_version),
        text("confidence", |row| &row.confidence),
        Column::new("contradicted".into(), contradicted.collect::<Vec<_>>()),
        text("key", |row| &row.key),
    ];
    for column in columns {
        frame
            .with_column(column)
            .map_err(ReportError::frame("add the columns of published rows"))?;
    }
    Ok(frame)
}

/// Positions of the records that may share a ranking, group by group in order of appearance.
///
/// `n` is the number of samples that each record is ranked under; see
/// [`ranked_n`](crate::ranked_n::ranked_n).
pub(crate) fn comparable(records: &[Record], n: &[u64]) -> Result<Vec<Vec<usize>>, ReportError> {
    check_all(records)?;
    let text = |name, field: fn(&Record) -> &str| text(name, records, field);
    let columns = vec![
        text("suite", |r| &r.suite),
        text("dataset", |r| &r.dataset),
        text("split", |r| &r.split),
        text("resolution", |r| &r.resolution),
        Column::new("n".into(), n),
        text("protocol_sha256", |r| &r.protocol_sha256),
        text("reference_sha256", |r| &r.reference_sha256),
    ];
    let group = || -> PolarsResult<_> {
        let frame = DataFrame::new(records.len(), columns)?;
        let groups = frame.group_by_stable(COMPARABLE)?.groups()?;
        let members = groups.column("groups")?.list()?.no_null_series_iter();
        members
            .map(|group| {
                Ok(group.idx()?.no_null_iter().map(|position| position as usize).collect())
            })
            .collect()
    };
    group().map_err(ReportError::frame("group the records"))
}

/// Says what is wrong with a record's numbers, if anything is.
pub(crate) fn check(record: &Record) -> Result<(), String> {
    let (value, low, high) = interval(&record.outcome);
    let finite_mean = finite_mean(&record.outcome);
    let numbers = [
        ("value", value),
        ("low", low),
        ("high", high),
        ("finite_mean", finite_mean),
        ("seconds", Some(record.seconds)),
    ];
    for (name, number) in numbers {
        if let Some(number) = number.filter(|number| !number.is_finite()) {
            return Err(format!("`{name}` is {number}, expected a finite number"));
        }
    }
    if record.replicates.iter().any(|replicate| !replicate.is_finite()) {
        return Err("`replicates` has a number that is not finite".to_owned());
    }
    match (low, high) {
        (Some(low), Some(high)) if low > high => {
            Err(format!("the interval from {low} to {high} is upside down"))
        }
        (Some(_), None) | (None, Some(_)) => Err("the interval has one end only".to_owned()),
        _ => Ok(()),
    }
}

fn text(name: &str, records: &[Record], field: impl Fn(&Record) -> &str) -> Column {
    Column::new(name.into(), records.iter().map(field).collect::<Vec<_>>())
}

fn identity(records: &[Record]) -> Vec<Column> {
    let text = |name, field: fn(&Record) -> &str| text(name, records, field);
    vec![
        text("run", |r| &r.run),
        text("tokenizer", |r| &r.tokenizer),
        text("variant", |r| &r.variant),
        text("latent", |r| &r.latent),
        text("suite", |r| &r.suite),
        text("dataset", |r| &r.dataset),
        text("split", |r| &r.split),
        text("resolution", |r| &r.resolution),
        Column::new("n".into(), records.iter().map(|r| r.n).collect::<Vec<_>>()),
        text("metric", |r| &r.metric),
        text("dialect", |r| &r.dialect),
        text("setting", |r| &r.setting),
    ]
}

fn outcome(records: &[Record]) -> Vec<Column> {
    let number = |name: &str, field: fn(&Outcome) -> Option<f64>| {
        let numbers: Vec<_> = records.iter().map(|r| field(&r.outcome)).collect();
        Column::new(name.into(), numbers)
    };
    let infinite: Vec<_> = records
        .iter()
        .map(|r| match r.outcome {
            Outcome::Infinite { infinite, .. } => Some(infinite),
            _ => None,
        })
        .collect();
    let notes: Vec<_> = records.iter().map(note).collect();
    vec![
        text("outcome", records, |r| r.outcome.word()),
        number("value", |outcome| interval(outcome).0),
        number("low", |outcome| interval(outcome).1),
        number("high", |outcome| interval(outcome).2),
        Column::new("infinite".into(), infinite),
        number("finite_mean", finite_mean),
        Column::new("note".into(), notes),
    ]
}

/// What is said of a record beside its number: the reason for having none, or warnings.
fn note(record: &Record) -> String {
    match record.outcome.note() {
        reason if reason.is_empty() => record.warnings.join("; "),
        reason => reason,
    }
}

fn circumstances(records: &[Record]) -> Vec<Column> {
    let text = |name, field: fn(&Record) -> &str| text(name, records, field);
    vec![
        text("unit", |r| unit_word(r.unit)),
        text("better", |r| better_word(r.better)),
        text("protocol", |r| &r.protocol),
        text("protocol_sha256", |r| &r.protocol_sha256),
        text("weights_sha256", |r| &r.weights_sha256),
        text("reference_sha256", |r| &r.reference_sha256),
        text("device", |r| &r.device),
        text("dtype", |r| &r.dtype),
        Column::new("seconds".into(), records.iter().map(|r| r.seconds).collect::<Vec<_>>()),
        text("source", |r| &r.source),
        text("tool_version", |r| &r.tool_version),
    ]
}

fn interval(outcome: &Outcome) -> (Option<f64>, Option<f64>, Option<f64>) {
    match *outcome {
        Outcome::Ok { value, low, high } => (Some(value), low, high),
        _ => (None, None, None),
    }
}

fn finite_mean(outcome: &Outcome) -> Option<f64> {
    match *outcome {
        Outcome::Infinite { finite_mean, .. } => finite_mean,
        _ => None,
    }
}

/// As `records.jsonl` writes it; a pure number has the unit `1`.
fn unit_word(unit: Unit) -> &'static str {
    match unit.symbol() {
        "" => "1",
        symbol => symbol,
    }
}

/// As `records.jsonl` writes it.
fn better_word(better: Better) -> &'static str {
    match better {
        Better::Higher => "higher",
        Better::Lower => "lower",
        Better::Neither => "neither",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn the_columns_are_those_of_a_record_in_its_order() {
        let mut records = fixtures::everything();
        // Every optional part at once does not exist; the outcome's own columns are left out.
        records.truncate(1);
        let frame = frame(&records).unwrap();
        let outcome = ["outcome", "value", "low", "high", "infinite", "finite_mean", "note"];
        let columns: Vec<_> = frame
            .get_column_names()
            .into_iter()
            .map(|name| name.to_string())
            .filter(|name| !outcome.contains(&name.as_str()))
            .collect();
        // The text, because a parsed object forgets its order.
        let line = serde_json::to_string(&records[0]).unwrap();
        let mut fields: Vec<_> = line
            .split(['{', ','])
            .filter_map(|pair| pair.split_once("\":"))
            .map(|(field, _)| field.trim_start_matches('"').to_owned())
            .collect();
        fields.retain(|field| !outcome.contains(&field.as_str()));
        assert_eq!(columns, fields);
    }

    #[test]
    fn units_and_directions_are_the_words_of_the_records() {
        for unit in Unit::ALL {
            assert_eq!(serde_json::to_value(unit).unwrap(), unit_word(unit));
        }
        for better in [Better::Higher, Better::Lower, Better::Neither] {
            assert_eq!(serde_json::to_value(better).unwrap(), better_word(better));
        }
    }

    #[test]
    fn a_number_that_is_not_finite_never_enters_a_table() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut records = fixtures::everything();
            records[2].outcome = Outcome::Ok { value: bad, low: None, high: None };
            let error = frame(&records).unwrap_err().to_string();
            assert!(error.starts_with("record 2 (`"), "{error}");
            assert!(error.ends_with("expected a finite number"), "{error}");
            records[2].outcome = Outcome::Infinite { infinite: 1, finite_mean: Some(bad) };
            assert!(crate::leaderboards(&records).is_err());
            records[2].outcome = Outcome::Skipped { reason: String::new() };
            records[2].seconds = bad;
            assert!(frame(&records).is_err());
        }
    }

    #[test]
    fn an_interval_has_two_ends_or_none() {
        let mut records = fixtures::everything();
        records[0].outcome = Outcome::Ok { value: 1.0, low: Some(0.5), high: None };
        let error = frame(&records).unwrap_err().to_string();
        assert!(error.ends_with("the interval has one end only"), "{error}");
    }
}
