use serde::{Deserialize, Serialize};

use crate::{Better, Unit};

/// One number with everything needed to trust it: one line of `records.jsonl`, one row of a table.
///
/// Measured and published values share these columns. The order of the fields is the order of the
/// columns in every export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Id of the run; the name of its folder.
    pub run: String,
    /// Tokenizer reference as it was asked for, without its weights' path: `jpeg:75`.
    pub tokenizer: String,
    /// The checkpoint or setting within a family; empty where there is one only.
    pub variant: String,
    /// Shape of one image's latent: `32x32x32` (channels, rows, columns); empty for a bit stream.
    pub latent: String,
    /// Suite with its version: `reconstruction@1`.
    pub suite: String,
    /// Data set as it was asked for.
    pub dataset: String,
    /// The part of the data set that was measured: `all` or `test`.
    pub split: String,
    /// Side or sides of the pictures after the crop: `256`, `768x512` or `mixed`.
    pub resolution: String,
    /// Samples that entered the value.
    pub n: u64,
    /// Metric with its version: `psnr@1`.
    pub metric: String,
    /// Variant of the definition: `torchmetrics`; empty where there is one only.
    pub dialect: String,
    /// The varied setting, where the suite sweeps one; else empty.
    pub setting: String,
    /// The value, or why there is none.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What a reader must know beyond the number; most have nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The value without each tenth of the samples in turn, where its interval is a jackknife's: what the
    /// interval of a difference between two runs is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicates: Vec<f64>,
    /// Unit of the value.
    pub unit: Unit,
    /// Direction, carried along so that a reader needs no registry.
    pub better: Better,
    /// Name of the protocol.
    pub protocol: String,
    /// sha256 of the protocol's canonical form: what decides whether two numbers are comparable.
    pub protocol_sha256: String,
    /// sha256 over the weights; empty for a tokenizer without any.
    pub weights_sha256: String,
    /// sha256 over the ids and pixels of the reference pictures after the crop.
    pub reference_sha256: String,
    /// Device that ran the tokenizer.
    pub device: String,
    /// Arithmetic of the tokenizer: `f32`.
    pub dtype: String,
    /// Seconds spent in encoding and decoding.
    pub seconds: f64,
    /// Where the number is from: `measured`, or the paper and table of a published one.
    pub source: String,
    /// Version of prismbench that wrote the record.
    pub tool_version: String,
}

/// A value or a typed absence. There is no NaN and no sentinel number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// Measured.
    Ok {
        /// The value; always finite.
        value: f64,
        /// Lower end of the 95 % interval, where the metric has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        low: Option<f64>,
        /// Upper end of the 95 % interval, where the metric has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        high: Option<f64>,
    },
    /// Without bound, because `infinite` of the images have no error at all (PSNR).
    Infinite {
        /// Images whose own value is infinite.
        infinite: u64,
        /// Mean over the other images, where there are any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        finite_mean: Option<f64>,
    },
    /// Not applicable to this tokenizer.
    Skipped {
        /// Why, for the table's footnote.
        reason: String,
    },
    /// Went wrong; the run goes on and exits with code 4 at its end.
    Failed {
        /// The error with its causes.
        reason: String,
    },
}

impl Outcome {
    /// The word that exports put into the column `outcome`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ok { .. } => "ok",
            Self::Infinite { .. } => "infinite",
            Self::Skipped { .. } => "skipped",
            Self::Failed { .. } => "failed",
        }
    }

    /// The finite value, where there is one.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        match *self {
            Self::Ok { value, .. } => Some(value),
            Self::Infinite { .. } | Self::Skipped { .. } | Self::Failed { .. } => None,
        }
    }

    /// What a reader must know beyond the value; empty for a plain value.
    #[must_use]
    pub fn note(&self) -> String {
        match self {
            Self::Ok { .. } => String::new(),
            Self::Infinite { infinite, finite_mean: None } => {
                format!("all {infinite} images are reproduced without error")
            }
            Self::Infinite { infinite, finite_mean: Some(mean) } => format!(
                "{infinite} images are reproduced without error; the mean over the others is {mean:.4}"
            ),
            Self::Skipped { reason } | Self::Failed { reason } => reason.clone(),
        }
    }

    /// A failure that keeps the whole chain of causes.
    #[must_use]
    pub fn failed(error: &dyn std::error::Error) -> Self {
        Self::Failed { reason: Self::chain(error) }
    }

    /// An error and the whole chain of its causes, in one line.
    #[must_use]
    pub fn chain(error: &dyn std::error::Error) -> String {
        let mut reason = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            reason.push_str(": ");
            reason.push_str(&error.to_string());
            cause = error.source();
        }
        reason
    }

    /// Why there is no value, where something failed.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        match self {
            Self::Failed { reason } => Some(reason),
            _ => None,
        }
    }
}
