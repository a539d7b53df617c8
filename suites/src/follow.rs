//! How a pass goes over pictures: what a block gives is measured and put into the journal; when all of
//! it is there, the numbers are made of the journal.

use std::ops::Range;
use std::sync::atomic::Ordering;

use candle_core::Device;
use prismbench_core::Tokenizer;
use prismbench_kernels::accelerator::DeviceFailure;
use prismbench_metrics::FeatureNetwork;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::journal::{Block, DEVICE, Entry, Journal, LOCAL, Recalled};
use crate::origin::{Origin, enter_files};
use crate::pictures::{Blocks, PictureBlock, Pictures, Skipped};
use crate::read_ahead::read_ahead;
use crate::seen::Seen;
use crate::suite::joint_sha256;
use crate::{Context, Measured, Observer, Stage, SuiteError};

/// Blocks that wait while a device computes.
const AHEAD: usize = 2;

/// What is done with each block of a pass.
pub(crate) trait Passing {
    /// What a block gives besides features.
    type State: Serialize + DeserializeOwned;

    /// Is told, before any block, how many pictures are left to measure. Not called where none is.
    fn begin(&mut self, left: u64, context: &mut Context<'_>) -> Result<(), SuiteError> {
        let _ = (left, context);
        Ok(())
    }

    /// Measures a block: the costly part.
    fn measure(
        &mut self,
        block: &PictureBlock,
        context: &mut Context<'_>,
    ) -> Result<Block<Self::State>, SuiteError>;

    /// Takes in what a block gave, in the order of the pictures.
    fn take(
        &mut self,
        block: Recalled<'_, Self::State>,
        state: Self::State,
        observer: &mut dyn Observer,
    ) -> Result<(), SuiteError>;
}

/// Where blocks come from.
pub(crate) trait Source {
    /// What decides them, by name.
    fn origin(&self) -> Result<Origin, SuiteError>;

    /// Tells it apart from other sources of one run, where there are several; part of a file's name.
    fn key(&self) -> String;

    /// Positions there are.
    fn total(&self) -> u64;

    /// Pictures at the positions of a range.
    fn count(&self, range: &Range<u64>) -> u64;

    /// Hands over the pictures at the positions of `range`, in blocks of the context's size, with those
    /// that were left out on the way to each; returns those that were left out behind the last.
    fn each(
        &self,
        range: Range<u64>,
        how: (usize, &Device),
        take: &mut dyn FnMut(PictureBlock, Vec<Skipped>) -> Result<(), SuiteError>,
    ) -> Result<Vec<Skipped>, SuiteError>;
}

/// Measures what the journal `name` does not hold yet and hands everything in it to `passing`. `None`
/// where other shards hold the rest.
///
/// # Errors
/// What measuring a block gives, those of the journal, and [`SuiteError::Interrupted`].
pub(crate) fn follow<P: Passing>(
    passing: &mut P,
    source: &dyn Source,
    (name, own): (&str, Origin),
    context: &mut Context<'_>,
) -> Result<Option<Measured>, SuiteError> {
    let mut origin = source.origin()?;
    origin.extend(own);
    origin.extend(of_context(context));
    let name = format!("{name}{}", source.key());
    let mut said = Vec::new();
    let journal = context.journals.open(&name, (&origin, source.total()), &mut said);
    said.iter().for_each(|text| context.observer.found(text));
    let mut journal = journal?;
    if journal.is_in_doubt() {
        settle(source, &mut journal, context)?;
    }
    fill(passing, source, &mut journal, context)?;
    if journal.is_shard() {
        return Ok(None);
    }
    let mut seen = Seen::default();
    journal.recall(|mut block: Recalled<'_, P::State>| {
        seen.add(&block.pictures, std::mem::take(&mut block.skipped))?;
        match block.state.take() {
            Some(state) => passing.take(block, state, context.observer),
            None => Ok(()),
        }
    })?;
    Ok(Some(seen.finish()))
}

/// Compares the pictures of a journal with those that there are now, where their files were touched since it
/// was written and have the sizes and times that they had.
fn settle(
    source: &dyn Source,
    journal: &mut Journal,
    context: &mut Context<'_>,
) -> Result<(), SuiteError> {
    let (done, total, mut compared) = (journal.done(), source.count(&journal.range()), 0);
    context.observer.found(
        "the pictures' files were touched since this run was stopped: what they hold is compared",
    );
    let changed = journal.settle(|positions, entries| {
        if context.interrupted.load(Ordering::Relaxed) {
            return Err(SuiteError::Interrupted { done, total });
        }
        let mut now = Vec::with_capacity(entries.len());
        source.each(positions, (context.batch, &Device::Cpu), &mut |pictures, _| {
            now.extend(pictures.iter().map(Entry::of));
            Ok(())
        })?;
        compared += entries.len();
        Ok(now == entries)
    })?;
    context.observer.found(&match changed {
        None => format!("the {compared} pictures that were measured are the same by their sha256"),
        Some(position) => format!(
            "what was measured before this run was stopped is measured again from position {position} on: \
             pictures have changed, by their sha256"
        ),
    });
    Ok(())
}

fn fill<P: Passing>(
    passing: &mut P,
    source: &dyn Source,
    journal: &mut Journal,
    context: &mut Context<'_>,
) -> Result<(), SuiteError> {
    if journal.is_whole() {
        return Ok(());
    }
    let total = source.count(&journal.range());
    let (batch, device, missing) = (context.batch, context.device, journal.missing());
    passing.begin(source.count(&missing), context)?;
    let measured = source.each(missing, (batch, device), &mut |pictures, skipped| {
        let block = passing.measure(&pictures, context)?;
        if !block.failures.is_empty() {
            // What it did not do is done when the run goes on, and not put down as a failure.
            if let Some(reason) = block.failures.iter().find(|reason| is_lost(reason)) {
                return Err(SuiteError::DeviceLost { reason: reason.clone() });
            }
            context.observer.failed();
        }
        {
            let _write = Stage::Write.enter();
            journal.push(&pictures, skipped, block)?;
        }
        let done = journal.done();
        context.observer.progress(done, total);
        if done < total && context.interrupted.load(Ordering::Relaxed) {
            return Err(SuiteError::Interrupted { done, total });
        }
        Ok(())
    });
    match measured {
        Ok(skipped) => Ok(journal.finish(skipped)?),
        Err(error) => {
            // What is there is worth keeping whatever went wrong, which is the error to tell.
            let _ = journal.sync();
            Err(error)
        }
    }
}

/// Whether a failure is that of a device that can do nothing any more.
fn is_lost(reason: &str) -> bool {
    DeviceFailure::in_text(reason) == Some(DeviceFailure::Lost)
}

/// What decides a pass besides its pictures and what it does with them.
fn of_context(context: &Context<'_>) -> Origin {
    let fields = [
        ("metrics", context.metrics.join(" ")),
        ("seed", context.seed.to_string()),
        ("layers", prismbench_kernels::nn::BITS.to_string()),
        (DEVICE, if context.device.is_cpu() { "cpu" } else { "cuda" }.to_owned()),
        ("tool", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What decides the part of some tokenizers in a pass.
pub(crate) fn of_tokenizers(subjects: &[&dyn Tokenizer]) -> Origin {
    let subject = |(number, tokenizer): (usize, &&dyn Tokenizer)| {
        let spec = tokenizer.spec();
        let weights = spec.weights.iter().map(|file| format!(" {}", file.sha256));
        (format!("tokenizer {}", number + 1), format!("{}{}", spec.id, weights.collect::<String>()))
    };
    subjects.iter().enumerate().map(subject).collect()
}

/// The same of a feature network.
pub(crate) fn of_network(network: &dyn FeatureNetwork) -> (String, String) {
    let resize = network.resize().map(|(_, value)| value).unwrap_or_default();
    let weights = network.weights().iter().map(|file| format!(" {}", file.sha256));
    (format!("network {}", network.id()), format!("{resize}{}", weights.collect::<String>()))
}

impl Measured {
    /// Refuses a pass over no picture.
    pub(crate) fn some(self, pictures: &Pictures<'_>) -> Result<Self, SuiteError> {
        if self.pictures.is_empty() {
            let dataset = pictures.dataset.id().to_owned();
            return Err(SuiteError::NothingLeft { dataset, skipped: self.skipped.len() });
        }
        Ok(self)
    }
}

impl Source for Pictures<'_> {
    fn origin(&self) -> Result<Origin, SuiteError> {
        let fields = [
            ("pictures", self.dataset.id().to_owned()),
            ("part", self.part.name().to_owned()),
            ("positions", self.total().to_string()),
            ("protocol", self.protocol.canonical()),
            ("bad pictures", format!("{:?}", self.on_bad)),
        ];
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
        let mut origin: Origin = fields.collect();
        enter_files(&mut origin, LOCAL, self.dataset.file_state());
        Ok(origin)
    }

    fn key(&self) -> String {
        let (set, part) = (self.dataset.id(), self.part.name());
        let all = joint_sha256(&[set, part, &self.protocol.canonical()]);
        format!("-{}", &all[..8])
    }

    fn total(&self) -> u64 {
        self.end()
    }

    fn count(&self, range: &Range<u64>) -> u64 {
        self.part.count(range.end) - self.part.count(range.start)
    }

    fn each(
        &self,
        range: Range<u64>,
        (batch, device): (usize, &Device),
        take: &mut dyn FnMut(PictureBlock, Vec<Skipped>) -> Result<(), SuiteError>,
    ) -> Result<Vec<Skipped>, SuiteError> {
        let mut blocks = self.blocks_of(range, batch)?;
        if !device.is_cpu() {
            return each_ahead(blocks.sent_to(device)?, take);
        }
        while let Some(block) = blocks.next_block()? {
            let skipped = blocks.take_skipped(&block);
            take(block, skipped)?;
        }
        Ok(blocks.into_skipped())
    }
}

/// Hands blocks over while the processor makes the next ones: a device that computes leaves it idle.
fn each_ahead(
    blocks: Blocks<'_>,
    take: &mut dyn FnMut(PictureBlock, Vec<Skipped>) -> Result<(), SuiteError>,
) -> Result<Vec<Skipped>, SuiteError> {
    read_ahead(blocks, AHEAD, |blocks| {
        let mut taken = 0;
        while let Some(block) = blocks.next_block()? {
            let end = block.last().map_or(0, |last| last.index);
            let before = blocks.skipped().partition_point(|skipped| skipped.index < end);
            let skipped = blocks.skipped()[taken..before].to_vec();
            taken = before;
            take(block, skipped)?;
        }
        Ok(blocks.skipped()[taken..].to_vec())
    })
}

#[cfg(test)]
mod tests {
    use prismbench_core::Protocol;
    use prismbench_data::Synthetic;

    use super::*;
    use crate::pictures::{OnBad, Part};

    #[test]
    fn blocks_that_are_made_ahead_are_the_same() {
        // Without a crop the scenes have several sizes, and blocks end where these change.
        let set = Synthetic::new(3, 40);
        let protocol = Protocol::preset("default").unwrap().with("crop", "none").unwrap();
        let (dataset, part, on_bad) = (&set, Part::Test, OnBad::Skip);
        let pictures = Pictures { dataset, part, limit: None, protocol: &protocol, on_bad };
        let [mut plain, mut ahead] = [Vec::new(), Vec::new()];
        let mut take = |block: PictureBlock, skipped| {
            plain.push((block.iter().map(|one| one.digest).collect::<Vec<_>>(), skipped));
            Ok(())
        };
        let rest = pictures.each(3..40, (4, &Device::Cpu), &mut take).unwrap();
        let blocks = pictures.blocks_of(3..40, 4).unwrap();
        let mut take = |block: PictureBlock, skipped| {
            ahead.push((block.iter().map(|one| one.digest).collect::<Vec<_>>(), skipped));
            Ok(())
        };
        assert_eq!(each_ahead(blocks, &mut take).unwrap(), rest);
        assert_eq!(plain, ahead);
        assert!(plain.len() > 5);
    }
}
