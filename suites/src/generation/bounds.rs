use prismbench_core::{
    Encoding, MetricDef, Outcome, Quantiser, RgbImage, SampleKey, Tokenizer, TokenizerError,
};
use prismbench_metrics::{FLOOR_FID, FeatureNetwork, FeatureSet, Features, MetricError, RFID, Tap};

use super::reference::{Taken, features};
use super::space::{Absent, Space, skipped};
use crate::follow::{Passing, follow, of_network, of_tokenizers};
use crate::journal::{Block, Recalled};
use crate::pictures::{PictureBlock, Prepared};
use crate::quantised::{EightBit, Quantised};
use crate::sets::{Value, blamed, by_content, features_of, frechet, pairs_by_content};
use crate::spool::Spool;
use crate::{Context, Observer, Pictures, SuiteError};

/// What a generator cannot be blamed for: the decoder's own distance between real pictures and their
/// reconstructions, and the distance of real pictures to the reference.
#[derive(Default)]
pub(super) struct Bounds {
    decoder: Option<Result<Value, String>>,
    floor: Option<Result<Value, String>>,
    /// Real pictures that they are of.
    pub(super) count: usize,
}

impl Bounds {
    /// Measures those bounds that are wanted and that the real pictures allow, of as many of them as
    /// there are `samples`: a distance depends on the number.
    pub(super) fn new<'a>(
        (metrics, samples): (&[&'static MetricDef], u64),
        decoder: Option<&dyn Tokenizer>,
        space: &Space<'_>,
        real: Option<&Pictures<'a>>,
        context: &mut Context<'a>,
    ) -> Result<Self, SuiteError> {
        let (network, reference) = (space.network(), space.reference());
        let wants = |bound: &MetricDef| metrics.iter().any(|metric| metric.id == bound.id);
        let Some(real) = real.filter(|_| wants(&RFID) || wants(&FLOOR_FID)) else {
            return Ok(Self::default());
        };
        let limit = real.limit.map_or(samples, |limit| limit.min(samples));
        let real = &Pictures { limit: Some(limit), ..*real };
        let mut warnings = Vec::new();
        let named = ("bounds", network, &[Tap::Pooled][..]);
        let taken = features(real, named, context, &mut warnings)?;
        if taken.is_none() && wants(&RFID) {
            // A shard: its journal is all that it leaves.
            decoder.map(|decoder| reconstructed(decoder, real, network, context)).transpose()?;
        }
        let Some(Taken { own, count, .. }) = taken else { return Ok(Self::default()) };
        let Some(originals) = own.spool(0) else { return Ok(Self::default()) };
        let mut bounds = Self { count, ..Self::default() };
        if wants(&FLOOR_FID) && reference.is_apart() {
            let floor = |set| frechet(set, &by_content(originals)?, None);
            let set = reference.set(Tap::Pooled, 0);
            bounds.floor = set.map(|set| floor(set).map_err(|error| error.to_string()));
        }
        if let Some(decoder) = decoder.filter(|_| wants(&RFID)) {
            let distance = |made: &dyn Features| -> Result<Value, MetricError> {
                let (originals, made) = pairs_by_content(originals, made)?;
                frechet(FeatureSet::Features(&originals), &made, Some(&originals))
            };
            let made = reconstructed(decoder, real, network, context)?;
            bounds.decoder =
                Some(made.and_then(|made| distance(&made).map_err(|error| error.to_string())));
        }
        Ok(bounds)
    }

    /// rFID of the decoder.
    pub(super) fn decoder(&self) -> Result<Value, Absent> {
        let reason = "the decoder's own rFID needs a tokenizer, and real pictures (--data)";
        found(self.decoder.as_ref(), reason)
    }

    /// FID of the real pictures to the reference.
    pub(super) fn floor(&self) -> Result<Value, Absent> {
        let reason = "the floor needs real pictures (--data) besides a reference (--reference)";
        found(self.floor.as_ref(), reason)
    }
}

fn found(bound: Option<&Result<Value, String>>, otherwise: &str) -> Result<Value, Absent> {
    match bound {
        Some(Ok(value)) => Ok(value.clone()),
        Some(Err(reason)) => Err(skipped(reason)),
        None => Err(skipped(otherwise)),
    }
}

/// Pooled features of what a decoder makes of real pictures, or why there are none.
fn reconstructed(
    decoder: &dyn Tokenizer,
    real: &Pictures<'_>,
    network: &dyn FeatureNetwork,
    context: &mut Context<'_>,
) -> Result<Result<Spool, String>, SuiteError> {
    let mut pass = OfDecoder { decoder, real, network, spool: Ok(None), stopped: None };
    let mut own = of_tokenizers(&[decoder]);
    own.extend([of_network(network)]);
    follow(&mut pass, real, ("decoder", own), context)?;
    Ok(pass.spool.and_then(|spool| spool.ok_or("no features were taken".to_owned())))
}

/// A pass that takes features of what a decoder makes.
struct OfDecoder<'p> {
    decoder: &'p dyn Tokenizer,
    real: &'p Pictures<'p>,
    network: &'p dyn FeatureNetwork,
    spool: Result<Option<Spool>, String>,
    /// Why nothing more is made.
    stopped: Option<String>,
}

impl Passing for OfDecoder<'_> {
    /// Why there are no features.
    type State = Option<String>;

    fn measure(
        &mut self,
        block: &PictureBlock,
        context: &mut Context<'_>,
    ) -> Result<Block<Self::State>, SuiteError> {
        let nothing = |reason: &String| {
            let failures = vec![reason.clone()];
            Block { state: Some(reason.clone()), rows: Vec::new(), failures }
        };
        if let Some(reason) = &self.stopped {
            return Ok(nothing(reason));
        }
        let EightBit { images, sent } = match made(self.decoder, self.real, block, context) {
            Ok(made) => made,
            Err(reason) => return Ok(nothing(self.stopped.insert(reason))),
        };
        let images: Vec<&RgbImage> = images.iter().collect();
        let pictures = (images.as_slice(), sent.as_ref());
        let rows = features_of(self.network, pictures, &[Tap::Pooled]).map_err(|source| {
            let picture = blamed(&source, block);
            SuiteError::Network { picture, source: Box::new(source) }
        })?;
        Ok(Block { state: None, rows, failures: Vec::new() })
    }

    fn take(
        &mut self,
        block: Recalled<'_, Self::State>,
        reason: Self::State,
        _: &mut dyn Observer,
    ) -> Result<(), SuiteError> {
        match (&mut self.spool, reason) {
            (Ok(spool), None) => {
                let rows = block.layer(0)?;
                let spool = spool.get_or_insert_with(|| Spool::new(rows.columns));
                spool.adopt(block.names(), rows)?;
            }
            (spool @ Ok(_), Some(reason)) => *spool = Err(reason),
            (Err(_), _) => {}
        }
        Ok(())
    }
}

/// What a decoder makes of a block, or why it makes nothing.
fn made(
    decoder: &dyn Tokenizer,
    real: &Pictures<'_>,
    block: &PictureBlock,
    context: &Context<'_>,
) -> Result<EightBit, String> {
    let protocol = real.protocol;
    let not_quantised = || SuiteError::NotQuantised.to_string();
    let failed = |error: TokenizerError| Outcome::chain(&error);
    if protocol.quantiser == Quantiser::None {
        return Err(not_quantised());
    }
    let batch = block.batch(context.device).map_err(failed)?;
    let keys: Vec<SampleKey<'_>> = block.iter().map(Prepared::key).collect();
    let encoding = Encoding {
        posterior: protocol.posterior,
        noise: protocol.latent_noise,
        band_mask: protocol.band_mask,
        seed: context.seed,
        samples: &keys,
    };
    let latents = decoder.encode(&batch, &encoding).map_err(failed)?;
    let made = decoder.decode(&latents);
    let made = made.and_then(|made| Quantised::new(&made, protocol.quantiser)).map_err(failed)?;
    made.into_eight_bit().map_err(failed)?.ok_or_else(not_quantised)
}
