use std::time::Instant;

use prismbench_core::{Outcome, Protocol, TextTower, Tokenizer};
use prismbench_metrics::FeatureRows;
use sha2::{Digest, Sha256};

use super::Extracted;
use super::error::ExtractError;
use super::subject::{LAYER, check, is_worth_a_file};
use super::tokens::unsupported;
use crate::Context;
use crate::feature_file::{Item, Kept, Origin};

/// Texts that go through a tower at once, which divides them by length.
const AT_ONCE: usize = 64;

/// Embeds texts by the text tower of a tokenizer, one row each, not normalised; `set` names them,
/// as a data set and its part do.
///
/// Rows are kept as those of pictures are ([`extract`](super::extract)), by the sha256 of a text.
///
/// # Errors
/// The [`Outcome`] of the tokenizer: skipped where it has no text tower, failed for a text that is
/// too long, an embedding that is not finite, or weights that cannot be read.
pub fn embed(
    tokenizer: &dyn Tokenizer,
    protocol: &Protocol,
    (texts, set): (&[String], &str),
    context: &Context<'_>,
    warnings: &mut Vec<String>,
) -> Result<Extracted, Outcome> {
    let spec = tokenizer.spec();
    let origin = Origin::of_text_tower(spec, protocol.arithmetic, context.device);
    let mut kept = Kept::new(origin, &[(LAYER, None)]);
    if let Some(folder) = context.cache.filter(|_| is_worth_a_file(spec)) {
        kept = kept.with_cache(folder, &format!("texts of {set}"), warnings);
    }
    let tower = tokenizer
        .text_tower()
        .ok_or_else(|| ExtractError::Tokenizer(unsupported(&spec.id, "text tower")).outcome())?;
    let mut seconds = 0.0;
    for texts in texts.chunks(AT_ONCE) {
        add(tower, texts, &mut kept, &mut seconds).map_err(|error| error.outcome())?;
    }
    kept.keep(warnings);
    let computed = kept.fresh();
    let nothing = || Outcome::Skipped { reason: "there are no texts".to_owned() };
    let rows = kept.into_spool(0).ok_or_else(nothing)?;
    Ok(Extracted { rows, latent: String::new(), seconds, computed })
}

fn add(
    tower: &dyn TextTower,
    texts: &[String],
    kept: &mut Kept,
    seconds: &mut f64,
) -> Result<(), ExtractError> {
    let items: Vec<Item<'_>> =
        texts.iter().map(|text| Item { name: text, digest: Sha256::digest(text).into() }).collect();
    let columns = kept.spool(0).map(prismbench_metrics::Features::columns);
    kept.add(&items, |unknown| {
        let texts: Vec<&str> = unknown.iter().map(|&place| items[place].name).collect();
        let start = Instant::now();
        let embedded = tower.embed(&texts)?;
        *seconds += start.elapsed().as_secs_f64();
        let (_, width) = embedded.dims2()?;
        let values = embedded.flatten_all()?.to_vec1::<f32>()?;
        let found = values.len().checked_div(width).unwrap_or(0);
        let count = ExtractError::Count { given: texts.len(), rows: found, what: "texts" };
        let rows = FeatureRows::new(width, values).map_err(|_| count)?;
        check(&rows, &texts, columns, "texts")?;
        Ok(vec![rows])
    })?;
    Ok(())
}
