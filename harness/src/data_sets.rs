//! Data sets of every kind: the one place where Parquet meets the others, and pairs of sets meet single
//! ones.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use prismbench_data::{DataError, DataSpec, Dataset, Limits, SplitSpec, Splits, open_within};
use prismbench_suites::Learns;

/// What `--data` names: pictures, or pictures to learn from and others to measure on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DataChoice {
    /// One set.
    One(DataSpec),
    /// `train=DATA,test=DATA`.
    Pair(SplitSpec),
}

/// A choice that is open.
pub(crate) struct DataSets {
    /// What is measured on.
    pub(crate) measured: Box<dyn Dataset>,
    /// What is learnt from; `None` where it has to be a part of the same set.
    pub(crate) training: Option<Box<dyn Dataset>>,
}

/// Opens a data set, be it Parquet or not.
pub(crate) fn open(spec: &DataSpec, limits: Limits) -> Result<Box<dyn Dataset>, DataError> {
    open_within(spec, prismbench_parquet::open, limits)
}

fn one(spec: &DataSpec, limits: Limits) -> Result<DataSets, DataError> {
    Ok(DataSets { measured: open(spec, limits)?, training: None })
}

impl DataChoice {
    /// Opens the sets; a single one in its own splits where something is learnt and it has them.
    pub(crate) fn open(&self, learns: Learns, limits: Limits) -> Result<DataSets, DataError> {
        let pair = match self {
            Self::Pair(pair) => pair.clone(),
            Self::One(spec) if learns == Learns::Nothing => return one(spec, limits),
            Self::One(spec) => match SplitSpec::of(spec) {
                Ok(pair) => pair,
                Err(DataError::Unsplittable { .. }) => return one(spec, limits),
                Err(error) => return Err(error),
            },
        };
        let Splits { train, test } = pair.open(|spec| open(spec, limits))?;
        Ok(DataSets { measured: test, training: Some(train) })
    }

    /// The same, with relative paths beginning at a folder.
    pub(crate) fn beside(self, folder: &Path) -> Self {
        match self {
            Self::One(spec) => Self::One(spec.beside(folder)),
            Self::Pair(SplitSpec { train, test }) => {
                Self::Pair(SplitSpec { train: train.beside(folder), test: test.beside(folder) })
            }
        }
    }
}

impl FromStr for DataChoice {
    type Err = DataError;

    /// A pair begins with `train=` or `test=`; a path like that is written `./train=...`.
    fn from_str(text: &str) -> Result<Self, DataError> {
        if text.starts_with("train=") || text.starts_with("test=") {
            text.parse().map(Self::Pair)
        } else {
            text.parse().map(Self::One)
        }
    }
}

impl fmt::Display for DataChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(spec) => spec.fmt(f),
            Self::Pair(pair) => pair.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_print_as_they_parse() {
        for text in ["synthetic:7:64", "train=a,test=b/c", "./train=x"] {
            assert_eq!(text.parse::<DataChoice>().unwrap().to_string(), text);
        }
        let pair: DataChoice = "train=a,test=synthetic:7:64".parse().unwrap();
        let moved = pair.beside(Path::new("plans"));
        assert_eq!(moved.to_string(), "train=plans/a,test=synthetic:7:64");
        assert!("train=a".parse::<DataChoice>().is_err());
    }
}
