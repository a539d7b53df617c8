//! What `tests/oracle/` keeps of a large array: evenly spaced values, the sum, the root mean square.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(crate) struct Checksum {
    len: usize,
    values: Vec<f64>,
    sum: f64,
    rms: f64,
    /// Standard deviation: the unit of tolerances.
    std: f64,
}

impl Checksum {
    /// Largest difference over the standard deviation: of the values, of the mean, and of the root
    /// mean square.
    pub(crate) fn difference(&self, found: &[f32]) -> f64 {
        assert_eq!(found.len(), self.len);
        let count = self.values.len();
        let places = (0..count).map(|i| f64::from(found[i * self.len / count]));
        let values = places.zip(&self.values).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let length = self.len as f64;
        let sum: f64 = found.iter().map(|&x| f64::from(x)).sum();
        let squares: f64 = found.iter().map(|&x| f64::from(x).powi(2)).sum();
        let mean = (sum - self.sum).abs() / length;
        let rms = ((squares / length).sqrt() - self.rms).abs();
        values.max(mean).max(rms) / self.std
    }
}
