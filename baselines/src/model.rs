//! Published models: where the weights of each are, and how it is made of them.

use std::path::{Path, PathBuf};

use candle_core::Device;
use prismbench_core::{ElementType, Tokenizer, TokenizerError};
use prismbench_kernels::nn::Arithmetic;
use prismbench_weights::WeightsFile;

use crate::Hub;

/// A tokenizer or encoder with published weights.
#[derive(Debug)]
pub struct Model {
    /// The first word of a reference: `sd-vae`.
    pub id: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// Licence of the weights, as their publisher states it.
    pub licence: &'static str,
    /// Learned numbers of its files.
    pub parameters: u64,
    /// The files that it is made of.
    pub parts: &'static [Part],
    /// Makes it.
    pub(crate) open: fn(&Opening<'_>) -> Result<Box<dyn Tokenizer>, TokenizerError>,
}

/// One file of a model, in every form that is read: weights, or a JSON that lies beside them.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// Alternatives; the first is what `prismbench fetch` takes. None where no repository is known
    /// to have the file: then the user names it.
    pub files: &'static [HubFile],
}

/// A file of a hub repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubFile {
    /// `stabilityai/sd-vae-ft-mse`.
    pub repository: &'static str,
    /// Path within the repository.
    pub path: &'static str,
}

/// What a model is opened with.
pub(crate) struct Opening<'a> {
    /// As the user wrote it, without the path.
    pub(crate) id: String,
    pub(crate) model: &'static Model,
    /// What the command line gives its path with: `--tokenizer sd-vae`.
    pub(crate) argument: String,
    /// What the user named: a folder, or the one file of a model of one part.
    pub(crate) path: Option<&'a Path>,
    /// Branch, tag or commit of its repositories.
    pub(crate) revision: Option<&'a str>,
    pub(crate) hub: &'a Hub,
    pub(crate) device: &'a Device,
    pub(crate) arithmetic: Arithmetic,
    pub(crate) element: ElementType,
}

impl Model {
    /// Whether every file is in a repository that is known.
    #[must_use]
    pub fn is_on_hub(&self) -> bool {
        self.parts.iter().all(|part| !part.files.is_empty())
    }
}

impl Part {
    /// Whether it lies beside the weights.
    fn is_beside(&self) -> bool {
        self.files.iter().any(HubFile::is_beside)
    }
}

impl HubFile {
    /// The last component of the path.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    /// Whether it is no weights file but lies beside one.
    fn is_beside(&self) -> bool {
        Path::new(self.path).extension().is_some_and(|extension| extension == "json")
    }
}

impl Opening<'_> {
    /// Opens a part of the model.
    ///
    /// # Errors
    /// [`TokenizerError::WeightsMissing`] naming every place that was looked at, and as
    /// [`WeightsFile::open`].
    pub(crate) fn weights(&self, part: usize) -> Result<WeightsFile, TokenizerError> {
        let path = self.find(part)?;
        Ok(self.prepared(WeightsFile::open(&path, &self.remedy())?))
    }

    /// A file whose weights become what the model is to compute with.
    pub(crate) fn prepared(&self, file: WeightsFile) -> WeightsFile {
        file.with_products_in(self.element.dtype())
    }

    /// Opens a file that is needed beside one of the parts only: in the folder that the user named,
    /// or that of the file, else in the hub's cache.
    ///
    /// # Errors
    /// As [`weights`](Self::weights).
    pub(crate) fn other(&self, part: &Part) -> Result<WeightsFile, TokenizerError> {
        let folder = self.path.map(|path| match path.is_file() {
            true => path.parent().unwrap_or(Path::new("")),
            false => path,
        });
        let mut places = Vec::new();
        for file in part.files {
            if let Some(folder) = folder {
                places.extend([folder.join(file.path), folder.join(file.name())]);
            }
            // A revision is of the repository that the model itself is in.
            let known = || self.model.parts.iter().flat_map(|part| part.files);
            let same = known().any(|known| known.repository == file.repository);
            places.push(self.hub.place(file, self.revision.filter(|_| same)));
        }
        let names = part.files.iter().map(|file| format!("{} of {}", file.path, file.repository));
        let names: Vec<String> = names.collect();
        let remedy = format!("put {} beside the other weights", names.join(" or "));
        Ok(self.prepared(WeightsFile::open(&first(places, &remedy)?, &remedy)?))
    }

    /// Where a part of the model lies.
    ///
    /// # Errors
    /// [`TokenizerError::WeightsMissing`] naming every place that was looked at.
    pub(crate) fn find(&self, part: usize) -> Result<PathBuf, TokenizerError> {
        first(self.places(part), &self.remedy())
    }

    /// As [`find`](Self::find), for the part that is meant when the user names a file, that may also
    /// have one of these names in a folder, and that perhaps no repository is known to have.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub(crate) fn find_named(
        &self,
        part: usize,
        names: &[&str],
    ) -> Result<PathBuf, TokenizerError> {
        let mut places = match self.path {
            Some(path) if path.is_file() => vec![path.to_owned()],
            _ => self.places(part),
        };
        if let Some(folder) = self.path.filter(|path| path.is_dir()) {
            places.extend(names.iter().map(|name| folder.join(name)));
        }
        if places.is_empty() {
            let named = self.path.map(Path::to_owned);
            places.extend(named.or_else(|| names.first().map(PathBuf::from)));
        }
        first(places, &self.remedy())
    }

    /// The file of this name beside the first part, as a configuration lies beside its weights.
    pub(crate) fn beside(
        &self,
        part: usize,
        name: &str,
    ) -> Result<Option<PathBuf>, TokenizerError> {
        let path = self.find(part)?.with_file_name(name);
        Ok(path.is_file().then_some(path))
    }

    fn places(&self, part: usize) -> Vec<PathBuf> {
        let files = self.model.parts.get(part).map_or(&[][..], |part| part.files);
        match self.path {
            Some(path) if path.is_file() && self.is_whole(path) => match files.first() {
                Some(file) if file.is_beside() => vec![path.with_file_name(file.name())],
                _ => vec![path.to_owned()],
            },
            Some(folder) => {
                let mut places: Vec<PathBuf> = Vec::new();
                for file in files {
                    places.push(folder.join(file.path));
                    places.push(folder.join(file.name()));
                }
                places.dedup();
                places
            }
            None => files.iter().map(|file| self.hub.place(file, self.revision)).collect(),
        }
    }

    /// Whether a file is the whole model: that of its one part, or one that every part may be in.
    fn is_whole(&self, path: &Path) -> bool {
        let named = |file: &HubFile| path.file_name().is_some_and(|name| name == file.name());
        let weights = || self.model.parts.iter().filter(|part| !part.is_beside());
        weights().count() == 1 || weights().all(|part| part.files.iter().any(named))
    }

    /// What to do where a file is missing.
    pub(crate) fn remedy(&self) -> String {
        let Self { id, argument, .. } = self;
        if !self.model.is_on_hub() {
            return format!(
                "no repository is known to have all of `{id}`; name the file or the folder with \
                 {argument}=PATH"
            );
        }
        let parts = self.model.parts.iter().filter_map(|part| part.files.first());
        let mut names: Vec<String> =
            parts.map(|file| format!("{} of {}", file.path, file.repository)).collect();
        names.dedup();
        format!(
            "`prismbench fetch {id}` downloads {}; or name the folder that has it with \
             {argument}=FOLDER",
            names.join(" and ")
        )
    }
}

/// The first place where there is a file.
fn first(places: Vec<PathBuf>, remedy: &str) -> Result<PathBuf, TokenizerError> {
    if let Some(place) = places.iter().find(|place| place.is_file()) {
        return Ok(place.clone());
    }
    let looked = places.iter().skip(1).map(|place| format!("`{}`", place.display()));
    let looked: Vec<String> = looked.collect();
    let nor = match looked.as_slice() {
        [] => String::new(),
        looked => format!("nor is it at {}; ", looked.join(" or ")),
    };
    let path = places.into_iter().next().unwrap_or_default();
    Err(TokenizerError::WeightsMissing { path, remedy: format!("{nor}{remedy}") })
}
