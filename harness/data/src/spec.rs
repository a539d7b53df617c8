use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::folder::Folder;
use super::npz::Npz;
use super::{DataError, Dataset, Synthetic};

/// What `--data` takes: a path, or `synthetic:SEED:N`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataSpec {
    /// A folder of pictures, one picture, or an `.npz`.
    Path(PathBuf),
    /// Procedural scenes.
    Synthetic {
        /// Seed of the set.
        seed: u64,
        /// Pictures in the set; at least 1.
        count: u64,
    },
}

impl FromStr for DataSpec {
    type Err = DataError;

    /// Anything that does not begin with `synthetic:` is a path; `./synthetic:x` is one, too.
    fn from_str(text: &str) -> Result<Self, DataError> {
        let Some(numbers) = text.strip_prefix("synthetic:") else {
            return Ok(Self::Path(PathBuf::from(text)));
        };
        numbers
            .split_once(':')
            .and_then(|(seed, count)| Some((seed.parse().ok()?, count.parse().ok()?)))
            .filter(|&(_, count)| count > 0)
            .map(|(seed, count)| Self::Synthetic { seed, count })
            .ok_or_else(|| DataError::BadSpec { found: text.to_owned() })
    }
}

impl fmt::Display for DataSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Synthetic { seed, count } => write!(f, "synthetic:{seed}:{count}"),
        }
    }
}

/// Opens a data set: lists a folder, or checks the headers of an `.npz`. No picture is decoded yet.
///
/// # Errors
/// A [`DataError`] that is not [`DataError::is_sample`]: the set as a whole cannot be read.
pub fn open(spec: &DataSpec) -> Result<Box<dyn Dataset>, DataError> {
    let path = match spec {
        DataSpec::Synthetic { seed, count: 0 } => {
            return Err(DataError::BadSpec { found: format!("synthetic:{seed}:0") });
        }
        DataSpec::Synthetic { seed, count } => return Ok(Box::new(Synthetic::new(*seed, *count))),
        DataSpec::Path(path) => path,
    };
    let facts = std::fs::metadata(path).map_err(|cause| DataError::io(path, cause))?;
    let is_npz = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz"));
    if facts.is_dir() {
        Ok(Box::new(Folder::open(path)?))
    } else if is_npz {
        Ok(Box::new(Npz::open(path)?))
    } else {
        Ok(Box::new(Folder::of_one(path)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_synthetic_set_prints_as_it_is_written_and_the_rest_is_a_path() {
        for text in ["synthetic:7:64", "synthetic:0:1", "pictures/val", "./synthetic:x", "a.npz"] {
            let spec: DataSpec = text.parse().unwrap();
            assert_eq!(spec.to_string(), text);
            assert_eq!(matches!(spec, DataSpec::Path(_)), !text.starts_with("synthetic:"));
        }
    }

    #[test]
    fn half_a_synthetic_set_is_an_error_that_shows_a_whole_one() {
        for text in ["synthetic:", "synthetic:7", "synthetic:7:", "synthetic:x:4", "synthetic:1:0"]
        {
            let error = text.parse::<DataSpec>().unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("synthetic:7:64"), "{error}");
        }
    }

    #[test]
    fn a_path_without_anything_is_named() {
        let error = open(&DataSpec::Path("no/such/folder".into())).err().unwrap();
        assert_eq!(error.to_string(), "there is nothing at `no/such/folder`");
        assert!(!error.is_sample());
    }
}
