use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Component, Path, PathBuf};
use std::thread;
use std::time::Duration;

use hf_hub::Cache;
use prismbench_core::hexadecimal;
use prismbench_weights::sha256_of_file;
use sha1::{Digest, Sha1};

use super::transfer::{Announced, Client, TransferError, point};
use super::{Hub, MAIN, repository};
use crate::HubFile;

/// How often, a second apart, a lock is asked for that another process has.
const LOCK_ATTEMPTS: usize = 5;

/// Why a file could not be had from the hub.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The environment forbids it.
    #[error("`{path}` of {repository} is not in `{}`, and HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids a download", cache.display())]
    Offline {
        /// Path within the repository.
        path: &'static str,
        /// The repository.
        repository: &'static str,
        /// Where it was looked for.
        cache: PathBuf,
    },
    /// The hub answered that there is no such thing.
    #[error("the hub has no `{path}` in {repository} at revision `{revision}`")]
    NotFound {
        /// Path within the repository.
        path: &'static str,
        /// The repository.
        repository: &'static str,
        /// Branch, tag or commit.
        revision: String,
    },
    /// A path or revision that would leave the cache.
    #[error("`{found}` is no path or revision within {repository}")]
    Outside {
        /// The repository.
        repository: &'static str,
        /// The path or revision.
        found: String,
    },
    /// Another process is at it.
    #[error("another process fetches `{path}` of {repository}")]
    Locked {
        /// Path within the repository.
        path: &'static str,
        /// The repository.
        repository: &'static str,
    },
    /// The hub wants to know who asks.
    #[error("the hub does not give `{path}` of {repository} to everybody")]
    Denied {
        /// Path within the repository.
        path: &'static str,
        /// The repository.
        repository: &'static str,
    },
    /// What came is not what the hub had announced.
    #[error("`{path}` of {repository} should have {expected}, but what came has {found}")]
    Changed {
        /// Path within the repository.
        path: &'static str,
        /// The repository.
        repository: &'static str,
        /// Size or hash that the hub had announced.
        expected: String,
        /// Size or hash that came.
        found: String,
    },
    /// The hub could not be reached, or the file not be written.
    #[error("fetch `{path}` of {repository} from {endpoint}")]
    Failed {
        /// Path within the repository.
        path: &'static str,
        /// The repository.
        repository: &'static str,
        /// Address of the hub.
        endpoint: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl FetchError {
    /// What helps.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Offline { .. } => "unset both, or bring the file from elsewhere".into(),
            Self::NotFound { revision, .. } if revision == MAIN => {
                "it may have moved; bring it from elsewhere and name it with --tokenizer ID=PATH"
                    .into()
            }
            Self::NotFound { .. } => "check the revision behind the `@`".into(),
            Self::Denied { repository, .. } => format!(
                "accept its licence at https://huggingface.co/{repository} and set HF_TOKEN"
            ),
            Self::Outside { .. } => "name a branch, tag or commit behind the `@`".into(),
            Self::Locked { .. } => "wait for it; the file is then here".into(),
            Self::Changed { .. } => "it was removed; fetch it again".into(),
            Self::Failed { .. } => "the same command goes on where the download stopped".into(),
        }
    }
}

impl Hub {
    /// Downloads a file into the cache, going on with what an earlier attempt left there, and
    /// checks its size and the hash by which the hub announces it. `progress` is called with bytes
    /// done and bytes in all.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn fetch(
        &self,
        file: &HubFile,
        revision: Option<&str>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<PathBuf, FetchError> {
        let HubFile { repository: name, path } = *file;
        if self.offline {
            let cache = self.cache.clone();
            return Err(FetchError::Offline { path, repository: name, cache });
        }
        let repository = repository(file, revision);
        for text in [path, repository.revision()] {
            if !is_within(text) {
                let found = text.to_owned();
                return Err(FetchError::Outside { repository: name, found });
            }
        }
        let failed = |error| self.explain(file, repository.revision(), error);
        let client = Client::new(&self.endpoint, self.token.as_deref(), self.patience);
        let (of, at) = (repository.url(), repository.url_revision());
        let url = format!("{}/{of}/resolve/{at}/{path}", self.endpoint);
        let announced = client.announced(&url).map_err(failed)?;
        let cached = Cache::new(self.cache.clone()).repo(repository.clone());
        let blob = cached.blob_path(&announced.etag);
        let place = cached.pointer_path(&announced.commit).join(path);
        let io = |error| self.failed(file, Box::new(error));
        fs::create_dir_all(blob.parent().unwrap_or(&self.cache)).map_err(io)?;
        let lock = lock(&blob.with_extension("lock")).map_err(io)?;
        let Some(_lock) = lock else { return Err(FetchError::Locked { path, repository: name }) };
        if !blob.is_file() {
            let part = blob.with_extension("part");
            client.fill(&url, &part, (announced.size, progress)).map_err(failed)?;
            self.check(file, &part, &announced).inspect_err(|_| {
                // What is wrong must not be gone on with by whoever tries next.
                let _ = fs::remove_file(&part);
            })?;
            fs::rename(&part, &blob).map_err(io)?;
        }
        point(&blob, &place, path.matches('/').count()).map_err(io)?;
        cached.create_ref(&announced.commit).map_err(io)?;
        Ok(place)
    }

    fn check(&self, file: &HubFile, came: &Path, announced: &Announced) -> Result<(), FetchError> {
        let HubFile { repository, path } = *file;
        let failed = |error: std::io::Error| self.failed(file, Box::new(error));
        let changed = |expected, found| FetchError::Changed { path, repository, expected, found };
        let size = fs::metadata(came).map_err(failed)?.len();
        if size != announced.size {
            return Err(changed(format!("{} bytes", announced.size), format!("{size} bytes")));
        }
        // Large files are announced by their sha256, small ones by what git calls them.
        let (hash, found) = match announced.etag.len() {
            64 => ("sha256", sha256_of_file(came)),
            40 => ("git hash", git_hash(came, size)),
            _ => return Ok(()),
        };
        let found = found.map_err(failed)?;
        if found != announced.etag {
            let expected = format!("the {hash} {}", announced.etag);
            return Err(changed(expected, format!("the {hash} {found}")));
        }
        Ok(())
    }

    fn explain(&self, file: &HubFile, revision: &str, error: TransferError) -> FetchError {
        let HubFile { repository, path } = *file;
        match error.status() {
            Some(404) => FetchError::NotFound { path, repository, revision: revision.to_owned() },
            Some(401 | 403) => FetchError::Denied { path, repository },
            _ => self.failed(file, Box::new(error)),
        }
    }

    fn failed(
        &self,
        file: &HubFile,
        source: Box<dyn std::error::Error + Send + Sync>,
    ) -> FetchError {
        let HubFile { repository, path } = *file;
        FetchError::Failed { path, repository, endpoint: self.endpoint.clone(), source }
    }
}

/// Whether a path or revision stays where it is put: names and `/` alone.
pub(super) fn is_within(text: &str) -> bool {
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    let has_names = !text.is_empty() && !text.contains(['\\', ':', '?', '#', '%', ' ']);
    has_names && Path::new(text).components().all(is_plain)
}

/// sha1 of a file as git takes it, behind what the file is and its size; read by pieces, as the hub may
/// announce a large file so.
fn git_hash(path: &Path, size: u64) -> io::Result<String> {
    let mut hash = Sha1::new_with_prefix(format!("blob {size}\0"));
    let mut file = BufReader::new(File::open(path)?);
    loop {
        let piece = file.fill_buf()?;
        if piece.is_empty() {
            break;
        }
        hash.update(piece);
        let read = piece.len();
        file.consume(read);
    }
    Ok(hexadecimal(hash.finalize()))
}

/// The lock of a file that is being fetched; nothing where another process keeps it.
fn lock(path: &Path) -> std::io::Result<Option<File>> {
    let file = File::create(path)?;
    for attempt in 0..=LOCK_ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(fs::TryLockError::Error(error)) => return Err(error),
            Err(fs::TryLockError::WouldBlock) if attempt == LOCK_ATTEMPTS => break,
            Err(fs::TryLockError::WouldBlock) => thread::sleep(Duration::from_secs(1)),
        }
    }
    Ok(None)
}
