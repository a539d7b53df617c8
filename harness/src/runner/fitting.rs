//! Tokenizers that learn from pictures before they are measured.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use prismbench_baselines as baselines;
use prismbench_core::{ImageBatch, RgbImage, Tokenizer, TokenizerError};
use prismbench_suites::Pictures;

use super::Runner;
use super::fits::{KeptFit, Learnt, Stage};
use crate::error::{Failure, FitError};
use crate::progress::Progress;

/// What a fit knows midway is written when it has learnt for so many times as long as writing took.
const PATIENCE: u32 = 10;

impl Runner<'_, '_> {
    /// The tokenizer that a fit makes, and how long earlier processes fitted it.
    pub(super) fn fit(
        &mut self,
        mut fit: Box<dyn baselines::Fit>,
        pictures: &Pictures<'_>,
    ) -> Result<(Box<dyn Tokenizer>, Duration), Failure> {
        let id = fit.id().to_owned();
        let kept = KeptFit::new(self.journals, &id, pictures);
        let words = |error: TokenizerError| error.to_string();
        let done = kept.find(Stage::Done).and_then(|learnt| {
            let tokenizer = |found: Learnt| Ok((fit.of_learnt(&found.bytes)?, found.took));
            learnt.map(tokenizer).transpose().map_err(words)
        });
        match done {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(reason) => self.streams.say(&format!("`{id}` is fitted again: {reason}")),
        }
        let midway = kept.find(Stage::Midway).and_then(|learnt| {
            let go_on = |found: Learnt| fit.go_on(&found.bytes).map(|()| found);
            learnt.map(go_on).transpose().map_err(words)
        });
        let from = match midway {
            Ok(found) => found.unwrap_or_default(),
            Err(reason) => {
                self.streams.say(&format!("`{id}` is fitted from the beginning: {reason}"));
                Learnt::default()
            }
        };
        let earlier = from.took;
        let failed = |source| Failure::Fit { tokenizer: id.clone(), source: Box::new(source) };
        let mut learnt = self.observe(fit.as_mut(), pictures, (&kept, from))?;
        learnt.bytes = fit.learnt().map_err(|error| failed(error.into()))?;
        kept.keep(Stage::Done, &learnt)?;
        let fitted = fit.of_learnt(&learnt.bytes).map_err(|error| failed(error.into()))?;
        Ok((fitted, earlier))
    }

    /// Shows a fit the pictures that it has not seen; how far it is then.
    fn observe(
        &mut self,
        fit: &mut dyn baselines::Fit,
        pictures: &Pictures<'_>,
        (kept, from): (&KeptFit<'_>, Learnt),
    ) -> Result<Learnt, Failure> {
        let id = fit.id().to_owned();
        let title = format!("fit {id}");
        let total = pictures.count();
        let mut progress = Progress::new(self.args.pace.progress, self.streams, title, total);
        let failed = |source| Failure::Fit { tokenizer: id.clone(), source: Box::new(source) };
        let (start, earlier, mut known) = (Instant::now(), from.took, from);
        let (mut written, mut cost) = (start, Duration::ZERO);
        let mut observe = || -> Result<(), Failure> {
            if total == 0 {
                return Err(failed(FitError::Nothing));
            }
            let blocks = pictures.blocks_from(known.next, self.args.pictures.batch);
            let mut blocks = blocks.map_err(|error| failed(error.into()))?;
            while let Some(block) = blocks.next_block().map_err(|error| failed(error.into()))? {
                let images: Vec<&RgbImage> = block.iter().map(|picture| &picture.image).collect();
                let batch = ImageBatch::from_images(&images, &self.device);
                let observed = batch.and_then(|batch| fit.observe(&batch));
                observed.map_err(|error| failed(error.into()))?;
                known.seen += block.len() as u64;
                known.next = block.last().map_or(known.next, |picture| picture.index + 1);
                known.took = earlier + start.elapsed();
                if let Some(line) = progress.update(known.seen, total) {
                    self.streams.say(&line);
                }
                let is_interrupted =
                    known.seen < total && self.streams.interrupted.load(Ordering::Relaxed);
                if kept.keeps() && (is_interrupted || written.elapsed() > PATIENCE * cost) {
                    let began = Instant::now();
                    known.bytes = fit.seen();
                    kept.keep(Stage::Midway, &known)?;
                    (written, cost) = (Instant::now(), began.elapsed());
                }
                if is_interrupted {
                    let done = known.seen;
                    return Err(failed(FitError::Interrupted { done, total }));
                }
            }
            Ok(())
        };
        let observed = observe();
        progress.finish();
        observed.map(|()| known)
    }
}
