use prismbench_core::Stream;

/// A place in a series where its level changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// The first value of the new level.
    pub at: usize,
    /// Mean of the level before.
    pub before: f64,
    /// Mean of the new level.
    pub after: f64,
    /// The probability of a step at least as clear in a series without one.
    pub p_value: f64,
}

/// A step is believed when a series without one would show it at most this often.
const SIGNIFICANT: f64 = 0.01;

/// Shuffled series that a step is compared with.
const SHUFFLES: u64 = 999;

/// Values on either side of a step in a series that scatters.
const SIDE: usize = 3;

/// Equal values on either side of a step in a series of levels.
const EXACT_SIDE: usize = 2;

/// The places where the level of a series changes, in order.
///
/// A series of levels, as deterministic programs give them (every value but the last comes at least twice
/// in a row), steps wherever one level meets the next. In any other, by binary segmentation (Vostrikova
/// 1981): the split with the largest t statistic is kept where at most 1 in 100 of 999 shuffled series
/// has one as large, and both parts are then searched alike.
#[must_use]
pub fn change_points(values: &[f64]) -> Vec<ChangePoint> {
    if let Some(found) = levels(values) {
        return found;
    }
    let mut found = Vec::new();
    search(values, 0, &mut found);
    found.sort_by_key(|point| point.at);
    found
}

/// The steps of a series of levels; `None` for one that scatters.
fn levels(values: &[f64]) -> Option<Vec<ChangePoint>> {
    let runs: Vec<&[f64]> = values.chunk_by(|a, b| a.to_bits() == b.to_bits()).collect();
    let settled = runs.iter().rev().skip(1).all(|run| run.len() >= EXACT_SIDE);
    let mut at = 0;
    settled.then(|| {
        let pairs = runs.windows(2).filter_map(|pair| {
            at += pair[0].len();
            (pair[1].len() >= EXACT_SIDE).then(|| ChangePoint {
                at,
                before: pair[0][0],
                after: pair[1][0],
                p_value: 0.0,
            })
        });
        pairs.collect()
    })
}

fn search(values: &[f64], offset: usize, found: &mut Vec<ChangePoint>) {
    let Some((at, statistic)) = best_split(values) else { return };
    let p_value = shuffled(values, statistic);
    if p_value > SIGNIFICANT {
        return;
    }
    let (left, right) = values.split_at(at);
    let (before, after) = (mean(left), mean(right));
    found.push(ChangePoint { at: offset + at, before, after, p_value });
    search(left, offset, found);
    search(right, offset + at, found);
}

/// The split with the largest |t|, infinite where neither side scatters and the levels differ.
fn best_split(values: &[f64]) -> Option<(usize, f64)> {
    let n = values.len();
    let mut best: Option<(usize, f64)> = None;
    for at in SIDE..(n + 1).saturating_sub(SIDE) {
        let (left, right) = values.split_at(at);
        let step = (mean(left) - mean(right)).abs();
        let scatter = (squares(left) + squares(right)) / (n - 2) as f64;
        let t = step / (scatter * (1.0 / at as f64 + 1.0 / (n - at) as f64)).sqrt();
        // No step and no scatter: there is nothing to split.
        if !t.is_nan() && best.is_none_or(|(_, largest)| t > largest) {
            best = Some((at, t));
        }
    }
    best
}

/// The share of shuffled series with a split as clear, the series itself counted among them.
fn shuffled(values: &[f64], statistic: f64) -> f64 {
    let mut stream = Stream::new("change point", 0, values.len() as u64);
    let mut series = values.to_vec();
    let mut as_clear = 1;
    for _ in 0..SHUFFLES {
        for at in (1..series.len()).rev() {
            series.swap(at, stream.below(at as u64 + 1) as usize);
        }
        as_clear += u64::from(best_split(&series).is_some_and(|(_, found)| found >= statistic));
    }
    as_clear as f64 / (SHUFFLES + 1) as f64
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Squared deviations from the mean; exactly 0 where all values are equal.
fn squares(values: &[f64]) -> f64 {
    if values.iter().all(|value| value.to_bits() == values[0].to_bits()) {
        return 0.0;
    }
    let mean = mean(values);
    values.iter().map(|value| (value - mean) * (value - mean)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(values: &[f64]) -> Vec<usize> {
        change_points(values).iter().map(|point| point.at).collect()
    }

    #[test]
    fn a_deterministic_step_is_found_at_once_and_a_single_odd_value_is_none() {
        assert_eq!(places(&[31.0, 31.0, 30.5, 30.5]), [2]);
        assert_eq!(places(&[31.0, 31.0, 31.0, 30.5, 30.5, 29.0, 29.0, 29.0]), [3, 5]);
        assert!(places(&[31.0, 31.0, 31.0, 30.5]).is_empty());
        assert!(places(&[31.0; 9]).is_empty());
        assert!(places(&[]).is_empty() && places(&[1.0]).is_empty());
    }

    #[test]
    fn a_step_of_three_standard_deviations_is_found_within_a_value_of_its_place() {
        let mut found = 0;
        for seed in 0..100 {
            let mut stream = Stream::new("test", 11, seed);
            let series: Vec<f64> =
                (0..24).map(|i| stream.normal() - if i < 12 { 0.0 } else { 3.0 }).collect();
            found += usize::from(places(&series).iter().any(|place| (11..=13).contains(place)));
        }
        assert!(found >= 97, "{found}");
    }

    #[test]
    fn a_level_series_shows_a_step_once_in_a_hundred() {
        let wrong = (0..400).filter(|&seed| {
            let mut stream = Stream::new("test", 12, seed);
            let series: Vec<f64> = (0..20).map(|_| stream.normal()).collect();
            !places(&series).is_empty()
        });
        // Binomial(400, 0.01): 4 with a standard deviation of 2.
        let wrong = wrong.count();
        assert!(wrong <= 10, "{wrong}");
    }

    #[test]
    fn levels_are_the_means_on_either_side() {
        let found = change_points(&[1.0, 1.0, 3.0, 3.0])[0];
        assert!((found.before - 1.0).abs() < 1e-15 && (found.after - 3.0).abs() < 1e-15);
        assert!(found.p_value < 1e-15);
    }
}
