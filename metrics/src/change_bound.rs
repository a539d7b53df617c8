use crate::bootstrap::percentile;

/// The largest change from one run to the next that is still noise, by what the changes so far were:
/// Q3 + 3 (Q3 - Q1) of their sizes, quartiles linear between order statistics.
///
/// As rustc-perf has it (`site/src/comparison.rs`; its documentation says 1.5). A step between two levels is one
/// change among many and hardly moves it. `None` for fewer than two values or one that is not finite.
#[must_use]
pub fn change_bound(values: &[f64]) -> Option<f64> {
    if values.len() < 2 || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let mut changes: Vec<f64> = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    changes.sort_by(f64::total_cmp);
    let (low, high) = (percentile(&changes, 0.25), percentile(&changes, 0.75));
    Some(high + 3.0 * (high - low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_the_oracle() {
        let oracle: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/golden/gate/statistics.json")).unwrap();
        let cases = oracle["change_bound"].as_array().unwrap();
        assert!(cases.len() > 2);
        for case in cases {
            let levels = case["levels"].as_array().unwrap();
            let levels: Vec<f64> = levels.iter().map(|level| level.as_f64().unwrap()).collect();
            let found = change_bound(&levels).unwrap();
            assert!((found - case["bound"].as_f64().unwrap()).abs() < 1e-12, "{found}");
        }
    }

    #[test]
    fn a_single_step_is_no_noise() {
        let level = |at: usize| if at < 9 { 31.4 } else { 31.1 };
        let steady: Vec<f64> = (0..20).map(level).collect();
        assert!(change_bound(&steady).unwrap().abs() < 1e-15);
        assert_eq!(change_bound(&[1.0]), None);
        assert_eq!(change_bound(&[1.0, f64::NAN, 1.0]), None);
    }
}
