use std::fs;
use std::path::{Path, PathBuf};

use hf_hub::Cache;
use hf_hub::api::Progress;
use hf_hub::api::sync::{ApiBuilder, ApiError};
use prismbench_weights::sha256_of_file;

use super::{Hub, MAIN, is_hash, repository};
use crate::HubFile;

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
        /// Size or sha256 that the hub had announced.
        expected: String,
        /// Size or sha256 that came.
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
            Self::Changed { .. } => "it was removed; fetch it again".into(),
            Self::Failed { .. } => "the same command goes on where the download stopped".into(),
        }
    }
}

impl Hub {
    /// Downloads a file into the cache, going on with what an earlier attempt left there, and
    /// checks its size and, where the hub gives one, its sha256. `progress` is called with bytes
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
        let failed = |error| self.explain(file, repository.revision(), error);
        let cache = Cache::new(self.cache.clone());
        let api = ApiBuilder::from_cache(cache.clone())
            .with_endpoint(self.endpoint.clone())
            .with_token(self.token.clone())
            .with_retries(3)
            .build()
            .map_err(failed)?;
        let repo = api.repo(repository.clone());
        let announced = api.metadata(&repo.url(path)).map_err(failed)?;
        // Both become parts of paths.
        if !is_hash(announced.etag()) || !is_hash(announced.commit_hash()) {
            return Err(failed(ApiError::InvalidHeader("etag or commit")));
        }
        let shown = Shown { done: 0, total: 0, progress };
        let found = repo.download_with_progress(path, shown).map_err(failed)?;
        let blob = cache.repo(repository.clone()).blob_path(announced.etag());
        self.check(file, &blob, &announced).inspect_err(|_| {
            // What is wrong must not be taken for right by whoever looks next.
            let _ = fs::remove_file(&blob);
            let _ = fs::remove_file(&found);
        })?;
        Ok(found)
    }

    fn check(
        &self,
        file: &HubFile,
        blob: &Path,
        announced: &hf_hub::api::sync::Metadata,
    ) -> Result<(), FetchError> {
        let HubFile { repository, path } = *file;
        let failed = |error: std::io::Error| self.failed(file, Box::new(error));
        let changed = |expected, found| FetchError::Changed { path, repository, expected, found };
        let size = fs::metadata(blob).map_err(failed)?.len();
        if size != announced.size() as u64 {
            return Err(changed(format!("{} bytes", announced.size()), format!("{size} bytes")));
        }
        // Large files are announced by their sha256, small ones by a git hash of 40 digits.
        if announced.etag().len() == 64 {
            let found = sha256_of_file(blob).map_err(failed)?;
            if found != announced.etag() {
                let expected = format!("the sha256 {}", announced.etag());
                return Err(changed(expected, format!("the sha256 {found}")));
            }
        }
        Ok(())
    }

    fn explain(&self, file: &HubFile, revision: &str, error: ApiError) -> FetchError {
        let HubFile { repository, path } = *file;
        let status = match &error {
            ApiError::RequestError(error) => match error.as_ref() {
                ureq::Error::StatusCode(status) => Some(*status),
                _ => None,
            },
            _ => None,
        };
        match status {
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

/// Tells how far a download is.
struct Shown<'a> {
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl Progress for Shown<'_> {
    fn init(&mut self, size: usize, _: &str) {
        // Called anew for every attempt, which then says what is there already.
        (self.done, self.total) = (0, size as u64);
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        (self.progress)(self.done, self.total);
    }

    fn finish(&mut self) {}
}
