use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Accumulator, MetricError, ScoreSequence};

/// One score per image, keyed by the image's index: the accumulator of every per-image metric.
///
/// Scores are summed in the order of their indices, whatever order they came in, so the result has
/// the same bits for any batch size, thread count and shard count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageScores {
    aggregation: Aggregation,
    // As bits: text formats have no infinity, and a state must come back as it was.
    #[serde(with = "bits")]
    scores: BTreeMap<u64, f64>,
}

/// How the scores of the images become one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregation {
    /// The mean of the scores.
    Mean,
    /// The scores are mean squared errors on 0 to 255; the value is the PSNR of their mean.
    PsnrOfMean,
}

/// What the scores of a set amount to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Images.
    pub n: u64,
    /// The value over the images whose own score is finite; `None` when there are none, or when the
    /// value is itself infinite.
    pub value: Option<f64>,
    /// 95 % interval of the value; `None` for fewer than two images or when an image is infinite.
    pub interval: Option<Interval>,
    /// Images whose score is infinite. They are not part of `value`.
    pub infinite: u64,
}

/// Ends of a 95 % interval over images: of the percentile bootstrap, or of more than
/// [`BOOTSTRAP_MAX`](crate::BOOTSTRAP_MAX) images of the normal approximation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl ImageScores {
    /// No scores yet.
    #[must_use]
    pub fn new(aggregation: Aggregation) -> Self {
        Self { aggregation, scores: BTreeMap::new() }
    }

    /// How the scores become one value.
    #[must_use]
    pub fn aggregation(&self) -> Aggregation {
        self.aggregation
    }

    /// The score of every image, by index.
    pub fn iter(&self) -> impl Iterator<Item = (u64, f64)> + '_ {
        self.scores.iter().map(|(&index, &score)| (index, score))
    }
}

impl Accumulator for ImageScores {
    /// Index of the image within its data set, and its score.
    type Item = (u64, f64);
    type Output = Summary;

    fn update(&mut self, (index, score): (u64, f64)) -> Result<(), MetricError> {
        match self.scores.entry(index) {
            std::collections::btree_map::Entry::Vacant(slot) => {
                slot.insert(score);
                Ok(())
            }
            std::collections::btree_map::Entry::Occupied(_) => {
                Err(MetricError::Duplicate { index })
            }
        }
    }

    fn merge(&mut self, other: Self) -> Result<(), MetricError> {
        if self.aggregation != other.aggregation {
            return Err(MetricError::Aggregation);
        }
        if let Some(&index) = other.scores.keys().find(|index| self.scores.contains_key(index)) {
            return Err(MetricError::Duplicate { index });
        }
        self.scores.extend(other.scores);
        Ok(())
    }

    fn finish(self) -> Result<Summary, MetricError> {
        let mut sequence = ScoreSequence::new(self.aggregation);
        self.iter().try_for_each(|(index, score)| sequence.add(index, score))?;
        sequence.finish(|| Ok(self.scores.into_values().collect()))
    }
}

mod bits {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        scores: &BTreeMap<u64, f64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let pairs: Vec<(u64, u64)> =
            scores.iter().map(|(&i, score)| (i, score.to_bits())).collect();
        pairs.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<u64, f64>, D::Error> {
        let pairs = Vec::<(u64, u64)>::deserialize(deserializer)?;
        Ok(pairs.into_iter().map(|(index, bits)| (index, f64::from_bits(bits))).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gathered(aggregation: Aggregation, scores: &[(u64, f64)]) -> ImageScores {
        let mut all = ImageScores::new(aggregation);
        scores.iter().for_each(|&score| all.update(score).unwrap());
        all
    }

    fn any_scores() -> impl Strategy<Value = Vec<(u64, f64)>> {
        let score = prop_oneof![8 => 0.0..100.0, 1 => Just(f64::INFINITY)];
        prop::collection::btree_map(0..500_u64, score, 1..60)
            .prop_map(|scores| scores.into_iter().collect())
    }

    proptest! {
        #[test]
        fn any_split_in_any_order_finishes_with_the_same_bits(
            scores in any_scores().prop_shuffle(), cut in 0..60_usize,
            aggregation in prop::sample::select(vec![Aggregation::Mean, Aggregation::PsnrOfMean]),
        ) {
            let mut sorted = scores.clone();
            sorted.sort_by_key(|&(index, _)| index);
            let expected = gathered(aggregation, &sorted).finish().unwrap();
            let (a, b) = scores.split_at(cut.min(scores.len()));
            let (a, b) = (gathered(aggregation, a), gathered(aggregation, b));
            let (mut left, mut right) = (a.clone(), b.clone());
            left.merge(b).unwrap();
            right.merge(a).unwrap();
            right.merge(ImageScores::new(aggregation)).unwrap();
            prop_assert_eq!(left.finish().unwrap(), expected);
            prop_assert_eq!(right.finish().unwrap(), expected);
        }

        #[test]
        fn a_state_written_and_read_is_the_state(scores in any_scores()) {
            let state = gathered(Aggregation::Mean, &scores);
            let text = serde_json::to_string(&state).unwrap();
            prop_assert_eq!(serde_json::from_str::<ImageScores>(&text).unwrap(), state);
        }
    }

    #[test]
    fn an_infinite_score_is_counted_and_not_averaged() {
        let scores = [(0, 30.0), (1, f64::INFINITY), (2, 40.0)];
        let summary = gathered(Aggregation::Mean, &scores).finish().unwrap();
        assert_eq!((summary.n, summary.infinite, summary.value), (3, 1, Some(35.0)));
        assert_eq!(summary.interval, None);
    }

    #[test]
    fn a_pooled_psnr_is_infinite_only_without_any_error() {
        let summary = gathered(Aggregation::PsnrOfMean, &[(0, 0.0), (1, 2.0)]).finish().unwrap();
        assert!((summary.value.unwrap() - 48.130_803_608_679_1).abs() < 1e-12);
        let summary = gathered(Aggregation::PsnrOfMean, &[(0, 0.0), (1, 0.0)]).finish().unwrap();
        assert_eq!((summary.value, summary.infinite), (None, 2));
    }

    #[test]
    fn one_sample_counts_once_and_none_have_no_mean() {
        let mut scores = gathered(Aggregation::Mean, &[(4, 1.0)]);
        let twice = scores.update((4, 2.0));
        assert!(matches!(twice, Err(MetricError::Duplicate { index: 4 })));
        let twice = scores.merge(scores.clone());
        assert!(matches!(twice, Err(MetricError::Duplicate { index: 4 })));
        let none = ImageScores::new(Aggregation::Mean).finish();
        assert!(matches!(none, Err(MetricError::TooFew { got: 0, needed: 1 })));
    }
}
