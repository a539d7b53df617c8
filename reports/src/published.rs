//! Numbers that papers and repositories print, each with its source.

mod known;
mod line;
mod table;

pub use known::PublishedMetric;
pub use table::{PublishedColumn, PublishedSubject, PublishedTable, published_tables};

use prismbench_core::{Outcome, Record};

use self::line::Line;
use crate::ReportError;

/// Made by `tests/oracle/published.py`, and the only file that is read.
const ROWS: &str = include_str!("../published.csv");

/// One number as somebody printed it.
///
/// A published row has no protocol hash, because nobody published one: it is never ranked with measured
/// rows, nor with those of another source.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedRow {
    /// Tokenizer: this project's id where it has the model, else a short one.
    pub tokenizer: String,
    /// Checkpoint, generator or setting within the family; empty where there is one only.
    pub variant: String,
    /// Suite without a version, since it was not ours that measured: `reconstruction`.
    pub suite: String,
    /// Data set: `imagenet-1k`; empty for a cost.
    pub dataset: String,
    /// The part of it; empty where it is not said or not of pictures.
    pub split: String,
    /// Side of the pictures, as it was printed.
    pub resolution: String,
    /// Pictures, where it is said how many.
    pub n: Option<u64>,
    /// What the number is.
    pub metric: &'static PublishedMetric,
    /// A definition or reference other than the usual: `adm-train-reference`.
    pub dialect: String,
    /// `unguided` or `guided`, a probing recipe; empty where it is not said.
    pub setting: String,
    /// The value, in the unit of the metric.
    pub value: f64,
    /// Decimals that were printed.
    pub decimals: usize,
    /// Paper, table, file or thread.
    pub source: String,
    /// `arXiv:2512.19693`, or a repository.
    pub paper: String,
    /// `v5`, a commit; empty where there is one only.
    pub paper_version: String,
    /// How it came here: `primary:paper-text-copy`, `secondary:user-report`.
    pub confidence: String,
    /// Whether another row with the same ids has another value, beyond rounding.
    pub contradicted: bool,
    /// What else is said about it.
    pub note: String,
}

/// Every published row of this build, in the order of its sources.
///
/// # Errors
/// [`ReportError::Published`] for a row that is none; a test reads them all.
pub fn published() -> Result<Vec<PublishedRow>, ReportError> {
    parse(ROWS)
}

fn parse(text: &str) -> Result<Vec<PublishedRow>, ReportError> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let refused = |row: u64, reason: String| ReportError::Published { row, reason };
    let lines = reader.deserialize::<Line>().zip(2..);
    // The head is line 1, and no text breaks its line.
    let rows = lines.map(|(line, number)| {
        let line = line.map_err(|error| refused(number, error.to_string()))?;
        line.row().map_err(|reason| refused(number, reason))
    });
    rows.collect()
}

impl PublishedRow {
    /// The value with the decimals that were printed, at least as many as the metric usually has: copies
    /// of tables lose zeros at the end.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{:.*}", self.decimals.max(self.metric.decimals), self.value)
    }

    /// Whether every one of these words stands somewhere in its ids or its source, in any case.
    #[must_use]
    pub fn matches(&self, words: &str) -> bool {
        let texts =
            [&self.tokenizer, &self.variant, &self.suite, &self.dataset, &self.source, &self.paper];
        let all: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
        words
            .to_lowercase()
            .split_whitespace()
            .all(|word| word == self.metric.id || all.iter().any(|text| text.contains(word)))
    }

    /// The row in the columns of measured ones. What is not known is empty, and `n` is 0.
    #[must_use]
    pub fn record(&self) -> Record {
        Record {
            run: format!("published:{} {}", self.paper, self.paper_version).trim_end().to_owned(),
            tokenizer: self.tokenizer.clone(),
            variant: self.variant.clone(),
            latent: String::new(),
            suite: self.suite.clone(),
            dataset: self.dataset.clone(),
            split: self.split.clone(),
            resolution: self.resolution.clone(),
            n: self.n.unwrap_or(0),
            metric: self.metric.id.to_owned(),
            dialect: self.dialect.clone(),
            setting: self.setting.clone(),
            outcome: Outcome::Ok { value: self.value, low: None, high: None },
            warnings: Vec::new(),
            unit: self.metric.unit,
            better: self.metric.better,
            protocol: String::new(),
            protocol_sha256: String::new(),
            weights_sha256: String::new(),
            reference_sha256: String::new(),
            device: String::new(),
            dtype: String::new(),
            seconds: 0.0,
            source: self.source.clone(),
            tool_version: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    type Ids<'a> = [&'a str; 9];

    fn ids(row: &PublishedRow) -> Ids<'_> {
        let PublishedRow { tokenizer, variant, suite, dataset, split, resolution, .. } = row;
        let metric = row.metric.id;
        [tokenizer, variant, suite, dataset, split, resolution, metric, &row.dialect, &row.setting]
    }

    #[test]
    fn every_row_is_a_known_plausible_number_with_a_source_and_a_key_of_its_own() {
        // Reading checks metric, range and source.
        let rows = published().unwrap();
        assert_eq!(rows.len(), 1215);
        let mut keys = HashSet::new();
        for row in &rows {
            let key = (ids(row), row.source.as_str(), row.note.as_str());
            assert!(keys.insert(key), "twice: {row:?}");
            for id in [&row.tokenizer, &row.variant, &row.suite, &row.dataset] {
                let good =
                    |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
                assert!(id.chars().all(good), "`{id}` is no id");
            }
        }
    }

    #[test]
    fn contradictions_stand_side_by_side_and_are_flagged() {
        let rows = published().unwrap();
        let mut groups: HashMap<Ids<'_>, Vec<&PublishedRow>> = HashMap::new();
        for row in &rows {
            groups.entry(ids(row)).or_default().push(row);
        }
        let half_unit =
            |row: &PublishedRow| 0.5 * 10_f64.powi(-(row.decimals.max(row.metric.decimals) as i32));
        for row in &rows {
            let apart = groups[&ids(row)].iter().any(|other| {
                let rounding = half_unit(row) + half_unit(other);
                (row.value - other.value).abs() > rounding + 1e-12
            });
            assert_eq!(row.contradicted, apart, "{row:?}");
        }
        // Those that the field trips over most.
        let values = |tokenizer: &str, metric: &str, dataset: &str| -> Vec<f64> {
            let wanted = |row: &&PublishedRow| {
                row.contradicted
                    && (row.tokenizer.as_str(), row.metric.id) == (tokenizer, metric)
                    && (row.variant.as_str(), row.dataset.as_str()) == ("", dataset)
                    && row.suite == "reconstruction"
            };
            rows.iter().filter(wanted).map(|row| row.value).collect()
        };
        for value in [0.606, 0.61, 0.62, 0.75, 0.87] {
            assert!(values("sd-vae", "rfid", "imagenet-1k").contains(&value), "{value}");
        }
        assert!(values("flux-vae", "rfid", "coco-2017").contains(&0.19));
        assert!(values("rae-dinov2-b", "rfid", "imagenet-1k").contains(&2.04));
        assert!(values("vila-u", "rfid", "imagenet-1k").contains(&4.231));
    }

    #[test]
    fn rows_that_are_none_are_refused_with_their_line() {
        let (head, first) = ROWS.split_once('\n').unwrap();
        let first = first.split_once('\n').unwrap().0;
        let refused = |line: String| parse(&format!("{head}\n{first}\n{line}\n")).unwrap_err();
        let bad = |from: &str, to: &str| {
            let line = first.replacen(from, to, 1);
            assert_ne!(line, first);
            refused(line).to_string()
        };
        assert!(bad("psnr", "psnrr").contains("published.csv, line 3: there is no metric `psnrr`"));
        assert!(bad("33.08", "330.8").contains("psnr of 330.8 is not plausible"));
        assert!(bad("33.08", "NaN").contains("not plausible"));
        assert!(bad("33.08", "high").contains("`high` is no value"));
        assert!(bad("uae-dinov2-l", "").contains("must not be empty"));
        assert!(bad(",no,", ",maybe,").contains("expected `yes` or `no`"));
        let unknown = parse(&format!("{}\n{first}\n", head.replace("note", "remark")));
        assert!(unknown.unwrap_err().to_string().contains("remark"));
    }

    #[test]
    fn words_pick_rows_whatever_their_case() {
        let rows = published().unwrap();
        let row = rows.iter().find(|row| row.tokenizer == "uae-dinov2-b").unwrap();
        assert!(row.matches("") && row.matches("UAE 2512.19693") && row.matches(row.metric.id));
        assert!(!row.matches("uae openvision"));
    }

    #[test]
    fn values_have_the_decimals_that_were_printed() {
        let rows = published().unwrap();
        let text = |value: f64, metric: &str| {
            let wanted =
                |row: &&PublishedRow| (row.value - value).abs() < 1e-12 && row.metric.id == metric;
            rows.iter().find(wanted).unwrap().text()
        };
        assert_eq!(text(0.606, "rfid"), "0.606");
        assert_eq!(text(31.0, "psnr"), "31.00");
        assert_eq!(text(0.845, "top1"), "0.845");
        assert_eq!(text(13.754_458_694_549_271, "gfid"), "13.754458694549271");
    }
}
