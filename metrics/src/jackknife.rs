use rayon::prelude::*;

use crate::student::student_quantile;
use crate::{Interval, MetricError};

/// Groups of the block jackknife.
pub(crate) const GROUPS: usize = 10;

/// The 97.5th percentile of Student's t with `GROUPS - 1` degrees of freedom.
const STUDENT: f64 = 2.262_157_162_740_992;

/// What the block jackknife tells of a statistic.
#[derive(Clone, Debug, PartialEq)]
pub struct Jackknife {
    /// The statistic without each group in turn, 10 of them.
    pub replicates: Vec<f64>,
    /// Its 95 % interval.
    pub interval: Interval,
}

/// The interval of [`jackknife`] alone.
///
/// # Errors
/// Those of [`jackknife`].
pub fn jackknife_interval(
    rows: usize,
    estimate: f64,
    statistic: impl Fn(&[usize]) -> Result<f64, MetricError> + Sync,
) -> Result<Interval, MetricError> {
    jackknife(rows, estimate, statistic).map(|jackknife| jackknife.interval)
}

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
pub fn jackknife(
    rows: usize,
    estimate: f64,
    statistic: impl Fn(&[usize]) -> Result<f64, MetricError> + Sync,
) -> Result<Jackknife, MetricError> {
    of_groups(rows, estimate, |group| {
        let left: Vec<usize> = (0..rows).filter(|row| row % GROUPS != group).collect();
        statistic(&left)
    })
}

/// The same where `without` gives the statistic without the group of that number.
pub(crate) fn of_groups(
    rows: usize,
    estimate: f64,
    without: impl Fn(usize) -> Result<f64, MetricError> + Sync,
) -> Result<Jackknife, MetricError> {
    if rows < 2 * GROUPS {
        let (metric, remedy) = ("a jackknife interval", "measure more samples");
        let needed = 2 * GROUPS;
        return Err(MetricError::TooFewSamples { metric, found: rows, needed, remedy });
    }
    let replicates = (0..GROUPS).into_par_iter().map(&without);
    let replicates: Vec<f64> = replicates.collect::<Result<_, _>>()?;
    let half = STUDENT * standard_error(&replicates);
    let interval = Interval { low: estimate - half, high: estimate + half };
    Ok(Jackknife { replicates, interval })
}

/// `None` in place of the error that there are too few samples.
pub(crate) fn where_enough(
    result: Result<Jackknife, MetricError>,
) -> Result<Option<Jackknife>, MetricError> {
    match result {
        Ok(jackknife) => Ok(Some(jackknife)),
        Err(MetricError::TooFewSamples { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The jackknife of a mean of `values`, one for each sample, from which those of a group are left out.
pub(crate) fn of_mean(values: &[bool]) -> Result<Option<Jackknife>, MetricError> {
    let share = |left_out: Option<usize>| {
        let rows = (0..values.len()).filter(|row| left_out != Some(row % GROUPS));
        let (count, held) =
            rows.fold((0, 0), |(count, held), row| (count + 1, held + usize::from(values[row])));
        held as f64 / count as f64
    };
    where_enough(of_groups(values.len(), share(None), |group| Ok(share(Some(group)))))
}

/// How many of `rows` samples are outside of a group.
pub(crate) fn outside(rows: usize, group: usize) -> usize {
    rows - (rows + GROUPS - 1 - group) / GROUPS
}

/// The interval of the difference between two runs' values of a statistic, from what each was without each
/// group in turn: the jackknife of the difference, groups deleted from both at once.
///
/// Where the runs are on the same samples in the same order, what these have in common drops out of the
/// differences, as in pairs of images; where they are not, it is as wide as if the runs were independent.
/// `None` unless both have a value for each of the 10 groups, all finite, or for a confidence outside of
/// `(0, 1)`.
#[must_use]
pub fn paired_jackknife(
    before: &[f64],
    after: &[f64],
    difference: f64,
    confidence: f64,
) -> Option<Interval> {
    let whole =
        |values: &[f64]| values.len() == GROUPS && values.iter().all(|value| value.is_finite());
    if !whole(before) || !whole(after) {
        return None;
    }
    let differences: Vec<f64> = before.iter().zip(after).map(|(old, new)| new - old).collect();
    let quantile = student_quantile(confidence, (GROUPS - 1) as f64)?;
    let half = quantile * standard_error(&differences);
    Some(Interval { low: difference - half, high: difference + half })
}

/// `sqrt(9 / 10 sum (v - mean v)^2)`.
fn standard_error(replicates: &[f64]) -> f64 {
    let groups = replicates.len() as f64;
    let mean = replicates.iter().sum::<f64>() / groups;
    let squares: f64 = replicates.iter().map(|value| (value - mean) * (value - mean)).sum();
    ((groups - 1.0) / groups * squares).sqrt()
}

#[cfg(test)]
mod tests {
    use prismbench_core::Stream;

    use super::*;
    use crate::{FeatureMatrix, FeatureSet, Features, Selected, frechet_distance};

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

    /// Of a Fréchet distance over few features, where numpy deletes the groups and takes the square root.
    #[test]
    fn intervals_of_differences_are_those_of_the_oracle() {
        let oracle: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/golden/gate/statistics.json")).unwrap();
        let cases = oracle["paired_jackknife"].as_array().unwrap();
        assert!(cases.len() > 2);
        for case in cases {
            let set = |name: &str| {
                let rows = case[name].as_array().unwrap();
                let columns = rows[0].as_array().unwrap().len();
                let values = rows.iter().flat_map(|row| row.as_array().unwrap());
                let values = values.map(|value| value.as_f64().unwrap() as f32).collect();
                FeatureMatrix::new(columns, values).unwrap()
            };
            let (originals, before, after) = (set("originals"), set("before"), set("after"));
            let distance = |made: &FeatureMatrix| {
                let of = |rows: &[usize]| -> Result<f64, MetricError> {
                    let originals = Selected::new(&originals, rows.to_vec());
                    let made = Selected::new(made, rows.to_vec());
                    let sets = (FeatureSet::Features(&originals), FeatureSet::Features(&made));
                    Ok(frechet_distance(sets.0, sets.1)?.value)
                };
                let all: Vec<usize> = (0..originals.rows()).collect();
                let whole = of(&all).unwrap();
                (whole, jackknife(originals.rows(), whole, of).unwrap().replicates)
            };
            let ((old, without_old), (new, without_new)) = (distance(&before), distance(&after));
            let confidence = case["confidence"].as_f64().unwrap();
            let found =
                paired_jackknife(&without_old, &without_new, new - old, confidence).unwrap();
            let number = |name: &str| case[name].as_f64().unwrap();
            // Features are rounded to f32 in both; the rest is f64 with another eigensolver.
            for (found, expected) in [
                (new - old, number("difference")),
                (found.low, case["interval"][0].as_f64().unwrap()),
                (found.high, case["interval"][1].as_f64().unwrap()),
            ] {
                assert!((found - expected).abs() < 1e-9, "{found} {expected}");
            }
        }
    }

    #[test]
    fn runs_that_share_their_noise_differ_by_less_than_each_varies() {
        let before = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0];
        let after = before.map(|value| value + 0.5);
        let shared = paired_jackknife(&before, &after, 0.5, 0.99).unwrap();
        assert!((shared.low - 0.5).abs() < 1e-12 && (shared.high - 0.5).abs() < 1e-12);
        let mut other = before;
        other.reverse();
        let apart = paired_jackknife(&before, &other, 0.5, 0.99).unwrap();
        assert!(apart.high - apart.low > 10.0, "{apart:?}");
        assert_eq!(paired_jackknife(&before[..9], &after[..9], 0.5, 0.99), None);
        assert_eq!(paired_jackknife(&[], &[], 0.5, 0.99), None);
        assert_eq!(paired_jackknife(&before, &[f64::NAN; 10], 0.5, 0.99), None);
        assert_eq!(paired_jackknife(&before, &after, 0.5, 1.0), None);
    }

    #[test]
    fn groups_of_one_are_refused_and_errors_are_passed_on() {
        assert!(jackknife_interval(19, 0.0, |_| Ok(0.0)).is_err());
        let failing = |_: &[usize]| Err(MetricError::NoConvergence { side: 3 });
        let error = jackknife_interval(20, 0.0, failing).unwrap_err();
        assert!(matches!(error, MetricError::NoConvergence { side: 3 }));
    }
}
