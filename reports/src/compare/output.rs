//! A comparison as text, Markdown or JSON.

use std::io::Write;

use prismbench_core::{Outcome, Record, Unit, choice};
use prismbench_metrics::Interval;
use serde_json::json;

use super::{Comparison, Verdict};
use crate::ReportError;
use crate::markup::Markup;
use crate::numbers::number;
use crate::row_names::{protocol_lines, short};
use crate::sheet::Sheet;

choice! {
    /// What a comparison is written as.
    pub enum CompareFormat = "comparison format" {
        /// For a terminal.
        Text = "text": "what changed, for a terminal",
        /// For GitHub.
        Markdown = "markdown": "the same as a GitHub table",
        /// For a program: every row, also the same ones.
        Json = "json": "every row, also the same ones",
    }
}

/// Writes what changed. Rows that are the same are counted; `all` shows them too.
///
/// # Errors
/// [`ReportError::Empty`] without anything compared, [`ReportError::Output`] when `out` fails.
pub fn write_comparison(
    comparisons: &[Comparison],
    (format, shown): (CompareFormat, &[Verdict]),
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    if comparisons.is_empty() {
        return Err(ReportError::Empty);
    }
    let rows: Vec<_> = comparisons.iter().filter(|row| shown.contains(&row.verdict)).collect();
    let text = match format {
        CompareFormat::Text => written(comparisons, &rows, Markup::Line),
        CompareFormat::Markdown => written(comparisons, &rows, Markup::Markdown),
        CompareFormat::Json => {
            let rows: Vec<_> = comparisons.iter().map(json_of).collect();
            format!("{:#}\n", json!({ "format": 1, "rows": rows }))
        }
    };
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(ReportError::Output)
}

fn written(all: &[Comparison], rows: &[&Comparison], markup: Markup) -> String {
    let total = markup.plain(&total(all));
    if rows.is_empty() {
        return total + "\n";
    }
    let mut sheets: Vec<(String, Vec<&Comparison>)> = Vec::new();
    for row in rows {
        let heading = row.subject().map_or_else(String::new, heading);
        match sheets.iter_mut().find(|(known, _)| *known == heading) {
            Some((_, rows)) => rows.push(row),
            None => sheets.push((heading, vec![row])),
        }
    }
    let sheets = sheets.into_iter().map(|(heading, rows)| sheet(heading, &rows, markup));
    sheets.collect::<Vec<_>>().join("\n") + "\n" + &total + "\n"
}

fn sheet(heading: String, rows: &[&Comparison], markup: Markup) -> String {
    let header = ["verdict", "tokenizer", "metric", "before", "after", "gain", "by"];
    let mut sheet = Sheet {
        markup,
        heading,
        header: header.map(str::to_owned).to_vec(),
        rows: Vec::new(),
        words: 3,
        footnotes: Vec::new(),
        closing: vec![confidence(rows)],
    };
    let records = rows.iter().flat_map(|row| row.before.iter().chain(&row.after));
    sheet.closing.extend(protocol_lines(records).iter().map(|line| markup.plain(line)));
    for row in rows {
        let Some(record) = row.subject() else { continue };
        let value = |record: &Option<Record>| {
            record
                .as_ref()
                .map_or_else(|| markup.dash().to_owned(), |r| markup.plain(&value_text(r)))
        };
        let mut verdict = row.verdict.word().to_owned();
        if !row.note.is_empty() {
            verdict += &sheet.footnote(row.note.clone());
        }
        // Where the whole is worse, its parts tell nothing new.
        let slices = row.slices.iter().filter(|_| row.verdict != Verdict::Worse).map(|slice| {
            let gain = gain_text(record.unit, Some(slice.gain), None);
            format!("{}: {gain} over {} images", slice.name, slice.n)
        });
        let slices: Vec<_> = slices.collect();
        if !slices.is_empty() {
            verdict += &sheet.footnote(format!("worse in {}", slices.join("; ")));
        }
        sheet.rows.push(vec![
            verdict,
            markup.plain(&subject_text(record)),
            markup.plain(&metric_text(record)),
            value(&row.before),
            value(&row.after),
            markup.plain(&gain_text(record.unit, row.gain, row.interval)),
            markup.plain(&row.evidence.text()),
        ]);
    }
    sheet.written()
}

fn confidence(rows: &[&Comparison]) -> String {
    let mut levels: Vec<String> = Vec::new();
    for row in rows.iter().filter(|row| row.interval.is_some()) {
        let level = format!("{} %", (row.limit.confidence * 1e4).round() / 1e2);
        if !levels.contains(&level) {
            levels.push(level);
        }
    }
    match levels.as_slice() {
        [] => "gain: positive is better".to_owned(),
        levels => format!("gain: positive is better, with its {} interval", levels.join(" or ")),
    }
}

/// `38 same, 1 worse`: every verdict that there is, the most urgent first.
fn total(all: &[Comparison]) -> String {
    let counts = Verdict::ALL.into_iter().filter_map(|verdict| {
        let count = all.iter().filter(|row| row.verdict == verdict).count();
        (count > 0).then(|| format!("{count} {}", verdict.word()))
    });
    counts.collect::<Vec<_>>().join(", ")
}

fn heading(record: &Record) -> String {
    format!(
        "{} · {} ({}) · {} · protocol {} {}",
        record.suite,
        record.dataset,
        record.split,
        record.resolution,
        record.protocol,
        short(&record.protocol_sha256)
    )
}

/// A tokenizer with its variant.
pub(crate) fn subject_text(record: &Record) -> String {
    match record.variant.as_str() {
        "" => record.tokenizer.clone(),
        variant => format!("{} ({variant})", record.tokenizer),
    }
}

/// A metric with its setting.
pub(crate) fn metric_text(record: &Record) -> String {
    format!("{} {}", record.metric, record.setting).trim_end().to_owned()
}

/// A value as a comparison shows it.
pub(crate) fn value_text(record: &Record) -> String {
    match &record.outcome {
        Outcome::Ok { value, .. } => {
            format!("{} {}", number(record.unit, *value), record.unit.symbol())
                .trim_end()
                .to_owned()
        }
        Outcome::Infinite { .. } => "∞".to_owned(),
        outcome => outcome.word().to_owned(),
    }
}

/// A gain with a sign, and a digit more than its values: what matters is small.
pub(crate) fn gain_text(unit: Unit, gain: Option<f64>, interval: Option<Interval>) -> String {
    let digits = match unit {
        Unit::Decibel
        | Unit::GigaFlop
        | Unit::GigaMac
        | Unit::FlopPerByte
        | Unit::Millisecond
        | Unit::ImagesPerSecond => 3,
        Unit::GigaFlopPerSecond | Unit::GigabytePerSecond => 2,
        Unit::One => 5,
        Unit::BitsPerPixel => 4,
        Unit::FloatsPerImage | Unit::Mebibyte | Unit::Parameters => 0,
    };
    let Some(gain) = gain else { return String::new() };
    match interval {
        None => format!("{gain:+.digits$}"),
        Some(Interval { low, high }) => {
            format!("{gain:+.digits$} [{low:+.digits$}, {high:+.digits$}]")
        }
    }
}

/// A row for programs: the ids, both outcomes, and the verdict with what it rests on.
pub(crate) fn json_of(row: &Comparison) -> serde_json::Value {
    let Some(record) = row.subject() else { return serde_json::Value::Null };
    let outcome = |record: &Option<Record>| {
        record.as_ref().map(|record| serde_json::to_value(&record.outcome).unwrap_or_default())
    };
    let slices: Vec<_> = row
        .slices
        .iter()
        .map(|slice| {
            json!({ "name": slice.name, "n": slice.n, "gain": slice.gain, "p": slice.p_value })
        })
        .collect();
    json!({
        "suite": record.suite,
        "tokenizer": record.tokenizer,
        "variant": record.variant,
        "dataset": record.dataset,
        "split": record.split,
        "resolution": record.resolution,
        "metric": record.metric,
        "dialect": record.dialect,
        "setting": record.setting,
        "protocol_sha256": record.protocol_sha256,
        "before": outcome(&row.before),
        "after": outcome(&row.after),
        "verdict": row.verdict.word(),
        "gain": row.gain,
        "interval": row.interval.map(|interval| [interval.low, interval.high]),
        "confidence": row.limit.confidence,
        "evidence": row.evidence.text(),
        "slices": slices,
        "note": row.note,
    })
}
