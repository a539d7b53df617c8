use prismbench_core::{Better, MetricDef, Unit};

use super::Proportion;

/// Share of samples whose class is the first choice.
pub const TOP1: MetricDef = MetricDef {
    id: "top1",
    title: "top-1",
    unit: Unit::One,
    better: Better::Higher,
    version: 1,
    definition: "share of test samples whose class has the highest score, of equal scores the \
        class with the lower number; Wilson interval",
};

/// Share of samples whose class is among the first five.
pub const TOP5: MetricDef = MetricDef {
    id: "top5",
    title: "top-5",
    unit: Unit::One,
    better: Better::Higher,
    version: 1,
    definition: "share of test samples whose class is among the five highest scores, equal ones in \
        the order of the classes; a class without a vote has no score; not defined for five classes \
        or fewer; Wilson interval",
};

/// Mean over classes of the share of their samples that are right.
pub const MEAN_PER_CLASS: MetricDef = MetricDef {
    id: "mean-per-class",
    title: "mean per class",
    unit: Unit::One,
    better: Better::Higher,
    version: 1,
    definition: "top-1 within each class that has test samples, mean over these classes; Wilson \
        interval of as many trials as make the variance of a mean of class shares: the classes \
        times the harmonic mean of their sizes",
};

/// Places of the top five.
const FIVE: usize = 5;

/// What a classifier says of each sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predictions {
    /// The class with the highest score, of equal ones the first.
    pub first: Vec<u32>,
    /// For each sample how many classes come before its own; `None` where its own has no score.
    pub ranks: Vec<Option<usize>>,
}

impl Predictions {
    pub(super) fn with_capacity(samples: usize) -> Self {
        Self { first: Vec::with_capacity(samples), ranks: Vec::with_capacity(samples) }
    }

    /// Adds a sample of this class; classes whose score is `None` are not chosen, nor ranked.
    pub(super) fn push(&mut self, scores: impl Iterator<Item = Option<f64>> + Clone, label: u32) {
        let mut first = (0, f64::NEG_INFINITY);
        for (class, score) in (0..).zip(scores.clone()) {
            if let Some(score) = score.filter(|&score| score > first.1) {
                first = (class, score);
            }
        }
        self.first.push(first.0);
        let own = scores.clone().nth(label as usize).flatten();
        self.ranks.push(own.map(|own| {
            let before = |(class, score): (u32, Option<f64>)| {
                score.is_some_and(|score| score > own || (score >= own && class < label))
            };
            (0..).zip(scores).filter(|&pair| before(pair)).count()
        }));
    }

    /// Samples whose first choice is right.
    pub(super) fn right(&self) -> usize {
        self.ranks.iter().filter(|&&rank| rank == Some(0)).count()
    }
}

/// How often predictions are right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    /// [`TOP1`].
    pub top1: Proportion,
    /// [`TOP5`]; `None` for five classes or fewer.
    pub top5: Option<Proportion>,
    /// [`MEAN_PER_CLASS`].
    pub mean_per_class: Proportion,
}

impl Accuracy {
    /// `predictions` are those of samples with these labels, of which there is at least one.
    pub(super) fn of(predictions: &Predictions, labels: &[u32], classes: usize) -> Self {
        let samples = labels.len() as f64;
        let within = |places: usize| {
            let near = |rank: &&Option<usize>| rank.is_some_and(|rank| rank < places);
            predictions.ranks.iter().filter(near).count() as f64 / samples
        };
        let mut of_class = vec![(0_u32, 0_u32); classes];
        for (&label, rank) in labels.iter().zip(&predictions.ranks) {
            let (right, all) = &mut of_class[label as usize];
            *all += 1;
            *right += u32::from(*rank == Some(0));
        }
        of_class.retain(|&(_, all)| all > 0);
        let present = of_class.len() as f64;
        let shares = of_class.iter().map(|&(right, all)| f64::from(right) / f64::from(all));
        let inverse_sizes: f64 = of_class.iter().map(|&(_, all)| 1.0 / f64::from(all)).sum();
        Self {
            top1: Proportion::new(within(1), samples),
            top5: (classes > FIVE).then(|| Proportion::new(within(FIVE), samples)),
            mean_per_class: Proportion::new(
                shares.sum::<f64>() / present,
                present * present / inverse_sizes,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_first_class_and_classes_without_a_score_are_not_ranked() {
        let mut predictions = Predictions::with_capacity(4);
        let scores = [Some(0.5), None, Some(0.5), Some(0.1)];
        (0..4).for_each(|label| predictions.push(scores.into_iter(), label));
        assert_eq!(predictions.first, [0; 4]);
        assert_eq!(predictions.ranks, [Some(0), None, Some(1), Some(2)]);
        assert_eq!(predictions.right(), 1);
    }

    #[test]
    fn accuracies_are_shares_of_samples_and_of_classes() {
        // Class 0: 3 of 4 right; class 1: 0 of 1, second place; class 2: none there.
        let ranks = vec![Some(0), Some(0), Some(0), Some(5), Some(1)];
        let predictions = Predictions { first: vec![0, 0, 0, 6, 0], ranks };
        let found = Accuracy::of(&predictions, &[0, 0, 0, 0, 1], 7);
        assert!((found.top1.value - 0.6).abs() < 1e-15);
        assert!((found.top5.unwrap().value - 0.8).abs() < 1e-15);
        assert!((found.mean_per_class.value - 0.375).abs() < 1e-15);
        // 2 classes times the harmonic mean of 4 and 1.
        assert_eq!(found.mean_per_class, Proportion::new(0.375, 2.0 * 1.6));
        assert_eq!(Accuracy::of(&predictions, &[0, 0, 0, 0, 1], 5).top5, None);
    }

    #[test]
    fn classes_of_one_size_have_the_interval_of_all_samples() {
        let labels: Vec<u32> = (0..60).map(|i| i % 6).collect();
        let ranks = (0..60).map(|i| Some(i % 4)).collect();
        let found = Accuracy::of(&Predictions { first: vec![0; 60], ranks }, &labels, 6);
        assert!((found.top1.value - found.mean_per_class.value).abs() < 1e-12);
        assert!((found.top1.interval.low - found.mean_per_class.interval.low).abs() < 1e-12);
    }
}
