//! What `tests/oracle/checksum.py` keeps of a large array: evenly spaced values, the sum, the root
//! mean square.

use candle_core::Tensor;
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
    /// Largest difference of a kept value, in standard deviations. Mean and root mean square, which
    /// see the values in between, are asserted to agree: errors of either sign cancel in them.
    pub(crate) fn difference(&self, found: &Tensor) -> f64 {
        let found: Vec<f32> = found.flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(found.len(), self.len);
        let length = self.len as f64;
        let sum: f64 = found.iter().map(|&x| f64::from(x)).sum();
        let squares: f64 = found.iter().map(|&x| f64::from(x).powi(2)).sum();
        let mean = (sum - self.sum).abs() / length / self.std;
        assert!(mean < 1e-5, "the mean differs by {mean:e} standard deviations");
        let rms = ((squares / length).sqrt() - self.rms).abs() / self.std;
        assert!(rms < 1e-5, "the root mean square differs by {rms:e} standard deviations");
        let count = self.values.len();
        let kept = (0..count).map(|i| f64::from(found[i * self.len / count]));
        kept.zip(&self.values).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / self.std
    }
}
