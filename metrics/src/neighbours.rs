//! Precision, recall, density and coverage: which samples lie in balls around those of another set.

use candle_core::Device;
use prismbench_core::{Better, MetricDef, PrecisionRecallDialect, Unit};
use prismbench_kernels::accelerator;
use prismbench_kernels::distances::{Ball, Coverage, Manifolds, Nearest, Points};

use crate::features::{same_columns, slice};
use crate::jackknife::{self, GROUPS, of_mean, outside};
use crate::{Features, Jackknife, MetricError, Selected};

mod half;

/// Improved precision.
pub const PRECISION: MetricDef = MetricDef {
    id: "precision",
    title: "precision",
    unit: Unit::One,
    better: Better::Higher,
    version: 1,
    definition: "share of samples that lie in some ball around a reference; a ball reaches to the \
        third nearest other reference, its surface included. Kynkaanniemi et al., NeurIPS 2019",
};

/// Improved recall.
pub const RECALL: MetricDef = MetricDef {
    id: "recall",
    title: "recall",
    unit: Unit::One,
    better: Better::Higher,
    version: 1,
    definition: "share of references that lie in some ball around a sample; a ball reaches to the \
        third nearest other sample, its surface included. Kynkaanniemi et al., NeurIPS 2019",
};

/// Density.
pub const DENSITY: MetricDef = MetricDef {
    id: "density",
    title: "density",
    unit: Unit::One,
    better: Better::Higher,
    version: 1,
    definition: "balls around references that a sample lies in, over k = 5, mean over samples; a \
        ball reaches to the fifth nearest other reference, its surface not included. Naeem et al., \
        ICML 2020",
};

/// Coverage.
pub const COVERAGE: MetricDef = MetricDef {
    id: "coverage",
    title: "coverage",
    unit: Unit::One,
    better: Better::Higher,
    version: 1,
    definition: "share of references with a sample in their ball; a ball reaches to the fifth \
        nearest other reference, its surface not included. Naeem et al., ICML 2020",
};

/// Precision and recall of a set of samples against a set of references.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrecisionRecall {
    /// [`PRECISION`].
    pub precision: f64,
    /// [`RECALL`].
    pub recall: f64,
}

/// Density and coverage of a set of samples against a set of references.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DensityCoverage {
    /// [`DENSITY`]; it can exceed 1.
    pub density: f64,
    /// [`COVERAGE`].
    pub coverage: f64,
}

/// Rows of one block, of whose pairs with another the products are made at a time: 4 MB.
const BLOCK: usize = 1008;

/// Blocks that are kept while those of the other set are read, prepared and passed by.
const GROUP: usize = 4;

/// The k of precision and recall.
const NEIGHBOURS: usize = 3;

/// Improved precision and recall with k = 3. The sets may differ in size, as ADM's 10,000
/// references and 50,000 samples do.
///
/// # Errors
/// [`MetricError::Columns`] for different spaces, [`MetricError::TooFewSamples`] for a set of fewer
/// than 4, [`MetricError::Read`].
pub fn precision_recall(
    references: &dyn Features,
    samples: &dyn Features,
    dialect: PrecisionRecallDialect,
) -> Result<PrecisionRecall, MetricError> {
    precision_recall_on(&Device::Cpu, references, samples, dialect).map(|(whole, _)| whole)
}

/// [`precision_recall`] and the [`jackknife`](crate::jackknife()) of each, `None` for fewer samples than that takes; on
/// a device, where there is one and it has the dialect (`exact`): both sets are read into memory and into the
/// device's. The counts are the same.
///
/// The balls stay as they are. Precision is a mean over samples, and a group's samples are left out of it; recall is
/// one over references, and a group's references are.
///
/// # Errors
/// As [`precision_recall`]; [`MetricError::Device`] when the device fails.
pub fn precision_recall_on(
    device: &Device,
    references: &dyn Features,
    samples: &dyn Features,
    dialect: PrecisionRecallDialect,
) -> Result<(PrecisionRecall, [Option<Jackknife>; 2]), MetricError> {
    same_columns(references, samples)?;
    at_least(PRECISION.id, references, NEIGHBOURS)?;
    at_least(RECALL.id, samples, NEIGHBOURS)?;
    let on_device = match dialect {
        PrecisionRecallDialect::Exact if !device.is_cpu() => {
            inside_on_device(device, references, samples)?
        }
        _ => None,
    };
    let [references_in, samples_in] = match (on_device, dialect) {
        (Some(inside), _) => inside,
        (None, PrecisionRecallDialect::AdmHalf) => half::inside(references, samples, NEIGHBOURS)?,
        (None, PrecisionRecallDialect::Exact) => {
            let radii = [radii(references, NEIGHBOURS)?, radii(samples, NEIGHBOURS)?];
            let mut manifolds = Manifolds::new(Ball::Closed, &radii[0], &radii[1]);
            all_pairs(references, samples, |down, across| manifolds.add(down, across))?;
            manifolds.inside()
        }
    };
    let whole = PrecisionRecall { precision: share(&samples_in), recall: share(&references_in) };
    Ok((whole, [of_mean(&samples_in)?, of_mean(&references_in)?]))
}

/// For each reference and each sample whether it lies in a ball of the other set; `None` where the device cannot.
fn inside_on_device(
    device: &Device,
    references: &dyn Features,
    samples: &dyn Features,
) -> Result<Option<[Vec<bool>; 2]>, MetricError> {
    let sets = [slice(references, 0, references.rows())?, slice(samples, 0, samples.rows())?];
    let rows = [sets[0].as_slice(), sets[1].as_slice()];
    let found = accelerator::in_manifolds(device, rows, references.columns(), NEIGHBOURS);
    let failed = |error: candle_core::Error| MetricError::Device {
        metric: PRECISION.id,
        cause: error.to_string(),
    };
    let inside = found.map_err(failed)?;
    Ok(inside.map(|[samples_in, references_in]| [references_in, samples_in]))
}

/// Density and coverage with k = 5, by exact distances.
///
/// # Errors
/// [`MetricError::Columns`] for different spaces, [`MetricError::TooFewSamples`] for fewer than 6
/// references or no sample, [`MetricError::Read`].
pub fn density_coverage(
    references: &dyn Features,
    samples: &dyn Features,
) -> Result<DensityCoverage, MetricError> {
    density_coverage_jackknife(references, samples, false).map(|(whole, _)| whole)
}

/// The same and the [`jackknife`](crate::jackknife()) of each, `None` for fewer samples than that takes.
///
/// Groups are left out of the samples, and where the references are the same in the same order (`paired`), of both;
/// the balls that are left keep their radii. Density is then scaled to as many references as there were.
///
/// # Errors
/// Those of [`density_coverage`].
pub fn density_coverage_jackknife(
    references: &dyn Features,
    samples: &dyn Features,
    paired: bool,
) -> Result<(DensityCoverage, [Option<Jackknife>; 2]), MetricError> {
    const NEIGHBOURS: usize = 5;
    same_columns(references, samples)?;
    at_least(COVERAGE.id, references, NEIGHBOURS)?;
    at_least(DENSITY.id, samples, 0)?;
    let radii = radii(references, NEIGHBOURS)?;
    // For each group the samples of it that lie in each ball: a pair is looked at once.
    let mut of_groups: Vec<Vec<u64>> = Vec::with_capacity(GROUPS);
    for group in 0..GROUPS {
        let rows = (group..samples.rows()).step_by(GROUPS).collect();
        let mut coverage = Coverage::new(Ball::Open, &radii);
        let some = Selected::new(samples, rows);
        all_pairs(references, &some, |down, (across, _)| coverage.add(down, across))?;
        of_groups.push(coverage.counts());
    }
    let value = |left_out: Option<usize>| {
        let balls = (0..references.rows()).filter(|row| !paired || left_out != Some(row % GROUPS));
        let of_ball = |ball: usize| -> u64 {
            let counts = of_groups.iter().enumerate();
            counts.filter(|&(group, _)| left_out != Some(group)).map(|(_, of)| of[ball]).sum()
        };
        let counts: Vec<u64> = balls.map(of_ball).collect();
        let hits: u64 = counts.iter().sum();
        let covered: Vec<bool> = counts.iter().map(|&count| count > 0).collect();
        let samples = left_out.map_or(samples.rows(), |group| outside(samples.rows(), group));
        // 1 where no reference was left out.
        let scale = references.rows() as f64 / counts.len() as f64;
        DensityCoverage {
            density: scale * (hits as f64 / (NEIGHBOURS as f64 * samples as f64)),
            coverage: share(&covered),
        }
    };
    let whole = value(None);
    let of = |estimate: f64, field: fn(DensityCoverage) -> f64| {
        let without = |group: usize| Ok(field(value(Some(group))));
        jackknife::where_enough(jackknife::of_groups(samples.rows(), estimate, without))
    };
    let density = of(whole.density, |value| value.density)?;
    let coverage = of(whole.coverage, |value| value.coverage)?;
    Ok((whole, [density, coverage]))
}

fn at_least(
    metric: &'static str,
    set: &dyn Features,
    neighbours: usize,
) -> Result<(), MetricError> {
    let (found, needed) = (set.rows(), neighbours + 1);
    if found >= needed {
        return Ok(());
    }
    let remedy = "the radius of a ball is the distance to a neighbour";
    Err(MetricError::TooFewSamples { metric, found, needed, remedy })
}

/// The squared distance of each row to its `neighbours`-th nearest other row.
fn radii(set: &dyn Features, neighbours: usize) -> Result<Vec<f64>, MetricError> {
    let mut nearest = Nearest::new(set.rows(), neighbours);
    for top in (0..set.rows()).step_by(GROUP * BLOCK) {
        let group = group(set, top)?;
        for (at, (block, first)) in group.iter().enumerate() {
            nearest.within(block, *first);
            for (other, start) in &group[at + 1..] {
                nearest.between((block, *first), (other, *start));
            }
        }
        for start in (top + GROUP * BLOCK..set.rows()).step_by(BLOCK) {
            let other = points(set, start)?;
            for (block, first) in &group {
                nearest.between((block, *first), (&other, start));
            }
        }
    }
    Ok(nearest.radii())
}

/// Gives all pairs of a block of one set and a block of another to `add`.
fn all_pairs(
    down: &dyn Features,
    across: &dyn Features,
    mut add: impl FnMut((&Points, usize), (&Points, usize)),
) -> Result<(), MetricError> {
    for top in (0..down.rows()).step_by(GROUP * BLOCK) {
        let group = group(down, top)?;
        for start in (0..across.rows()).step_by(BLOCK) {
            let other = points(across, start)?;
            group.iter().for_each(|(block, first)| add((block, *first), (&other, start)));
        }
    }
    Ok(())
}

/// Some blocks and their first rows.
fn group(set: &dyn Features, top: usize) -> Result<Vec<(Points, usize)>, MetricError> {
    let end = set.rows().min(top + GROUP * BLOCK);
    (top..end).step_by(BLOCK).map(|first| Ok((points(set, first)?, first))).collect()
}

fn points(set: &dyn Features, first: usize) -> Result<Points, MetricError> {
    let rows = slice(set, first, BLOCK.min(set.rows() - first))?;
    Ok(Points::new(set.columns(), rows))
}

fn share(flags: &[bool]) -> f64 {
    flags.iter().filter(|&&flag| flag).count() as f64 / flags.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureMatrix;

    fn line(values: &[f32]) -> FeatureMatrix {
        FeatureMatrix::new(1, values.to_vec()).unwrap()
    }

    const DIALECTS: [PrecisionRecallDialect; 2] =
        [PrecisionRecallDialect::AdmHalf, PrecisionRecallDialect::Exact];

    #[test]
    fn points_on_a_line_by_hand() {
        // References at 0, 1, 2, 3: radii 3, 2, 2, 3. Samples at 4 and beyond: radii 60, 40, 40, 60.
        let references = line(&[0.0, 1.0, 2.0, 3.0]);
        let samples = line(&[4.0, 24.0, 44.0, 64.0]);
        for dialect in DIALECTS {
            let found = precision_recall(&references, &samples, dialect).unwrap();
            // 4 lies at distance 1 of 3; all references lie within 60 of 4.
            assert_eq!(found, PrecisionRecall { precision: 0.25, recall: 1.0 });
        }
        // At distance 3 exactly, 6 is on the surface of 3's ball.
        let samples = line(&[6.0, 36.0, 66.0, 96.0]);
        for dialect in DIALECTS {
            let found = precision_recall(&references, &samples, dialect).unwrap();
            assert!((found.precision - 0.25).abs() < 1e-15);
        }
    }

    #[test]
    fn a_set_is_precise_against_itself_and_duplicates_are_no_trouble() {
        let mut values: Vec<f32> = (0..300).map(|i| ((i * 7919) % 1009) as f32).collect();
        values.extend_from_within(..100);
        let set = FeatureMatrix::new(2, values).unwrap();
        let found = precision_recall(&set, &set, PrecisionRecallDialect::Exact).unwrap();
        assert_eq!(found, PrecisionRecall { precision: 1.0, recall: 1.0 });
        // All at one place: radii of 0, which closed balls of radius 0 still fill.
        let flat = FeatureMatrix::new(2, vec![0.5; 40]).unwrap();
        for dialect in DIALECTS {
            let found = precision_recall(&flat, &flat, dialect).unwrap();
            assert_eq!(found, PrecisionRecall { precision: 1.0, recall: 1.0 });
        }
        let found = density_coverage(&flat, &flat).unwrap();
        assert_eq!(found, DensityCoverage { density: 0.0, coverage: 0.0 });
    }

    #[test]
    fn a_set_far_away_has_nothing() {
        let (near, far) = (line(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), line(&[1e4; 6]));
        let found = density_coverage(&near, &far).unwrap();
        assert_eq!(found, DensityCoverage { density: 0.0, coverage: 0.0 });
        for dialect in DIALECTS {
            let found = precision_recall(&near, &far, dialect).unwrap();
            assert_eq!(found, PrecisionRecall { precision: 0.0, recall: 0.0 });
        }
    }

    #[test]
    fn too_few_samples_and_other_spaces_are_refused() {
        let (three, four) = (line(&[0.0, 1.0, 2.0]), line(&[0.0, 1.0, 2.0, 3.0]));
        for dialect in DIALECTS {
            let error = precision_recall(&three, &four, dialect).unwrap_err();
            assert!(error.to_string().contains("precision of 3 samples: at least 4"), "{error}");
            assert!(precision_recall(&four, &three, dialect).is_err());
        }
        assert!(density_coverage(&four, &four).is_err());
        let plane = FeatureMatrix::new(2, vec![0.0; 20]).unwrap();
        assert!(density_coverage(&plane, &line(&[0.0; 9])).is_err());
    }

    /// Sets beyond a group of blocks, against the definition with every distance in f64.
    #[test]
    fn blocks_and_groups_do_not_change_a_count() {
        let plane = |rows: usize, step: usize| -> Vec<[f32; 2]> {
            let value = |i: usize| ((i * step) % 10_007) as f32;
            (0..rows).map(|i| [value(i), value(i * i % 9973)]).collect()
        };
        let (a, b) = (plane(4100, 7919), plane(1100, 613));
        let squared = |x: &[f32; 2], y: &[f32; 2]| -> f64 {
            x.iter().zip(y).map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum()
        };
        let radii = |set: &[[f32; 2]], k: usize| -> Vec<f64> {
            let of = |(at, x): (usize, &[f32; 2])| {
                let others = set.iter().enumerate().filter(|&(other, _)| other != at);
                let mut all: Vec<f64> = others.map(|(_, y)| squared(x, y)).collect();
                *all.select_nth_unstable_by(k - 1, f64::total_cmp).1
            };
            set.iter().enumerate().map(of).collect()
        };
        let (of_a, of_b, five) = (radii(&a, 3), radii(&b, 3), radii(&a, 5));
        let precise = b.iter().filter(|y| a.iter().zip(&of_a).any(|(x, &r)| squared(x, y) <= r));
        let recalled = a.iter().filter(|x| b.iter().zip(&of_b).any(|(y, &r)| squared(x, y) <= r));
        let hits =
            |(x, r): (&[f32; 2], &f64)| b.iter().filter(|y| squared(x, y) < *r).count() as f64;
        let counts: Vec<f64> = a.iter().zip(&five).map(hits).collect();
        let sets = [&a, &b].map(|set| FeatureMatrix::new(2, set.concat()).unwrap());
        let found = precision_recall(&sets[0], &sets[1], PrecisionRecallDialect::Exact).unwrap();
        let shares = PrecisionRecall {
            precision: precise.count() as f64 / 1100.0,
            recall: recalled.count() as f64 / 4100.0,
        };
        assert_eq!(found, shares);
        assert!(found.precision > 0.0 && found.precision < 1.0 && found.recall < 1.0);
        let found = density_coverage(&sets[0], &sets[1]).unwrap();
        assert!((found.density - counts.iter().sum::<f64>() / 5500.0).abs() < 1e-12);
        let covered = counts.iter().filter(|&&count| count > 0.0).count();
        assert!((found.coverage - covered as f64 / 4100.0).abs() < 1e-15);
    }
}
