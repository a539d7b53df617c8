use std::collections::BTreeMap;

use crate::MetricError;

/// Which texts and images belong together: those of one group.
///
/// A caption and its image are a group, with the image's other captions; a class name and the images
/// of the class are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    texts: Vec<u32>,
    images: Vec<u32>,
}

/// Rows of the texts and of the images of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Members {
    pub(super) texts: Vec<usize>,
    pub(super) images: Vec<usize>,
}

/// How the Prism paper's code asks for a class: `the image of tench`. Source: WeichenFan/UAE,
/// prelim_analysis/retrival_exp.py.
#[must_use]
pub fn class_query(class: &str) -> String {
    format!("the image of {class}")
}

impl Groups {
    /// Captions: text number t describes image number `image_of[t]` of `images`, and no other.
    ///
    /// # Errors
    /// [`MetricError::Shape`] for a text of an image that is not there.
    pub fn of_captions(images: usize, image_of: &[usize]) -> Result<Self, MetricError> {
        let number = |image: usize| match u32::try_from(image) {
            Ok(number) if image < images => Ok(number),
            _ => {
                let expected = format!("the number of an image, below {images}, for each text");
                Err(MetricError::Shape { expected, found: image })
            }
        };
        let texts = image_of.iter().map(|&image| number(image)).collect::<Result<_, _>>()?;
        let last = u32::try_from(images).map_err(|_| MetricError::Shape {
            expected: "fewer than 2^32 images".to_owned(),
            found: images,
        })?;
        Ok(Self { texts, images: (0..last).collect() })
    }

    /// Class names: text number c is about class c of `classes`, and each image has a class.
    ///
    /// # Errors
    /// [`MetricError::Shape`] for an image of a class without a name.
    pub fn of_classes(classes: u32, labels: &[u32]) -> Result<Self, MetricError> {
        if let Some(&label) = labels.iter().find(|&&label| label >= classes) {
            let expected = format!("a class below {classes} for each image");
            return Err(MetricError::Shape { expected, found: label as usize });
        }
        Ok(Self { texts: (0..classes).collect(), images: labels.to_vec() })
    }

    /// Checks that there is a group for each text and each image.
    pub(super) fn check(&self, texts: usize, images: usize) -> Result<(), MetricError> {
        for (rows, groups, kind) in [(texts, &self.texts, "text"), (images, &self.images, "image")]
        {
            if rows != groups.len() {
                let expected = format!("one embedding for each {kind}, {} of them", groups.len());
                return Err(MetricError::Shape { expected, found: rows });
            }
        }
        Ok(())
    }

    /// The groups that have both.
    pub(super) fn members(&self) -> Vec<Members> {
        let mut members: BTreeMap<u32, Members> = BTreeMap::new();
        for (row, &group) in self.texts.iter().enumerate() {
            members.entry(group).or_default().texts.push(row);
        }
        for (row, &group) in self.images.iter().enumerate() {
            if let Some(members) = members.get_mut(&group) {
                members.images.push(row);
            }
        }
        members.into_values().filter(|members| !members.images.is_empty()).collect()
    }

    /// Hits at `k` and texts of each group, from the texts' ranks.
    pub(super) fn clusters(&self, ranks: &[Option<u64>], k: u64) -> Vec<(u64, u64)> {
        let mut clusters: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for (&group, rank) in self.texts.iter().zip(ranks) {
            let Some(rank) = rank else { continue };
            let cluster = clusters.entry(group).or_default();
            cluster.0 += u64::from(*rank < k);
            cluster.1 += 1;
        }
        clusters.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_without_texts_or_without_images_have_no_pairs() {
        let groups = Groups::of_captions(3, &[2, 0, 2]).unwrap();
        let members = [
            Members { texts: vec![1], images: vec![0] },
            Members { texts: vec![0, 2], images: vec![2] },
        ];
        assert_eq!(groups.members(), members);
        let groups = Groups::of_classes(3, &[2, 0, 2]).unwrap();
        let members = [
            Members { texts: vec![0], images: vec![1] },
            Members { texts: vec![2], images: vec![0, 2] },
        ];
        assert_eq!(groups.members(), members);
    }

    #[test]
    fn what_is_not_there_cannot_be_meant() {
        let error = Groups::of_captions(3, &[0, 3]).unwrap_err().to_string();
        assert_eq!(
            error,
            "take 3 values: the number of an image, below 3, for each text are expected"
        );
        assert!(Groups::of_classes(3, &[0, 3]).is_err());
        let groups = Groups::of_captions(3, &[0, 1]).unwrap();
        groups.check(2, 3).unwrap();
        assert!(groups.check(3, 3).is_err() && groups.check(2, 2).is_err());
    }

    #[test]
    fn a_class_is_asked_for_as_the_paper_does() {
        assert_eq!(class_query("tench"), "the image of tench");
    }
}
