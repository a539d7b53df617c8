use crate::features::in_blocks;
use crate::{Features, MetricError, check_finite};

/// Rows that are checked at a time.
const BLOCK: usize = 1024;

/// Features of samples whose classes are known.
#[derive(Clone, Copy)]
pub struct Labelled<'a> {
    features: &'a dyn Features,
    labels: &'a [u32],
    classes: usize,
}

impl<'a> Labelled<'a> {
    /// One label for each row, numbered from 0 on. Reads the features once, to check them.
    ///
    /// # Errors
    /// [`MetricError::Shape`] when there is not one label for each row, or no row or column at all;
    /// [`MetricError::TooFewClasses`] for fewer than two classes; [`MetricError::Label`] and
    /// [`MetricError::NotFinite`] name the sample; [`MetricError::Read`].
    pub fn new(
        features: &'a dyn Features,
        labels: &'a [u32],
        classes: usize,
    ) -> Result<Self, MetricError> {
        let rows = features.rows();
        if labels.len() != rows {
            let expected = format!("one label for each of {rows} samples");
            return Err(MetricError::Shape { expected, found: labels.len() });
        }
        if rows == 0 || features.columns() == 0 {
            let expected = "features of at least one sample".to_owned();
            return Err(MetricError::Shape { expected, found: 0 });
        }
        if classes < 2 {
            return Err(MetricError::TooFewClasses { found: classes });
        }
        if let Some(row) = labels.iter().position(|&label| label as usize >= classes) {
            let (sample, label) = (features.name(row), labels[row]);
            return Err(MetricError::Label { sample, label, last: classes - 1 });
        }
        in_blocks(features, BLOCK, |first, rows| {
            check_finite(rows, features.columns(), |row| features.name(first + row))
        })?;
        Ok(Self { features, labels, classes })
    }

    /// The features.
    #[must_use]
    pub fn features(&self) -> &'a dyn Features {
        self.features
    }

    /// The class of each sample.
    #[must_use]
    pub fn labels(&self) -> &'a [u32] {
        self.labels
    }

    /// How many classes there are, whether or not they have samples here.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many samples there are.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.labels.len()
    }

    /// The samples of each class, in order.
    pub(crate) fn by_class(&self) -> Vec<Vec<usize>> {
        let mut members = vec![vec![]; self.classes];
        for (sample, &label) in self.labels.iter().enumerate() {
            members[label as usize].push(sample);
        }
        members
    }

    /// Refuses classes of fewer than `needed` samples.
    pub(crate) fn check_classes(
        &self,
        purpose: &'static str,
        needed: usize,
    ) -> Result<(), MetricError> {
        let mut counts = vec![0; self.classes];
        self.labels.iter().for_each(|&label| counts[label as usize] += 1);
        match counts.iter().position(|&count| count < needed) {
            None => Ok(()),
            Some(class) => {
                let found = counts[class];
                Err(MetricError::SmallClass { purpose, class, found, needed })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::FeatureMatrix;

    /// Features that are handed out unchecked.
    struct Unchecked(Vec<f32>);

    impl Features for Unchecked {
        fn rows(&self) -> usize {
            self.0.len() / 2
        }

        fn columns(&self) -> usize {
            2
        }

        fn read(&self, first: usize, into: &mut [f32]) -> io::Result<()> {
            into.copy_from_slice(&self.0[2 * first..][..into.len()]);
            Ok(())
        }

        fn name(&self, row: usize) -> String {
            format!("picture {row}")
        }
    }

    #[test]
    fn a_feature_that_is_not_finite_is_refused_with_its_sample() {
        let mut values = vec![0.5; 2 * 3000];
        values[2 * 2500 + 1] = f32::NAN;
        let (features, labels) = (Unchecked(values), vec![0; 3000]);
        let error = Labelled::new(&features, &labels, 2).err().unwrap();
        assert!(error.to_string().contains("column 1 of sample `picture 2500`"), "{error}");
    }

    #[test]
    fn labels_that_do_not_fit_are_refused() {
        let features = FeatureMatrix::new(1, vec![0.0, 1.0, 2.0]).unwrap();
        let refused = |labels: &[u32], classes| {
            Labelled::new(&features, labels, classes).err().unwrap().to_string()
        };
        assert!(refused(&[0, 1], 2).contains("one label for each of 3 samples"));
        assert!(
            refused(&[0, 1, 2], 2).contains("label 2 of sample `2`: classes are numbered from")
        );
        assert!(refused(&[0, 0, 0], 1).contains("at least 2"));
        let none = FeatureMatrix::new(1, vec![]).unwrap();
        assert!(Labelled::new(&none, &[], 2).is_err());
    }

    #[test]
    fn a_class_with_too_few_samples_is_named() {
        let features = FeatureMatrix::new(1, vec![0.0, 1.0, 2.0]).unwrap();
        let set = Labelled::new(&features, &[0, 2, 0], 3).unwrap();
        let error = set.check_classes("fit", 1).unwrap_err();
        assert!(error.to_string().starts_with("fit class 1: it has 0 training samples"), "{error}");
        let set = Labelled::new(&features, &[0, 1, 0], 2).unwrap();
        assert!(
            set.check_classes("split", 2).unwrap_err().to_string().contains("class 1: it has 1")
        );
        assert!(set.check_classes("fit", 1).is_ok());
        assert_eq!(set.by_class(), [vec![0, 2], vec![1]]);
    }
}
