use std::time::Instant;

use prismbench_core::{
    Encoding, LatentNoise, Outcome, PosteriorRule, SampleKey, Tokenizer, TokenizerSpec,
};
use prismbench_metrics::FeatureRows;

use super::error::ExtractError;
use super::pool::pool;
use super::tokens::tokens;
use super::{Extracted, Input};
use crate::Context;
use crate::feature_file::{Item, Kept, Origin};
use crate::pictures::{Pictures, Prepared};

/// Name of the only layer in a file of features.
pub(super) const LAYER: &str = "features";

/// One tokenizer while the pass goes on.
pub(super) struct Subject<'a> {
    tokenizer: &'a dyn Tokenizer,
    seed: u64,
    kept: Kept,
    latent: Option<String>,
    seconds: f64,
    failure: Option<Outcome>,
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
        let seed = context.seed;
        Self { tokenizer, seed, kept, latent: None, seconds: 0.0, failure: None }
    }

    pub(super) fn add(&mut self, input: &Input<'_>) {
        if self.failure.is_some() {
            return;
        }
        if let Err(error) = self.try_add(input) {
            self.failure = Some(error.outcome());
        }
    }

    fn try_add(&mut self, input: &Input<'_>) -> Result<(), ExtractError> {
        let items: Vec<Item<'_>> = input.block.iter().map(Prepared::item).collect();
        let columns = self.kept.spool(0).map(prismbench_metrics::Features::columns);
        let (tokenizer, seed, seconds) = (self.tokenizer, self.seed, &mut self.seconds);
        self.kept.add(&items, |unknown| {
            let start = Instant::now();
            let rows = compute(tokenizer, seed, input, unknown)?;
            *seconds += start.elapsed().as_secs_f64();
            let names: Vec<&str> = unknown.iter().map(|&place| items[place].name).collect();
            check(&rows, &names, columns, "pictures")?;
            Ok(vec![rows])
        })?;
        if let Some(picture) = input.block.first().filter(|_| self.latent.is_none()) {
            let (height, width) = (picture.image.height(), picture.image.width());
            self.latent = Some(self.tokenizer.latent_shape(height, width).to_string());
        }
        Ok(())
    }

    pub(super) fn finish(self, warnings: &mut Vec<String>) -> Result<Extracted, Outcome> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        self.kept.keep(warnings);
        let (computed, latent) = (self.kept.fresh(), self.latent.unwrap_or_default());
        let nothing = || Outcome::Skipped { reason: "no features were taken".to_owned() };
        let rows = self.kept.into_spool(0).ok_or_else(nothing)?;
        Ok(Extracted { rows, latent, seconds: self.seconds, computed })
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
    pool(&tokenizer.spec().id, &tokens, protocol.pooling)
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
