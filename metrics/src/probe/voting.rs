//! DINOv2's weighted nearest neighbours.

use prismbench_kernels::matrix::{Packed, multiply};
use rayon::prelude::*;

use super::{Labelled, Predictions};
use crate::features::slice;
use crate::{Features, MetricError};

/// Neighbours that vote.
pub(super) const NEIGHBOURS: [usize; 4] = [10, 20, 100, 200];
/// Similarities are divided by it.
const TEMPERATURE: f64 = 0.07;
/// Rows of one block, of whose pairs with another the products are made at a time: 4 MB.
const BLOCK: usize = 1008;
/// Blocks of test samples that are kept while those of the training set pass by.
const GROUP: usize = 16;

/// For each k of 10, 20, 100 and 200 that the training set has as many samples for, k and what its
/// neighbours vote for. A class without a neighbour has no score.
///
/// Similarities are products in f32 of vectors that were normalised in f64; of equal ones the
/// earlier training sample is nearer.
pub(super) fn vote(
    train: &Labelled<'_>,
    test: &Labelled<'_>,
) -> Result<Vec<(usize, Predictions)>, MetricError> {
    let most = train.samples();
    let counts: Vec<usize> = NEIGHBOURS.into_iter().filter(|&k| k <= most).collect();
    let Some(&kept) = counts.last() else {
        let (metric, needed) = ("probe/knn", NEIGHBOURS[0]);
        let remedy = "take more training samples";
        return Err(MetricError::TooFewSamples { metric, found: most, needed, remedy });
    };
    let mut votes: Vec<(usize, Predictions)> =
        counts.iter().map(|&k| (k, Predictions::with_capacity(test.samples()))).collect();
    for top in (0..test.samples()).step_by(GROUP * BLOCK) {
        let end = test.samples().min(top + GROUP * BLOCK);
        let group: Vec<(usize, Vec<f32>)> = (top..end)
            .step_by(BLOCK)
            .map(|first| Ok((first, directions(test.features(), first)?)))
            .collect::<Result<_, MetricError>>()?;
        let mut nearest = vec![Nearest::default(); end - top];
        for start in (0..train.samples()).step_by(BLOCK) {
            let packed =
                Packed::new(&directions(train.features(), start)?, train.features().columns());
            for (first, block) in &group {
                let mut products = vec![0.0; block.len() / packed.columns() * packed.rows()];
                multiply(block, &packed, &mut products);
                let rows = nearest[first - top..].par_iter_mut();
                let rows = rows.zip(products.par_chunks_exact(packed.rows()));
                rows.for_each(|(nearest, products)| nearest.add(products, start, kept));
            }
        }
        for (nearest, &label) in nearest.iter_mut().zip(&test.labels()[top..]) {
            nearest.cut(kept);
            for (k, predictions) in &mut votes {
                let scores = nearest.scores(*k, train);
                predictions.push(scores.into_iter(), label);
            }
        }
    }
    Ok(votes)
}

/// Rows from `first` on, a block of them, scaled to length 1.
fn directions(features: &dyn Features, first: usize) -> Result<Vec<f32>, MetricError> {
    let mut rows = slice(features, first, BLOCK.min(features.rows() - first))?;
    for (at, row) in rows.chunks_exact_mut(features.columns()).enumerate() {
        let square: f64 = row.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
        if square <= 0.0 {
            return Err(MetricError::NoDirection { sample: features.name(first + at) });
        }
        let length = square.sqrt();
        row.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    }
    Ok(rows)
}

/// The nearest training samples so far, and some that may not be.
#[derive(Clone, Default)]
struct Nearest {
    found: Vec<(f32, usize)>,
    /// Less similar ones are not among the nearest; minus infinity until there are enough.
    least: Option<f32>,
}

impl Nearest {
    /// Similarities to consecutive training samples from `start` on.
    fn add(&mut self, similarities: &[f32], start: usize, kept: usize) {
        for (at, &similarity) in similarities.iter().enumerate() {
            if self.least.is_none_or(|least| similarity > least) {
                self.found.push((similarity, start + at));
                if self.found.len() == 2 * kept {
                    self.cut(kept);
                }
            }
        }
    }

    /// Sorts, nearest first, and drops what is beyond the nearest.
    fn cut(&mut self, kept: usize) {
        self.found.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        self.found.truncate(kept);
        if self.found.len() == kept {
            self.least = self.found.last().map(|last| last.0);
        }
    }

    /// The sum of the weights of each class among the first `k`; `None` for a class without any.
    ///
    /// Weights are relative to that of the nearest, which moves no class before another.
    fn scores(&self, k: usize, train: &Labelled<'_>) -> Vec<Option<f64>> {
        let mut scores = vec![None; train.classes()];
        let Some(&(largest, _)) = self.found.first() else { return scores };
        for &(similarity, sample) in self.found.iter().take(k) {
            let distance = f64::from(similarity) - f64::from(largest);
            let weight = libm::exp(distance / TEMPERATURE);
            *scores[train.labels()[sample] as usize].get_or_insert(0.0) += weight;
        }
        scores
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureMatrix;

    fn plane(count: usize, step: usize) -> FeatureMatrix {
        let value = |i: usize| ((i * step) % 1009) as f32 - 504.5;
        FeatureMatrix::new(3, (0..3 * count).map(value).collect()).unwrap()
    }

    /// Every similarity in f64, all of them sorted.
    fn plainly(train: &Labelled<'_>, row: &[f32], k: usize) -> Vec<Option<f64>> {
        let unit = |row: &[f32]| -> Vec<f64> {
            let length = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            row.iter().map(|&x| f64::from(x) / length).collect()
        };
        let row = unit(row);
        let mut all: Vec<(f64, u32)> = (0..train.samples())
            .map(|at| {
                let other = unit(&slice(train.features(), at, 1).unwrap());
                let similarity = row.iter().zip(&other).map(|(a, b)| a * b).sum();
                (similarity, train.labels()[at])
            })
            .collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut scores = vec![None; train.classes()];
        for &(similarity, label) in &all[..k] {
            *scores[label as usize].get_or_insert(0.0) += libm::exp(similarity / 0.07);
        }
        scores
    }

    #[test]
    fn blocks_and_cuts_do_not_change_a_vote() {
        let (near, far) = (plane(2500, 613), plane(1100, 197));
        let classes = |count: usize| (0..count).map(|i| (i * i % 9) as u32).collect::<Vec<_>>();
        let labels = [classes(2500), classes(1100)];
        let train = Labelled::new(&near, &labels[0], 9).unwrap();
        let test = Labelled::new(&far, &labels[1], 9).unwrap();
        let votes = vote(&train, &test).unwrap();
        assert_eq!(votes.iter().map(|vote| vote.0).collect::<Vec<_>>(), NEIGHBOURS);
        for sample in (0..1100).step_by(83) {
            let row = slice(&far, sample, 1).unwrap();
            for (k, predictions) in &votes {
                let mut expected = Predictions::with_capacity(1);
                let scores = plainly(&train, &row, *k);
                expected.push(scores.into_iter(), labels[1][sample]);
                // Directions in a plane of three: similarities are apart by more than f32 rounds.
                assert_eq!(predictions.first[sample], expected.first[0], "{sample} {k}");
            }
        }
    }

    #[test]
    fn equal_neighbours_count_from_the_first_on() {
        // Twenty copies of one direction: of the nearest 10, 6 are of class 1.
        let train = FeatureMatrix::new(1, vec![2.0; 20]).unwrap();
        let labels: Vec<u32> = (0..20).map(|i| u32::from(i < 6) + 2 * u32::from(i > 9)).collect();
        let train = Labelled::new(&train, &labels, 4).unwrap();
        let one = FeatureMatrix::new(1, vec![0.5]).unwrap();
        let votes = vote(&train, &Labelled::new(&one, &[0], 4).unwrap()).unwrap();
        let first: Vec<(usize, u32)> =
            votes.iter().map(|(k, found)| (*k, found.first[0])).collect();
        assert_eq!(first, [(10, 1), (20, 2)]);
        assert_eq!(votes[0].1.ranks, [Some(1)]);
        assert_eq!(votes[1].1.ranks, [Some(2)]);
    }

    #[test]
    fn too_few_neighbours_and_vectors_without_a_direction_are_refused() {
        let (nine, ten) = (plane(9, 7), plane(10, 7));
        let few = Labelled::new(&nine, &[0; 9], 2).unwrap();
        let enough = Labelled::new(&ten, &[0; 10], 2).unwrap();
        let error = vote(&few, &enough).unwrap_err();
        assert!(error.to_string().contains("probe/knn of 9 samples: at least 10"), "{error}");
        let flat = FeatureMatrix::new(3, vec![0.0; 3]).unwrap();
        let error = vote(&enough, &Labelled::new(&flat, &[0], 2).unwrap()).unwrap_err();
        assert!(error.to_string().contains("sample `0`: they are all zero"), "{error}");
    }
}
