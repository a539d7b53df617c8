mod architecture;
mod blocks;
mod config;
mod decoder;
mod encoder;
mod flux;
mod models;
mod names;
mod posterior;
#[cfg(test)]
mod tests;

use candle_core::Device;
use prismbench_core::{
    Cost, Encoding, ImageBatch, LatentShape, Latents, PosteriorRule, Stream, Tokenizer,
    TokenizerError, TokenizerSpec,
};
use prismbench_kernels::nn::{Arithmetic, MapShape};
use prismbench_weights::{Expected, WeightsFile};

use crate::cost::{counted, picture};
use crate::layers::Layers;
use crate::model::Opening;
use architecture::Architecture;
use decoder::Decoder;
use encoder::Encoder;
pub(crate) use flux::{FluxDecoder, FluxEncoder, FluxTensors};
pub(crate) use models::MODELS;
use names::{IGNORED, Names};
use posterior::Posterior;

const STRIDE: usize = 8;

/// Pixels of pictures that are run at once on the host: the widest maps of one picture of 256x256
/// are 64 MB, and several are held at a time.
const PIXELS_ON_HOST: usize = 256 * 256;

/// The same on a device, which needs more to be busy.
const PIXELS_ON_DEVICE: usize = 8 * PIXELS_ON_HOST;

/// `AutoencoderKL` (Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion
/// Models", as CompVis/stable-diffusion, black-forest-labs/flux and diffusers have it): pictures in
/// `[-1, 1]`, a normal posterior at an eighth of the side.
///
/// Latents are as the decoder takes them; a generator sees them shifted and scaled.
pub(crate) struct AutoencoderKl {
    spec: TokenizerSpec,
    /// Learned numbers of encoder and decoder.
    halves: [u64; 2],
    channels: usize,
    space: Space,
    encoder: Encoder,
    decoder: Decoder,
    device: Device,
}

/// How generators are given latents: `(z - shift) scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Space {
    scale: f64,
    shift: f64,
}

/// One row of the family.
pub(crate) struct Variant {
    architecture: Architecture,
    space: Space,
    source: &'static str,
}

impl AutoencoderKl {
    /// Reads the one file.
    ///
    /// # Errors
    /// As [`Opening::weights`], [`config::check`] and [`WeightsFile::tensors`].
    fn open(opening: &Opening<'_>, variant: &Variant) -> Result<Self, TokenizerError> {
        if let Some(path) = opening.beside(0, "config.json")? {
            config::check(&path, &opening.id, variant)?;
        }
        let file = opening.weights(0)?;
        Self::load(opening.id.clone(), variant, file, (opening.device, opening.arithmetic))
    }

    fn load(
        id: String,
        variant: &Variant,
        file: WeightsFile,
        (device, arithmetic): (&Device, Arithmetic),
    ) -> Result<Self, TokenizerError> {
        let Variant { architecture, space, source } = variant;
        let names = Names::of(&file);
        let expected = names.expected(architecture);
        let tensors = file.tensors(&expected, &IGNORED, device)?;
        let spec = TokenizerSpec {
            id,
            stride: STRIDE,
            parameters: Expected::count(&expected),
            weights: vec![file.origin().clone()],
            source: (*source).to_owned(),
        };
        // A third of a gigabyte that nothing needs while the layers are made.
        drop(file);
        let rename = |name: &str| names.of_file(name);
        let layers = Layers { tensors: &tensors, rename: &rename, arithmetic };
        Ok(Self {
            spec,
            halves: architecture.parameters(),
            channels: architecture.channels,
            space: *space,
            encoder: Encoder::new(&layers, architecture)?,
            decoder: Decoder::new(&layers, architecture)?,
            device: device.clone(),
        })
    }

    /// What an encoding draws by, one stream for each image; `None` for the mode.
    ///
    /// # Errors
    /// As [`Encoding::refuse_extras`] and [`Encoding::streams`].
    fn streams(
        &self,
        encoding: &Encoding<'_>,
        images: usize,
    ) -> Result<Option<Vec<Stream>>, TokenizerError> {
        encoding.refuse_extras(&self.spec.id)?;
        match encoding.posterior {
            PosteriorRule::Mode => Ok(None),
            PosteriorRule::Sample => encoding.streams("posterior", images).map(Some),
        }
    }

    fn posterior(&self, images: &ImageBatch) -> Result<Posterior, TokenizerError> {
        self.spec.check_sides(images)?;
        self.encoder.posterior(images, &self.device)
    }

    /// `z scale + offset` of latents that this tokenizer can have made.
    fn affine(
        &self,
        latents: &Latents,
        (scale, offset): (f64, f64),
    ) -> Result<Latents, TokenizerError> {
        let latents = latents.grid(&self.spec.id, self.channels)?;
        Ok(Latents::Tensor(latents.affine(scale, offset)?))
    }
}

/// How many pictures of so many pixels are run at once.
fn at_once(pixels: usize, device: &Device) -> usize {
    let most = if device.is_cpu() { PIXELS_ON_HOST } else { PIXELS_ON_DEVICE };
    most / pixels.max(1)
}

impl Tokenizer for AutoencoderKl {
    fn spec(&self) -> &TokenizerSpec {
        &self.spec
    }

    fn latent_shape(&self, height: usize, width: usize) -> LatentShape {
        LatentShape::Tensor(vec![self.channels, height / STRIDE, width / STRIDE])
    }

    fn encode(
        &self,
        images: &ImageBatch,
        encoding: &Encoding<'_>,
    ) -> Result<Latents, TokenizerError> {
        // Before the network runs: what is refused should not cost its time.
        let streams = self.streams(encoding, images.dims().0)?;
        let posterior = self.posterior(images)?;
        Ok(Latents::Tensor(match streams {
            None => posterior.mode()?,
            Some(streams) => posterior.sample(streams)?,
        }))
    }

    fn decode(&self, latents: &Latents) -> Result<ImageBatch, TokenizerError> {
        self.decoder.pictures(latents.grid(&self.spec.id, self.channels)?, &self.device)
    }

    fn normalise(&self, latents: &Latents) -> Result<Latents, TokenizerError> {
        let Space { scale, shift } = self.space;
        self.affine(latents, (scale, -shift * scale))
    }

    fn denormalise(&self, latents: &Latents) -> Result<Latents, TokenizerError> {
        let Space { scale, shift } = self.space;
        self.affine(latents, (1.0 / scale, shift))
    }

    fn cost(&self, height: usize, width: usize) -> Result<Cost, TokenizerError> {
        self.spec.check_stride(height, width)?;
        let [encoder, decoder] = self.halves;
        let encode = |maps| self.encoder.forward(&maps);
        let (encoder, moments) = counted(encoder, picture(height, width), encode)?;
        let latents = MapShape { channels: self.channels, ..moments };
        let (decoder, _) = counted(decoder, latents, |maps| self.decoder.forward(&maps))?;
        Ok(Cost { encoder, decoder: Some(decoder), head: None })
    }
}
