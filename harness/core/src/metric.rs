use serde::{Deserialize, Serialize};

/// What a number means: the identity that makes two values comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricDef {
    /// Stable id, as in tables and plans: `psnr`.
    pub id: &'static str,
    /// How tables head the column: `PSNR`.
    pub title: &'static str,
    /// Unit of the value.
    pub unit: Unit,
    /// Which way is better; there is no default, on purpose.
    pub better: Better,
    /// Bumped whenever the same inputs may give another value.
    pub version: u32,
    /// The definition in words, with its constants and its source.
    pub definition: &'static str,
}

impl MetricDef {
    /// `psnr@1`: what records and gates name.
    #[must_use]
    pub fn versioned_id(&self) -> String {
        format!("{}@{}", self.id, self.version)
    }
}

/// Which direction improves a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Larger is better.
    Higher,
    /// Smaller is better.
    Lower,
    /// The value describes, and no direction improves it.
    Neither,
}

impl Better {
    /// Signed improvement from `before` to `after`: positive is better, whatever the direction; 0
    /// where there is none.
    #[must_use]
    pub fn gain(self, before: f64, after: f64) -> f64 {
        match self {
            Self::Higher => after - before,
            Self::Lower => before - after,
            Self::Neither => 0.0,
        }
    }
}

/// Unit of a metric's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Unit {
    /// Decibel.
    #[serde(rename = "dB")]
    Decibel,
    /// No unit.
    #[serde(rename = "1")]
    One,
    /// Latent numbers of one image.
    #[serde(rename = "floats/image")]
    FloatsPerImage,
    /// Bits of the coded image per pixel.
    #[serde(rename = "bit/pixel")]
    BitsPerPixel,
    /// Billions of floating-point operations.
    #[serde(rename = "GFLOP")]
    GigaFlop,
    /// Billions of multiply-accumulates.
    #[serde(rename = "GMAC")]
    GigaMac,
    /// Floating-point operations for a byte that is moved.
    #[serde(rename = "FLOP/B")]
    FlopPerByte,
    /// Billions of floating-point operations in a second.
    #[serde(rename = "GFLOP/s")]
    GigaFlopPerSecond,
    /// Billions of bytes in a second.
    #[serde(rename = "GB/s")]
    GigabytePerSecond,
    /// Images in a second.
    #[serde(rename = "images/s")]
    ImagesPerSecond,
    /// 2^20 bytes.
    #[serde(rename = "MiB")]
    Mebibyte,
    /// Thousandths of a second.
    #[serde(rename = "ms")]
    Millisecond,
    /// Learned or fitted numbers.
    #[serde(rename = "parameters")]
    Parameters,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Self; 13] = [
        Self::Decibel,
        Self::One,
        Self::FloatsPerImage,
        Self::BitsPerPixel,
        Self::GigaFlop,
        Self::GigaMac,
        Self::FlopPerByte,
        Self::GigaFlopPerSecond,
        Self::GigabytePerSecond,
        Self::ImagesPerSecond,
        Self::Mebibyte,
        Self::Millisecond,
        Self::Parameters,
    ];

    /// As tables and records write it; empty for a pure number.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Decibel => "dB",
            Self::One => "",
            Self::FloatsPerImage => "floats/image",
            Self::BitsPerPixel => "bit/pixel",
            Self::GigaFlop => "GFLOP",
            Self::GigaMac => "GMAC",
            Self::FlopPerByte => "FLOP/B",
            Self::GigaFlopPerSecond => "GFLOP/s",
            Self::GigabytePerSecond => "GB/s",
            Self::ImagesPerSecond => "images/s",
            Self::Mebibyte => "MiB",
            Self::Millisecond => "ms",
            Self::Parameters => "parameters",
        }
    }
}
