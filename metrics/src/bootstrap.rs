use prismbench_core::Stream;
use rayon::prelude::*;

/// Resamples of the percentile bootstrap.
pub(crate) const RESAMPLES: u64 = 1_000;

/// The 95 % percentile interval of the mean of `scores` (Efron and Tibshirani 1993, section 13.3):
/// the 2.5th and 97.5th percentile of the means of 1,000 resamples with replacement, linear between
/// order statistics. `None` for fewer than two scores.
///
/// Resample `r` draws from its own stream, so the interval is the same for any number of threads.
pub(crate) fn interval_of_mean(scores: &[f64]) -> Option<(f64, f64)> {
    if scores.len() < 2 {
        return None;
    }
    let n = scores.len() as u64;
    let mut means: Vec<f64> = (0..RESAMPLES)
        .into_par_iter()
        .map(|resample| {
            let mut stream = Stream::new("bootstrap", 0, resample);
            let sum: f64 = (0..n).map(|_| scores[stream.below(n) as usize]).sum();
            sum / n as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    Some((percentile(&means, 0.025), percentile(&means, 0.975)))
}

/// Linear between order statistics, as numpy's default is.
pub(crate) fn percentile(sorted: &[f64], fraction: f64) -> f64 {
    let at = fraction * (sorted.len() - 1) as f64;
    let below = at as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (at - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_normal_approximation_for_many_scores() {
        let mut stream = Stream::new("test", 1, 2);
        // Sums of 12 uniforms: mean 6, variance 1.
        let scores: Vec<f64> =
            (0..4_000).map(|_| (0..12).map(|_| stream.uniform()).sum()).collect();
        let n = scores.len() as f64;
        let mean = scores.iter().sum::<f64>() / n;
        let variance = scores.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
        let half = 1.96 * (variance / n).sqrt();
        let (low, high) = interval_of_mean(&scores).unwrap();
        // 1,000 resamples put a percentile's own error at about 5 % of the half width.
        assert!(((mean - low) / half - 1.0).abs() < 0.15, "{low} {mean} {half}");
        assert!(((high - mean) / half - 1.0).abs() < 0.15, "{high} {mean} {half}");
    }

    #[test]
    fn the_interval_does_not_depend_on_the_number_of_threads() {
        let scores: Vec<f64> = (0..300).map(|i| f64::from(i * i % 97)).collect();
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| interval_of_mean(&scores))
        };
        assert_eq!(with(1), with(5));
    }

    #[test]
    fn percentiles_are_linear_between_order_statistics_as_numpys_are() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        // numpy.percentile([1, 2, 4, 8], [0, 25, 60, 100]) = 1, 1.75, 3.6, 8
        for (fraction, expected) in [(0.0, 1.0), (0.25, 1.75), (0.6, 3.6), (1.0, 8.0)] {
            assert!((percentile(&sorted, fraction) - expected).abs() < 1e-12);
        }
    }
}
