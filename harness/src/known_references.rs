//! References that are recognised by their numbers, whatever their files are called.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// What every build knows.
const EMBEDDED: &str = include_str!("known_references.toml");
/// A laboratory's own, in the cache folder.
pub(crate) const OWN: &str = "references.toml";

/// Names of references, and the hashes that tell them.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownReferences(Vec<KnownReference>);

/// One that has a name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KnownReference {
    pub(crate) name: String,
    /// sha256 of the means of the pooled features as f64, little-endian; `None` where nobody has said.
    #[serde(default)]
    pub(crate) mu: Option<String>,
    /// What it is of.
    #[serde(default)]
    pub(crate) about: String,
    /// Side of its pictures.
    #[serde(default)]
    pub(crate) size: Option<usize>,
    /// Where it can be had.
    #[serde(default)]
    pub(crate) source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    reference: Vec<KnownReference>,
}

/// Why a list of references cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReferenceListError {
    #[error("cannot read the list of references `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("the list of references `{}` is not as `prismbench list references` says", path.display())]
    Parse {
        path: PathBuf,
        #[source]
        cause: Box<toml::de::Error>,
    },
    #[error(
        "the list of references `{}` has {mu} for `{name}`: a sha256 is 64 hexadecimal digits in lower case",
        path.display()
    )]
    Hash { path: PathBuf, name: String, mu: String },
    #[error("the list of references `{}` gives the {what} `{value}` twice", path.display())]
    Twice { path: PathBuf, what: &'static str, value: String },
    #[error(
        "the list of references `{}` gives `{name}` another hash than this build knows it by: choose \
         another name",
        path.display()
    )]
    Contradiction { path: PathBuf, name: String },
}

impl KnownReferences {
    /// Those of this build, and those that the cache folder names. An own entry completes one of this build that
    /// has no hash.
    pub(crate) fn load(cache: Option<&Path>) -> Result<Self, ReferenceListError> {
        let mut all = Self::default();
        all.add(EMBEDDED, Path::new("known_references.toml"))?;
        let Some(path) = cache.map(|folder| folder.join(OWN)) else { return Ok(all) };
        match fs::read_to_string(&path) {
            Ok(text) => all.add(&text, &path)?,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(ReferenceListError::Read { path, cause }),
        }
        Ok(all)
    }

    /// The reference whose means have this hash.
    pub(crate) fn find(&self, fingerprint: &str) -> Option<&KnownReference> {
        self.0.iter().find(|known| known.mu.as_deref() == Some(fingerprint))
    }

    /// All, those of this build first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &KnownReference> {
        self.0.iter()
    }

    fn add(&mut self, text: &str, path: &Path) -> Result<(), ReferenceListError> {
        let path = path.to_owned();
        let list: List = match toml::from_str(text) {
            Ok(list) => list,
            Err(cause) => return Err(ReferenceListError::Parse { path, cause: Box::new(cause) }),
        };
        let before = self.0.len();
        for one in list.reference {
            if let Some(mu) = &one.mu {
                let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
                if mu.len() != 64 || !mu.bytes().all(is_digit) {
                    let (name, mu) = (one.name, format!("`{mu}`"));
                    return Err(ReferenceListError::Hash { path, name, mu });
                }
                if let Some(other) = self.find(mu).filter(|other| other.name != one.name) {
                    let value = format!("{mu} (`{}`, `{}`)", other.name, one.name);
                    return Err(ReferenceListError::Twice { path, what: "hash", value });
                }
            }
            match self.0.iter().position(|known| known.name == one.name) {
                Some(place) if place >= before => {
                    return Err(ReferenceListError::Twice { path, what: "name", value: one.name });
                }
                Some(place) => {
                    let known = &mut self.0[place];
                    if known.mu.is_some() && known.mu != one.mu {
                        return Err(ReferenceListError::Contradiction { path, name: one.name });
                    }
                    known.mu = one.mu;
                }
                None => self.0.push(one),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MU: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn own(text: &str) -> Result<KnownReferences, ReferenceListError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(OWN), text).unwrap();
        KnownReferences::load(Some(folder.path()))
    }

    #[test]
    fn a_laboratory_names_its_own_and_completes_what_has_no_hash() {
        let folder = tempfile::tempdir().unwrap();
        let build = KnownReferences::load(Some(folder.path())).unwrap();
        assert!(build.iter().any(|known| known.name == "adm-imagenet-256"));
        assert!(build.find(MU).is_none());
        let both = own(&format!(
            "[[reference]]\nname = \"cats\"\nmu = \"{MU}\"\n\n[[reference]]\nname = \"adm-imagenet-256\"\nmu = \"{}\"\n",
            MU.replace("00", "ab")
        ))
        .unwrap();
        assert_eq!(both.find(MU).unwrap().name, "cats");
        let adm = both.find(&MU.replace("00", "ab")).unwrap();
        assert_eq!(
            (adm.name.as_str(), adm.size),
            ("adm-imagenet-256", Some(256)),
            "what is known of it stays"
        );
        assert_eq!(both.iter().count(), build.iter().count() + 1);
        assert!(both.find(&MU.replace('0', "1")).is_none());
    }

    #[test]
    fn lists_that_are_wrong_are_told_with_their_file() {
        let entry =
            |name: &str, mu: &str| format!("[[reference]]\nname = \"{name}\"\nmu = \"{mu}\"\n");
        let cases = [
            ("[[reference]]\nname = 3\n".to_owned(), "is not as"),
            ("[[reference]]\nnames = \"a\"\n".to_owned(), "is not as"),
            (entry("a", "12"), "64 hexadecimal digits"),
            (entry("a", &MU.to_uppercase()), "64 hexadecimal digits"),
            (entry("a", MU) + &entry("a", &MU.replace('0', "1")), "gives the name `a` twice"),
            (entry("a", MU) + &entry("b", MU), "gives the hash"),
        ];
        for (text, expected) in cases {
            let said = own(&text).unwrap_err().to_string();
            assert!(said.contains(OWN) && said.contains(expected), "{said}");
        }
    }
}
