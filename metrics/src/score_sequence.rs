use prismbench_core::PsnrDialect;

use crate::MetricError;
use crate::bootstrap::interval_of_mean;
use crate::image_scores::{Aggregation, Interval, Summary};
use crate::psnr::from_mse;

/// Scores up to which an interval is a bootstrap's; of more it is the normal approximation, which needs
/// none of them in memory. At this number the two differ by less than what another seed of the
/// bootstrap changes.
pub const BOOTSTRAP_MAX: usize = 1 << 16;

/// Of a normal distribution 95 % lie within so many standard deviations of the mean.
const NORMAL_95: f64 = 1.959_963_984_540_054;

/// One score per image, in the order of the images, summed up as they come. They are asked for again for
/// the interval of a few, so that they need not be in memory until then.
#[derive(Clone, Debug)]
pub struct ScoreSequence {
    aggregation: Aggregation,
    /// Index of the newest image.
    last: Option<u64>,
    n: u64,
    finite: u64,
    sum: f64,
    /// Welford's running mean and sum of squared distances from it, of the finite scores.
    mean: f64,
    squares: f64,
}

impl ScoreSequence {
    /// No scores yet.
    #[must_use]
    pub fn new(aggregation: Aggregation) -> Self {
        let (mean, squares, sum) = (0.0, 0.0, 0.0);
        Self { aggregation, last: None, n: 0, finite: 0, sum, mean, squares }
    }

    /// Takes in the score of the next image, which is called by its index within the data set.
    ///
    /// # Errors
    /// [`MetricError::Duplicate`] for an image that is not behind the one before it.
    pub fn add(&mut self, index: u64, score: f64) -> Result<(), MetricError> {
        if self.last.is_some_and(|last| index <= last) {
            return Err(MetricError::Duplicate { index });
        }
        self.last = Some(index);
        self.n += 1;
        if score.is_finite() {
            self.add_finite(score);
        }
        Ok(())
    }

    /// What the scores amount to; `scores` gives all of them again, in the same order, and is asked where
    /// there are at most [`BOOTSTRAP_MAX`].
    ///
    /// # Errors
    /// [`MetricError::TooFew`] when there are none; those of `scores`.
    pub fn finish<E: From<MetricError>>(
        self,
        scores: impl FnOnce() -> Result<Vec<f64>, E>,
    ) -> Result<Summary, E> {
        let (n, infinite) = (self.n, self.n - self.finite);
        if n == 0 {
            return Err(MetricError::TooFew { got: 0, needed: 1 }.into());
        }
        let mean = (self.finite > 0).then(|| self.sum / self.finite as f64);
        let interval = self.interval(scores)?;
        Ok(match self.aggregation {
            Aggregation::Mean => {
                let interval = interval.map(|(low, high)| Interval { low, high });
                Summary { n, value: mean, interval, infinite }
            }
            Aggregation::PsnrOfMean => pooled_psnr(n, mean, interval),
        })
    }

    fn add_finite(&mut self, score: f64) {
        self.finite += 1;
        self.sum += score;
        let from_old = score - self.mean;
        self.mean += from_old / self.finite as f64;
        self.squares += from_old * (score - self.mean);
    }

    fn interval<E>(
        &self,
        scores: impl FnOnce() -> Result<Vec<f64>, E>,
    ) -> Result<Option<(f64, f64)>, E> {
        if self.n != self.finite {
            return Ok(None);
        }
        if self.finite as usize <= BOOTSTRAP_MAX {
            return Ok(interval_of_mean(&scores()?));
        }
        let n = self.finite as f64;
        let (mean, half) = (self.sum / n, NORMAL_95 * (self.squares / (n - 1.0) / n).sqrt());
        Ok(Some((mean - half, mean + half)))
    }
}

/// PSNR falls as the error grows, so the ends of the interval change places.
fn pooled_psnr(n: u64, mean: Option<f64>, interval: Option<(f64, f64)>) -> Summary {
    let psnr = |mse| Some(from_mse(mse, PsnrDialect::Global)).filter(|psnr| psnr.is_finite());
    let value = mean.and_then(psnr);
    let interval = interval
        .and_then(|(small, large)| Some(Interval { low: psnr(large)?, high: psnr(small)? }));
    Summary { n, value, interval, infinite: if value.is_none() { n } else { 0 } }
}

#[cfg(test)]
mod tests {
    use prismbench_core::Stream;

    use super::*;

    fn summary(scores: &[f64]) -> Summary {
        let mut sequence = ScoreSequence::new(Aggregation::Mean);
        (0..).zip(scores).for_each(|(index, &score)| sequence.add(index, score).unwrap());
        sequence.finish::<MetricError>(|| Ok(scores.to_vec())).unwrap()
    }

    fn never() -> Result<Vec<f64>, MetricError> {
        panic!("there are too many to be asked for, or none")
    }

    #[test]
    fn the_interval_goes_over_from_the_bootstrap_to_the_normal_approximation() {
        let mut stream = Stream::new("test", 3, 1);
        // Skewed, as squared errors are: the cube of a uniform, of mean 1/4 and variance 9/112.
        let scores: Vec<f64> = (0..=BOOTSTRAP_MAX).map(|_| stream.uniform().powi(3)).collect();
        let (few, many) = (summary(&scores[..BOOTSTRAP_MAX]), summary(&scores));
        let half = 1.959_964 * (9.0 / 112.0 / scores.len() as f64).sqrt();
        let mean = many.value.unwrap();
        assert!((mean - 0.25).abs() < 3.0 * half);
        for (name, summary, tolerance) in [("bootstrap", few, 0.15), ("normal", many, 0.01)] {
            let (mean, found) = (summary.value.unwrap(), summary.interval.unwrap());
            for side in [mean - found.low, found.high - mean] {
                // 1,000 resamples put a percentile's own error at about 5 % of the half width.
                assert!((side / half - 1.0).abs() < tolerance, "{name}: {side} {half}");
            }
        }
        assert_ne!(few.interval, many.interval);
    }

    #[test]
    fn many_scores_far_from_zero_keep_their_digits_and_are_not_asked_for_again() {
        let mut sequence = ScoreSequence::new(Aggregation::Mean);
        for index in 0..1_000_000_u64 {
            sequence.add(index, 1e6 + (index % 2) as f64).unwrap();
        }
        let summary = sequence.finish(never).unwrap();
        assert_eq!((summary.n, summary.value), (1_000_000, Some(1e6 + 0.5)));
        // Half of them 0 and half 1: a standard deviation of 1/2 over the root of a million.
        let half = summary.interval.unwrap().high - (1e6 + 0.5);
        assert!((half / (1.959_964 * 0.5e-3) - 1.0).abs() < 1e-5, "{half}");
    }

    #[test]
    fn an_infinite_score_takes_the_interval_of_many_too() {
        let mut sequence = ScoreSequence::new(Aggregation::Mean);
        for index in 0..BOOTSTRAP_MAX as u64 + 2 {
            sequence.add(index, if index == 7 { f64::INFINITY } else { 1.0 }).unwrap();
        }
        let summary = sequence.finish(never).unwrap();
        assert_eq!((summary.infinite, summary.value), (1, Some(1.0)));
        assert_eq!(summary.interval, None);
    }

    #[test]
    fn an_image_comes_once_and_in_its_turn() {
        let mut sequence = ScoreSequence::new(Aggregation::Mean);
        sequence.add(4, 1.0).unwrap();
        for index in [4, 3] {
            let again = sequence.add(index, 1.0);
            assert!(matches!(again, Err(MetricError::Duplicate { index: i }) if i == index));
        }
        let none = ScoreSequence::new(Aggregation::Mean).finish(never);
        assert!(matches!(none, Err(MetricError::TooFew { got: 0, needed: 1 })));
    }
}
