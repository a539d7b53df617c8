use prismbench_core::Stream;

use super::Labelled;
use crate::MetricError;

/// A training set in two parts, the rows of each in ascending order.
pub(super) struct HeldOut {
    /// What is fitted.
    pub(super) fit: Vec<usize>,
    /// What decides between fits: a tenth of each class, rounded half up, and at least one sample.
    pub(super) held: Vec<usize>,
}

impl HeldOut {
    /// Draws the samples of each class from a stream of its own: the first of a Fisher-Yates
    /// shuffle.
    pub(super) fn of(train: &Labelled<'_>) -> Result<Self, MetricError> {
        train.check_classes("hold out a tenth of", 2)?;
        let mut is_held = vec![false; train.samples()];
        for (class, mut members) in train.by_class().into_iter().enumerate() {
            let mut stream = Stream::new("probe-held-out", 0, class as u64);
            let wanted = ((members.len() + 5) / 10).max(1);
            for place in 0..wanted {
                let other = place + stream.below((members.len() - place) as u64) as usize;
                members.swap(place, other);
                is_held[members[place]] = true;
            }
        }
        let (held, fit) = (0..train.samples()).partition(|&sample| is_held[sample]);
        Ok(Self { fit, held })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureMatrix;

    #[test]
    fn a_tenth_of_each_class_is_held_out_and_at_least_one_sample() {
        let labels: Vec<u32> =
            [(0, 2), (1, 14), (2, 15), (3, 100)].iter().flat_map(|&(c, n)| vec![c; n]).collect();
        let features = FeatureMatrix::new(1, vec![0.0; labels.len()]).unwrap();
        let HeldOut { fit, held } =
            HeldOut::of(&Labelled::new(&features, &labels, 4).unwrap()).unwrap();
        let count = |class| held.iter().filter(|&&sample| labels[sample] == class).count();
        assert_eq!([0, 1, 2, 3].map(count), [1, 1, 2, 10]);
        let mut all = [fit, held].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..labels.len()));
    }

    #[test]
    fn a_class_of_one_cannot_be_split() {
        let features = FeatureMatrix::new(1, vec![0.0; 3]).unwrap();
        let error = HeldOut::of(&Labelled::new(&features, &[0, 1, 0], 2).unwrap()).err().unwrap();
        assert!(error.to_string().starts_with("hold out a tenth of class 1: it has 1"), "{error}");
    }
}
