use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::{DataError, DataSpec, Dataset};

mod matched;

pub use matched::Splits;

/// A part of a set that its makers have named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Split {
    /// What is learnt from.
    Train,
    /// What choices are made on.
    Validation,
    /// What is measured on.
    Test,
}

impl Split {
    /// Every split, in the order of the enum.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The words that name it in paths and specs; the first one is ours.
    pub(super) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Train => &["train"],
            Self::Validation => &["val", "validation", "valid"],
            Self::Test => &["test"],
        }
    }

    /// The split that a word names, in any case.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        let names = |split: &Self| split.words().iter().any(|name| name.eq_ignore_ascii_case(word));
        Self::ALL.into_iter().find(names)
    }

    /// The split in the name of a file, as the Hugging Face hub finds it: the one of its words, between
    /// characters that are neither letters nor digits, that names a split.
    pub(super) fn of_file(stem: &str) -> Option<Self> {
        stem.split(|c: char| !c.is_alphanumeric()).find_map(Self::of_word)
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words()[0])
    }
}

/// A training and a test set: `train=DATA,test=DATA`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitSpec {
    /// What is fitted on.
    pub train: DataSpec,
    /// What is measured on.
    pub test: DataSpec,
}

impl SplitSpec {
    /// The splits that one set brings along: its test split, or where it has none the validation split
    /// (which ImageNet measures on).
    ///
    /// # Errors
    /// [`DataError::Unsplittable`] when there is no such pair, and what looking at the set can give.
    pub fn of(spec: &DataSpec) -> Result<Self, DataError> {
        let found = spec.splits()?;
        let has = |split: &Split| found.contains(split);
        let test = [Split::Test, Split::Validation].into_iter().find(has);
        let pair = test.filter(|_| has(&Split::Train)).and_then(|test| {
            Some(Self { train: spec.with_split(Split::Train)?, test: spec.with_split(test)? })
        });
        pair.ok_or_else(|| DataError::Unsplittable { id: spec.to_string(), found })
    }

    /// The same pair with its paths taken from `folder` where they are relative.
    #[must_use]
    pub fn beside(self, folder: &Path) -> Self {
        Self { train: self.train.beside(folder), test: self.test.beside(folder) }
    }

    /// Opens both sets by `open` and matches their labels; see [`Splits::matched`].
    ///
    /// # Errors
    /// [`DataError::SameSplit`], what `open` gives, and what matching gives.
    pub fn open(
        &self,
        open: impl Fn(&DataSpec) -> Result<Box<dyn Dataset>, DataError>,
    ) -> Result<Splits, DataError> {
        if self.train == self.test {
            return Err(DataError::SameSplit { id: self.train.to_string() });
        }
        Splits::matched(open(&self.train)?, open(&self.test)?)
    }
}

impl FromStr for SplitSpec {
    type Err = DataError;

    /// `train=DATA,test=DATA` in either order; a path may hold commas, but not `,test=`.
    fn from_str(text: &str) -> Result<Self, DataError> {
        let ordered = |first: &str, second: &str| {
            let rest = text.strip_prefix(first)?.strip_prefix('=')?;
            rest.split_once(&format!(",{second}="))
        };
        let (train, test) = ordered("train", "test")
            .or_else(|| ordered("test", "train").map(|(test, train)| (train, test)))
            .filter(|(train, test)| !train.is_empty() && !test.is_empty())
            .ok_or_else(|| DataError::BadSpec {
                found: text.to_owned(),
                expected: "`train=DATA,test=DATA`",
            })?;
        Ok(Self { train: train.parse()?, test: test.parse()? })
    }
}

impl fmt::Display for SplitSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "train={},test={}", self.train, self.test)
    }
}

#[cfg(test)]
mod tests;
