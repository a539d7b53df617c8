use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use prismbench_core::nearest;
use serde::{Deserialize, Serialize};

use crate::{Hub, Model, Needs, OpenError, exec, registry};

/// What `--tokenizer` takes: `ID[:OPTION[:OPTION]]`, `ID[@REVISION]` or `ID=PATH` of a model,
/// `exec:COMMAND` or `recon:PATH`.
///
/// Everything behind `exec:` and `recon:` is the command or the path, `:`, `@` and `=` among it.
///
/// Parsing checks the whole syntax and fills in the defaults, so that `jpeg` and `jpeg:75` are one
/// reference; it opens no file. Serialises as its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenizerRef {
    /// The canonical id, without the path of the weights: `jpeg:75`.
    pub id: String,
    /// The file or folder of weights; without it a model's are looked for in the hub's cache.
    pub weights: Option<PathBuf>,
}

/// Which tokenizer, with every option.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Identity,
    Resample { factor: Factor },
    Jpeg { quality: u8 },
    Dct { kept: usize },
    Pca { factor: Factor, components: usize },
    Exec { command: String },
    Recon { path: PathBuf },
    Model(&'static Model),
}

/// Families whose option is one text of any characters.
const VERBATIM: [&str; 2] = ["exec:", "recon:"];

/// How many pixels of a row share one latent position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Factor {
    F8,
    F16,
}

impl TokenizerRef {
    /// The model that it names, if it is one.
    #[must_use]
    pub fn model(&self) -> Option<&'static Model> {
        match self.kind() {
            Ok(Kind::Model(model)) => Some(model),
            _ => None,
        }
    }

    /// Branch, tag or commit of a model's repositories, where one is given: `sd-vae@main`.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        let (name, revision) = self.id.split_once('@')?;
        (!is_verbatim(name)).then_some(revision)
    }

    /// The files that decide what it makes, as far as they are known without opening any: what the user
    /// named, a model's in the hub's cache, a program and those of its arguments that are files. Folders
    /// stand for everything in them.
    #[must_use]
    pub fn files(&self, hub: &Hub) -> Vec<PathBuf> {
        if let Some(path) = &self.weights {
            return vec![path.clone()];
        }
        match self.kind() {
            Ok(Kind::Recon { path }) => vec![path],
            Ok(Kind::Exec { command }) => exec::files(&command),
            Ok(Kind::Model(model)) => {
                let files = model.parts.iter().flat_map(|part| part.files);
                files.filter_map(|file| hub.find(file, self.revision())).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The same with its path, where it has one, as one that starts in `folder`. A program's command
    /// stays as it is.
    #[must_use]
    pub fn beside(mut self, folder: &Path) -> Self {
        if let Some(path) = self.id.strip_prefix("recon:") {
            self.id = format!("recon:{}", folder.join(path).display());
        }
        self.weights = self.weights.map(|path| folder.join(path));
        self
    }

    /// Whether there is a revision, no path, and the revision may become part of a path and of an
    /// address.
    fn has_usable_revision(&self) -> bool {
        self.weights.is_none() && self.revision().is_some_and(is_usable_revision)
    }

    /// What the reference names, once its syntax holds.
    pub(crate) fn kind(&self) -> Result<Kind, OpenError> {
        let (name, rest) = match self.id.split_once(':') {
            Some((name, rest)) => (name, Some(rest)),
            None => (self.id.as_str(), None),
        };
        let family = name.split('@').next().unwrap_or_default();
        let options: Vec<&str> = match rest {
            Some(text) if is_verbatim(&self.id) => vec![text.trim()],
            rest => rest.into_iter().flat_map(|rest| rest.split(':')).collect(),
        };
        let Some(entry) = registry().iter().find(|entry| entry.family == family) else {
            return Err(OpenError::UnknownTokenizer {
                found: family.to_owned(),
                nearest: nearest(family, registry().iter().map(|entry| entry.family)),
            });
        };
        let path_fits = match (entry.needs, &self.weights) {
            (_, None) => true,
            (Needs::Weights, Some(path)) => !path.as_os_str().is_empty(),
            (_, Some(_)) => false,
        };
        let kind = match entry.model {
            Some(model) => {
                let fits = options.is_empty() && (name == family || self.has_usable_revision());
                fits.then_some(Kind::Model(model))
            }
            None => Kind::parse(name, &options),
        };
        kind.filter(|_| path_fits).ok_or_else(|| {
            let expected = match entry.options {
                "" => format!("`{}`", entry.syntax),
                options => format!("`{}`, {options}", entry.syntax),
            };
            OpenError::BadOption { reference: self.to_string(), expected }
        })
    }
}

impl Factor {
    /// Pixels along a side.
    pub(crate) fn side(self) -> usize {
        match self {
            Self::F8 => 8,
            Self::F16 => 16,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "f8" => Some(Self::F8),
            "f16" => Some(Self::F16),
            _ => None,
        }
    }
}

impl Kind {
    /// `None` when the options do not fit the family.
    fn parse(family: &str, options: &[&str]) -> Option<Self> {
        Some(match (family, options) {
            ("identity", []) => Self::Identity,
            ("resample", []) => Self::Resample { factor: Factor::F8 },
            ("resample", [factor]) => Self::Resample { factor: Factor::parse(factor)? },
            ("jpeg", []) => Self::Jpeg { quality: 75 },
            ("jpeg", [quality]) => Self::Jpeg { quality: number(quality, 100)? as u8 },
            ("dct", []) => Self::Dct { kept: 16 },
            ("dct", [kept]) => Self::Dct { kept: number(kept, 64)? },
            ("pca", []) => Self::Pca { factor: Factor::F8, components: 16 },
            ("pca", [factor]) => Self::Pca { factor: Factor::parse(factor)?, components: 16 },
            ("pca", [factor, components]) => {
                let factor = Factor::parse(factor)?;
                let components = number(components, 3 * factor.side() * factor.side())?;
                Self::Pca { factor, components }
            }
            ("exec", [command]) => {
                exec::words(command)?;
                Self::Exec { command: (*command).to_owned() }
            }
            ("recon", [path]) if !path.is_empty() => Self::Recon { path: PathBuf::from(path) },
            _ => return None,
        })
    }
}

/// Whether a revision may become part of a path and of an address.
pub(crate) fn is_usable_revision(revision: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let is_name = !revision.is_empty() && revision.chars().all(fits);
    is_name && !revision.starts_with('.')
}

fn is_verbatim(text: &str) -> bool {
    VERBATIM.iter().any(|prefix| text.starts_with(prefix))
}

/// A whole number from 1 to `largest`.
fn number(text: &str, largest: usize) -> Option<usize> {
    text.parse().ok().filter(|number| (1..=largest).contains(number))
}

impl FromStr for TokenizerRef {
    type Err = OpenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, weights) = match text.split_once('=') {
            Some((id, path)) if !is_verbatim(text) => (id, Some(PathBuf::from(path))),
            _ => (text, None),
        };
        let mut reference = Self { id: id.to_owned(), weights };
        reference.id = match reference.kind()? {
            Kind::Model(_) => reference.id,
            kind => kind.to_string(),
        };
        Ok(reference)
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "f{}", self.side())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity => f.write_str("identity"),
            Self::Resample { factor } => write!(f, "resample:{factor}"),
            Self::Jpeg { quality } => write!(f, "jpeg:{quality}"),
            Self::Dct { kept } => write!(f, "dct:{kept}"),
            Self::Pca { factor, components } => write!(f, "pca:{factor}:{components}"),
            Self::Exec { command } => write!(f, "exec:{command}"),
            Self::Recon { path } => write!(f, "recon:{}", path.display()),
            Self::Model(model) => f.write_str(model.id),
        }
    }
}

impl fmt::Display for TokenizerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.weights {
            Some(path) => write!(f, "{}={}", self.id, path.display()),
            None => f.write_str(&self.id),
        }
    }
}

impl TryFrom<String> for TokenizerRef {
    type Error = OpenError;

    fn try_from(text: String) -> Result<Self, OpenError> {
        text.parse()
    }
}

impl From<TokenizerRef> for String {
    fn from(reference: TokenizerRef) -> Self {
        reference.to_string()
    }
}

#[cfg(test)]
mod tests;
