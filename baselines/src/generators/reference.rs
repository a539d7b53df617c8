use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use prismbench_core::nearest;
use serde::{Deserialize, Serialize};

use super::entry::generators;
use super::models::{ROWS, Row};
use crate::reference::is_usable_revision;
use crate::{Model, OpenError};

/// What names a generator: `ID[@REVISION]` or `ID=PATH`.
///
/// Parsing checks the whole syntax and opens no file. Serialises as its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GeneratorRef {
    /// The id with its revision, without the path of the weights: `ditdh-xl`.
    pub id: String,
    /// The file or folder of weights; without it they are looked for in the hub's cache.
    pub weights: Option<PathBuf>,
}

impl GeneratorRef {
    /// Where its weights are published, and its size; `None` where its file says.
    #[must_use]
    pub fn model(&self) -> Option<&'static Model> {
        let row = self.row().ok()?;
        row.config.is_some().then_some(&row.model)
    }

    /// Branch, tag or commit of its repository, where one is given: `ditdh-xl@main`.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        self.id.split_once('@').map(|(_, revision)| revision)
    }

    /// The same with its path, where it has one, as one that starts in `folder`.
    #[must_use]
    pub fn beside(mut self, folder: &Path) -> Self {
        self.weights = self.weights.map(|path| folder.join(path));
        self
    }

    /// What the reference names, once its syntax holds.
    pub(super) fn row(&self) -> Result<&'static Row, OpenError> {
        let family = self.id.split('@').next().unwrap_or_default();
        let Some(row) = ROWS.iter().find(|row| row.model.id == family) else {
            return Err(OpenError::UnknownGenerator {
                found: family.to_owned(),
                nearest: nearest(family, ROWS.iter().map(|row| row.model.id)),
            });
        };
        let fits = match (self.revision(), &self.weights) {
            (None, None) => true,
            (None, Some(path)) => !path.as_os_str().is_empty(),
            (Some(revision), None) => row.model.is_on_hub() && is_usable_revision(revision),
            (Some(_), Some(_)) => false,
        };
        if fits {
            return Ok(row);
        }
        let entry = generators().iter().find(|entry| entry.family == family);
        let expected = entry.map(|entry| format!("`{}`, {}", entry.syntax, entry.options));
        let (reference, expected) = (self.to_string(), expected.unwrap_or_default());
        Err(OpenError::BadGenerator { reference, expected })
    }
}

impl FromStr for GeneratorRef {
    type Err = OpenError;

    fn from_str(text: &str) -> Result<Self, OpenError> {
        let (id, weights) = match text.split_once('=') {
            Some((id, path)) => (id, Some(PathBuf::from(path))),
            None => (text, None),
        };
        let reference = Self { id: id.to_owned(), weights };
        reference.row()?;
        Ok(reference)
    }
}

impl fmt::Display for GeneratorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.weights {
            Some(path) => write!(f, "{}={}", self.id, path.display()),
            None => f.write_str(&self.id),
        }
    }
}

impl TryFrom<String> for GeneratorRef {
    type Error = OpenError;

    fn try_from(text: String) -> Result<Self, OpenError> {
        text.parse()
    }
}

impl From<GeneratorRef> for String {
    fn from(reference: GeneratorRef) -> Self {
        reference.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_print_as_they_parse() {
        for text in ["ditdh-xl", "ditdh-s@v1.0", "uae-ditdh-xl=a/stage_2.pt", "lightningdit=x=y@z"]
        {
            let reference: GeneratorRef = text.parse().unwrap();
            assert_eq!(reference.to_string(), text);
            let json = serde_json::to_string(&reference).unwrap();
            assert_eq!(serde_json::from_str::<GeneratorRef>(&json).unwrap(), reference);
        }
        let reference: GeneratorRef = "ditdh=a".parse().unwrap();
        assert_eq!(reference.beside(Path::new("b")).to_string(), "ditdh=b/a");
    }

    #[test]
    fn other_references_are_answered_with_what_would_be_right() {
        let error = |text: &str| text.parse::<GeneratorRef>().unwrap_err().to_string();
        assert_eq!(error("ditdh-xxl"), "unknown generator `ditdh-xxl`; did you mean `ditdh-xl`?");
        for text in ["ditdh-xl@", "ditdh-xl@../x", "ditdh-xl@main=x", "ditdh-xl="] {
            assert!(error(text).contains("expected `ditdh-xl[@REVISION] or"), "{}", error(text));
        }
        assert!(error("lightningdit-s@main").contains("expected `lightningdit-s=PATH`"));
    }
}
