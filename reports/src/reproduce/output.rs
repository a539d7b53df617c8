//! Reproductions as text, Markdown or JSON.

use std::io::Write;

use serde_json::json;

use super::{Agreement, Reproduction, Suspect, Trial};
use crate::ReportError;
use crate::compare::CompareFormat;
use crate::markup::Markup;
use crate::numbers::number;
use crate::row_names::protocol_lines;
use crate::sheet::Sheet;

/// Writes what came of every published number, part by part.
///
/// # Errors
/// [`ReportError::Empty`] without any, [`ReportError::Output`] when `out` fails.
pub fn write_reproduction(
    rows: &[Reproduction],
    format: CompareFormat,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    if rows.is_empty() {
        return Err(ReportError::Empty);
    }
    let text = match format {
        CompareFormat::Text => written(rows, Markup::Line),
        CompareFormat::Markdown => written(rows, Markup::Markdown),
        CompareFormat::Json => format!("{:#}\n", json_of(rows)),
    };
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(ReportError::Output)
}

fn written(rows: &[Reproduction], markup: Markup) -> String {
    let mut parts: Vec<(&str, Vec<&Reproduction>)> = Vec::new();
    for row in rows {
        match parts.iter_mut().find(|(known, _)| *known == row.part) {
            Some((_, rows)) => rows.push(row),
            None => parts.push((&row.part, vec![row])),
        }
    }
    let sheets = parts.into_iter().map(|(part, rows)| sheet(part, &rows, markup));
    sheets.collect::<Vec<_>>().join("\n") + "\n" + &markup.plain(&total(rows)) + "\n"
}

fn sheet(part: &str, rows: &[&Reproduction], markup: Markup) -> String {
    let header = ["verdict", "tokenizer", "metric", "published", "measured", "off by", "allowed"];
    let mut sheet = Sheet {
        markup,
        heading: part.to_owned(),
        header: header.map(str::to_owned).to_vec(),
        rows: Vec::new(),
        words: 3,
        footnotes: Vec::new(),
        closing: Vec::new(),
    };
    for row in rows {
        let cells = cells(row, &mut sheet);
        sheet.rows.push(cells);
        sheet.closing.extend(explained(row).iter().map(|line| markup.plain(line)));
    }
    let records = rows.iter().filter_map(|row| row.record.as_ref());
    for line in protocol_lines(records).into_iter().chain(sources(rows)) {
        sheet.closing.push(markup.plain(&line));
    }
    sheet.written()
}

fn cells(row: &Reproduction, sheet: &mut Sheet) -> Vec<String> {
    let Reproduction { target, record, .. } = row;
    let markup = sheet.markup;
    let mut verdict = row.agreement.word().to_owned();
    if !row.note.is_empty() {
        verdict += &sheet.footnote(row.note.clone());
    }
    let value = record.as_ref().and_then(|record| record.outcome.value());
    let measured =
        value.map_or_else(|| markup.dash().to_owned(), |value| close(target.unit, value));
    let off = value.map_or_else(String::new, |value| {
        format!("{:+.*}", target.decimals + 1, value - target.value)
    });
    let unit = target.unit.symbol();
    let mut metric = vec![target.metric.as_str(), target.setting.as_str(), unit];
    metric.retain(|word| !word.is_empty());
    vec![
        verdict,
        markup.plain(&named(row)),
        markup.plain(&metric.join(" ")),
        target.text(),
        measured,
        off,
        format!("±{}", significant(target.slack())),
    ]
}

/// `sd-vae = sd-vae-mse` where what was run has another name than what was published.
fn named(row: &Reproduction) -> String {
    match row.subject.as_str() {
        subject if subject.is_empty() || subject == row.target.tokenizer => {
            row.target.tokenizer.clone()
        }
        subject => format!("{} = {subject}", row.target.tokenizer),
    }
}

/// A digit more than tables show: what is compared is finer.
fn close(unit: prismbench_core::Unit, value: f64) -> String {
    match unit {
        prismbench_core::Unit::Decibel => format!("{value:.3}"),
        unit => number(unit, value),
    }
}

/// Two significant digits without zeros at the end.
fn significant(value: f64) -> String {
    let text = format!("{value:.5}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text.is_empty() { "0".to_owned() } else { text.to_owned() }
}

/// Lines on a mismatch: what explains it, what else was tried, what could not be.
fn explained(row: &Reproduction) -> Vec<String> {
    if row.agreement != Agreement::Mismatch || row.suspects.is_empty() {
        return Vec::new();
    }
    let target = &row.target;
    let value = |suspect: &Suspect| match suspect.trial {
        Trial::Value { value, .. } => close(target.unit, value),
        Trial::Untried { .. } => String::new(),
    };
    let tried = |suspect: &&Suspect| matches!(suspect.trial, Trial::Value { .. });
    let count = row.suspects.iter().filter(tried).count();
    let of = format!("{} of {}", target.metric, target.tokenizer);
    let mut lines = match (row.explanation(), count) {
        (Some(likely), _) => {
            let text = target.text();
            let lines = vec![format!(
                "{of}: most likely measured with {}, which gives {} where {text} is published: {}",
                likely.change,
                value(likely),
                likely.effect
            )];
            let mut also = row.suspects.iter().filter(|other| other.agrees(Agreement::Match));
            also.next();
            let also: Vec<_> =
                also.map(|other| format!("{} ({})", other.change, value(other))).collect();
            let also = match also.is_empty() {
                true => Vec::new(),
                false => vec![format!("{of}: also possible: {}", also.join(", "))],
            };
            [lines, also].concat()
        }
        (None, 0) => vec![format!("{of}: no other protocol could be tried")],
        (None, count) => vec![format!(
            "{of}: none of the {count} changes tried gives {}; the nearest are {}",
            target.text(),
            row.suspects
                .iter()
                .filter(tried)
                .take(3)
                .map(|suspect| format!("{} ({})", suspect.change, value(suspect)))
                .collect::<Vec<_>>()
                .join(", ")
        )],
    };
    if row.explanation().is_none() {
        lines.extend(row.suspects.iter().filter_map(|suspect| match &suspect.trial {
            Trial::Untried { reason } => {
                Some(format!("untried: {} ({}): {reason}", suspect.change, suspect.effect))
            }
            Trial::Value { .. } => None,
        }));
    }
    lines
}

fn sources(rows: &[&Reproduction]) -> Vec<String> {
    let mut sources: Vec<&str> = Vec::new();
    for row in rows {
        if !sources.contains(&row.target.source.as_str()) {
            sources.push(&row.target.source);
        }
    }
    vec![format!("published in {}", sources.join("; "))]
}

/// `2 MATCH, 1 NOT MEASURED`.
fn total(rows: &[Reproduction]) -> String {
    let counts = Agreement::ALL.into_iter().filter_map(|agreement| {
        let count = rows.iter().filter(|row| row.agreement == agreement).count();
        (count > 0).then(|| format!("{count} {}", agreement.word()))
    });
    counts.collect::<Vec<_>>().join(", ")
}

fn json_of(rows: &[Reproduction]) -> serde_json::Value {
    let suspect = |suspect: &Suspect| {
        let (value, verdict, reason) = match &suspect.trial {
            Trial::Value { value, agreement } => (Some(*value), Some(agreement.word()), None),
            Trial::Untried { reason } => (None, None, Some(reason)),
        };
        json!({
            "change": suspect.change,
            "effect": suspect.effect,
            "value": value,
            "verdict": verdict,
            "untried": reason,
        })
    };
    let rows = rows.iter().map(|row| {
        let target = &row.target;
        json!({
            "part": row.part,
            "key": target.key,
            "tokenizer": target.tokenizer,
            "subject": row.subject,
            "metric": target.metric,
            "setting": target.setting,
            "published": target.value,
            "decimals": target.decimals,
            "n": target.n,
            "allowed": target.slack(),
            "tolerance_from": target.tolerance.from,
            "source": target.source,
            "verdict": row.agreement.word(),
            "note": row.note,
            "record": row.record,
            "explanation": row.explanation().map(suspect),
            "suspects": row.suspects.iter().map(suspect).collect::<Vec<_>>(),
        })
    });
    json!({ "format": 1, "rows": rows.collect::<Vec<_>>() })
}
