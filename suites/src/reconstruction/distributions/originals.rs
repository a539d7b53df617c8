use std::io;
use std::path::{Path, PathBuf};

use prismbench_core::{Protocol, RgbImage};
use prismbench_metrics::{FeatureNetwork, Features as _, Tap};

use super::blamed;
use crate::feature_file::{self, FeatureFile, Origin};
use crate::pictures::Prepared;
use crate::spool::Spool;
use crate::{Pictures, SuiteError};

/// What reconstructions are compared with.
pub(super) enum Originals {
    /// Features that were given in place of those of the originals.
    Given(FeatureFile),
    /// The originals' own.
    Own(Own),
}

/// Features of the pictures of this pass, some of them remembered from an earlier one.
pub(super) struct Own {
    taps: Vec<Tap>,
    /// One for each tap.
    pub(super) spools: Vec<Spool>,
    digests: Vec<[u8; 32]>,
    known: Option<FeatureFile>,
    /// Where they are kept; `None` for a network that is quicker than a disk.
    path: Option<PathBuf>,
    origin: Origin,
    /// Pictures that went through the network.
    fresh: usize,
}

impl Own {
    pub(super) fn new(network: &dyn FeatureNetwork, taps: &[Tap], protocol: &Protocol) -> Self {
        // Nothing asks for the originals' classes.
        let taps: Vec<Tap> =
            taps.iter().copied().filter(|&tap| tap != Tap::LogitsUnbiased).collect();
        Self {
            spools: taps.iter().map(|&tap| Spool::new(network.width(tap).unwrap_or(0))).collect(),
            taps,
            digests: Vec::new(),
            known: None,
            path: None,
            origin: Origin::new(network, protocol),
            fresh: 0,
        }
    }

    /// The same with an entry of the cache; a damaged one is left alone and replaced at the end.
    pub(super) fn with_cache(
        mut self,
        folder: &Path,
        pictures: &Pictures<'_>,
        warnings: &mut Vec<String>,
    ) -> Self {
        let path = folder.join(format!("{}.safetensors", self.origin.key(pictures.dataset.id())));
        if path.exists() {
            match FeatureFile::open(&path).and_then(|file| file.check(&self.origin).map(|()| file))
            {
                Ok(file) => self.known = Some(file),
                Err(error) => {
                    warnings.push(format!("{error}; its features are computed again"));
                }
            }
        }
        self.path = Some(path);
        self
    }

    /// Takes in the originals of a block: remembered rows, and the network's for the others.
    pub(super) fn add(
        &mut self,
        network: &dyn FeatureNetwork,
        block: &[Prepared],
    ) -> Result<(), SuiteError> {
        self.digests.extend(block.iter().map(|picture| picture.digest));
        if self.taps.is_empty() {
            return Ok(());
        }
        let known: Vec<_> = block.iter().map(|picture| self.remembered(picture)).collect();
        let unknown: Vec<&Prepared> =
            block.iter().zip(&known).filter(|(_, row)| row.is_none()).map(|(p, _)| p).collect();
        self.fresh += unknown.len();
        let images: Vec<&RgbImage> = unknown.iter().map(|picture| &picture.image).collect();
        let computed = match images.as_slice() {
            [] => Vec::new(),
            images => network.features(images, &self.taps).map_err(|source| {
                let picture = blamed(&source, unknown.iter().copied());
                SuiteError::Network { picture, source: Box::new(source) }
            })?,
        };
        let mut fresh: Vec<_> = computed.iter().map(|features| features.rows()).collect();
        for (picture, known) in block.iter().zip(known) {
            for (tap, spool) in self.spools.iter_mut().enumerate() {
                let row = match &known {
                    Some(rows) => rows.get(tap).map(Vec::as_slice),
                    None => fresh.get_mut(tap).and_then(Iterator::next),
                };
                spool.push(&picture.id, row.unwrap_or_default()).map_err(SuiteError::Spool)?;
            }
        }
        Ok(())
    }

    /// The rows of a picture that the cache knows whole.
    fn remembered(&self, picture: &Prepared) -> Option<Vec<Vec<f32>>> {
        let file = self.known.as_ref()?;
        let row = |(tap, spool): (&Tap, &Spool)| {
            let row = file.row(&picture.digest, tap.id())?.ok()?;
            (row.len() == spool.columns()).then_some(row)
        };
        self.taps.iter().zip(&self.spools).map(row).collect()
    }

    /// Keeps the features for the next run.
    pub(super) fn keep(&self, warnings: &mut Vec<String>) {
        let Some(path) = self.path.as_ref().filter(|_| self.is_worth_keeping()) else { return };
        if let Err(error) = self.write_with(path, &self.carried()) {
            warnings.push(format!("cannot keep features in `{}`: {error}", path.display()));
        }
    }

    /// Whether something was computed, and the entry does not know more pictures than this pass: a
    /// few pictures of a large set must not push the rest out.
    fn is_worth_keeping(&self) -> bool {
        let grows = |known: &FeatureFile| {
            self.digests.len() >= known.len()
                || !self.digests.iter().any(|digest| known.knows(digest))
        };
        self.fresh > 0 && self.known.as_ref().is_none_or(grows)
    }

    /// Features that the cache knows of every picture and no metric of this pass takes.
    fn carried(&self) -> Vec<(String, Spool)> {
        let Some(known) = &self.known else { return Vec::new() };
        let is_other = |name: &str| self.taps.iter().all(|tap| tap.id() != name);
        let carry = |(name, columns): (&str, usize)| {
            let mut spool = Spool::new(columns);
            for digest in &self.digests {
                spool.push("", &known.row(digest, name)?.ok()?).ok()?;
            }
            Some((name.to_owned(), spool))
        };
        known.layers().filter(|(name, _)| is_other(name)).filter_map(carry).collect()
    }

    /// Writes the features to `path`; false when there are none.
    pub(super) fn write(&self, path: &Path) -> io::Result<bool> {
        if self.taps.is_empty() {
            return Ok(false);
        }
        self.write_with(path, &[]).map(|()| true)
    }

    fn write_with(&self, path: &Path, more: &[(String, Spool)]) -> io::Result<()> {
        let own = self.taps.iter().map(|tap| tap.id()).zip(&self.spools);
        let more = more.iter().map(|(name, spool)| (name.as_str(), spool));
        let layers: Vec<_> = own.chain(more).collect();
        feature_file::write(path, &self.origin, &self.digests, &layers)
    }
}
