use prismbench_kernels::distances::{HalfPoints, Precision};

use crate::features::slice;
use crate::{Features, MetricError};

/// Side of the blocks of pairs that guided-diffusion computes at a time: within one, either all
/// distances are rounded to binary16 or none.
const EVALUATOR: usize = 10_000;

/// Side of the blocks that are computed here.
const BLOCK: usize = 1000;

/// For each reference and each sample whether it lies in a ball of the other set.
pub(super) fn inside(
    references: &dyn Features,
    samples: &dyn Features,
    neighbours: usize,
) -> Result<[Vec<bool>; 2], MetricError> {
    let radii = [radii(references, neighbours)?, radii(samples, neighbours)?];
    let mut inside = [vec![false; references.rows()], vec![false; samples.rows()]];
    for (down, across) in evaluator_blocks(references, samples) {
        let before = inside.clone();
        for precision in [Precision::Half, Precision::Single] {
            let mut finite = true;
            pairs([references, samples], [&down, &across], precision, |first, start, line| {
                finite &= line.iter().all(|distance| distance.is_finite());
                for (distance, column) in line.iter().zip(start..) {
                    inside[0][first] |= *distance <= radii[1][column];
                    inside[1][column] |= *distance <= radii[0][first];
                }
            })?;
            if finite {
                break;
            }
            if precision == Precision::Half {
                inside.clone_from(&before);
            }
        }
    }
    Ok(inside)
}

/// The distance of each row to the one after its `neighbours` nearest, itself among them.
fn radii(set: &dyn Features, neighbours: usize) -> Result<Vec<f32>, MetricError> {
    let kept = neighbours + 1;
    let mut smallest = vec![f32::INFINITY; set.rows() * kept];
    for (down, across) in evaluator_blocks(set, set) {
        let before = smallest[down.start * kept..down.end * kept].to_vec();
        for precision in [Precision::Half, Precision::Single] {
            let mut finite = true;
            pairs([set, set], [&down, &across], precision, |first, _, line| {
                let nearest = &mut smallest[first * kept..][..kept];
                for &distance in line {
                    finite &= distance.is_finite();
                    if distance < nearest[kept - 1] {
                        let at = nearest.partition_point(|&other| other <= distance);
                        nearest[at..].rotate_right(1);
                        nearest[at] = distance;
                    }
                }
            })?;
            if finite {
                break;
            }
            if precision == Precision::Half {
                smallest[down.start * kept..down.end * kept].copy_from_slice(&before);
            }
        }
    }
    Ok(smallest.chunks_exact(kept).map(|nearest| nearest[neighbours]).collect())
}

type Range = std::ops::Range<usize>;

fn evaluator_blocks(
    down: &dyn Features,
    across: &dyn Features,
) -> impl Iterator<Item = (Range, Range)> + use<> {
    let ranges = |rows: usize| {
        (0..rows).step_by(EVALUATOR).map(move |first| first..rows.min(first + EVALUATOR))
    };
    let others = across.rows();
    ranges(down.rows())
        .flat_map(move |down| ranges(others).map(move |across| (down.clone(), across)))
}

/// Gives `take` the distances of the pairs in a block, a row of some columns at a time: the row, the
/// first column, the distances.
fn pairs(
    sets: [&dyn Features; 2],
    ranges: [&Range; 2],
    precision: Precision,
    mut take: impl FnMut(usize, usize, &[f32]),
) -> Result<(), MetricError> {
    let points = |side: usize, first: usize| {
        let rows = slice(sets[side], first, BLOCK.min(ranges[side].end - first))?;
        Ok::<_, MetricError>(HalfPoints::new(precision, sets[side].columns(), rows))
    };
    for first in ranges[0].clone().step_by(BLOCK) {
        let down = points(0, first)?;
        for start in ranges[1].clone().step_by(BLOCK) {
            let across = points(1, start)?;
            let distances = down.distances(&across);
            for (row, line) in distances.chunks_exact(across.count()).enumerate() {
                take(first + row, start, line);
            }
        }
    }
    Ok(())
}
