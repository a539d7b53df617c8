use prismbench_core::Stream;

use super::{FeatureSet, frechet_distance};
use crate::features::Selected;
use crate::{Features, MetricError, Moments};

/// Sizes of the sets that the line is fitted to.
const SIZES: usize = 15;

/// A Fréchet distance extrapolated to infinitely many samples.
#[derive(Clone, Debug, PartialEq)]
pub struct FrechetInfinity {
    /// The intercept of the line.
    pub value: f64,
    /// Its slope: the bias times the number of samples.
    pub slope: f64,
    /// Number of samples and distance, as the line was fitted to.
    pub points: Vec<(usize, f64)>,
}

/// The distance of a growing part of `samples` to the whole reference, as a line in `1 / n`.
///
/// Chong and Forsyth (CVPR 2020) as in dgm-eval's `fd.py`: 15 sizes, evenly spaced from
/// `min(5000, max(n / 10, 2))` to `n` and cut to whole numbers; each part drawn anew without
/// replacement; least squares. The draws come from a stream of `seed` for each size, where dgm-eval
/// has none; the last size is the whole set. The reference keeps its own bias.
///
/// # Errors
/// Those of [`frechet_distance`]; [`MetricError::TooFewSamples`] below 3 samples, which give no two
/// sizes.
pub fn frechet_infinity(
    samples: &dyn Features,
    reference: FeatureSet<'_>,
    seed: u64,
) -> Result<FrechetInfinity, MetricError> {
    let rows = samples.rows();
    if rows < 3 {
        let (metric, remedy) = ("a Fréchet distance at infinity", "a line has two points");
        return Err(MetricError::TooFewSamples { metric, found: rows, needed: 3, remedy });
    }
    // Its moments serve all sizes, except where few samples have their own exact route.
    let kept = match reference {
        FeatureSet::Features(features) if features.rows() > features.columns() => {
            Some(Moments::of(features)?)
        }
        _ => None,
    };
    let reference = kept.as_ref().map_or(reference, FeatureSet::Moments);
    let mut points = Vec::with_capacity(SIZES);
    for (key, size) in sizes(rows).into_iter().enumerate() {
        let part =
            Selected::new(samples, draw(rows, size, Stream::new("fd-infinity", seed, key as u64)));
        let distance = frechet_distance(FeatureSet::Features(&part), reference)?;
        points.push((size, distance.value));
    }
    let (value, slope) = line(&points);
    Ok(FrechetInfinity { value, slope, points })
}

fn sizes(rows: usize) -> [usize; SIZES] {
    let smallest = (rows / 10).max(2).min(5000);
    let step = (rows - smallest) as f64 / (SIZES - 1) as f64;
    std::array::from_fn(|i| {
        if i + 1 == SIZES { rows } else { (smallest as f64 + step * i as f64) as usize }
    })
}

/// `size` of `rows` row numbers without replacement, in ascending order: a set has none, and files
/// are read forwards.
fn draw(rows: usize, size: usize, mut stream: Stream) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..rows).collect();
    for at in 0..size {
        let other = at + stream.below((rows - at) as u64) as usize;
        numbers.swap(at, other);
    }
    numbers.truncate(size);
    numbers.sort_unstable();
    numbers
}

/// Intercept and slope of the least-squares line of the distances on `1 / n`.
fn line(points: &[(usize, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|&(n, _)| 1.0 / n as f64).sum::<f64>() / count;
    let mean_y = points.iter().map(|&(_, y)| y).sum::<f64>() / count;
    let (mut xx, mut xy) = (0.0, 0.0);
    for &(n, y) in points {
        let x = 1.0 / n as f64 - mean_x;
        xx += x * x;
        xy += x * (y - mean_y);
    }
    let slope = xy / xx;
    (mean_y - slope * mean_x, slope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureMatrix;

    #[test]
    fn the_sizes_are_those_of_numpys_linspace_cut_to_whole_numbers() {
        // np.linspace(min(5000, max(N // 10, 2)), N, 15).astype("int32") for N = 1000 and 60000
        let thousand = [100, 164, 228, 292, 357, 421, 485, 550, 614, 678, 742, 807, 871, 935, 1000];
        assert_eq!(sizes(1000), thousand);
        assert_eq!(sizes(60_000)[..4], [5000, 8928, 12_857, 16_785]);
        assert_eq!(sizes(3)[0], 2);
    }

    #[test]
    fn a_line_in_the_inverse_is_found_again() {
        let points: Vec<(usize, f64)> =
            [10, 25, 50, 400].map(|n| (n, 2.5 + 30.0 / n as f64)).to_vec();
        let (value, slope) = line(&points);
        assert!((value - 2.5).abs() < 1e-12 && (slope - 30.0).abs() < 1e-10);
    }

    #[test]
    fn draws_are_distinct_repeatable_and_differ_by_seed() {
        let of = |seed| draw(100, 40, Stream::new("test", seed, 0));
        let rows = of(1);
        assert!(rows.windows(2).all(|pair| pair[0] < pair[1]) && rows.len() == 40);
        assert_eq!(rows, of(1));
        assert_ne!(rows, of(2));
        assert_eq!(draw(5, 5, Stream::new("test", 0, 0)), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn extrapolation_takes_away_the_bias_of_few_samples() {
        let mut stream = Stream::new("test", 0, 0);
        let mut normal = |rows: usize| {
            let values = (0..rows * 8)
                .map(|_| ((0..12).map(|_| stream.uniform()).sum::<f64>() - 6.0) as f32)
                .collect();
            FeatureMatrix::new(8, values).unwrap()
        };
        let (samples, reference) = (normal(600), normal(20_000));
        let reference = FeatureSet::Features(&reference);
        let plain = frechet_distance(FeatureSet::Features(&samples), reference).unwrap().value;
        let found = frechet_infinity(&samples, reference, 7).unwrap();
        assert_eq!(found.points[14], (600, plain));
        // Equal distributions: about 0.03 for 600 samples, a third of that or less without bias.
        assert!(plain > 0.02 && found.value.abs() < 0.01, "{plain} {}", found.value);
        assert!(found.slope > 0.0);
    }
}
