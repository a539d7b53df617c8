use candle_core::{Device, Tensor};
use prismbench_core::{ImageBatch, StageCost, TokenizerError};
use prismbench_kernels::nn::{Arithmetic, MapShape};
use prismbench_weights::{Tensors, WeightsFile};

use super::architecture::Architecture;
use super::decoder::Decoder;
use super::encoder::Encoder;
use super::names::{IGNORED, Names};
use crate::cost::{counted, picture};
use crate::layers::Layers;

const ARCHITECTURE: Architecture = Architecture::SIXTEEN_CHANNELS;

/// The tensors of FLUX.1's autoencoder, of which either half can be made: for networks between
/// pictures and its latents.
pub(crate) struct FluxTensors {
    names: Names,
    tensors: Tensors,
    arithmetic: Arithmetic,
    device: Device,
}

/// Pictures to latents.
pub(crate) struct FluxEncoder {
    encoder: Encoder,
    device: Device,
}

/// Latents to pictures.
pub(crate) struct FluxDecoder {
    decoder: Decoder,
    device: Device,
}

impl FluxTensors {
    /// Channels of a latent.
    pub(crate) const CHANNELS: usize = ARCHITECTURE.channels;

    /// Reads the whole autoencoder's file, all of which must be there.
    ///
    /// # Errors
    /// As [`WeightsFile::tensors`].
    pub(crate) fn load(
        file: &WeightsFile,
        (device, arithmetic): (&Device, Arithmetic),
    ) -> Result<Self, TokenizerError> {
        let names = Names::of(file);
        let tensors = file.tensors(&names.expected(&ARCHITECTURE), &IGNORED, device)?;
        Ok(Self { names, tensors, arithmetic, device: device.clone() })
    }

    /// # Errors
    /// [`TokenizerError::Tensor`] when the tensor library fails.
    pub(crate) fn encoder(&self) -> Result<FluxEncoder, TokenizerError> {
        let encoder = self.half(|layers| Encoder::new(layers, &ARCHITECTURE))?;
        Ok(FluxEncoder { encoder, device: self.device.clone() })
    }

    /// # Errors
    /// [`TokenizerError::Tensor`] when the tensor library fails.
    pub(crate) fn decoder(&self) -> Result<FluxDecoder, TokenizerError> {
        let decoder = self.half(|layers| Decoder::new(layers, &ARCHITECTURE))?;
        Ok(FluxDecoder { decoder, device: self.device.clone() })
    }

    fn half<T>(
        &self,
        make: impl FnOnce(&Layers<'_>) -> Result<T, TokenizerError>,
    ) -> Result<T, TokenizerError> {
        let rename = |name: &str| self.names.of_file(name);
        let Self { tensors, arithmetic, .. } = self;
        make(&Layers { tensors, rename: &rename, arithmetic: *arithmetic })
    }
}

impl FluxEncoder {
    /// Learned numbers of the encoder.
    pub(crate) fn parameters(&self) -> u64 {
        ARCHITECTURE.parameters()[0]
    }

    /// What a picture of these sides costs, and the shape of its mean.
    ///
    /// # Errors
    /// [`TokenizerError::Tensor`] for sides that are too small.
    pub(crate) fn cost(
        &self,
        height: usize,
        width: usize,
    ) -> Result<(StageCost, MapShape), TokenizerError> {
        let forward = |maps| self.encoder.forward(&maps);
        let (cost, moments) = counted(self.parameters(), picture(height, width), forward)?;
        Ok((cost, MapShape { channels: FluxTensors::CHANNELS, ..moments }))
    }

    /// The posterior's mean, neither shifted nor scaled: `[N, 16, H / 8, W / 8]` of pictures whose
    /// sides are multiples of 8.
    ///
    /// # Errors
    /// [`TokenizerError::Tensor`] when the tensor library fails.
    pub(crate) fn mean(&self, images: &ImageBatch) -> Result<Tensor, TokenizerError> {
        self.encoder.posterior(images, &self.device)?.mode()
    }
}

impl FluxDecoder {
    /// Learned numbers of the decoder.
    pub(crate) fn parameters(&self) -> u64 {
        ARCHITECTURE.parameters()[1]
    }

    /// What latents of this shape cost.
    ///
    /// # Errors
    /// [`TokenizerError::Tensor`] for latents of other channels.
    pub(crate) fn cost(&self, latents: MapShape) -> Result<StageCost, TokenizerError> {
        let forward = |maps| self.decoder.forward(&maps);
        Ok(counted(self.parameters(), latents, forward)?.0)
    }

    /// Pictures `[N, 3, 8 h, 8 w]` of latents `[N, 16, h, w]` that are neither shifted nor scaled.
    ///
    /// # Errors
    /// As [`ImageBatch::new`].
    pub(crate) fn pictures(&self, latents: &Tensor) -> Result<ImageBatch, TokenizerError> {
        self.decoder.pictures(latents, &self.device)
    }
}
