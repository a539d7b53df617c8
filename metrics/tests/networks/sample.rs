//! Golden rows: a sample of the values, their sum and their root mean square.

use prismbench_core::RgbImage;
use serde::Deserialize;

/// Width, height, seed and amplitude of a hashed picture.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Picture(pub(crate) usize, pub(crate) usize, pub(crate) u64, pub(crate) i64);

impl Picture {
    pub(crate) fn image(self) -> RgbImage {
        let Self(width, height, seed, amplitude) = self;
        let pixels = crate::hashed::picture(width, height, seed, amplitude);
        RgbImage::new(width, height, pixels).unwrap()
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Sample {
    len: usize,
    values: Vec<f64>,
    sum: f64,
    rms: f64,
}

impl Sample {
    /// The largest difference, as a share of the root mean square: of a sampled value, of the mean
    /// of all, and of the root mean square itself.
    pub(crate) fn error(&self, found: &[f32]) -> f64 {
        assert_eq!(found.len(), self.len);
        let sampled = self.values.iter().enumerate().map(|(place, expected)| {
            let found = found[place * self.len / self.values.len()];
            (f64::from(found) - expected).abs()
        });
        let largest = sampled.fold(0.0, f64::max);
        let sum: f64 = found.iter().map(|&value| f64::from(value)).sum();
        let squares: f64 = found.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
        let count = self.len as f64;
        let mean = (sum - self.sum).abs() / count;
        let rms = ((squares / count).sqrt() - self.rms).abs();
        largest.max(mean).max(rms) / self.rms
    }
}

pub(crate) fn golden<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = format!("{}/../tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
