//! A decision as text, Markdown, JUnit XML, GitHub annotations or JSON.

use std::io::Write;

use prismbench_core::{Record, choice};
use serde_json::json;

use super::{Decision, GateReport, GateRow, Status, junit};
use crate::ReportError;
use crate::compare::{Verdict, gain_text, json_of, metric_text, subject_text, value_text};
use crate::markup::Markup;
use crate::row_names::protocol_lines;
use crate::sheet::Sheet;

choice! {
    /// What a decision is written as.
    pub enum GateFormat = "gate format" {
        /// For a terminal.
        Text = "text": "what is not as before, for a terminal",
        /// For a comment on a pull request.
        Markdown = "markdown": "the same as a comment on a pull request",
        /// `JUnit` XML: a test case for each number.
        Junit = "junit": "JUnit XML, a test case for each number",
        /// Annotations as GitHub's runners read them from standard output.
        Github = "github": "annotations as GitHub's runners read them",
        /// For a program.
        Json = "json": "every number with what its verdict rests on",
    }
}

/// Writes a decision with the numbers that led to it.
///
/// # Errors
/// [`ReportError::Output`] when `out` fails.
pub fn write_gate(
    report: &GateReport,
    format: GateFormat,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let text = match format {
        GateFormat::Text => sheet(report, Markup::Line),
        GateFormat::Markdown => sheet(report, Markup::Markdown),
        GateFormat::Junit => junit::xml(report),
        GateFormat::Github => annotations(report),
        GateFormat::Json => format!("{:#}\n", json_of_report(report)),
    };
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(ReportError::Output)
}

/// What a reader wants to see: whatever fails, and what is better or new.
fn is_shown(row: &GateRow) -> bool {
    row.status != Status::Pass
        || matches!(row.comparison.verdict, Verdict::Better | Verdict::Gained)
}

fn sheet(report: &GateReport, markup: Markup) -> String {
    let header = ["status", "tokenizer", "metric", "before", "after", "gain", "floor", "by"];
    let mut sheet = Sheet {
        markup,
        heading: format!("gate: {}", summary(report)),
        header: header.map(str::to_owned).to_vec(),
        rows: Vec::new(),
        words: 3,
        footnotes: Vec::new(),
        closing: Vec::new(),
    };
    for row in report.rows.iter().filter(|row| is_shown(row)) {
        let cells = cells(row, &mut sheet);
        sheet.rows.push(cells);
    }
    sheet.closing = report.notes.iter().map(|note| markup.plain(note)).collect();
    if sheet.rows.is_empty() {
        let lines = [vec![markup.heading(&sheet.heading)], sheet.closing].concat();
        return lines.join("\n") + "\n";
    }
    sheet.closing.insert(0, "gain: positive is better".to_owned());
    let shown = report.rows.iter().filter(|row| is_shown(row)).map(|row| &row.comparison);
    let records = shown.flat_map(|row| row.before.iter().chain(&row.after));
    sheet.closing.extend(protocol_lines(records).iter().map(|line| markup.plain(line)));
    sheet.written()
}

fn cells(row: &GateRow, sheet: &mut Sheet) -> Vec<String> {
    let markup = sheet.markup;
    let comparison = &row.comparison;
    let Some(record) = comparison.subject() else { return Vec::new() };
    let value = |record: &Option<Record>| {
        record.as_ref().map_or_else(|| markup.dash().to_owned(), |r| markup.plain(&value_text(r)))
    };
    let status = match (row.status, comparison.verdict) {
        (Status::Pass, verdict) => verdict.word().to_owned(),
        (status, _) => status.word().to_owned() + &sheet.footnote(row.reason.clone()),
    };
    let before = comparison.before.as_ref().and_then(|record| record.outcome.value());
    let floor = comparison.limit.floor(before.unwrap_or(0.0));
    let gain = gain_text(record.unit, comparison.gain, comparison.interval);
    vec![
        status,
        markup.plain(&subject_text(record)),
        markup.plain(&metric_text(record)),
        value(&comparison.before),
        value(&comparison.after),
        markup.plain(&gain),
        markup.plain(&floor_text(floor)),
        markup.plain(&comparison.evidence.text()),
    ]
}

/// Two significant digits; a floor is nothing finer.
fn floor_text(floor: f64) -> String {
    let mut digits = 1;
    let mut unit = 1.0;
    while unit > floor && digits < 12 {
        digits += 1;
        unit /= 10.0;
    }
    let text = format!("{floor:.digits$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text.is_empty() { "0".to_owned() } else { text.to_owned() }
}

/// `regressed: 65 pass, 1 regressed · runs/x against runs/y`.
pub(super) fn summary(report: &GateReport) -> String {
    let counts = [Status::Pass, Status::Regressed, Status::Inconclusive, Status::Advisory];
    let counts = counts.into_iter().filter_map(|status| {
        let count = report.rows.iter().filter(|row| row.status == status).count();
        (count > 0).then(|| format!("{count} {}", status.word()))
    });
    let counts = counts.collect::<Vec<_>>().join(", ");
    let counts = if counts.is_empty() { "no numbers".to_owned() } else { counts };
    let GateReport { before, after, .. } = report;
    format!("{} · {counts} · run {after} against {before}", report.decision().word())
}

/// A row in words: `psnr@1 of jpeg:75: 33.25 dB → 33.10 dB (worse), synthetic:2026:144`.
pub(super) fn sentence(row: &GateRow) -> String {
    let Some(record) = row.comparison.subject() else { return String::new() };
    let value =
        |record: &Option<Record>| record.as_ref().map_or_else(|| "nothing".to_owned(), value_text);
    let (before, after) = (value(&row.comparison.before), value(&row.comparison.after));
    let gain = gain_text(record.unit, row.comparison.gain, row.comparison.interval);
    let by = row.comparison.evidence.text();
    let details = [row.reason.clone(), gain, by];
    let details: Vec<_> = details.into_iter().filter(|text| !text.is_empty()).collect();
    let details = match details.is_empty() {
        true => String::new(),
        false => format!(" ({})", details.join("; ")),
    };
    let (metric, subject) = (metric_text(record), subject_text(record));
    format!("{metric} of {subject}: {before} → {after}{details}, {}", record.dataset)
}

/// One workflow command a line: `::error title=...::...`.
fn annotations(report: &GateReport) -> String {
    let mut lines = Vec::new();
    for row in report.rows.iter().filter(|row| is_shown(row)) {
        let level = match row.status {
            Status::Regressed => "error",
            Status::Inconclusive => "warning",
            Status::Pass | Status::Advisory => "notice",
        };
        let word = match row.status {
            Status::Pass => row.comparison.verdict.word(),
            status => status.word(),
        };
        lines.push(format!("::{level} title={}::{}", property(word), data(&sentence(row))));
    }
    let level = match report.decision() {
        Decision::Pass => "notice",
        Decision::Regressed => "error",
        Decision::Inconclusive | Decision::Nothing => "warning",
    };
    let mut all = vec![summary(report)];
    all.extend(report.notes.iter().cloned());
    lines.push(format!("::{level} title=prismbench gate::{}", data(&all.join("\n"))));
    lines.join("\n") + "\n"
}

/// The message of a command, as `@actions/core` escapes it: nothing in it ends the line.
fn data(text: &str) -> String {
    let shown: String = text
        .chars()
        .map(|c| if c.is_control() && c != '\n' && c != '\r' { '\u{fffd}' } else { c })
        .collect();
    shown.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

fn json_of_report(report: &GateReport) -> serde_json::Value {
    let rows = report.rows.iter().map(|row| {
        let mut value = json_of(&row.comparison);
        value["status"] = row.status.word().into();
        value["reason"] = row.reason.as_str().into();
        value
    });
    json!({
        "format": 1,
        "decision": report.decision().word(),
        "before": report.before,
        "after": report.after,
        "notes": report.notes,
        "rows": rows.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::floor_text;

    #[test]
    fn floors_have_two_digits() {
        for (floor, text) in
            [(0.02, "0.02"), (0.001, "0.001"), (0.0, "0"), (0.006_612, "0.0066"), (3.25, "3.2")]
        {
            assert_eq!(floor_text(floor), text);
        }
    }
}
