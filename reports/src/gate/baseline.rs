//! The file that a run is held against.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prismbench_core::{Better, Outcome, Record, Unit};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::written::{self, FORMAT, HEAD, MARK};
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
struct Contents {
    #[serde(default)]
    rule: Vec<Rule>,
    baseline: Head,
    #[serde(default)]
    table: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Head {
    /// Looked at before the rest is read.
    #[serde(rename = "format")]
    _format: u32,
    run: String,
    tool_version: String,
    /// A file beside this one with the values of single images, where they are many.
    images: Option<String>,
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
    digest: Option<String>,
    images: Option<Vec<f64>>,
}

impl Baseline {
    /// Reads a baseline, and the file of per-image values beside it where it names one.
    ///
    /// # Errors
    /// [`ReportError::Missing`] with the command that writes one; [`ReportError::NewerBaseline`] for a
    /// format of a later version; [`ReportError::NotBaseline`] for anything else that is wrong.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let refused = |reason: String| ReportError::NotBaseline { path: path.to_owned(), reason };
        let contents = parse(&read(path)?, path)?;
        for (at, rule) in contents.rule.iter().enumerate() {
            rule.check().map_err(|reason| refused(format!("rule {}: {reason}", at + 1)))?;
        }
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
                    let labels = Arc::default();
                    side.keep(&record, PerImage { ids: None, labels, values, digest });
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

fn read(path: &Path) -> Result<String, ReportError> {
    let failed = |cause: io::Error| match cause.kind() {
        io::ErrorKind::NotFound => ReportError::Missing {
            path: path.to_owned(),
            remedy: "`prismbench gate RUN --baseline FILE --update` writes it from a run",
        },
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

fn parse(text: &str, path: &Path) -> Result<Contents, ReportError> {
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
fn beside(path: &Path, name: &str) -> Result<PathBuf, String> {
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

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a run's values into a baseline file: a new one, or below the rules of one that is there.
///
/// The new file takes the place of the old at once; values of single images, where they are many, are
/// in a file of their own whose name carries its hash, so that neither is ever of another run.
///
/// # Errors
/// [`ReportError::Unfit`] for a run with a failed record; [`ReportError::NotBaseline`] for a file that
/// this did not write, which is left alone; those of reading the run.
pub fn update_baseline(path: &Path, run: &Path) -> Result<(), ReportError> {
    let side = Side::read(run)?;
    if let Some(record) = side.records.iter().find(|r| matches!(r.outcome, Outcome::Failed { .. }))
    {
        return Err(ReportError::Unfit {
            tokenizer: record.tokenizer.clone(),
            metric: record.metric.clone(),
        });
    }
    let refused = |reason: String| ReportError::NotBaseline { path: path.to_owned(), reason };
    let (head, old) = match read(path) {
        Ok(text) => {
            let mark = text.find(MARK).ok_or_else(|| {
                refused("it was not written by `gate --update`, so it is left alone".to_owned())
            })?;
            (text[..mark].to_owned(), parse(&text, path)?.baseline.images)
        }
        Err(ReportError::Missing { .. }) => (HEAD.to_owned(), None),
        Err(error) => return Err(error),
    };
    let folder = if run.is_dir() { run } else { run.parent().unwrap_or(Path::new("")) };
    let images = written::many(&side).then(|| folder.join("samples.parquet"));
    let images = images.map(|samples| written_beside(path, &samples)).transpose()?;
    let text = head + &written::text(&side, images.as_ref());
    // What is written must be what is read.
    parse(&text, path)?;
    replace(path, text.as_bytes())?;
    if let Some(old) = old.filter(|old| images.as_ref().is_none_or(|(name, _)| name != old))
        && let Ok(stale) = beside(path, &old)
    {
        // It is of no use to anybody, and no harm if it stays.
        let _ = fs::remove_file(stale);
    }
    Ok(())
}

/// Copies a file of per-image values beside the baseline; its name and sha256.
fn written_beside(path: &Path, samples: &Path) -> Result<(String, String), ReportError> {
    let cannot = |cause| ReportError::Read { path: samples.to_owned(), cause };
    let bytes = fs::read(samples).map_err(cannot)?;
    let sha256 = hex(&bytes);
    let stem =
        path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let name = format!("{stem}-{}.parquet", &sha256[..8]);
    replace(&path.with_file_name(&name), &bytes)?;
    Ok((name, sha256))
}

/// Writes beside the target and renames: a reader sees the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let failed = |cause: io::Error| ReportError::Write { path: path.to_owned(), cause };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = crate::samples::temporary(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
