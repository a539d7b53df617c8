//! References that are recognised by their numbers, or as the very file that was published, whatever that is called.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use prismbench_weights::sha256_of_file;
use serde::Deserialize;

/// What every build knows.
const EMBEDDED: &str = include_str!("known_references.toml");
/// A laboratory's own, in the cache folder.
pub(crate) const OWN: &str = "references.toml";

/// Files of a known hash and of no known size are looked for among those of at most so many bytes: moments alone
/// are half of that.
const MOST: u64 = 64 << 20;

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
    /// sha256 of the file as it was published.
    #[serde(default)]
    pub(crate) sha256: Option<String>,
    /// Length of that file.
    #[serde(default)]
    pub(crate) bytes: Option<u64>,
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
        "the list of references `{}` has `{hash}` for `{name}`: a sha256 is 64 hexadecimal digits in lower case",
        path.display()
    )]
    Hash { path: PathBuf, name: String, hash: String },
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
    /// lacks a hash.
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

    /// The reference that was published as this very file. A file is read for that only where its length is that
    /// of one that is known, or small.
    pub(crate) fn find_file(&self, path: &Path) -> Option<&KnownReference> {
        let length = fs::metadata(path).ok()?.len();
        let may_be = |known: &&KnownReference| {
            known.sha256.is_some() && known.bytes.map_or(length <= MOST, |bytes| bytes == length)
        };
        self.0.iter().find(may_be)?;
        let sha256 = sha256_of_file(path).ok()?;
        self.0.iter().filter(may_be).find(|known| known.sha256.as_ref() == Some(&sha256))
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
            for hash in [&one.mu, &one.sha256].into_iter().flatten() {
                let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
                if hash.len() != 64 || !hash.bytes().all(is_digit) {
                    let (name, hash) = (one.name, hash.clone());
                    return Err(ReferenceListError::Hash { path, name, hash });
                }
                let has = |other: &&KnownReference| {
                    let hashes = [&other.mu, &other.sha256];
                    other.name != one.name && hashes.into_iter().flatten().any(|its| its == hash)
                };
                if let Some(other) = self.0.iter().find(has) {
                    let value = format!("{hash} (`{}`, `{}`)", other.name, one.name);
                    return Err(ReferenceListError::Twice { path, what: "hash", value });
                }
            }
            match self.0.iter().position(|known| known.name == one.name) {
                Some(place) if place >= before => {
                    return Err(ReferenceListError::Twice { path, what: "name", value: one.name });
                }
                Some(place) => {
                    let known = &mut self.0[place];
                    let contradicts = |known: &Option<String>, own: &Option<String>| {
                        known.is_some() && own.is_some() && known != own
                    };
                    if contradicts(&known.mu, &one.mu) || contradicts(&known.sha256, &one.sha256) {
                        return Err(ReferenceListError::Contradiction { path, name: one.name });
                    }
                    known.mu = known.mu.take().or(one.mu);
                    known.bytes = known.bytes.or(one.bytes.filter(|_| known.sha256.is_none()));
                    known.sha256 = known.sha256.take().or(one.sha256);
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
            (entry("a", MU) + "sha256 = \"12\"\n", "64 hexadecimal digits"),
            (
                format!("[[reference]]\nname = \"jit-imagenet-256\"\nsha256 = \"{MU}\"\n"),
                "another hash than this build knows",
            ),
        ];
        for (text, expected) in cases {
            let said = own(&text).unwrap_err().to_string();
            assert!(said.contains(OWN) && said.contains(expected), "{said}");
        }
    }

    #[test]
    fn a_file_that_was_published_is_recognised_by_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("of any name");
        fs::write(&file, "moments").unwrap();
        let sha256 = prismbench_weights::sha256(b"moments");
        let with = |bytes: &str| {
            own(&format!("[[reference]]\nname = \"ours\"\nsha256 = \"{sha256}\"\n{bytes}")).unwrap()
        };
        for known in [with(""), with("bytes = 7\n")] {
            assert_eq!(known.find_file(&file).unwrap().name, "ours");
            assert!(known.find_file(&folder.path().join("absent")).is_none());
        }
        assert!(with("bytes = 8\n").find_file(&file).is_none(), "it is not even read");
        fs::write(&file, "momentz").unwrap();
        assert!(with("bytes = 7\n").find_file(&file).is_none());
    }

    #[test]
    fn the_published_files_are_known_by_the_hashes_that_others_verify_them_by() {
        let build = KnownReferences::load(None).unwrap();
        let of = |name: &str| build.iter().find(|known| known.name == name).unwrap();
        for name in ["adm-imagenet-256", "jit-imagenet-256", "jit-imagenet-512"] {
            assert!(of(name).sha256.is_some(), "{name}");
        }
        // 10,000 pictures of 256 x 256 make up most of it.
        assert!((1_966_080_000..2_100_000_000).contains(&of("adm-imagenet-256").bytes.unwrap()));
    }
}
