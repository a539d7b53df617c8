//! Student's t distribution.

/// The probability that |T| exceeds |t| with this many degrees of freedom, more than 0.
pub(crate) fn two_sided(t: f64, freedom: f64) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5)
}

/// The number that a |T| of Student's distribution stays within with this probability, in `(0, 1)`; of
/// as many degrees of freedom, more than 0. `None` for others.
#[must_use]
pub fn student_quantile(confidence: f64, freedom: f64) -> Option<f64> {
    if !(confidence > 0.0 && confidence < 1.0 && freedom > 0.0) {
        return None;
    }
    let (mut low, mut high) = (0.0, 1.0);
    while two_sided(high, freedom) > 1.0 - confidence && high < 1e300 {
        high *= 2.0;
    }
    // Halved until no number lies between.
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return Some(middle);
        }
        if two_sided(middle, freedom) > 1.0 - confidence { low = middle } else { high = middle }
    }
}

/// The regularised incomplete beta function I_x(a, b), `x` in `[0, 1]` (DLMF 8.17.22).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let scale = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b)
        + a * libm::log(x)
        + b * libm::log1p(-x);
    // The fraction converges fast on this side of the mean, and the other side is its mirror image.
    if x < (a + 1.0) / (a + b + 2.0) {
        libm::exp(scale) * fraction(x, a, b) / a
    } else {
        1.0 - libm::exp(scale) * fraction(1.0 - x, b, a) / b
    }
}

/// The continued fraction of DLMF 8.17.22 by Lentz's method.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |number: f64| if number.abs() < TINY { TINY } else { number };
    let mut upper = 1.0;
    let mut lower = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = lower;
    for m in 1..10_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        lower = 1.0 / away_from_zero(1.0 + even * lower);
        upper = away_from_zero(1.0 + even / upper);
        value *= lower * upper;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        lower = 1.0 / away_from_zero(1.0 + odd * lower);
        upper = away_from_zero(1.0 + odd / upper);
        let step = lower * upper;
        value *= step;
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_and_quantiles_are_those_of_the_oracle() {
        let oracle: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/golden/gate/statistics.json")).unwrap();
        let cases = oracle["student"].as_array().unwrap();
        assert!(cases.len() > 20);
        for case in cases {
            let number = |name: &str| case[name].as_f64().unwrap();
            let (t, freedom) = (number("t"), number("freedom"));
            // scipy's own last digits vary by a few units of 1e-13 from release to release.
            let found = two_sided(t, freedom);
            let p = number("p");
            assert!((found - p).abs() <= 1e-11 * p + 1e-300, "t {t}, {freedom}: {found} {p}");
            let found = student_quantile(number("confidence"), freedom).unwrap();
            let expected = number("quantile");
            assert!((found / expected - 1.0).abs() < 1e-9, "{freedom}: {found} {expected}");
        }
    }

    #[test]
    fn what_is_no_distribution_has_no_quantile() {
        for (confidence, freedom) in [(0.0, 3.0), (1.0, 3.0), (f64::NAN, 3.0), (0.9, 0.0)] {
            assert_eq!(student_quantile(confidence, freedom), None);
        }
    }

    #[test]
    fn the_ends_are_certain() {
        assert!((two_sided(0.0, 5.0) - 1.0).abs() < 1e-15);
        assert!(two_sided(f64::INFINITY, 5.0).abs() < 1e-300);
        // One degree of freedom is Cauchy's distribution: the quartiles are at 1.
        assert!((student_quantile(0.5, 1.0).unwrap() - 1.0).abs() < 1e-12);
    }
}
