use crate::Stream;
use crate::choice::choice;

choice! {
    /// Which classes the samples of a run show.
    pub enum LabelRule = "labels" {
        /// As many of each.
        Balanced = "balanced": "each class equally often, in an order shuffled by the seed: 50 of \
            each for 50,000 samples of ImageNet. Source: bytetriper/RAE, --label-sampling equal",
        /// Each by itself.
        Uniform = "uniform": "each sample draws its class by itself, from seed and index; about 0.1 \
            FID worse than balanced ones by RAE's README",
    }
}

/// Samples cannot be shared equally among classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{samples} samples cannot be shared equally by {classes} classes; ask for a multiple of \
     {classes}, or for uniform labels"
)]
pub struct UnevenLabels {
    /// How many were asked for.
    pub samples: u64,
    /// How many classes there are.
    pub classes: u32,
}

impl LabelRule {
    /// The classes of samples 0 to `samples - 1` among `classes`, numbered from 0.
    ///
    /// # Errors
    /// [`UnevenLabels`] when balanced labels are asked for and `samples` is no multiple of
    /// `classes`, or when there are no classes to draw from.
    pub fn labels(self, samples: u64, classes: u32, seed: u64) -> Result<Vec<u32>, UnevenLabels> {
        let uneven = UnevenLabels { samples, classes };
        let of = |index: u64| (index % u64::from(classes.max(1))) as u32;
        match self {
            _ if classes == 0 && samples > 0 => Err(uneven),
            Self::Uniform => {
                let draw = |index| Stream::new("labels", seed, index).below(u64::from(classes));
                Ok((0..samples).map(|index| draw(index) as u32).collect())
            }
            Self::Balanced if samples.is_multiple_of(u64::from(classes.max(1))) => {
                let mut labels: Vec<u32> = (0..samples).map(of).collect();
                let mut stream = Stream::new("label order", seed, 0);
                for last in (1..labels.len()).rev() {
                    let other = stream.below(last as u64 + 1) as usize;
                    labels.swap(last, other);
                }
                Ok(labels)
            }
            Self::Balanced => Err(uneven),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(labels: &[u32], classes: u32) -> Vec<usize> {
        (0..classes).map(|class| labels.iter().filter(|&&label| label == class).count()).collect()
    }

    #[test]
    fn balanced_labels_are_as_many_of_each_in_an_order_of_the_seed() {
        let labels = |seed| LabelRule::Balanced.labels(500, 10, seed).unwrap();
        assert_eq!(counts(&labels(0), 10), [50; 10]);
        assert_eq!(labels(0), labels(0));
        assert_ne!(labels(0), labels(1));
        // Sorted or round robin, a class would be next to itself 490 times or never.
        let repeats = labels(0).windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!((20..80).contains(&repeats), "{repeats}");
    }

    #[test]
    fn uniform_labels_do_not_depend_on_how_many_are_drawn() {
        let labels = |samples| LabelRule::Uniform.labels(samples, 7, 3).unwrap();
        let many = labels(7000);
        assert_eq!(labels(123), many[..123]);
        // 1000 of each, within five standard deviations of 29.
        assert!(counts(&many, 7).iter().all(|count| (850..1150).contains(count)));
    }

    #[test]
    fn labels_that_cannot_be_shared_are_refused_with_the_remedy() {
        let error = LabelRule::Balanced.labels(50, 1000, 0).unwrap_err().to_string();
        assert_eq!(
            error,
            "50 samples cannot be shared equally by 1000 classes; ask for a multiple of 1000, or \
             for uniform labels"
        );
        assert!(LabelRule::Uniform.labels(1, 0, 0).is_err());
        assert_eq!(LabelRule::Balanced.labels(0, 10, 0), Ok(vec![]));
        assert!(LabelRule::Uniform.labels(50, 1000, 0).is_ok());
    }
}
