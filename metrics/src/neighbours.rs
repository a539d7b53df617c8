//! Precision, recall, density and coverage: which samples lie in balls around those of another set.

use prismbench_core::{Better, MetricDef, PrecisionRecallDialect, Unit};
use prismbench_kernels::distances::{Ball, Coverage, Manifolds, Nearest, Points};

use crate::features::{same_columns, slice};
use crate::{Features, MetricError};

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

/// Rows of one block: a block of pairs then has 4 MB of products.
const BLOCK: usize = 1024;

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
    const NEIGHBOURS: usize = 3;
    same_columns(references, samples)?;
    at_least(PRECISION.id, references, NEIGHBOURS)?;
    at_least(RECALL.id, samples, NEIGHBOURS)?;
    let [references_in, samples_in] = match dialect {
        PrecisionRecallDialect::AdmHalf => half::inside(references, samples, NEIGHBOURS)?,
        PrecisionRecallDialect::Exact => {
            let radii = [radii(references, NEIGHBOURS)?, radii(samples, NEIGHBOURS)?];
            let mut manifolds = Manifolds::new(Ball::Closed, &radii[0], &radii[1]);
            for first in (0..references.rows()).step_by(BLOCK) {
                let down = points(references, first)?;
                for start in (0..samples.rows()).step_by(BLOCK) {
                    manifolds.add((&down, first), (&points(samples, start)?, start));
                }
            }
            manifolds.inside()
        }
    };
    Ok(PrecisionRecall { precision: share(&samples_in), recall: share(&references_in) })
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
    const NEIGHBOURS: usize = 5;
    same_columns(references, samples)?;
    at_least(COVERAGE.id, references, NEIGHBOURS)?;
    at_least(DENSITY.id, samples, 0)?;
    let radii = radii(references, NEIGHBOURS)?;
    let mut coverage = Coverage::new(Ball::Open, &radii);
    for first in (0..references.rows()).step_by(BLOCK) {
        let down = points(references, first)?;
        for start in (0..samples.rows()).step_by(BLOCK) {
            coverage.add((&down, first), &points(samples, start)?);
        }
    }
    let counts = coverage.counts();
    let hits: u64 = counts.iter().sum();
    let covered: Vec<bool> = counts.iter().map(|&count| count > 0).collect();
    Ok(DensityCoverage {
        density: hits as f64 / (NEIGHBOURS as f64 * samples.rows() as f64),
        coverage: share(&covered),
    })
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
    for first in (0..set.rows()).step_by(BLOCK) {
        let block = points(set, first)?;
        nearest.within(&block, first);
        for start in (first + BLOCK..set.rows()).step_by(BLOCK) {
            nearest.between((&block, first), (&points(set, start)?, start));
        }
    }
    Ok(nearest.radii())
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
}
