//! Features of pictures and texts, one row each: computed once, and kept for the next run.

mod error;
mod pool;
mod subject;
#[cfg(test)]
mod tests;
mod texts;
mod tokens;

use std::cell::OnceCell;

use candle_core::Device;
use prismbench_core::{ImageBatch, Outcome, RgbImage, Tokenizer, TokenizerError};
use prismbench_metrics::Features;

use crate::filtered::filtered;
use crate::follow::{Passing, follow, of_tokenizers};
use crate::journal::{Block, Recalled};
use crate::pictures::{PictureBlock, Pictures};
use crate::spool::Spool;
use crate::{Context, Measured, Observer, SuiteError};
pub(crate) use pool::pool;
use subject::{Subject, Taken};
pub use texts::embed;
pub(crate) use tokens::{of_features, tokens, unsupported};

/// Features of a set of pictures, and what is known about these.
pub struct Extraction {
    /// The pictures, in the order of the rows.
    pub pictures: Measured,
    /// The captions of each.
    pub captions: Vec<Vec<String>>,
    /// For each tokenizer its features, or why it has none.
    pub subjects: Vec<Result<Extracted, Outcome>>,
    /// What a reader must know beyond the numbers.
    pub warnings: Vec<String>,
}

/// One row of features for each picture or text.
pub struct Extracted {
    rows: Spool,
    /// Shape of one picture's latent, as records have it; empty where there is none.
    pub latent: String,
    /// Seconds spent in the tokenizer.
    pub seconds: f64,
    /// How many went through it; the others were kept from an earlier run.
    pub computed: u64,
}

impl Extracted {
    pub(crate) fn into_rows(self) -> Spool {
        self.rows
    }

    /// The rows, in memory or on disk. Every value is finite.
    #[must_use]
    pub fn features(&self) -> &dyn Features {
        &self.rows
    }
}

/// Takes the features of all pictures under their protocol (`tap`, `pooling`), for every tokenizer in
/// one pass. `None` in a shard, whose journal is all that it leaves.
///
/// Rows are kept under `context.cache`, found again by the sha256 of a picture's id and pixels in a
/// file for tokenizer, weights, protocol fields and device, so that a second call runs no network.
/// Nothing is kept of a tokenizer without weights, which is as quick as a disk, or where something is
/// drawn by the pictures' numbers (`posterior = "sample"`, latent noise).
///
/// # Errors
/// [`SuiteError`] when nothing can be measured or the run was interrupted. What fails for one
/// tokenizer is its [`Outcome`], and the others go on.
pub fn extract(
    subjects: &[&dyn Tokenizer],
    pictures: &Pictures<'_>,
    context: &mut Context<'_>,
) -> Result<Option<Extraction>, SuiteError> {
    let mut warnings = Vec::new();
    let going: Vec<Subject<'_>> = subjects
        .iter()
        .map(|&tokenizer| Subject::new(tokenizer, pictures, context, &mut warnings))
        .collect();
    let mut pass = Extracting { pictures, going, captions: Vec::new() };
    let own = of_tokenizers(subjects);
    let measured = follow(&mut pass, pictures, ("features", own), context)?;
    let Some(measured) = measured else { return Ok(None) };
    let Extracting { going, captions, .. } = pass;
    let subjects = going.into_iter().map(|subject| subject.finish(&mut warnings)).collect();
    Ok(Some(Extraction { pictures: measured.some(pictures)?, captions, subjects, warnings }))
}

/// A pass that takes features.
struct Extracting<'p, 'a> {
    pictures: &'p Pictures<'p>,
    going: Vec<Subject<'a>>,
    captions: Vec<Vec<String>>,
}

impl Passing for Extracting<'_, '_> {
    type State = Vec<Result<Taken, Outcome>>;

    fn measure(
        &mut self,
        block: &PictureBlock,
        context: &mut Context<'_>,
    ) -> Result<Block<Self::State>, SuiteError> {
        let (pictures, device, whole) = (self.pictures, context.device, OnceCell::new());
        let input = Input { block, pictures, device, whole };
        let (mut state, mut rows) = (Vec::with_capacity(self.going.len()), Vec::new());
        for subject in &mut self.going {
            state.push(subject.measure(&input).map(|(taken, found)| {
                rows.push(found);
                taken
            }));
        }
        let outcomes = state.iter().filter_map(|taken| taken.as_ref().err());
        let failures = outcomes.filter_map(Outcome::failure).map(str::to_owned).collect();
        Ok(Block { state, rows, failures })
    }

    fn take(
        &mut self,
        mut block: Recalled<'_, Self::State>,
        state: Self::State,
        _: &mut dyn Observer,
    ) -> Result<(), SuiteError> {
        let mut place = 0;
        for (subject, taken) in self.going.iter_mut().zip(state) {
            let here = place;
            place += usize::from(taken.is_ok());
            subject.take(&block, (taken, here))?;
        }
        self.captions
            .extend(block.pictures.iter_mut().map(|picture| std::mem::take(&mut picture.captions)));
        Ok(())
    }
}

/// What tokenizers see of a block: made when the first of them needs it.
struct Input<'a> {
    block: &'a PictureBlock,
    pictures: &'a Pictures<'a>,
    device: &'a Device,
    whole: OnceCell<ImageBatch>,
}

impl Input<'_> {
    /// The pictures at the given places of the block.
    fn batch(&self, places: &[usize]) -> Result<ImageBatch, TokenizerError> {
        let protocol = self.pictures.protocol;
        if places.len() < self.block.len() {
            let some: Vec<&RgbImage> =
                places.iter().map(|&place| &self.block[place].image).collect();
            let some = ImageBatch::from_images(&some, self.device)?;
            return filtered(&some, protocol.frequency_filter);
        }
        if let Some(whole) = self.whole.get() {
            return Ok(whole.clone());
        }
        let whole = filtered(&self.block.batch(self.device)?, protocol.frequency_filter)?;
        Ok(self.whole.get_or_init(|| whole).clone())
    }
}
