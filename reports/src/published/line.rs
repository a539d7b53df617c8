//! A line of `published.csv` as it is written, before anything in it is believed.

use serde::Deserialize;

use super::{PublishedMetric, PublishedRow, known};

/// The columns of the file by their names; one too many or too few is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    tokenizer: String,
    variant: String,
    suite: String,
    dataset: String,
    split: String,
    resolution: String,
    n: Option<u64>,
    metric: String,
    dialect: String,
    setting: String,
    /// Text, since the decimals that were printed say how far to believe it.
    value: String,
    source: String,
    paper: String,
    paper_version: String,
    confidence: String,
    contradicted: Contradicted,
    note: String,
}

/// Whether another row says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Contradicted {
    Yes,
    No,
}

impl Line {
    /// The row, or why it is none.
    pub(super) fn row(self) -> Result<PublishedRow, String> {
        let metric = known::find(&self.metric)
            .ok_or_else(|| format!("there is no metric `{}` in `known.rs`", self.metric))?;
        let decimals = self.value.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let value = self.value.parse().map_err(|_| format!("`{}` is no value", self.value))?;
        if !(metric.low..=metric.high).contains(&value) {
            let PublishedMetric { id, low, high, .. } = metric;
            return Err(format!("{id} of {value} is not plausible, from {low} to {high} is"));
        }
        let needed = [&self.tokenizer, &self.suite, &self.source, &self.paper, &self.confidence];
        if needed.iter().any(|text| text.trim().is_empty()) {
            return Err("tokenizer, suite, source, paper and confidence must not be empty".into());
        }
        Ok(PublishedRow {
            tokenizer: self.tokenizer,
            variant: self.variant,
            suite: self.suite,
            dataset: self.dataset,
            split: self.split,
            resolution: self.resolution,
            n: self.n,
            metric,
            dialect: self.dialect,
            setting: self.setting,
            value,
            decimals,
            source: self.source,
            paper: self.paper,
            paper_version: self.paper_version,
            confidence: self.confidence,
            contradicted: self.contradicted == Contradicted::Yes,
            note: self.note,
        })
    }
}
