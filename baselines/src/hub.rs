use std::ffi::OsString;
use std::path::PathBuf;

use hf_hub::{Cache, Repo};

use crate::HubFile;

/// The hub's cache on this machine, which Python's `huggingface_hub` shares.
#[derive(Clone, Debug)]
pub struct HubCache(PathBuf);

impl HubCache {
    /// The cache in this folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// Where Python's library has it: `HF_HUB_CACHE`, else `HF_HOME/hub`, else
    /// `XDG_CACHE_HOME/huggingface/hub`, else `~/.cache/huggingface/hub`.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::from_variables(|name| std::env::var_os(name))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let folder = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = folder("HF_HUB_CACHE");
        let home = || folder("HF_HOME").map(|home| home.join("hub"));
        let xdg = || folder("XDG_CACHE_HOME").map(|cache| cache.join("huggingface/hub"));
        let user = || folder("HOME").map(|home| home.join(".cache/huggingface/hub"));
        Self(cache.or_else(home).or_else(xdg).or_else(user).unwrap_or_default())
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &PathBuf {
        &self.0
    }

    /// The file, if a whole copy of it is here.
    #[must_use]
    pub fn find(&self, file: &HubFile) -> Option<PathBuf> {
        let repository = Cache::new(self.0.clone()).repo(Repo::model(file.repository.to_owned()));
        repository.get(file.path)
    }

    /// The file, or the place where it is looked for.
    pub(crate) fn place(&self, file: &HubFile) -> PathBuf {
        self.find(file).unwrap_or_else(|| {
            let repository = Repo::model(file.repository.to_owned()).folder_name();
            self.0.join(repository).join("snapshots/main").join(file.path)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> PathBuf {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        HubCache::from_variables(|name| find(name).map(|(_, value)| value.into())).0
    }

    #[test]
    fn the_environment_names_the_folder_as_for_python() {
        let all =
            [("HF_HUB_CACHE", "/a"), ("HF_HOME", "/b"), ("XDG_CACHE_HOME", "/c"), ("HOME", "/d")];
        assert_eq!(from(&all), PathBuf::from("/a"));
        assert_eq!(from(&all[1..]), PathBuf::from("/b/hub"));
        assert_eq!(from(&all[2..]), PathBuf::from("/c/huggingface/hub"));
        assert_eq!(from(&all[3..]), PathBuf::from("/d/.cache/huggingface/hub"));
        assert_eq!(
            from(&[("HF_HOME", ""), ("HOME", "/d")]),
            PathBuf::from("/d/.cache/huggingface/hub")
        );
    }

    #[test]
    fn a_file_is_found_by_the_revision_that_main_stands_for() {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("models--owner--name");
        let snapshot = repository.join("snapshots/0123abc/vae");
        std::fs::create_dir_all(&snapshot).unwrap();
        std::fs::create_dir_all(repository.join("refs")).unwrap();
        std::fs::write(repository.join("refs/main"), "0123abc").unwrap();
        let cache = HubCache::new(folder.path());
        let file = HubFile { repository: "owner/name", path: "vae/weights.safetensors" };
        assert_eq!(cache.find(&file), None);
        std::fs::write(snapshot.join("weights.safetensors"), "x").unwrap();
        assert_eq!(cache.find(&file), Some(snapshot.join("weights.safetensors")));
    }
}
