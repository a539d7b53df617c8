use crate::Interval;

/// The 97.5th percentile of the standard normal distribution.
const NORMAL: f64 = 1.959_963_984_540_054;

/// A share with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proportion {
    /// The share, in `[0, 1]`.
    pub value: f64,
    /// The score interval of Wilson (JASA 22, 1927), in `[0, 1]`; unlike the normal one it has a
    /// width where all or none are right.
    pub interval: Interval,
}

impl Proportion {
    /// A share of `n` independent trials; `n` need not be whole, and is more than 0.
    pub(super) fn new(value: f64, n: f64) -> Self {
        let squared = NORMAL * NORMAL;
        let centre = (value + squared / (2.0 * n)) / (1.0 + squared / n);
        let variance = value * (1.0 - value) / n + squared / (4.0 * n * n);
        let half = NORMAL * variance.max(0.0).sqrt() / (1.0 + squared / n);
        let interval = Interval {
            low: (centre - half).clamp(0.0, value),
            high: (centre + half).clamp(value, 1.0),
        };
        Self { value, interval }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_wilsons_formula() {
        // statsmodels.stats.proportion.proportion_confint(k, n, method="wilson")
        for (right, n, low, high) in [
            (81.0, 263.0, 0.255_290_509_211, 0.366_213_691_881),
            (15.0, 148.0, 0.062_385_938_419, 0.160_509_642_281),
            (0.0, 20.0, 0.0, 0.161_125_158_053),
            (1.0, 29.0, 0.006_113_214_119, 0.171_755_218_445),
            (29.0, 29.0, 0.883_030_311_146, 1.0),
        ] {
            let found = Proportion::new(right / n, n).interval;
            assert!((found.low - low).abs() < 1e-9, "{right} of {n}: {found:?}");
            assert!((found.high - high).abs() < 1e-9, "{right} of {n}: {found:?}");
        }
    }
}
