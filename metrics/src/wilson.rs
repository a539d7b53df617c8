use crate::Interval;

/// The score interval of a share of `successes` in `n` independent trials (Wilson 1927), without
/// continuity correction; `confidence` is 0.95 for a 95 % interval.
///
/// It stays within `[0, 1]` and has a width at 0 and 1, where the percentile bootstrap has none.
/// `None` for no trials, more successes than trials, or a confidence outside of `(0, 1)`.
#[must_use]
pub fn wilson(successes: u64, n: u64, confidence: f64) -> Option<Interval> {
    if successes > n {
        return None;
    }
    score_interval(successes as f64 / n as f64, n as f64, confidence)
}

/// The score interval of a share of trials that come in clusters and are alike within one: captions
/// of one image, say. `clusters` are the successes and trials of each.
///
/// It is Wilson's interval with the number of trials divided by the design effect (Kish 1965), which
/// is the squared error of the share over that of independent trials, at least 1; Dean and Pagano
/// (2015) compare it with others for rare successes. Where no trial or every trial succeeds the data
/// do not tell the design effect, and a cluster counts as one trial. With one trial in each cluster
/// it is [`wilson`]. `None` as there.
#[must_use]
pub fn clustered_wilson(clusters: &[(u64, u64)], confidence: f64) -> Option<Interval> {
    let sum = |of: fn(&(u64, u64)) -> u64| clusters.iter().map(of).sum::<u64>();
    let (successes, n) = (sum(|cluster| cluster.0), sum(|cluster| cluster.1));
    if clusters.iter().any(|(successes, n)| successes > n) || n == 0 {
        return None;
    }
    let (share, trials) = (successes as f64 / n as f64, n as f64);
    let count = clusters.iter().filter(|cluster| cluster.1 > 0).count() as f64;
    if successes == 0 || successes == n {
        return score_interval(share, count, confidence);
    }
    let deviation = |&(successes, n): &(u64, u64)| successes as f64 - share * n as f64;
    let squares: f64 = clusters.iter().map(|cluster| deviation(cluster).powi(2)).sum();
    let effect = squares / (trials * share * (1.0 - share));
    score_interval(share, trials / effect.max(1.0), confidence)
}

fn score_interval(share: f64, n: f64, confidence: f64) -> Option<Interval> {
    if n <= 0.0 || !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let z = two_sided_quantile(confidence);
    let scale = 1.0 + z * z / n;
    let middle = (share + z * z / (2.0 * n)) / scale;
    let half = z / scale * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    // Rounding must not push an end across a share of 0 or 1.
    Some(Interval {
        low: (middle - half).clamp(0.0, share),
        high: (middle + half).clamp(share, 1.0),
    })
}

/// The number that a standard normal stays within with this probability: 1.96 for 0.95.
fn two_sided_quantile(confidence: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    // Halved until no number lies between.
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        let outside = libm::erfc(middle * std::f64::consts::FRAC_1_SQRT_2);
        if outside > 1.0 - confidence { low = middle } else { high = middle }
    }
}

#[cfg(test)]
mod tests {
    use prismbench_core::Stream;

    use super::*;

    #[track_caller]
    fn near(found: Option<Interval>, (low, high): (f64, f64)) {
        let found = found.unwrap();
        let off = (found.low - low).abs().max((found.high - high).abs());
        assert!(off < 1e-9, "{found:?}, expected {low} {high}");
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        // scipy.stats.norm.ppf(0.5 + confidence / 2)
        for (confidence, z) in [
            (0.5, 0.674_489_750_196_081_7),
            (0.95, 1.959_963_984_540_054),
            (0.99, 2.575_829_303_548_900_4),
            (0.999_999, 4.891_638_475_671_085),
        ] {
            let found = two_sided_quantile(confidence);
            // 1 - 0.999999 keeps ten digits.
            assert!((found - z).abs() < 1e-10, "{found} {z}");
        }
    }

    #[test]
    fn ends_are_those_of_scipy() {
        // scipy.stats.binomtest(k, n).proportion_ci(confidence, method="wilson")
        near(wilson(7, 50, 0.95), (0.069_508_334_270_162_92, 0.261_861_937_105_855_37));
        near(wilson(81, 263, 0.95), (0.255_288_519_878_274_2, 0.366_209_576_982_800_04));
        near(wilson(0, 10, 0.99), (0.0, 0.398_854_093_304_905_08));
        near(wilson(10, 10, 0.9), (0.787_058_029_916_593, 1.0));
    }

    #[test]
    fn clusters_of_one_are_independent_trials_and_twins_are_half_as_many() {
        let singles: Vec<_> = (0..40).map(|i| (u64::from(i % 4 == 0), 1)).collect();
        assert_eq!(clustered_wilson(&singles, 0.95), wilson(10, 40, 0.95));
        let twins: Vec<_> = singles.iter().map(|(successes, n)| (2 * successes, 2 * n)).collect();
        let (found, expected) = (clustered_wilson(&twins, 0.95), wilson(10, 40, 0.95).unwrap());
        near(found, (expected.low, expected.high));
        // Clusters that are less alike than chance would have it are no reason for a narrower one.
        assert_eq!(clustered_wilson(&[(1, 2); 30], 0.95), wilson(30, 60, 0.95));
        // Without a success nothing tells how alike the trials of a cluster are.
        assert_eq!(clustered_wilson(&[(0, 5), (0, 5), (0, 0)], 0.95), wilson(0, 2, 0.95));
    }

    #[test]
    fn nineteen_of_twenty_intervals_hold_the_truth_also_where_captions_are_alike() {
        let (mut stream, mut held, mut naive) = (Stream::new("test", 5, 0), 0, 0);
        for _ in 0..400 {
            // An image is easy or hard; of its five captions 90 % or 10 % succeed.
            let mut image = |_| {
                let chance = if stream.uniform() < 0.5 { 0.9 } else { 0.1 };
                ((0..5).filter(|_| stream.uniform() < chance).count() as u64, 5)
            };
            let images: Vec<_> = (0..100).map(&mut image).collect();
            let holds = |interval: Interval| interval.low <= 0.5 && 0.5 <= interval.high;
            held += usize::from(holds(clustered_wilson(&images, 0.95).unwrap()));
            let successes = images.iter().map(|image| image.0).sum();
            naive += usize::from(holds(wilson(successes, 500, 0.95).unwrap()));
        }
        // Binomial(400, 0.95): 380 with a standard deviation of 4.4.
        assert!((362..=396).contains(&held), "{held}");
        assert!(naive < 320, "captions that count as independent: {naive}");
    }

    #[test]
    fn what_is_no_share_has_no_interval() {
        assert_eq!(wilson(0, 0, 0.95), None);
        assert_eq!(wilson(3, 2, 0.95), None);
        for confidence in [0.0, 1.0, -0.5, 95.0, f64::NAN] {
            assert_eq!(wilson(1, 2, confidence), None);
        }
        assert_eq!(clustered_wilson(&[], 0.95), None);
        assert_eq!(clustered_wilson(&[(0, 0)], 0.95), None);
        assert_eq!(clustered_wilson(&[(2, 1), (0, 1)], 0.95), None);
    }
}
