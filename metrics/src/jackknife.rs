use rayon::prelude::*;

use crate::{Interval, MetricError};

/// Groups of the block jackknife.
const GROUPS: usize = 10;

/// The 97.5th percentile of Student's t with `GROUPS - 1` degrees of freedom.
const STUDENT: f64 = 2.262_157_162_740_992;

/// The 95 % interval of a statistic of `rows` samples whose value is `estimate`, by the block
/// jackknife (delete-a-group; Shao and Tu 1995, section 2.3; Kott 2001 for the degrees of freedom).
///
/// Group `g` of 10 are the samples whose index is `g` modulo 10: fixed, and balanced over samples
/// ordered by class. `statistic` gets the indices of the samples that are left, in order; a
/// statistic of pairs deletes both of a pair. The interval is `estimate` plus and minus t(0.975, 9)
/// times the standard error, `sqrt(9 / 10 sum (v - mean v)^2)` over the 10 values.
///
/// The bootstrap is no choice here: resampling with replacement makes duplicates, at distance 0
/// from each other, which shrink covariances, radii and nearest distances. Deleting a tenth changes
/// the bias of a Fréchet distance alike in all groups, so that it drops out of the differences; it
/// stays in the interval's middle.
///
/// # Errors
/// Those of the statistic; [`MetricError::TooFewSamples`] for fewer than two samples per group.
pub fn jackknife_interval(
    rows: usize,
    estimate: f64,
    statistic: impl Fn(&[usize]) -> Result<f64, MetricError> + Sync,
) -> Result<Interval, MetricError> {
    if rows < 2 * GROUPS {
        let (metric, remedy) = ("a jackknife interval", "measure more samples");
        let needed = 2 * GROUPS;
        return Err(MetricError::TooFewSamples { metric, found: rows, needed, remedy });
    }
    let without = |group: usize| {
        let left: Vec<usize> = (0..rows).filter(|row| row % GROUPS != group).collect();
        statistic(&left)
    };
    let values: Vec<f64> = (0..GROUPS).into_par_iter().map(without).collect::<Result<_, _>>()?;
    let groups = GROUPS as f64;
    let mean = values.iter().sum::<f64>() / groups;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    let half = STUDENT * ((groups - 1.0) / groups * squares).sqrt();
    Ok(Interval { low: estimate - half, high: estimate + half })
}

#[cfg(test)]
mod tests {
    use prismbench_core::Stream;

    use super::*;

    fn mean_of(values: &[f64], rows: &[usize]) -> f64 {
        rows.iter().map(|&row| values[row]).sum::<f64>() / rows.len() as f64
    }

    #[test]
    fn for_group_means_it_is_the_t_interval_of_their_mean() {
        // One value per group, as often as the others: the classical interval of 10 values.
        let of_group = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0];
        let values: Vec<f64> = (0..200).map(|row| of_group[row % 10]).collect();
        let mean = |rows: &[usize]| Ok(mean_of(&values, rows));
        let interval = jackknife_interval(200, 3.9, mean).unwrap();
        // scipy.stats.t.interval(0.95, 9, loc=3.9, scale=scipy.stats.sem(of_group))
        assert!((interval.low - 2.133_198_775_2).abs() < 1e-6, "{interval:?}");
        assert!((interval.high - 5.666_801_224_8).abs() < 1e-6, "{interval:?}");
    }

    #[test]
    fn nineteen_of_twenty_intervals_hold_the_truth() {
        let mut stream = Stream::new("test", 3, 0);
        let mut held = 0;
        for _ in 0..400 {
            let values: Vec<f64> = (0..200).map(|_| stream.uniform()).collect();
            let all: Vec<usize> = (0..200).collect();
            let mean = |rows: &[usize]| Ok(mean_of(&values, rows));
            let interval = jackknife_interval(200, mean_of(&values, &all), mean).unwrap();
            held += usize::from(interval.low <= 0.5 && 0.5 <= interval.high);
        }
        // Binomial(400, 0.95): 380 with a standard deviation of 4.4.
        assert!((362..=396).contains(&held), "{held}");
    }

    /// Of a standard deviation, which is no mean: the groups are left out, not averaged.
    #[test]
    fn intervals_are_those_of_the_oracle() {
        let oracle: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/golden/gate/statistics.json")).unwrap();
        for case in oracle["jackknife"].as_array().unwrap() {
            let numbers = |name: &str| -> Vec<f64> {
                case[name].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
            };
            let (values, ends) = (numbers("values"), numbers("interval"));
            let deviation = |rows: &[usize]| {
                let mean = mean_of(&values, rows);
                let squares: f64 = rows.iter().map(|&row| (values[row] - mean).powi(2)).sum();
                Ok((squares / (rows.len() - 1) as f64).sqrt())
            };
            let all: Vec<usize> = (0..values.len()).collect();
            let estimate = deviation(&all).unwrap();
            let found = jackknife_interval(values.len(), estimate, deviation).unwrap();
            assert!((found.low - ends[0]).abs() < 1e-10, "{found:?} {ends:?}");
            assert!((found.high - ends[1]).abs() < 1e-10, "{found:?} {ends:?}");
        }
    }

    #[test]
    fn groups_of_one_are_refused_and_errors_are_passed_on() {
        assert!(jackknife_interval(19, 0.0, |_| Ok(0.0)).is_err());
        let failing = |_: &[usize]| Err(MetricError::NoConvergence { side: 3 });
        let error = jackknife_interval(20, 0.0, failing).unwrap_err();
        assert!(matches!(error, MetricError::NoConvergence { side: 3 }));
    }
}
