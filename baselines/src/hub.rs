mod fetch;
mod transfer;

pub use fetch::FetchError;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hf_hub::{Cache, Repo, RepoType};

use crate::HubFile;

/// The branch that is meant when no revision is given.
const MAIN: &str = "main";

/// The Hugging Face hub, and its cache on this machine, which Python's `huggingface_hub` shares.
#[derive(Clone, Debug)]
pub struct Hub {
    cache: PathBuf,
    endpoint: String,
    token: Option<String>,
    offline: bool,
    /// How long nothing may come in a transfer.
    patience: Duration,
}

/// Far beyond what a connection that works is silent.
const PATIENCE: Duration = Duration::from_secs(60);

impl Hub {
    /// The cache in this folder, and the hub at an address: `https://huggingface.co`.
    #[must_use]
    pub fn new(cache: impl Into<PathBuf>, endpoint: impl Into<String>) -> Self {
        let (cache, endpoint) = (cache.into(), endpoint.into());
        Self { cache, endpoint, token: None, offline: false, patience: PATIENCE }
    }

    /// As Python's library has it. The cache is `HF_HUB_CACHE`, else `HF_HOME/hub`, else
    /// `XDG_CACHE_HOME/huggingface/hub`, else `~/.cache/huggingface/hub`; the address
    /// `HF_ENDPOINT`; the token `HF_TOKEN`, else the file `token` in `HF_HOME`. `HF_HUB_OFFLINE` and
    /// `TRANSFORMERS_OFFLINE` forbid downloads.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::from_variables(|name| std::env::var_os(name))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let text = |name| variable(name).filter(|value| !value.is_empty());
        let folder = |name| text(name).map(PathBuf::from);
        let xdg = || folder("XDG_CACHE_HOME").map(|cache| cache.join("huggingface"));
        let user = || folder("HOME").map(|home| home.join(".cache/huggingface"));
        let home = folder("HF_HOME").or_else(xdg).or_else(user).unwrap_or_default();
        let words = |name| text(name).map(|value| value.to_string_lossy().into_owned());
        let endpoint = words("HF_ENDPOINT").unwrap_or("https://huggingface.co".to_owned());
        let kept = || fs::read_to_string(home.join("token")).ok();
        let token = words("HF_TOKEN").or_else(kept).map(|token| token.trim().to_owned());
        // The values that Python's library takes for true.
        let is_set = |name| {
            let value = words(name).unwrap_or_default().to_uppercase();
            ["1", "ON", "YES", "TRUE"].contains(&value.as_str())
        };
        Self {
            cache: folder("HF_HUB_CACHE").unwrap_or_else(|| home.join("hub")),
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token: token.filter(|token| !token.is_empty()),
            offline: is_set("HF_HUB_OFFLINE") || is_set("TRANSFORMERS_OFFLINE"),
            patience: PATIENCE,
        }
    }

    /// The folder of the cache.
    #[must_use]
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// The file as it is at a revision (a branch, tag or commit; `main` unless told), if a whole
    /// copy of it is here.
    #[must_use]
    pub fn find(&self, file: &HubFile, revision: Option<&str>) -> Option<PathBuf> {
        if !fetch::is_within(revision.unwrap_or(MAIN)) {
            return None;
        }
        let place = self.place(file, revision);
        place.is_file().then_some(place)
    }

    /// Where the file lies, or would lie.
    pub(crate) fn place(&self, file: &HubFile, revision: Option<&str>) -> PathBuf {
        let repository = repository(file, revision);
        let folder = self.cache.join(repository.folder_name());
        // A branch or tag is a file that holds a commit; a commit is a folder of its own.
        let commit = fs::read_to_string(folder.join("refs").join(repository.revision()))
            .ok()
            .map(|commit| commit.trim().to_owned())
            .filter(|commit| is_hash(commit));
        let commit = commit.unwrap_or_else(|| repository.revision().to_owned());
        Cache::new(self.cache.clone()).repo(repository).pointer_path(&commit).join(file.path)
    }
}

fn repository(file: &HubFile, revision: Option<&str>) -> Repo {
    let revision = revision.unwrap_or(MAIN).to_owned();
    Repo::with_revision(file.repository.to_owned(), RepoType::Model, revision)
}

/// Whether a text is a hash in hexadecimal, and so no path.
fn is_hash(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
