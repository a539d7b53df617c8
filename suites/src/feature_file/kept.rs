use std::io;
use std::path::{Path, PathBuf};

use prismbench_metrics::{FeatureRows, Features as _};

use super::{DIGEST, FeatureFile, Origin, write};
use crate::column::Column;
use crate::spool::{Spool, StoredRows};

/// Features of a pass, some of them remembered from an earlier one.
pub(crate) struct Kept {
    layers: Vec<Layer>,
    digests: Column<[u8; DIGEST]>,
    known: Option<FeatureFile>,
    /// Where they are kept; `None` for what is quicker made than read.
    path: Option<PathBuf>,
    origin: Origin,
    /// How many were computed.
    fresh: u64,
}

/// The rows of one kind of features.
struct Layer {
    name: &'static str,
    /// Numbers in a row, where that is known beforehand.
    columns: Option<usize>,
    /// Made when the first row comes.
    spool: Option<Spool>,
}

/// A picture or text that features are of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    /// What it is called in messages.
    pub(crate) name: &'a str,
    /// sha256 of what it is: what its row is found by.
    pub(crate) digest: [u8; DIGEST],
}

/// Why rows were not added.
#[derive(Debug)]
pub(crate) enum AddError<E> {
    /// They could not be computed.
    Compute(E),
    /// They could not be put aside.
    Spool(io::Error),
}

impl Kept {
    /// No rows yet. `layers` are names, and columns where they are known.
    pub(crate) fn new(origin: Origin, layers: &[(&'static str, Option<usize>)]) -> Self {
        let layer = |&(name, columns): &(&'static str, Option<usize>)| {
            let spool = columns.map(Spool::new);
            Layer { name, columns, spool }
        };
        let layers = layers.iter().map(layer).collect();
        Self { layers, digests: Column::default(), known: None, path: None, origin, fresh: 0 }
    }

    /// The same with the entry of the cache for `set`; a damaged one is left alone and replaced at
    /// the end.
    pub(crate) fn with_cache(
        mut self,
        folder: &Path,
        set: &str,
        warnings: &mut Vec<String>,
    ) -> Self {
        let path = folder.join(format!("{}.safetensors", self.origin.key(set)));
        if path.exists() {
            match FeatureFile::open(&path).and_then(|file| file.check(&self.origin).map(|()| file))
            {
                Ok(file) => {
                    file.mark_as_used();
                    self.known = Some(file);
                }
                Err(error) => {
                    warnings.push(format!("{error}; its features are computed again"));
                }
            }
        }
        self.path = Some(path);
        self
    }

    /// The rows of some items, layer by layer: those that are remembered, and for the others, whose
    /// places among `items` it gets, what `compute` gives; with how many were computed.
    pub(crate) fn rows<E>(
        &self,
        items: &[Item<'_>],
        mut compute: impl FnMut(&[usize]) -> Result<Vec<FeatureRows>, E>,
    ) -> Result<(Vec<FeatureRows>, u64), E> {
        if self.layers.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let known: Vec<_> = items.iter().map(|item| self.remembered(&item.digest)).collect();
        let unknown: Vec<usize> =
            (0..items.len()).filter(|&place| known[place].is_none()).collect();
        if unknown.len() == items.len() {
            return Ok((compute(&unknown)?, unknown.len() as u64));
        }
        let computed = match unknown.as_slice() {
            [] => Vec::new(),
            unknown => compute(unknown)?,
        };
        let widths = |rows: &Vec<Vec<f32>>| {
            rows.iter().map(Vec::len).eq(computed.iter().map(FeatureRows::width))
        };
        if !computed.is_empty() && !known.iter().flatten().all(widths) {
            // Pictures of another size were remembered under the same name.
            let all: Vec<usize> = (0..items.len()).collect();
            return Ok((compute(&all)?, items.len() as u64));
        }
        let layer = |number: usize| {
            let mut fresh = computed.get(number).map(FeatureRows::rows).into_iter().flatten();
            let mut values = Vec::new();
            for known in &known {
                let row = match known {
                    Some(rows) => rows.get(number).map(Vec::as_slice),
                    None => fresh.next(),
                };
                values.extend_from_slice(row.unwrap_or_default());
            }
            // Rows of one layer are equally long: those remembered were compared, those computed are of
            // one network.
            FeatureRows::new(values.len() / items.len(), values).ok()
        };
        let rows = (0..self.layers.len()).filter_map(layer).collect();
        Ok((rows, unknown.len() as u64))
    }

    /// Takes in rows that lie in the journal of a pass, of the pictures with those digests; `layers` gives
    /// those of each layer. `fresh` is how many of them were computed.
    pub(crate) fn take<'n>(
        &mut self,
        names: impl Iterator<Item = &'n str> + Clone,
        mut digests: impl Iterator<Item = [u8; DIGEST]>,
        layers: &[&StoredRows<'_>],
        fresh: u64,
    ) -> io::Result<()> {
        digests.try_for_each(|digest| self.digests.push(digest))?;
        self.fresh += fresh;
        for (layer, stored) in self.layers.iter_mut().zip(layers) {
            let spool = layer.spool.get_or_insert_with(|| Spool::new(stored.columns));
            spool.adopt(names.clone(), stored)?;
        }
        Ok(())
    }

    /// Adds the rows of some items: those that are remembered, and for the others what `compute` gives.
    pub(crate) fn add<E>(
        &mut self,
        items: &[Item<'_>],
        compute: impl FnMut(&[usize]) -> Result<Vec<FeatureRows>, E>,
    ) -> Result<(), AddError<E>> {
        let (rows, fresh) = self.rows(items, compute).map_err(AddError::Compute)?;
        let mut digests = items.iter().map(|item| item.digest);
        digests.try_for_each(|digest| self.digests.push(digest)).map_err(AddError::Spool)?;
        self.fresh += fresh;
        for (layer, rows) in self.layers.iter_mut().zip(&rows) {
            let spool = layer.spool.get_or_insert_with(|| Spool::new(rows.width()));
            for (item, row) in items.iter().zip(rows.rows()) {
                spool.push(item.name, row).map_err(AddError::Spool)?;
            }
        }
        Ok(())
    }

    /// The rows of a layer so far; `None` before the first where the columns are not known.
    pub(crate) fn spool(&self, layer: usize) -> Option<&Spool> {
        self.layers.get(layer)?.spool.as_ref()
    }

    /// The rows of a layer, when nothing else is wanted any more.
    pub(crate) fn into_spool(mut self, layer: usize) -> Option<Spool> {
        self.layers.get_mut(layer)?.spool.take()
    }

    /// How many rows were computed, and not remembered.
    pub(crate) fn fresh(&self) -> u64 {
        self.fresh
    }

    /// Whether there is anything to keep or write.
    pub(crate) fn has_layers(&self) -> bool {
        !self.layers.is_empty()
    }

    /// The rows that the cache knows whole.
    fn remembered(&self, digest: &[u8; DIGEST]) -> Option<Vec<Vec<f32>>> {
        let file = self.known.as_ref()?;
        let row = |layer: &Layer| {
            let row = file.row(digest, layer.name)?.ok()?;
            let expected = layer.columns.or(layer.spool.as_ref().map(|spool| spool.columns()));
            expected.is_none_or(|columns| columns == row.len()).then_some(row)
        };
        self.layers.iter().map(row).collect()
    }

    /// Keeps the features for the next run.
    pub(crate) fn keep(&self, warnings: &mut Vec<String>) {
        let Some(path) = self.path.as_ref().filter(|_| self.is_worth_keeping()) else { return };
        if let Err(error) = self.write_with(path, &self.carried()) {
            warnings.push(format!("cannot keep features in `{}`: {error}", path.display()));
        }
    }

    /// Whether something was computed, and the entry does not know more than this pass: a few
    /// pictures of a large set must not push the rest out.
    fn is_worth_keeping(&self) -> bool {
        let grows = |known: &FeatureFile| {
            self.digests.len() >= known.len()
                || !self.digests.iter().flatten().any(|digest| known.knows(&digest))
        };
        self.fresh > 0 && self.known.as_ref().is_none_or(grows)
    }

    /// Features that the cache knows of every item and this pass does not take.
    fn carried(&self) -> Vec<(String, Spool)> {
        let Some(known) = &self.known else { return Vec::new() };
        let is_other = |name: &str| self.layers.iter().all(|layer| layer.name != name);
        let carry = |(name, columns): (&str, usize)| {
            let mut spool = Spool::new(columns);
            for digest in self.digests.iter() {
                spool.push("", &known.row(&digest.ok()?, name)?.ok()?).ok()?;
            }
            Some((name.to_owned(), spool))
        };
        known.layers().filter(|(name, _)| is_other(name)).filter_map(carry).collect()
    }

    /// Writes the features to `path`.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        self.write_with(path, &[])
    }

    fn write_with(&self, path: &Path, more: &[(String, Spool)]) -> io::Result<()> {
        let own = self.layers.iter().filter_map(|layer| Some((layer.name, layer.spool.as_ref()?)));
        let more = more.iter().map(|(name, spool)| (name.as_str(), spool));
        let layers: Vec<_> = own.chain(more).collect();
        write(path, &self.origin, &self.digests, &layers)
    }
}
