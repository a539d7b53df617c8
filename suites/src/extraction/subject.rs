use std::io;
use std::time::Instant;

use prismbench_core::{
    Encoding, LatentNoise, Outcome, PosteriorRule, SampleKey, Tokenizer, TokenizerSpec,
};
use prismbench_metrics::FeatureRows;
use serde::{Deserialize, Serialize};

use super::error::ExtractError;
use super::pool::pool;
use super::tokens::tokens;
use super::{Extracted, Input};
use crate::Context;
use crate::feature_file::{Item, Kept, Origin};
use crate::journal::Recalled;
use crate::pictures::{Pictures, Prepared};

/// Name of the only layer in a file of features.
pub(super) const LAYER: &str = "features";

/// One tokenizer while the pass goes on.
pub(super) struct Subject<'a> {
    tokenizer: &'a dyn Tokenizer,
    seed: u64,
    kept: Kept,
    latent: String,
    seconds: f64,
    /// Why nothing more is measured of it.
    stopped: Option<Outcome>,
    /// Why there is nothing of it in what was taken in.
    failure: Option<Outcome>,
}

/// What a block gave of one tokenizer, besides its rows.
#[derive(Serialize, Deserialize)]
pub(super) struct Taken {
    seconds: f64,
    /// Rows that were computed; the others were remembered.
    fresh: u64,
    latent: String,
}

impl<'a> Subject<'a> {
    pub(super) fn new(
        tokenizer: &'a dyn Tokenizer,
        pictures: &Pictures<'_>,
        context: &Context<'_>,
        warnings: &mut Vec<String>,
    ) -> Self {
        let (spec, protocol) = (tokenizer.spec(), pictures.protocol);
        let origin = Origin::of_tokenizer(spec, protocol, context.device);
        let mut kept = Kept::new(origin, &[(LAYER, None)]);
        let drawn =
            protocol.posterior != PosteriorRule::Mode || protocol.latent_noise != LatentNoise::None;
        if let Some(folder) = context.cache.filter(|_| is_worth_a_file(spec) && !drawn) {
            // The parts of one set take turns: each has an entry of its own.
            let set = format!("{} {}", pictures.dataset.id(), pictures.part.name());
            kept = kept.with_cache(folder, &set, warnings);
        }
        let (latent, seed) = (String::new(), context.seed);
        Self { tokenizer, seed, kept, latent, seconds: 0.0, stopped: None, failure: None }
    }

    /// The rows of a block.
    pub(super) fn measure(&mut self, input: &Input<'_>) -> Result<(Taken, FeatureRows), Outcome> {
        if let Some(stopped) = &self.stopped {
            return Err(stopped.clone());
        }
        self.try_measure(input).map_err(|error| self.stopped.insert(error.outcome()).clone())
    }

    fn try_measure(&self, input: &Input<'_>) -> Result<(Taken, FeatureRows), ExtractError> {
        let items: Vec<Item<'_>> = input.block.iter().map(Prepared::item).collect();
        let mut seconds = 0.0;
        let (rows, fresh) = self.kept.rows(&items, |unknown| {
            let start = Instant::now();
            let rows = compute(self.tokenizer, self.seed, input, unknown)?;
            seconds = start.elapsed().as_secs_f64();
            let names: Vec<&str> = unknown.iter().map(|&place| items[place].name).collect();
            check(&rows, &names, None, "pictures")?;
            Ok::<_, ExtractError>(vec![rows])
        })?;
        let latent = input.block.first().map_or_else(String::new, |picture| {
            let (height, width) = (picture.image.height(), picture.image.width());
            self.tokenizer.latent_shape(height, width).to_string()
        });
        let given = input.block.len();
        let rows = rows.into_iter().next();
        let rows = rows.ok_or(ExtractError::Count { given, rows: 0, what: "pictures" })?;
        Ok((Taken { seconds, fresh, latent }, rows))
    }

    /// Takes in what a block gave: its rows are layer number `place`.
    pub(super) fn take<S>(
        &mut self,
        block: &Recalled<'_, S>,
        (taken, place): (Result<Taken, Outcome>, usize),
    ) -> io::Result<()> {
        if self.failure.is_some() {
            return Ok(());
        }
        let Taken { seconds, fresh, latent } = match taken {
            Ok(taken) => taken,
            Err(outcome) => {
                self.failure = Some(outcome);
                return Ok(());
            }
        };
        let rows = block.layer(place)?;
        let columns = self.kept.spool(0).map(prismbench_metrics::Features::columns);
        if let Some(expected) = columns.filter(|&columns| columns != rows.columns) {
            let name = block.names().next().unwrap_or_default().to_owned();
            let error = ExtractError::Width { name, expected, found: rows.columns };
            self.failure = Some(error.outcome());
            return Ok(());
        }
        self.kept.take(block.names(), block.digests(), &[rows], fresh)?;
        self.seconds += seconds;
        if self.latent.is_empty() {
            self.latent = latent;
        }
        Ok(())
    }

    pub(super) fn finish(self, warnings: &mut Vec<String>) -> Result<Extracted, Outcome> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        self.kept.keep(warnings);
        let computed = self.kept.fresh();
        let nothing = || Outcome::Skipped { reason: "no features were taken".to_owned() };
        let rows = self.kept.into_spool(0).ok_or_else(nothing)?;
        Ok(Extracted { rows, latent: self.latent, seconds: self.seconds, computed })
    }
}

/// One that has no weights is a fixed transform, and known by its name alone.
pub(super) fn is_worth_a_file(spec: &TokenizerSpec) -> bool {
    !spec.weights.is_empty()
}

/// The rows of some pictures of a block.
fn compute(
    tokenizer: &dyn Tokenizer,
    seed: u64,
    input: &Input<'_>,
    places: &[usize],
) -> Result<FeatureRows, ExtractError> {
    let protocol = input.pictures.protocol;
    let samples: Vec<SampleKey<'_>> =
        places.iter().map(|&place| input.block[place].key()).collect();
    let encoding = Encoding {
        posterior: protocol.posterior,
        noise: protocol.latent_noise,
        band_mask: protocol.band_mask,
        seed,
        samples: &samples,
    };
    let tokens = tokens(tokenizer, &input.batch(places)?, protocol.tap, &encoding)?;
    Ok(pool(&tokenizer.spec().id, &tokens, protocol.pooling)?)
}

/// Refuses rows that are not one for each name, not finite, or not as wide as those before.
pub(super) fn check(
    rows: &FeatureRows,
    names: &[&str],
    columns: Option<usize>,
    what: &'static str,
) -> Result<(), ExtractError> {
    if rows.rows().len() != names.len() {
        let (given, rows) = (names.len(), rows.rows().len());
        return Err(ExtractError::Count { given, rows, what });
    }
    for (row, &name) in rows.rows().zip(names) {
        if let Some(value) = row.iter().find(|value| !value.is_finite()) {
            return Err(ExtractError::NotFinite {
                name: name.to_owned(),
                value: value.to_string(),
            });
        }
        if let Some(expected) = columns.filter(|&columns| columns != row.len()) {
            let (name, found) = (name.to_owned(), row.len());
            return Err(ExtractError::Width { name, expected, found });
        }
    }
    Ok(())
}
