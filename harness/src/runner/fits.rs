//! What tokenizers have learnt from pictures, kept beside the journals: a run that goes on does not learn it
//! again, and a merge takes it from the shards.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use prismbench_core::hexadecimal;
use prismbench_suites::{Journals, Pictures};
use sha2::{Digest as _, Sha256};

use crate::error::Failure;
use crate::run_folder::replace;

const FORMAT: &str = "prismbench-fit-2";
/// Among the folders of the passes.
const FOLDER: &str = "fits";
/// Longest file that is read.
const MOST: u64 = 1 << 28;
/// What holds on one machine only: a merge may be on another.
const LOCAL: &str = "pictures' files";

/// A file's first line: its form, what the fit is of, how many pictures it has seen and the position behind them, the
/// seconds that it took, and the sha256 of these two numbers and what follows.
type Head = (String, BTreeMap<String, String>, [u64; 2], f64, String);

/// What a fit has learnt, or what it knows midway.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Learnt {
    pub(super) bytes: Vec<u8>,
    /// Pictures that it has seen.
    pub(super) seen: u64,
    /// The position behind them.
    pub(super) next: u64,
    /// How long that took.
    pub(super) took: Duration,
}

/// How far a fit is that a file is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It has seen some of its pictures.
    Midway,
    /// It has seen all of them.
    Done,
}

impl Stage {
    fn extension(self) -> &'static str {
        match self {
            Self::Midway => "midway",
            Self::Done => "learnt",
        }
    }
}

/// Where what a fit learns is kept.
pub(super) struct KeptFit<'a> {
    journals: &'a Journals,
    origin: BTreeMap<String, String>,
}

impl<'a> KeptFit<'a> {
    pub(super) fn new(journals: &'a Journals, tokenizer: &str, pictures: &Pictures<'_>) -> Self {
        let fields = [
            ("tokenizer", tokenizer.to_owned()),
            ("pictures", pictures.dataset.id().to_owned()),
            ("part", pictures.part.name().to_owned()),
            ("number of pictures", pictures.count().to_string()),
            ("protocol", pictures.protocol.canonical()),
            ("bad pictures", format!("{:?}", pictures.on_bad)),
            ("tool", env!("CARGO_PKG_VERSION").to_owned()),
            // Fits are of baselines: a second look at what they learnt from would take as long as they do.
            (LOCAL, pictures.dataset.file_state().written),
        ];
        let origin = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { journals, origin }
    }

    /// What an earlier process has learnt of the same pictures; `None` where none has.
    ///
    /// # Errors
    /// Why what is there does not serve.
    pub(super) fn find(&self, stage: Stage) -> Result<Option<Learnt>, String> {
        let mut found = Ok(None);
        for path in self.places(stage) {
            found = match fs::metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => found,
                Err(error) => Err(error.to_string()),
                Ok(facts) if facts.len() > MOST => Err("its file is too long".to_owned()),
                Ok(_) => self.read(&path).map(Some),
            };
            if matches!(found, Ok(Some(_))) {
                break;
            }
        }
        found
    }

    fn read(&self, path: &Path) -> Result<Learnt, String> {
        let damaged = || "its file is damaged".to_owned();
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        let end = bytes.iter().position(|&byte| byte == b'\n').ok_or_else(damaged)?;
        let (head, bytes) = (&bytes[..end], &bytes[end + 1..]);
        let (format, origin, [seen, next], seconds, sha256): Head =
            serde_json::from_slice(head).map_err(|_| damaged())?;
        let took = Duration::try_from_secs_f64(seconds).map_err(|_| damaged())?;
        if format != FORMAT || sha256 != digest([seen, next], bytes) {
            return Err(damaged());
        }
        let local = |field: &&String| self.journals.is_merge() && *field == LOCAL;
        let mut fields = self.origin.keys().chain(origin.keys()).filter(|field| !local(field));
        match fields.find(|&field| origin.get(field) != self.origin.get(field)) {
            Some(field) => Err(format!("{field} changed")),
            None => Ok(Learnt { bytes: bytes.to_vec(), seen, next, took }),
        }
    }

    /// Whether anything is kept: a merge has no folder of its own for that.
    pub(super) fn keeps(&self) -> bool {
        !self.journals.is_merge() && !self.places(Stage::Done).is_empty()
    }

    /// Keeps what was learnt for the next process. What there was of the fit midway goes when all is learnt.
    pub(super) fn keep(&self, stage: Stage, learnt: &Learnt) -> Result<(), Failure> {
        if !self.keeps() {
            return Ok(());
        }
        let Some(path) = self.places(stage).into_iter().next() else { return Ok(()) };
        let at = |source| Failure::Write { path: path.clone(), source };
        let place = [learnt.seen, learnt.next];
        let sha256 = digest(place, &learnt.bytes);
        let head = (FORMAT, &self.origin, place, learnt.took.as_secs_f64(), sha256);
        let mut bytes = serde_json::to_vec(&head).map_err(io::Error::from).map_err(at)?;
        bytes.push(b'\n');
        bytes.extend_from_slice(&learnt.bytes);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(at)?;
        replace(&path, &bytes).map_err(at)?;
        if stage == Stage::Done {
            // Of no use any more, and gone with the folder when the run is whole.
            let _ = fs::remove_file(path.with_extension(Stage::Midway.extension()));
        }
        Ok(())
    }

    /// The files that may hold it.
    fn places(&self, stage: Stage) -> Vec<PathBuf> {
        let folders = match self.journals {
            Journals::Temporary => &[][..],
            Journals::Folder(folder) | Journals::Shard { folder, .. } => {
                std::slice::from_ref(folder)
            }
            Journals::Merged(folders) => folders,
        };
        let mut hash = Sha256::new();
        for field in ["tokenizer", "pictures", "part", "protocol"] {
            hash.update(self.origin.get(field).map_or("", String::as_str));
            hash.update(b"\n");
        }
        let key = hexadecimal(&hash.finalize()[..8]);
        let name = format!("{key}.{}", stage.extension());
        folders.iter().map(|folder| folder.join(FOLDER).join(&name)).collect()
    }
}

fn digest(place: [u64; 2], bytes: &[u8]) -> String {
    prismbench_weights::sha256(&[place.map(u64::to_le_bytes).as_flattened(), bytes].concat())
}

#[cfg(test)]
mod tests {
    use prismbench_core::Protocol;
    use prismbench_data::Synthetic;
    use prismbench_suites::{OnBad, Part};

    use super::*;

    #[test]
    fn what_was_learnt_comes_back_whole_or_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let (set, protocol) = (Synthetic::new(3, 40), Protocol::preset("default").unwrap());
        let pictures = |limit| {
            let (dataset, part, on_bad) = (&set, Part::Train, OnBad::Stop);
            Pictures { dataset, part, limit, protocol: &protocol, on_bad }
        };
        let journals = Journals::Folder(folder.path().to_owned());
        let kept = |limit| KeptFit::new(&journals, "pca:f8:7", &pictures(limit));
        assert_eq!(kept(None).find(Stage::Done), Ok(None));
        let some =
            Learnt { bytes: b"sums".to_vec(), seen: 2, next: 7, took: Duration::from_secs(1) };
        kept(None).keep(Stage::Midway, &some).unwrap();
        assert_eq!(kept(None).find(Stage::Done), Ok(None));
        assert_eq!(kept(None).find(Stage::Midway).unwrap(), Some(some));
        let learnt = Learnt {
            bytes: b"numbers\nand more".to_vec(),
            seen: 10,
            next: 40,
            took: Duration::from_millis(1500),
        };
        kept(None).keep(Stage::Done, &learnt).unwrap();
        assert_eq!(kept(None).find(Stage::Midway), Ok(None), "nobody needs it any more");
        let merged = [folder.path().join("nothing"), folder.path().to_owned()];
        let merged = Journals::Merged(merged.to_vec());
        let of_merge = KeptFit::new(&merged, "pca:f8:7", &pictures(None));
        assert_eq!(of_merge.find(Stage::Done).unwrap().as_ref(), Some(&learnt));
        assert_eq!(kept(Some(8)).find(Stage::Done), Err("number of pictures changed".to_owned()));
        assert_eq!(
            KeptFit::new(&journals, "pca:f8:8", &pictures(None)).find(Stage::Done),
            Ok(None)
        );
        let file = kept(None).places(Stage::Done)[0].clone();
        let whole = fs::read(&file).unwrap();
        for (at, byte) in whole.iter().enumerate() {
            let mut changed = whole.clone();
            changed[at] = byte ^ 1;
            fs::write(&file, &changed).unwrap();
            // The seconds alone may be others.
            let found = kept(None).find(Stage::Done);
            let is_of_it = found
                .as_ref()
                .is_ok_and(|found| found.as_ref().is_some_and(|found| found.bytes == learnt.bytes));
            assert!(found.is_err() || is_of_it, "{at}: {found:?}");
            fs::write(&file, &whole[..at]).unwrap();
            assert!(kept(None).find(Stage::Done).is_err(), "{at} bytes");
        }
        fs::write(&file, &whole).unwrap();
        assert_eq!(kept(None).find(Stage::Done).unwrap(), Some(learnt));
    }
}
