//! Golden samples of large tensors: evenly spaced values, the sum and the root mean square.

use candle_core::Tensor;
use serde_json::Value;

/// What `sample` of the oracle's scripts kept of a tensor.
pub(crate) struct Sampled<'a>(pub(crate) &'a Value);

impl Sampled<'_> {
    fn number(&self, key: &str) -> f64 {
        self.0[key].as_f64().unwrap()
    }

    /// Largest difference of a kept value, in units of the tensor's standard deviation. Sum and root
    /// mean square, which see the values in between, are asserted to agree.
    pub(crate) fn difference(&self, found: &Tensor) -> f64 {
        let found: Vec<f32> = found.flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(found.len(), self.number("len") as usize);
        let (std, count) = (self.number("std"), found.len() as f64);
        let values = self.0["values"].as_array().unwrap();
        let kept = values.iter().enumerate().map(|(index, value)| {
            let place = index * found.len() / values.len();
            (f64::from(found[place]) - value.as_f64().unwrap()).abs()
        });
        let worst = kept.fold(0.0, f64::max) / std;
        let sum: f64 = found.iter().map(|&x| f64::from(x)).sum();
        let rms = (found.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / count).sqrt();
        let mean = (sum - self.number("sum")).abs() / count / std;
        assert!(mean < 1e-5, "the mean differs by {mean:e} standard deviations");
        let rms = (rms - self.number("rms")).abs() / std;
        assert!(rms < 1e-5, "the root mean square differs by {rms:e} standard deviations");
        worst
    }
}
