use prismbench_core::{
    Cost, Encoding, FeatureTap, Features, ImageBatch, LatentShape, Latents, Tokenizer,
    TokenizerError, TokenizerSpec,
};

use super::low_pass::LowPass;
use super::modulator::Modulator;
use super::parts;
use super::variant::Variant;
use crate::model::Opening;
use crate::noise::with_noise;
use crate::rae::Rae;

/// UAE: an RAE whose latents pass a transform of their frequencies.
pub(crate) struct Uae {
    autoencoder: Rae,
    bands: Bands,
    /// Whether mean and variance of its latents are known.
    has_statistics: bool,
}

/// What is done to frequencies.
pub(super) enum Bands {
    /// Second generation: nothing, unless a mask is asked for.
    Cosine(LowPass),
    /// First generation: learned layers, always.
    Rings(Box<Modulator>),
}

impl Uae {
    /// Reads a checkpoint, and the statistics of its latents if they lie beside it.
    ///
    /// # Errors
    /// As [`Opening::find_named`] and [`prismbench_weights::WeightsFile::tensors`].
    pub(super) fn open(opening: &Opening<'_>, variant: &Variant) -> Result<Self, TokenizerError> {
        let (parts, (bands, has_statistics)) = parts::open(opening, variant)?;
        let autoencoder = Rae::new(opening, parts, variant.extents(), variant.source());
        Ok(Self { autoencoder, bands, has_statistics })
    }

    /// Latents that somebody has normalised by statistics that are not here would come out wrong in silence.
    fn check_statistics(&self) -> Result<(), TokenizerError> {
        match self.has_statistics {
            true => Ok(()),
            false => Err(TokenizerError::Unsupported {
                tokenizer: self.spec().id.clone(),
                capability: "statistics of its latents: no normalization_stats.pt beside its checkpoint",
            }),
        }
    }
}

impl Tokenizer for Uae {
    fn spec(&self) -> &TokenizerSpec {
        self.autoencoder.spec()
    }

    fn latent_shape(&self, height: usize, width: usize) -> LatentShape {
        self.autoencoder.latent_shape(height, width)
    }

    /// Noise comes before the mask in the second generation: there, what is regularised, the latent
    /// before the mask, is free of noise only with tau set to 0 (src/train_stage1.py). In the first
    /// it comes behind the learned layers (unified_ae/uae.py).
    fn encode(
        &self,
        images: &ImageBatch,
        encoding: &Encoding<'_>,
    ) -> Result<Latents, TokenizerError> {
        let id = &self.spec().id;
        // All that can be refused is refused before the encoder runs.
        let kept = match &self.bands {
            Bands::Cosine(low_pass) => low_pass.kept(id, encoding.band_mask)?,
            Bands::Rings(modulator) => modulator.kept(id, encoding.band_mask)?,
        };
        self.autoencoder.check(images)?;
        let noise = self.autoencoder.noise(encoding, images.dims().0)?;
        let tokens = self.autoencoder.tokens(images)?;
        Ok(Latents::Tensor(match &self.bands {
            Bands::Cosine(low_pass) => low_pass.apply(with_noise(tokens, noise)?, kept)?,
            Bands::Rings(modulator) => with_noise(modulator.forward(&tokens, kept)?, noise)?,
        }))
    }

    fn decode(&self, latents: &Latents) -> Result<ImageBatch, TokenizerError> {
        self.autoencoder.decode(latents)
    }

    fn normalise(&self, latents: &Latents) -> Result<Latents, TokenizerError> {
        self.check_statistics()?;
        self.autoencoder.normalise(latents)
    }

    fn denormalise(&self, latents: &Latents) -> Result<Latents, TokenizerError> {
        self.check_statistics()?;
        self.autoencoder.denormalise(latents)
    }

    /// The learned layers of the first generation belong to the encoder, and their numbers are among
    /// its own already.
    fn cost(&self, height: usize, width: usize) -> Result<Cost, TokenizerError> {
        let cost = self.autoencoder.cost(height, width)?;
        let Bands::Rings(modulator) = &self.bands else { return Ok(cost) };
        let layers = modulator.cost(self.latent_shape(height, width))?;
        Ok(Cost { encoder: cost.encoder + layers, ..cost })
    }

    /// The encoder's patch tokens, before anything is done to their frequencies.
    fn features(&self, images: &ImageBatch, tap: FeatureTap) -> Result<Features, TokenizerError> {
        self.autoencoder.features(images, tap)
    }
}
