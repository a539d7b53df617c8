//! The file that a run is held against.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prismbench_core::{Better, Outcome, Record, Unit, hexadecimal};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::parquet;
use super::written::FORMAT;
use crate::compare::{PerImage, Rule, Side};
use crate::frame::check;
use crate::{ReportError, read_samples};

/// Larger files are no baseline that somebody would keep in git.
const LARGEST: u64 = 64 << 20;

/// A baseline: rules that its user wrote, and the values of the run that it was written from.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// The run.
    pub run: String,
    /// First match wins.
    pub rules: Vec<Rule>,
    /// The values.
    pub side: Side,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    #[serde(default)]
    rule: Vec<Rule>,
    pub(super) baseline: Head,
    #[serde(default)]
    table: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Head {
    /// Looked at before the rest is read.
    #[serde(rename = "format")]
    _format: u32,
    run: String,
    tool_version: String,
    /// A file beside this one with the values of single images, where they are many.
    pub(super) images: Option<String>,
    images_sha256: Option<String>,
}

/// Values with everything that they have in common.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    suite: String,
    dataset: String,
    split: String,
    resolution: String,
    protocol: String,
    protocol_sha256: String,
    reference_sha256: String,
    values: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Value {
    tokenizer: String,
    #[serde(default)]
    variant: String,
    metric: String,
    #[serde(default)]
    dialect: String,
    #[serde(default)]
    setting: String,
    n: u64,
    unit: Unit,
    better: Better,
    value: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    infinite: Option<u64>,
    finite_mean: Option<f64>,
    skipped: Option<String>,
    #[serde(default)]
    weights_sha256: String,
    device: String,
    dtype: String,
    #[serde(default)]
    replicates: Vec<f64>,
    digest: Option<String>,
    images: Option<Vec<f64>>,
}

impl Baseline {
    /// Reads a baseline, TOML or, by its name, Parquet, and what belongs to it beside it: values of single
    /// images, rules.
    ///
    /// # Errors
    /// [`ReportError::Missing`] with the command that writes one; [`ReportError::NewerBaseline`] for a
    /// format of a later version; [`ReportError::NotBaseline`] for anything else that is wrong.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        if parquet::is_parquet(path) {
            let side = parquet::read(path)?;
            let run = side.records.first().map_or_else(String::new, |record| record.run.clone());
            return Ok(Self { run, rules: rules_beside(path)?, side });
        }
        let refused = |reason: String| ReportError::NotBaseline { path: path.to_owned(), reason };
        let contents = parse(&read(path)?, path)?;
        check_rules(&contents.rule).map_err(refused)?;
        let samples = match (&contents.baseline.images, &contents.baseline.images_sha256) {
            (Some(name), Some(sha256)) => {
                let beside = beside(path, name).map_err(refused)?;
                if digest_of(&beside)? != *sha256 {
                    let reason = format!(
                        "`{name}` is not the file that was written with it; `--update` writes both anew"
                    );
                    return Err(refused(reason));
                }
                read_samples(&beside)?
            }
            _ => Vec::new(),
        };
        let mut side = Side::new(Vec::new(), samples);
        let Head { run, tool_version, .. } = contents.baseline;
        for table in contents.table {
            for value in &table.values {
                let record = table.record(value, &run, &tool_version).map_err(refused)?;
                if let (Some(values), Some(digest)) = (&value.images, &value.digest) {
                    let (values, digest) = (values.clone(), digest.clone());
                    if values.iter().any(|value| value.is_nan()) {
                        let Value { metric, tokenizer, .. } = value;
                        return Err(refused(format!(
                            "an image's {metric} of `{tokenizer}` is NaN"
                        )));
                    }
                    let (labels, sizes) = (Arc::default(), Arc::default());
                    let images = PerImage { ids: None, labels, sizes, values, digest };
                    side.keep(&record, images);
                }
                side.records.push(record);
            }
        }
        Ok(Self { run, rules: contents.rule, side })
    }
}

impl Table {
    fn record(&self, value: &Value, run: &str, tool_version: &str) -> Result<Record, String> {
        let wrong = |reason: &str| format!("{} of `{}`: {reason}", value.metric, value.tokenizer);
        let outcome = match (value.value, value.infinite, &value.skipped) {
            (Some(number), None, None) => {
                Outcome::Ok { value: number, low: value.low, high: value.high }
            }
            (None, Some(infinite), None) => {
                Outcome::Infinite { infinite, finite_mean: value.finite_mean }
            }
            (None, None, Some(reason)) => Outcome::Skipped { reason: reason.clone() },
            _ => return Err(wrong("expected one of `value`, `infinite` and `skipped`")),
        };
        let record = Record {
            run: run.to_owned(),
            tokenizer: value.tokenizer.clone(),
            variant: value.variant.clone(),
            latent: String::new(),
            suite: self.suite.clone(),
            dataset: self.dataset.clone(),
            split: self.split.clone(),
            resolution: self.resolution.clone(),
            n: value.n,
            metric: value.metric.clone(),
            dialect: value.dialect.clone(),
            setting: value.setting.clone(),
            outcome,
            warnings: Vec::new(),
            replicates: value.replicates.clone(),
            unit: value.unit,
            better: value.better,
            protocol: self.protocol.clone(),
            protocol_sha256: self.protocol_sha256.clone(),
            weights_sha256: value.weights_sha256.clone(),
            reference_sha256: self.reference_sha256.clone(),
            device: value.device.clone(),
            dtype: value.dtype.clone(),
            seconds: 0.0,
            source: "baseline".to_owned(),
            tool_version: tool_version.to_owned(),
        };
        check(&record).map_err(|reason| wrong(&reason))?;
        Ok(record)
    }
}

/// The rules of a baseline in Parquet: those of the file of its name with `.rules.toml` behind it, where there
/// is one.
fn rules_beside(path: &Path) -> Result<Vec<Rule>, ReportError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rules {
        #[serde(default)]
        rule: Vec<Rule>,
    }
    let path = rules_path(path);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let refused = |reason: String| ReportError::NotBaseline { path: path.clone(), reason };
    let rules: Rules = toml::from_str(&read(&path)?).map_err(|error| refused(one_line(&error)))?;
    check_rules(&rules.rule).map_err(refused)?;
    Ok(rules.rule)
}

pub(super) fn rules_path(baseline: &Path) -> PathBuf {
    baseline.with_extension("rules.toml")
}

fn check_rules(rules: &[Rule]) -> Result<(), String> {
    let mut numbered = rules.iter().zip(1..);
    numbered
        .try_for_each(|(rule, at)| rule.check().map_err(|reason| format!("rule {at}: {reason}")))
}

/// What to do about a baseline that is not there.
pub(super) fn missing(path: &Path) -> ReportError {
    ReportError::Missing {
        path: path.to_owned(),
        remedy: "`prismbench gate RUN --baseline FILE --update` writes it from a run",
    }
}

pub(super) fn read(path: &Path) -> Result<String, ReportError> {
    let failed = |cause: io::Error| match cause.kind() {
        io::ErrorKind::NotFound => missing(path),
        _ => ReportError::Read { path: path.to_owned(), cause },
    };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > LARGEST {
        let reason = format!("{size} bytes are too many");
        return Err(ReportError::NotBaseline { path: path.to_owned(), reason });
    }
    let bytes = fs::read(path).map_err(failed)?;
    String::from_utf8(bytes).map_err(|_| ReportError::NotBaseline {
        path: path.to_owned(),
        reason: "it is no text".to_owned(),
    })
}

pub(super) fn parse(text: &str, path: &Path) -> Result<Contents, ReportError> {
    let refused = |reason: String| ReportError::NotBaseline { path: path.to_owned(), reason };
    let table: toml::Table = text.parse().map_err(|error| refused(one_line(&error)))?;
    let head = table.get("baseline").and_then(toml::Value::as_table);
    let format = head.and_then(|head| head.get("format")).and_then(toml::Value::as_integer);
    match format {
        Some(FORMAT) => {}
        Some(found) if found > FORMAT => {
            return Err(ReportError::NewerBaseline { path: path.to_owned(), found, known: FORMAT });
        }
        _ => return Err(refused("there is no `format` of a `[baseline]`".to_owned())),
    }
    table.try_into().map_err(|error| refused(one_line(&error)))
}

fn one_line(error: &toml::de::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A file in the folder of the baseline, which must not lie elsewhere.
pub(super) fn beside(path: &Path, name: &str) -> Result<PathBuf, String> {
    let plain = Path::new(name).file_name().is_some_and(|file| file == name);
    match plain {
        true => Ok(path.with_file_name(name)),
        false => Err(format!("`{name}` is no name of a file beside it")),
    }
}

fn digest_of(path: &Path) -> Result<String, ReportError> {
    let bytes = fs::read(path).map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => ReportError::Missing {
            path: path.to_owned(),
            remedy: "it belongs to the baseline beside it; `--update` writes both anew",
        },
        _ => ReportError::Read { path: path.to_owned(), cause },
    })?;
    Ok(hex(&bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    hexadecimal(Sha256::digest(bytes))
}
