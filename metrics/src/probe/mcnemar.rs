use crate::MetricError;

/// Discordant samples below which the test is exact.
const FEW: u64 = 25;

/// McNemar's test (Psychometrika 12, 1947): whether two classifiers are right on the same samples
/// equally often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct McNemar {
    /// Samples on which the first alone is right.
    pub first_only: u64,
    /// Samples on which the second alone is right.
    pub second_only: u64,
    /// The probability of a difference at least as large between equally good classifiers: from
    /// the binomial distribution for fewer than 25 samples on which one alone is right, otherwise
    /// from chi-square with one degree of freedom and Edwards' continuity correction. 1 where the
    /// two never differ.
    pub p_value: f64,
}

/// Compares two predictions for each label.
///
/// # Errors
/// [`MetricError::Shape`] when there are not as many predictions as labels.
pub fn mcnemar(first: &[u32], second: &[u32], labels: &[u32]) -> Result<McNemar, MetricError> {
    for predictions in [first, second] {
        if predictions.len() != labels.len() {
            let expected = format!("one prediction for each of {} labels", labels.len());
            return Err(MetricError::Shape { expected, found: predictions.len() });
        }
    }
    let (mut first_only, mut second_only) = (0, 0);
    for ((first, second), label) in first.iter().zip(second).zip(labels) {
        first_only += u64::from(first == label && second != label);
        second_only += u64::from(second == label && first != label);
    }
    Ok(McNemar::of_counts(first_only, second_only))
}

impl McNemar {
    /// The test of as many samples on which one alone is right.
    #[must_use]
    pub fn of_counts(first_only: u64, second_only: u64) -> Self {
        let p_value = match first_only.saturating_add(second_only) {
            0 => 1.0,
            n @ 1..FEW => exact(first_only.min(second_only), n),
            n => {
                let excess = first_only.abs_diff(second_only) as f64 - 1.0;
                libm::erfc((excess * excess / (2.0 * n as f64)).sqrt())
            }
        };
        Self { first_only, second_only, p_value }
    }
}

/// Twice the probability of at most `smaller` heads in `n` throws of a fair coin, at most 1.
fn exact(smaller: u64, n: u64) -> f64 {
    let (mut ways, mut sum) = (1, 0);
    for heads in 0..=smaller {
        sum += ways;
        // Binomial coefficients of fewer than 25 are whole numbers far below 2^64.
        ways = ways * (n - heads) / (heads + 1);
    }
    (2.0 * sum as f64 / (1_u64 << n) as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Predictions that disagree as often as is said, among others that are right or wrong together.
    fn compare(first_only: usize, second_only: usize) -> McNemar {
        let mut first = vec![1; first_only];
        let mut second = vec![2; first_only];
        first.extend(vec![0; second_only]);
        second.extend(vec![1; second_only]);
        for both in [1, 3, 1] {
            first.push(both);
            second.push(both);
        }
        let labels = vec![1; first.len()];
        let found = mcnemar(&first, &second, &labels).unwrap();
        assert_eq!((found.first_only, found.second_only), (first_only as u64, second_only as u64));
        let turned = mcnemar(&second, &first, &labels).unwrap();
        assert_eq!(turned.p_value.to_bits(), found.p_value.to_bits());
        found
    }

    #[test]
    fn p_values_are_those_of_the_binomial_and_of_chi_square() {
        // scipy.stats.binomtest(min(b, c), b + c).pvalue, or chi2.sf((|b - c| - 1)^2 / (b + c), 1)
        for (first_only, second_only, expected) in [
            (0, 1, 1.0),
            (0, 6, 0.031_25),
            (3, 12, 0.035_156_25),
            (12, 12, 1.0),
            (5, 19, 0.006_610_751_152_038_574),
            (5, 20, 0.005_110_260_660_855_863),
            (13, 13, 0.844_519_267_472_939_9),
            (120, 170, 0.004_009_935_660_806_8),
        ] {
            let found = compare(first_only, second_only).p_value;
            assert!((found - expected).abs() < 1e-12, "{first_only} {second_only}: {found}");
        }
    }

    #[test]
    fn p_values_are_those_of_statsmodels() {
        let oracle: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/golden/gate/statistics.json"))
                .unwrap();
        for case in oracle["mcnemar"].as_array().unwrap() {
            let count = |name: &str| case[name].as_u64().unwrap();
            let found = McNemar::of_counts(count("first_only"), count("second_only"));
            let expected = case["p"].as_f64().unwrap();
            assert!((found.p_value / expected - 1.0).abs() < 1e-10, "{found:?} {expected}");
        }
    }

    #[test]
    fn classifiers_that_never_differ_are_equal() {
        assert!((compare(0, 0).p_value - 1.0).abs() < 1e-15);
        assert!(mcnemar(&[0], &[0, 1], &[0, 1]).is_err());
    }
}
