use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};

use crate::{Accumulator, MetricError};

/// A few numbers per sample, keyed by the sample's index, of which the mean over samples is wanted.
///
/// Summed in the order of the indices, whatever order they came in: the result has the same bits for
/// any batch size, thread count and shard count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SampleMeans {
    samples: BTreeMap<u64, Vec<f64>>,
}

/// Means over samples.
#[derive(Clone, Debug, PartialEq)]
pub struct MeanVector {
    /// Samples.
    pub n: u64,
    /// The mean of each number.
    pub means: Vec<f64>,
}

impl SampleMeans {
    /// Numbers of each sample; `None` before the first.
    fn length(&self) -> Option<usize> {
        self.samples.values().next().map(Vec::len)
    }

    fn check_length(&self, found: usize) -> Result<(), MetricError> {
        match self.length() {
            Some(length) if length != found => {
                let expected = format!("{length} numbers per sample, as for the first");
                Err(MetricError::Shape { expected, found })
            }
            _ => Ok(()),
        }
    }
}

impl Accumulator for SampleMeans {
    /// Index of the sample within its data set, and its numbers.
    type Item = (u64, Vec<f64>);
    type Output = MeanVector;

    /// Refuses a sample that came before, another count of numbers than the first sample's, and
    /// numbers that are not finite.
    fn update(&mut self, (index, numbers): (u64, Vec<f64>)) -> Result<(), MetricError> {
        self.check_length(numbers.len())?;
        if let Some(column) = numbers.iter().position(|number| !number.is_finite()) {
            let value = numbers[column].to_string();
            return Err(MetricError::NotFinite { sample: index.to_string(), column, value });
        }
        match self.samples.entry(index) {
            Entry::Vacant(slot) => {
                slot.insert(numbers);
                Ok(())
            }
            Entry::Occupied(_) => Err(MetricError::Duplicate { index }),
        }
    }

    fn merge(&mut self, other: Self) -> Result<(), MetricError> {
        if let Some(length) = other.length() {
            self.check_length(length)?;
        }
        if let Some(&index) = other.samples.keys().find(|index| self.samples.contains_key(index)) {
            return Err(MetricError::Duplicate { index });
        }
        self.samples.extend(other.samples);
        Ok(())
    }

    fn finish(self) -> Result<MeanVector, MetricError> {
        let length = self.length().ok_or(MetricError::TooFew { got: 0, needed: 1 })?;
        let mut means = vec![0.0; length];
        for numbers in self.samples.values() {
            means.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
        }
        let n = self.samples.len() as u64;
        means.iter_mut().for_each(|sum| *sum /= n as f64);
        Ok(MeanVector { n, means })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gathered(samples: &[(u64, Vec<f64>)]) -> SampleMeans {
        let mut all = SampleMeans::default();
        samples.iter().for_each(|sample| all.update(sample.clone()).unwrap());
        all
    }

    proptest! {
        #[test]
        fn any_split_in_any_order_finishes_with_the_same_bits(
            samples in prop::collection::btree_map(
                0..500_u64, prop::collection::vec(-1e6..1e6_f64, 3), 1..40,
            ).prop_map(|samples| samples.into_iter().collect::<Vec<_>>()).prop_shuffle(),
            cut in 0..40_usize,
        ) {
            let mut sorted = samples.clone();
            sorted.sort_by_key(|&(index, _)| index);
            let expected = gathered(&sorted).finish().unwrap();
            let (a, b) = samples.split_at(cut.min(samples.len()));
            let (mut left, mut right) = (gathered(a), gathered(b));
            right.merge(left.clone()).unwrap();
            left.merge(gathered(b)).unwrap();
            left.merge(SampleMeans::default()).unwrap();
            prop_assert_eq!(left.finish().unwrap(), expected.clone());
            let text = serde_json::to_string(&right).unwrap();
            let again: SampleMeans = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(again.finish().unwrap(), expected);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let mut all = gathered(&[(3, vec![1.0, 2.0])]);
        let before = all.clone();
        let twice = all.update((3, vec![0.0, 0.0]));
        assert!(matches!(twice, Err(MetricError::Duplicate { index: 3 })));
        assert!(matches!(all.update((4, vec![0.0])), Err(MetricError::Shape { found: 1, .. })));
        let error = all.update((5, vec![0.0, f64::NAN])).unwrap_err();
        assert!(matches!(error, MetricError::NotFinite { column: 1, .. }), "{error}");
        assert!(all.merge(gathered(&[(9, vec![0.0; 3])])).is_err());
        assert!(all.merge(before.clone()).is_err());
        assert_eq!(all, before);
        let none = SampleMeans::default().finish();
        assert!(matches!(none, Err(MetricError::TooFew { got: 0, needed: 1 })));
    }
}
