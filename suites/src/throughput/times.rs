/// Seconds of the timed calls of one batch size.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Times {
    /// Shortest first.
    sorted: Vec<f64>,
}

impl Times {
    /// `None` without a call.
    pub(super) fn new(mut seconds: Vec<f64>) -> Option<Self> {
        // No clock here is finer, and a rate must be finite.
        seconds.iter_mut().for_each(|seconds| *seconds = seconds.max(1e-9));
        seconds.sort_by(f64::total_cmp);
        (!seconds.is_empty()).then_some(Self { sorted: seconds })
    }

    /// How many calls.
    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// All together.
    pub(super) fn total(&self) -> f64 {
        self.sorted.iter().sum()
    }

    pub(super) fn mean(&self) -> f64 {
        self.total() / self.len() as f64
    }

    /// The mean of the two in the middle, or the one.
    pub(super) fn median(&self) -> f64 {
        let (low, high) = ((self.len() - 1) / 2, self.len() / 2);
        f64::midpoint(self.sorted[low], self.sorted[high])
    }

    /// The shortest that at least 95 of 100 calls do not exceed (nearest rank).
    pub(super) fn percentile_95(&self) -> f64 {
        let rank = (self.len() * 95).div_ceil(100).max(1);
        self.sorted[rank - 1]
    }

    /// Order statistics between which the median of all calls there could be lies with 95 %, whatever
    /// their distribution: the k-th from both ends, for the largest k with
    /// `2 P(Binomial(n, 1/2) < k) <= 0.05`. `None` below 6 calls.
    pub(super) fn interval(&self) -> Option<(f64, f64)> {
        let n = self.len();
        let (mut term, mut below, mut rank) = (0.5_f64.powi(n as i32), 0.0, 0);
        while rank < n / 2 && 2.0 * (below + term) <= 0.05 {
            below += term;
            rank += 1;
            term *= (n - rank + 1) as f64 / rank as f64;
        }
        (rank > 0).then(|| (self.sorted[rank - 1], self.sorted[n - rank]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(count: usize) -> Times {
        // Backwards, so that sorting has something to do.
        Times::new((1..=count).rev().map(|i| i as f64).collect()).unwrap()
    }

    #[test]
    fn medians_means_and_percentiles_are_those_of_the_sorted_times() {
        assert!(Times::new(Vec::new()).is_none());
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(times(1).median(), 1.0);
        close(times(5).median(), 3.0);
        close(times(6).median(), 3.5);
        close(times(6).mean(), 3.5);
        close(times(40).percentile_95(), 38.0);
        close(times(20).percentile_95(), 19.0);
        close(times(3).percentile_95(), 3.0);
    }

    #[test]
    fn intervals_have_the_ranks_of_the_sign_test() {
        // Ranks of tables of the sign test at 5 %: n = 6 to 8 the ends, 9 to 11 the second, 12 the
        // third, 20 the sixth, 40 the fourteenth.
        for (n, rank) in [(6, 1), (8, 1), (9, 2), (11, 2), (12, 3), (20, 6), (40, 14)] {
            let (low, high) = times(n).interval().unwrap();
            let found = [low as usize, n + 1 - high as usize];
            assert_eq!(found, [rank, rank], "{n}");
        }
        assert_eq!(times(5).interval(), None);
    }
}
