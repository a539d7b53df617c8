//! How a plan of published numbers is written. `suites/plans/rae.toml` describes the keys.

use std::collections::BTreeMap;

use prismbench_baselines::registry;
use prismbench_reports::{PublishedRow, Target, Tolerance};
use serde::Deserialize;

use super::{DrawnBy, Number, Part, ReproductionError, unit_of};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    format: u32,
    pub(super) name: String,
    #[serde(default)]
    pub(super) about: String,
    #[serde(default)]
    pub(super) tolerance: BTreeMap<String, ToleranceFile>,
    pub(super) part: Vec<PartFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToleranceFile {
    #[serde(default)]
    absolute: f64,
    #[serde(default)]
    relative: f64,
    from: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartFile {
    suite: String,
    dataset: String,
    data: Option<String>,
    #[serde(default)]
    resolution: String,
    setting: Option<String>,
    n: Option<u64>,
    protocol: String,
    #[serde(default)]
    set: BTreeMap<String, toml::Value>,
    decoder: Option<String>,
    sampling: Option<String>,
    guide: Option<String>,
    labels: Option<String>,
    /// Beginnings of the sources of published rows.
    #[serde(default)]
    rows: Vec<String>,
    #[serde(default)]
    tokenizers: BTreeMap<String, Vec<String>>,
    /// Numbers that are not among the published ones of this build.
    #[serde(default)]
    value: Vec<ValueFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ValueFile {
    tokenizer: String,
    metric: String,
    /// As text, for the digits that were printed.
    value: String,
    #[serde(default)]
    source: String,
}

impl Contents {
    pub(super) fn parse(plan: &str, text: &str) -> Result<Self, ReproductionError> {
        let refused = |reason: String| ReproductionError::Plan { plan: plan.to_owned(), reason };
        let one_line = |error: toml::de::Error| {
            error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let contents: Self = toml::from_str(text).map_err(|error| refused(one_line(error)))?;
        if contents.format != 1 {
            return Err(refused(format!(
                "it is of format {}; this build reads 1",
                contents.format
            )));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if contents.name.is_empty() || !contents.name.chars().all(is_plain) {
            return Err(refused("`name` is no name of letters, digits, `-` and `_`".to_owned()));
        }
        for (metric, ToleranceFile { absolute, relative, from }) in &contents.tolerance {
            let is_number = |number: f64| number >= 0.0 && number.is_finite();
            if !is_number(*absolute) || !is_number(*relative) {
                return Err(refused(format!("the tolerance of {metric} must be at least 0")));
            }
            if from.trim().is_empty() {
                return Err(refused(format!("the tolerance of {metric} is `from` nowhere")));
            }
        }
        Ok(contents)
    }
}

impl PartFile {
    /// A part for one row that no plan names.
    pub(super) fn of_row(row: &PublishedRow, protocol: &str) -> Self {
        let name = published_name(row);
        let is_here = registry().iter().any(|entry| entry.family == row.tokenizer);
        let subjects = if is_here { vec![row.tokenizer.clone()] } else { Vec::new() };
        let size = row.resolution.parse::<i64>().ok().filter(|&size| size != 256);
        Self {
            suite: row.suite.clone(),
            dataset: row.dataset.clone(),
            data: None,
            resolution: row.resolution.clone(),
            setting: Some(row.setting.clone()),
            n: row.n,
            protocol: protocol.to_owned(),
            set: size.map(|size| ("size".to_owned(), size.into())).into_iter().collect(),
            decoder: None,
            sampling: None,
            guide: None,
            labels: None,
            rows: vec![row.source.clone()],
            tokenizers: BTreeMap::from([(name, subjects)]),
            value: Vec::new(),
        }
    }

    /// The part with its published numbers.
    pub(super) fn resolved(
        self,
        plan: &str,
        tolerances: &BTreeMap<String, ToleranceFile>,
        published: &[PublishedRow],
    ) -> Result<Part, ReproductionError> {
        let refused = |reason: String| ReproductionError::Plan { plan: plan.to_owned(), reason };
        let tolerance = |metric: &str| match tolerances.get(metric) {
            None => {
                Tolerance { from: "the digits that are printed".to_owned(), ..Tolerance::default() }
            }
            Some(ToleranceFile { absolute, relative, from }) => {
                Tolerance { absolute: *absolute, relative: *relative, from: from.clone() }
            }
        };
        let mut numbers = Vec::new();
        for source in &self.rows {
            let before = numbers.len();
            for row in published.iter().filter(|row| self.is_of(row, source)) {
                let target = self.target(row, tolerance(row.metric.id));
                let subjects = self.tokenizers.get(&target.tokenizer).cloned();
                numbers.push(Number { target, subjects: subjects.unwrap_or_default() });
            }
            if numbers.len() == before {
                return Err(refused(format!("no published row of this part is from `{source}`")));
            }
        }
        for value in &self.value {
            let target = self.own(value, tolerance(&value.metric)).map_err(refused)?;
            let own = || vec![value.tokenizer.clone()];
            let subjects = self.tokenizers.get(&value.tokenizer).cloned().unwrap_or_else(own);
            numbers.push(Number { target, subjects });
        }
        let unknown = |name: &&String| numbers.iter().all(|n| n.target.tokenizer != **name);
        if let Some(name) = self.tokenizers.keys().find(unknown) {
            return Err(refused(format!("no number is of the tokenizer `{name}`")));
        }
        if numbers.is_empty() {
            return Err(refused("a part names no number, neither `rows` nor `value`".to_owned()));
        }
        let title = self.title();
        let (sampling, guide, labels) = (self.sampling, self.guide, self.labels);
        let drawn = self.decoder.map(|decoder| DrawnBy { decoder, sampling, guide, labels });
        let Self { suite, dataset, data, protocol, set, .. } = self;
        Ok(Part { suite, dataset, data, protocol, set, drawn, title, numbers })
    }

    fn is_of(&self, row: &PublishedRow, source: &str) -> bool {
        row.suite == self.suite
            && row.dataset == self.dataset
            && row.resolution == self.resolution
            && self.setting.as_ref().is_none_or(|setting| row.setting == *setting)
            && row.source.starts_with(source)
    }

    fn target(&self, row: &PublishedRow, tolerance: Tolerance) -> Target {
        Target {
            key: row.key.clone(),
            tokenizer: published_name(row),
            metric: row.metric.id.to_owned(),
            setting: row.setting.clone(),
            value: row.value,
            decimals: row.printed_decimals(),
            unit: row.metric.unit,
            n: row.n.or(self.n),
            tolerance,
            source: row.source.clone(),
        }
    }

    fn own(&self, value: &ValueFile, tolerance: Tolerance) -> Result<Target, String> {
        let ValueFile { tokenizer, metric, value: text, source } = value;
        let unit = unit_of(metric).ok_or_else(|| format!("there is no metric `{metric}`"))?;
        let number: Option<f64> = text.parse().ok().filter(|number: &f64| number.is_finite());
        let number = number.ok_or_else(|| format!("`{text}` is no value of {metric}"))?;
        let digits = text.split_once('.').map_or("", |(_, digits)| digits);
        let is_plain = |letter: u8| letter.is_ascii_digit() || b"-.".contains(&letter);
        if !text.bytes().all(is_plain) {
            return Err(format!("write {text} of {metric} with its decimals alone"));
        }
        Ok(Target {
            key: String::new(),
            tokenizer: tokenizer.clone(),
            metric: metric.clone(),
            setting: String::new(),
            value: number,
            decimals: digits.len(),
            unit,
            n: self.n,
            tolerance,
            source: if source.is_empty() { "the plan".to_owned() } else { source.clone() },
        })
    }

    /// `reconstruction · imagenet-1k · 256 · protocol rae`.
    fn title(&self) -> String {
        let mut parts = vec![self.suite.clone(), self.dataset.clone(), self.resolution.clone()];
        parts.extend(self.setting.clone());
        parts.extend(self.rows.first().cloned());
        parts.push(format!("protocol {}", self.protocol));
        parts.retain(|part| !part.is_empty());
        let set = self.set.iter().map(|(field, value)| {
            format!("{field} = {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        });
        [parts.join(" · ")].into_iter().chain(set).collect::<Vec<_>>().join(", ")
    }
}

/// A tokenizer's published name, with its variant.
fn published_name(row: &PublishedRow) -> String {
    match row.variant.as_str() {
        "" => row.tokenizer.clone(),
        variant => format!("{}+{variant}", row.tokenizer),
    }
}
