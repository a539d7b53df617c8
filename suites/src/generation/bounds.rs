use prismbench_core::{
    Encoding, ImageBatch, Quantiser, Reconstruction, RgbImage, SampleKey, Tokenizer,
};
use prismbench_metrics::{FLOOR_FID, FeatureNetwork, FeatureSet, Features as _, RFID, Tap};

use super::judging::{Absent, skipped};
use super::reference::{Reference, features};
use crate::pictures::Prepared;
use crate::sets::{Value, blamed, frechet};
use crate::spool::Spool;
use crate::{Context, Pictures, SuiteError};

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
        (metrics, samples): (&[&'static str], u64),
        decoder: Option<&dyn Tokenizer>,
        reference: &Reference<'_>,
        real: Option<&Pictures<'a>>,
        (network, context): (&dyn FeatureNetwork, &mut Context<'a>),
    ) -> Result<Self, SuiteError> {
        let wants = |id: &str| metrics.contains(&id);
        let Some(real) = real.filter(|_| wants(RFID.id) || wants(FLOOR_FID.id)) else {
            return Ok(Self::default());
        };
        let limit = real.limit.map_or(samples, |limit| limit.min(samples));
        let real = &Pictures { limit: Some(limit), ..*real };
        let mut warnings = Vec::new();
        let (own, _, count) = features(real, (network, &[Tap::Pooled]), context, &mut warnings)?;
        let Some(originals) = own.spool(0) else { return Ok(Self::default()) };
        let mut bounds = Self { count, ..Self::default() };
        if wants(FLOOR_FID.id) && reference.is_apart() {
            bounds.floor = reference
                .set(Tap::Pooled, 0)
                .map(|set| frechet(set, originals, None).map_err(|error| error.to_string()));
        }
        if let Some(decoder) = decoder.filter(|_| wants(RFID.id)) {
            let made = reconstructed(decoder, real, network, context)?;
            bounds.decoder = Some(made.and_then(|made| {
                let originals = (FeatureSet::Features(originals), Some(originals as _));
                frechet(originals.0, &made, originals.1).map_err(|error| error.to_string())
            }));
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
    let mut spool = Spool::new(network.width(Tap::Pooled).unwrap_or(0));
    let mut blocks = real.blocks(context.batch)?;
    let total = real.count();
    while let Some(block) = blocks.next_block()? {
        let images = match made(decoder, real, &block, context) {
            Ok(images) => images,
            Err(SuiteError::Batch(error)) => return Ok(Err(error.to_string())),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let images: Vec<&RgbImage> = images.iter().collect();
        let rows = network.features(&images, &[Tap::Pooled]).map_err(|source| {
            SuiteError::Network { picture: blamed(&source, &block), source: Box::new(source) }
        })?;
        for (picture, row) in block.iter().zip(rows.iter().flat_map(|rows| rows.rows())) {
            spool.push(&picture.id, row).map_err(SuiteError::Spool)?;
        }
        let done = spool.rows() as u64;
        context.observer.progress(done, total);
        if context.interrupted.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(SuiteError::Interrupted { done, total });
        }
    }
    Ok(Ok(spool))
}

fn made(
    decoder: &dyn Tokenizer,
    real: &Pictures<'_>,
    block: &[Prepared],
    context: &Context<'_>,
) -> Result<Vec<RgbImage>, SuiteError> {
    let protocol = real.protocol;
    if protocol.quantiser == Quantiser::None {
        return Err(SuiteError::NotQuantised);
    }
    let images: Vec<&RgbImage> = block.iter().map(|picture| &picture.image).collect();
    let batch = ImageBatch::from_images(&images, context.device)?;
    let keys: Vec<SampleKey<'_>> = block.iter().map(Prepared::key).collect();
    let encoding = Encoding {
        posterior: protocol.posterior,
        noise: protocol.latent_noise,
        band_mask: protocol.band_mask,
        seed: context.seed,
        samples: &keys,
    };
    let latents = decoder.encode(&batch, &encoding)?;
    let made = decoder.decode(&latents)?.quantise(protocol.quantiser)?;
    made.into_iter()
        .map(|made| match made {
            Reconstruction::U8(image) => Ok(image),
            Reconstruction::F32 { .. } => Err(SuiteError::NotQuantised),
        })
        .collect()
}
