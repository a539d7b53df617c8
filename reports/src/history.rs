//! How a metric went from run to run.

mod date;

use std::collections::{BTreeSet, HashMap};
use std::io::Write;

use prismbench_core::{Better, Outcome, Record, unversioned};
use prismbench_metrics::{ChangePoint, change_points};

use crate::compare::subject_text;
use crate::format::Style;
use crate::markup::Markup;
use crate::numbers::number;
use crate::plot::{self, Plot, Point, Series};
use crate::row_names::{protocol_lines, short};
use crate::sheet::Sheet;
use crate::{Contents, Format, ReportError, write_table};
use date::date;

/// Runs below which noise and a step look alike.
pub(crate) const FEW: usize = 10;

/// A record and when its run began.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Seconds since 1970.
    pub at: u64,
    /// What was measured.
    pub record: Record,
}

/// Comparable values of one metric of one tokenizer, from the oldest run to the newest.
#[derive(Clone, Debug, PartialEq)]
pub struct Trend {
    /// Records with a finite value, in the order of time.
    pub points: Vec<Measured>,
    /// Runs that had none: failed, skipped or infinite.
    pub without_value: usize,
    /// Where the level changes, by position among the points.
    pub changes: Vec<ChangePoint>,
}

/// The trends of a metric, with or without its version, in order of first appearance in time.
///
/// Values under another protocol, of other pictures or of another n are trends of their own. Two runs of one
/// name are two points. `known` are the metrics that the runs have, without versions.
///
/// # Errors
/// [`ReportError::NoHistory`] when no record is of that metric.
pub fn history(
    measured: &[Measured],
    metric: &str,
    known: BTreeSet<String>,
) -> Result<Vec<Trend>, ReportError> {
    if !measured.iter().any(|point| is_of(point, metric)) {
        let known = known.into_iter().collect();
        return Err(ReportError::NoHistory { metric: metric.to_owned(), known });
    }
    let mut trends = trends(measured, metric);
    for trend in &mut trends {
        trend.changes = change_points(&trend.values());
    }
    Ok(trends)
}

fn is_of(point: &Measured, metric: &str) -> bool {
    point.record.metric == metric || unversioned(&point.record.metric) == metric
}

/// The trends of a metric without their change points; none where nothing is of that metric.
pub(crate) fn trends(measured: &[Measured], metric: &str) -> Vec<Trend> {
    let mut wanted: Vec<&Measured> = measured.iter().filter(|point| is_of(point, metric)).collect();
    wanted.sort_by_key(|point| point.at);
    let mut trends: Vec<Trend> = Vec::new();
    let mut places: HashMap<[String; 13], usize> = HashMap::new();
    for point in wanted {
        let at = *places.entry(comparable(&point.record)).or_insert_with(|| {
            trends.push(Trend { points: Vec::new(), without_value: 0, changes: Vec::new() });
            trends.len() - 1
        });
        match point.record.outcome {
            Outcome::Ok { .. } => trends[at].points.push(point.clone()),
            _ => trends[at].without_value += 1,
        }
    }
    trends.retain(|trend| !trend.points.is_empty());
    trends
}

fn comparable(r: &Record) -> [String; 13] {
    let n = r.n.to_string();
    [
        &r.suite,
        &r.tokenizer,
        &r.variant,
        &r.dataset,
        &r.split,
        &r.resolution,
        &r.metric,
        &r.dialect,
        &r.setting,
        &r.protocol_sha256,
        &r.reference_sha256,
        &r.dtype,
        &n,
    ]
    .map(Clone::clone)
}

impl Trend {
    pub(crate) fn values(&self) -> Vec<f64> {
        self.points.iter().filter_map(|point| point.record.outcome.value()).collect()
    }
}

/// Writes trends: tables with marks where the level changes (text, Markdown, LaTeX), curves (SVG), or the
/// records behind them in the order of time.
///
/// # Errors
/// [`ReportError::Empty`] without trends; [`ReportError::HistoryPage`] for HTML; those of [`write_table`].
pub fn write_history(
    trends: &[Trend],
    format: Format,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    if trends.is_empty() {
        return Err(ReportError::Empty);
    }
    let markup = match format {
        Format::Text => Markup::Line,
        Format::Markdown => Markup::Markdown,
        Format::Latex => Markup::Latex,
        Format::Svg => {
            let plots: Vec<Plot> = plots(trends);
            let svg = plot::stacked(&plots)?;
            return out.write_all(svg.as_bytes()).map_err(ReportError::Output);
        }
        Format::Html => return Err(ReportError::HistoryPage),
        Format::Csv | Format::Parquet | Format::Ndjson => {
            let points = trends.iter().flat_map(|trend| &trend.points);
            let records: Vec<Record> = points.map(|point| point.record.clone()).collect();
            return write_table(Contents::from(records.as_slice()), format, style, out);
        }
    };
    let tables: Vec<String> = trends.iter().map(|trend| sheet(trend, markup)).collect();
    out.write_all(tables.join("\n").as_bytes())
        .and_then(|()| out.flush())
        .map_err(ReportError::Output)
}

fn heading(record: &Record) -> String {
    let setting = match record.setting.as_str() {
        "" => String::new(),
        setting => format!(" {setting}"),
    };
    format!(
        "{}{setting} of {} · {} · {} ({}) · {} · n = {} · protocol {} {}",
        record.metric,
        subject_text(record),
        record.suite,
        record.dataset,
        record.split,
        record.resolution,
        record.n,
        record.protocol,
        short(&record.protocol_sha256)
    )
}

fn sheet(trend: &Trend, markup: Markup) -> String {
    let first = &trend.points[0].record;
    let value_head = markup.plain(unversioned(&first.metric));
    let value_head = value_head + markup.arrow(first.better);
    let mut sheet = Sheet {
        markup,
        heading: heading(first),
        header: vec![
            "began (UTC)".to_owned(),
            "run".to_owned(),
            "version".to_owned(),
            markup.with_unit(&value_head, first.unit.symbol()),
            String::new(),
        ],
        rows: Vec::new(),
        words: 3,
        footnotes: Vec::new(),
        closing: Vec::new(),
    };
    for (at, point) in trend.points.iter().enumerate() {
        let record = &point.record;
        let show = |value: f64| number(record.unit, value);
        let value = match record.outcome {
            Outcome::Ok { value, low: Some(low), high: Some(high) } => {
                markup.with_interval(&show(value), &show(low), &show(high))
            }
            ref outcome => outcome.value().map_or_else(String::new, show),
        };
        let change = trend.changes.iter().find(|change| change.at == at);
        let change = change.map_or_else(String::new, |change| change_text(record, change));
        sheet.rows.push(vec![
            date(point.at),
            markup.plain(&record.run),
            markup.plain(&record.tool_version),
            value,
            markup.plain(&change),
        ]);
    }
    sheet.closing = closing(trend);
    let records = trend.points.iter().map(|point| &point.record);
    sheet.closing.extend(protocol_lines(records).iter().map(|line| markup.plain(line)));
    sheet.written()
}

/// `◆ worse: 33.25 to 33.10`, at the first run of the new level.
fn change_text(record: &Record, change: &ChangePoint) -> String {
    let gain = record.better.gain(change.before, change.after);
    let word = match record.better {
        Better::Neither => "changed",
        _ if gain > 0.0 => "better",
        _ => "worse",
    };
    let show = |value| number(record.unit, value);
    format!("◆ {word}: {} to {}", show(change.before), show(change.after))
}

fn closing(trend: &Trend) -> Vec<String> {
    let runs = trend.points.len();
    let mut lines = Vec::new();
    match (trend.changes.len(), runs) {
        (0, ..FEW) => lines.push(format!(
            "insufficient history: {runs} runs are too few to tell a step from noise"
        )),
        (0, _) => lines.push(format!("no change of level in {runs} runs")),
        (_, _) => lines.push("◆ the level changes here (METHODOLOGY: history)".to_owned()),
    }
    if trend.without_value > 0 {
        lines.push(format!("left out: {} runs without a finite value", trend.without_value));
    }
    lines
}

/// A picture for each table that the trends are of, with a curve for each tokenizer.
fn plots(trends: &[Trend]) -> Vec<Plot> {
    let mut plots: Vec<Plot> = Vec::new();
    for trend in trends {
        let record = &trend.points[0].record;
        let title = heading(record).replacen(&format!(" of {}", subject_text(record)), "", 1);
        let points = trend.points.iter().zip(1_u32..).filter_map(|(point, run)| {
            let Outcome::Ok { value, low, high } = point.record.outcome else { return None };
            Some(Point { x: f64::from(run), y: value, interval: low.zip(high) })
        });
        // Runs are counted from 1.
        let steps = trend.changes.iter().map(|change| change.at as f64 + 1.0).collect();
        let series = Series { name: subject_text(record), points: points.collect(), steps };
        match plots.iter_mut().find(|plot| plot.title == title) {
            Some(plot) => plot.series.push(series),
            None => plots.push(Plot {
                title,
                x: "run, from the oldest to the newest".to_owned(),
                y: unversioned(&record.metric).to_owned(),
                series: vec![series],
            }),
        }
    }
    plots
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::record;

    fn point(at: u64, tokenizer: &str, value: f64) -> Measured {
        let outcome = Outcome::Ok { value, low: Some(value - 0.1), high: Some(value + 0.1) };
        let mut record = record(tokenizer, "psnr@1", outcome);
        record.run = format!("nightly-{at}");
        Measured { at: 1_790_000_000 + 86_400 * at, record }
    }

    fn nightly() -> Vec<Measured> {
        let values = [31.42, 31.42, 31.42, 31.3, 31.3];
        let mut measured: Vec<_> =
            (0..).zip(values).map(|(at, value)| point(at, "jpeg:75", value)).collect();
        measured.push(point(1, "taef2", 28.0));
        measured.push(point(0, "taef2", 28.1));
        measured
    }

    #[test]
    fn a_step_is_marked_at_the_first_run_of_its_level() {
        let trends = history(&nightly(), "psnr", BTreeSet::new()).unwrap();
        let mut out = Vec::new();
        write_history(&trends, Format::Text, Style::default(), &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn what_is_not_comparable_is_another_trend_and_runs_of_one_name_are_two_points() {
        let mut measured = nightly();
        measured.truncate(4);
        measured[3].record.protocol_sha256 = "77".repeat(32);
        measured[2].record.run = measured[1].record.run.clone();
        let trends = history(&measured, "psnr@1", BTreeSet::new()).unwrap();
        let lengths: Vec<_> = trends.iter().map(|trend| trend.points.len()).collect();
        assert_eq!(lengths, [3, 1]);
    }

    #[test]
    fn runs_without_a_value_are_counted() {
        let mut measured = nightly();
        measured[0].record.outcome = Outcome::Failed { reason: String::new() };
        let trends = history(&measured, "psnr", BTreeSet::new()).unwrap();
        let ours = trends.iter().find(|t| t.points[0].record.tokenizer == "jpeg:75").unwrap();
        assert_eq!((ours.points.len(), ours.without_value), (4, 1));
    }

    #[test]
    fn a_metric_that_no_run_has_is_named_with_those_they_have() {
        let error = history(&nightly(), "rfid", ["psnr"].map(str::to_owned).into())
            .unwrap_err()
            .to_string();
        assert_eq!(error, "no run has a value of `rfid`; they have psnr");
    }

    #[test]
    fn trends_are_curves_and_records_too() {
        let trends = history(&nightly(), "psnr", BTreeSet::new()).unwrap();
        let written = |format| {
            let mut out = Vec::new();
            write_history(&trends, format, Style::default(), &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let svg = written(Format::Svg);
        assert!(svg.contains("jpeg:75") && svg.contains("from the oldest"), "{svg}");
        assert_eq!(svg.matches('◆').count(), 1, "the one step is marked: {svg}");
        assert_eq!(written(Format::Ndjson).lines().count(), 7);
        assert!(matches!(
            write_history(&trends, Format::Html, Style::default(), &mut Vec::new()),
            Err(ReportError::HistoryPage)
        ));
        assert!(matches!(
            write_history(&[], Format::Text, Style::default(), &mut Vec::new()),
            Err(ReportError::Empty)
        ));
    }
}
