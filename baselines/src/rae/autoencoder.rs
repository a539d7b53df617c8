use candle_core::Tensor;
use prismbench_core::{
    Cost, Encoding, FeatureTap, Features, ImageBatch, LatentShape, Latents, Tokenizer,
    TokenizerError, TokenizerSpec,
};
use prismbench_kernels::nn::MapShape;

use super::decoder::Decoder;
use super::parts::Parts;
use super::statistics::Statistics;
use super::variant::Variant;
use crate::cost::stage;
use crate::error::layer;
use crate::model::Opening;
use crate::noise::{latent_noise, with_noise};
use crate::vit::{Input, Side, Tapped, Vision, no_class_token};

/// RAE, for square pictures of one side: its decoder's positions and its statistics are for one
/// grid.
///
/// `encode` gives the encoder's tokens as the decoder takes them; the statistics that a generator is
/// trained behind are those of `normalise`. Latent noise is added before them, as in training.
pub(crate) struct Rae {
    /// Its stride is the side of its pictures.
    spec: TokenizerSpec,
    /// Learned numbers of the decoder.
    decoder_parameters: u64,
    channels: usize,
    grid: usize,
    vision: Vision,
    decoder: Decoder,
    statistics: Statistics,
}

/// Sizes of an autoencoder's pictures and latents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extents {
    /// Pixels along the side of a picture, and of what the encoder sees of it.
    pub(crate) side: usize,
    pub(crate) seen: usize,
    /// Channels of a latent, and positions along its side.
    pub(crate) channels: usize,
    pub(crate) grid: usize,
}

impl Rae {
    /// Reads all parts.
    ///
    /// # Errors
    /// As [`Opening::weights`] and [`prismbench_weights::WeightsFile::tensors`].
    pub(super) fn open(opening: &Opening<'_>, variant: &Variant) -> Result<Self, TokenizerError> {
        let parts = Parts::open(opening, variant)?;
        let extents = Extents {
            side: variant.side,
            seen: variant.seen,
            channels: variant.family.tower.block.width,
            grid: variant.grid(),
        };
        Ok(Self::new(opening, parts, extents, "RAE, arXiv 2510.11690"))
    }

    /// Puts parts together; `source` is the paper.
    pub(crate) fn new(opening: &Opening<'_>, parts: Parts, extents: Extents, source: &str) -> Self {
        let Extents { side, seen, channels, grid } = extents;
        let spec = TokenizerSpec {
            id: opening.id.clone(),
            stride: side,
            parameters: parts.parameters,
            weights: parts.weights,
            source: source.to_owned(),
        };
        let input = Input { side: Side::Fixed(seen), pixels: parts.pixels };
        let id = spec.id.clone();
        Self {
            spec,
            decoder_parameters: parts.decoder_parameters,
            channels,
            grid,
            vision: Vision { id, input, tower: parts.tower, device: opening.device.clone() },
            decoder: parts.decoder,
            statistics: parts.statistics,
        }
    }

    /// The encoder's tokens of pictures, `[N, C, h, w]`.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] for pictures of another size.
    pub(crate) fn tokens(&self, images: &ImageBatch) -> Result<Tensor, TokenizerError> {
        self.check(images)?;
        self.vision.latents(images)
    }

    /// Refuses pictures of another size.
    pub(crate) fn check(&self, images: &ImageBatch) -> Result<(), TokenizerError> {
        self.spec.check_size(images, (self.spec.stride, self.spec.stride))
    }

    /// The latents of a batch, on the device.
    fn latents(&self, latents: &Latents) -> Result<Tensor, TokenizerError> {
        let shape = [self.channels, self.grid, self.grid];
        Ok(latents.grid_of(&self.spec.id, shape)?.to_device(&self.vision.device)?)
    }

    /// What is added to latents; `None` without noise.
    ///
    /// # Errors
    /// As [`Encoding::streams`].
    pub(crate) fn noise(
        &self,
        encoding: &Encoding<'_>,
        images: usize,
    ) -> Result<Option<Tensor>, TokenizerError> {
        let dims = [images, self.channels, self.grid, self.grid];
        latent_noise(encoding, dims, &self.vision.device)
    }
}

impl Tokenizer for Rae {
    fn spec(&self) -> &TokenizerSpec {
        &self.spec
    }

    fn latent_shape(&self, _: usize, _: usize) -> LatentShape {
        LatentShape::Tensor(vec![self.channels, self.grid, self.grid])
    }

    fn encode(
        &self,
        images: &ImageBatch,
        encoding: &Encoding<'_>,
    ) -> Result<Latents, TokenizerError> {
        encoding.refuse_band_mask(&self.spec.id)?;
        self.check(images)?;
        let noise = self.noise(encoding, images.dims().0)?;
        Ok(Latents::Tensor(with_noise(self.vision.latents(images)?, noise)?))
    }

    fn decode(&self, latents: &Latents) -> Result<ImageBatch, TokenizerError> {
        let pictures = self.decoder.forward(&self.latents(latents)?)?;
        ImageBatch::new(self.vision.input.pixels.denormalise(&pictures)?)
    }

    fn normalise(&self, latents: &Latents) -> Result<Latents, TokenizerError> {
        Ok(Latents::Tensor(self.statistics.normalise(&self.latents(latents)?)?))
    }

    fn denormalise(&self, latents: &Latents) -> Result<Latents, TokenizerError> {
        Ok(Latents::Tensor(self.statistics.denormalise(&self.latents(latents)?)?))
    }

    fn cost(&self, height: usize, width: usize) -> Result<Cost, TokenizerError> {
        let Self { spec, decoder_parameters, channels, grid, .. } = self;
        spec.check_only_size((height, width), (spec.stride, spec.stride))?;
        let (work, _) = self.vision.work((height, width))?;
        let encoder = stage(work, spec.parameters - decoder_parameters);
        let latents = MapShape { images: 1, height: *grid, width: *grid, channels: *channels };
        let decoder = self.decoder.cost(*decoder_parameters, latents)?;
        Ok(Cost { encoder, decoder: Some(decoder), head: None })
    }

    /// The encoder's patch tokens; RAE has no use for its class token.
    fn features(&self, images: &ImageBatch, tap: FeatureTap) -> Result<Features, TokenizerError> {
        self.check(images)?;
        self.vision.check(tap)?;
        if matches!(tap, FeatureTap::Last(_)) {
            return Err(no_class_token(&self.spec.id));
        }
        let mut patches = Vec::new();
        self.vision.each(images, tap, |Tapped { tokens, .. }| {
            let few = self.vision.patches(&tokens)?;
            patches.push(few.to_token_tensor().map_err(layer)?);
            Ok(())
        })?;
        let patch_tokens = Tensor::cat(&patches, 0)?;
        let grid = (self.grid, self.grid);
        Ok(Features { patch_tokens, grid, class_token: None, pooled: None })
    }
}
