use std::collections::HashMap;
use std::ops::Range;

use super::Split;
use crate::{DataError, Dataset, FileState, Pending, Samples};

/// A training and a test set whose labels mean the same classes.
pub struct Splits {
    /// What is fitted on.
    pub train: Box<dyn Dataset>,
    /// What is measured on; its labels are those of [`train`](Self::train).
    pub test: Box<dyn Dataset>,
}

impl Splits {
    /// Gives the test set the labels that the training set has for classes of equal name.
    ///
    /// The numbers of `ImageFolder` are places in a list of folders, which a folder more or less moves.
    /// Where neither set names its classes, labels are taken as they are.
    ///
    /// # Errors
    /// [`DataError::Class`] when one set has a class that the other lacks, [`DataError::ClassNames`] when
    /// only one of them names its classes.
    pub fn matched(train: Box<dyn Dataset>, test: Box<dyn Dataset>) -> Result<Self, DataError> {
        let (ours, theirs) = (train.classes(), test.classes());
        if ours.is_empty() != theirs.is_empty() {
            let (named, unnamed) = if ours.is_empty() { (&test, &train) } else { (&train, &test) };
            let (named, unnamed) = (named.id().to_owned(), unnamed.id().to_owned());
            return Err(DataError::ClassNames { named, unnamed });
        }
        let labels: HashMap<&str, u32> = ours.iter().map(String::as_str).zip(0..).collect();
        let lacking = |class: &String, has: Split, lacks: Split| DataError::Class {
            class: class.clone(),
            has,
            lacks,
        };
        let map = theirs
            .iter()
            .map(|class| labels.get(class.as_str()).copied().ok_or(class))
            .collect::<Result<Vec<u32>, _>>()
            .map_err(|class| lacking(class, Split::Test, Split::Train))?;
        if let Some(class) = ours.iter().find(|class| !theirs.contains(class)) {
            return Err(lacking(class, Split::Train, Split::Test));
        }
        if map.iter().copied().eq(0..map.len() as u32) {
            return Ok(Self { train, test });
        }
        let classes = ours.to_vec();
        Ok(Self { train, test: Box::new(Relabelled { set: test, map, classes }) })
    }
}

impl std::fmt::Debug for Splits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (train, test) = (self.train.id(), self.test.id());
        f.debug_struct("Splits").field("train", &train).field("test", &test).finish()
    }
}

/// A set under the labels of another one.
struct Relabelled {
    set: Box<dyn Dataset>,
    /// The new label for each of its own.
    map: Vec<u32>,
    classes: Vec<String>,
}

impl Dataset for Relabelled {
    fn id(&self) -> &str {
        self.set.id()
    }

    fn len(&self) -> u64 {
        self.set.len()
    }

    fn name(&self, index: u64) -> Option<&str> {
        self.set.name(index)
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn file_state(&self) -> FileState {
        self.set.file_state()
    }

    fn samples(&self, range: Range<u64>) -> Result<Samples<'_>, DataError> {
        let samples = self.set.samples(range)?;
        Ok(Box::new(samples.map(move |pending| {
            let pending = pending?;
            Ok(Pending::new(pending.index, pending.id.clone(), move || {
                let mut sample = pending.load()?;
                // A label without a name cannot be: sets check theirs against the names.
                sample.label = sample.label.and_then(|label| self.map.get(label as usize).copied());
                Ok(sample)
            }))
        })))
    }
}
