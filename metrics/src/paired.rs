use prismbench_core::Stream;
use rayon::prelude::*;

use crate::bootstrap::percentile;
use crate::{Interval, student};

/// Resamples: the ends of a 99 % interval are the 20th means from either side.
const RESAMPLES: u64 = 4_000;

/// Pairs below which means of resamples say too little about the mean.
const FEW: usize = 20;

/// The interval of the mean of some differences, one a pair: by the percentile bootstrap over pairs
/// (Efron and Tibshirani 1993, section 13.3) with 4,000 resamples, and for fewer than 20 pairs by
/// Student's t. `confidence` is 0.99 for a 99 % interval.
///
/// Values of the same image vary far less than those of different images, so this is much tighter than
/// comparing two intervals. Resample `r` draws from its own stream: the same bits for any number of
/// threads. `None` for fewer than two pairs, a difference that is not finite, or a confidence outside of
/// `(0, 1)`.
#[must_use]
pub fn paired_interval(differences: &[f64], confidence: f64) -> Option<Interval> {
    let finite = differences.iter().all(|difference| difference.is_finite());
    if differences.len() < 2 || !finite || !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let n = differences.len() as u64;
    if differences.len() < FEW {
        let (mean, error) = mean_and_error(differences);
        let half = student::student_quantile(confidence, (n - 1) as f64)? * error;
        return Some(Interval { low: mean - half, high: mean + half });
    }
    let mut means: Vec<f64> = (0..RESAMPLES)
        .into_par_iter()
        .map(|resample| {
            let mut stream = Stream::new("paired bootstrap", 0, resample);
            let sum: f64 = (0..n).map(|_| differences[stream.below(n) as usize]).sum();
            sum / n as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let outside = (1.0 - confidence) / 2.0;
    Some(Interval { low: percentile(&means, outside), high: percentile(&means, 1.0 - outside) })
}

/// The probability of a mean difference at least as far from 0 where there is none: the paired t-test.
///
/// For many small slices, where a bootstrap would need more resamples than its far percentiles have.
/// `None` for fewer than two pairs or a difference that is not finite.
#[must_use]
pub fn mean_differs(differences: &[f64]) -> Option<f64> {
    if differences.len() < 2 || !differences.iter().all(|difference| difference.is_finite()) {
        return None;
    }
    let (mean, error) = mean_and_error(differences);
    let nothing = differences.iter().all(|difference| difference.abs() < f64::MIN_POSITIVE);
    let t = if nothing { 0.0 } else { mean / error };
    Some(student::two_sided(t, (differences.len() - 1) as f64))
}

/// Mean and its standard error.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (mean, (squares / (n - 1.0) / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oracle() -> serde_json::Value {
        serde_json::from_str(include_str!("../../tests/golden/gate/statistics.json")).unwrap()
    }

    fn numbers(value: &serde_json::Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    }

    /// scipy drew 400 times as many resamples: what is left is our own Monte-Carlo error.
    #[test]
    fn ends_are_scipys_within_monte_carlo_error() {
        for case in oracle()["bootstrap"].as_array().unwrap() {
            let differences = numbers(&case["differences"]);
            let confidence = case["confidence"].as_f64().unwrap();
            let found = paired_interval(&differences, confidence).unwrap();
            let ends = numbers(&case["interval"]);
            // Of 40 means beyond a 99 % interval 20 lie on each side, give or take sqrt(20): where the
            // distribution of means is thinnest, that is 5 % of the width.
            let width = ends[1] - ends[0];
            for (found, end) in [(found.low, ends[0]), (found.high, ends[1])] {
                assert!((found - end).abs() < 0.08 * width, "{}: {found} {end}", case["name"]);
            }
        }
    }

    #[test]
    fn few_pairs_and_slices_take_students_t_as_scipy_does() {
        let cases = oracle()["few"].as_array().unwrap().clone();
        for case in cases {
            let differences = numbers(&case["differences"]);
            let found = paired_interval(&differences, 0.99).unwrap();
            let ends = numbers(&case["interval"]);
            assert!((found.low - ends[0]).abs() < 1e-9 && (found.high - ends[1]).abs() < 1e-9);
            let p = mean_differs(&differences).unwrap();
            assert!((p / case["p"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{p}");
        }
    }

    #[test]
    fn equal_differences_are_certain_and_none_are_no_difference() {
        assert_eq!(paired_interval(&[0.5; 30], 0.99), Some(Interval { low: 0.5, high: 0.5 }));
        assert!((mean_differs(&[0.0; 12]).unwrap() - 1.0).abs() < 1e-15);
        assert!(mean_differs(&[0.25; 12]).unwrap() < 1e-15);
    }

    #[test]
    fn what_has_no_interval_gets_none() {
        assert_eq!(paired_interval(&[1.0], 0.99), None);
        assert_eq!(paired_interval(&[1.0, f64::INFINITY], 0.99), None);
        assert_eq!(paired_interval(&[1.0, f64::NAN], 0.99), None);
        for confidence in [0.0, 1.0, 99.0, f64::NAN] {
            assert_eq!(paired_interval(&[1.0, 2.0], confidence), None);
        }
        assert_eq!(mean_differs(&[]), None);
    }

    #[test]
    fn the_interval_does_not_depend_on_the_number_of_threads() {
        let differences: Vec<f64> = (0..300).map(|i| f64::from(i * i % 97)).collect();
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| paired_interval(&differences, 0.99))
        };
        assert_eq!(with(1), with(5));
    }
}
