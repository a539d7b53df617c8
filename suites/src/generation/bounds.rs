use prismbench_core::{
    Encoding, ImageBatch, MetricDef, Quantiser, Reconstruction, RgbImage, SampleKey, Tokenizer,
    TokenizerError,
};
use prismbench_metrics::{
    FLOOR_FID, FeatureNetwork, FeatureRows, FeatureSet, Features, MetricError, RFID, Tap,
};

use super::reference::features;
use super::space::{Absent, Space, skipped};
use crate::feature_file::{AddError, Origin};
use crate::pictures::Prepared;
use crate::sets::{Rows, Value, blamed, by_content, frechet, pairs_by_content};
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
        let (own, _, count) = features(real, (network, &[Tap::Pooled]), context, &mut warnings)?;
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
            bounds.decoder = Some(made.and_then(|made| {
                let made = made.spool(0).ok_or("no features were taken")?;
                distance(made).map_err(|error| error.to_string())
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
) -> Result<Result<Rows, String>, SuiteError> {
    const TAPS: [Tap; 1] = [Tap::Pooled];
    let mut rows = match context.parts {
        Some(folder) => {
            let origin = Origin::of_reconstructions(network, decoder.spec(), context);
            Rows::in_folder(network, &TAPS, (folder, "decoder"), &origin)
                .map_err(SuiteError::Spool)?
        }
        None => Rows::new(network, &TAPS),
    };
    let mut blocks = real.blocks(context.batch)?;
    let (mut done, total) = (0, real.count());
    while let Some(block) = blocks.next_block()? {
        let compute = |fresh: &[Prepared]| -> Result<Vec<FeatureRows>, Stopped> {
            let images = made(decoder, real, fresh, context)?;
            let images: Vec<&RgbImage> = images.iter().collect();
            network.features(&images, &TAPS).map_err(|source| {
                let picture = blamed(&source, fresh);
                Stopped::Run(Box::new(SuiteError::Network { picture, source: Box::new(source) }))
            })
        };
        match rows.add(&block, compute) {
            Ok(()) => {}
            Err(AddError::Spool(error)) => return Err(SuiteError::Spool(error)),
            Err(AddError::Compute(Stopped::Run(error))) => return Err(*error),
            Err(AddError::Compute(Stopped::Bound(reason))) => return Ok(Err(reason)),
        }
        done += block.len() as u64;
        context.observer.progress(done, total);
        if done < total && context.interrupted.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(SuiteError::Interrupted { done, total });
        }
    }
    Ok(Ok(rows))
}

/// What goes wrong with a block: for the whole run, or for this bound alone.
enum Stopped {
    Run(Box<SuiteError>),
    Bound(String),
}

impl From<TokenizerError> for Stopped {
    fn from(error: TokenizerError) -> Self {
        Self::Bound(error.to_string())
    }
}

fn made(
    decoder: &dyn Tokenizer,
    real: &Pictures<'_>,
    block: &[Prepared],
    context: &Context<'_>,
) -> Result<Vec<RgbImage>, Stopped> {
    let protocol = real.protocol;
    let not_quantised = || Stopped::Bound(SuiteError::NotQuantised.to_string());
    if protocol.quantiser == Quantiser::None {
        return Err(not_quantised());
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
            Reconstruction::F32 { .. } => Err(not_quantised()),
        })
        .collect()
}
