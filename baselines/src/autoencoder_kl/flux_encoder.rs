use candle_core::{Device, Tensor};
use prismbench_core::{ImageBatch, TokenizerError};
use prismbench_kernels::nn::Arithmetic;
use prismbench_weights::WeightsFile;

use super::architecture::Architecture;
use super::encoder::Encoder;
use super::names::{IGNORED, Names};
use crate::layers::Layers;

const ARCHITECTURE: Architecture = Architecture::SIXTEEN_CHANNELS;

/// The encoder of FLUX.1's autoencoder, for networks that see its latents.
pub(crate) struct FluxEncoder {
    encoder: Encoder,
    device: Device,
}

impl FluxEncoder {
    /// Takes the encoder out of the whole autoencoder's file, all of which must be there.
    ///
    /// # Errors
    /// As [`WeightsFile::tensors`].
    pub(crate) fn load(
        file: WeightsFile,
        (device, arithmetic): (&Device, Arithmetic),
    ) -> Result<Self, TokenizerError> {
        let names = Names::of(&file);
        let tensors = file.tensors(&names.expected(&ARCHITECTURE), &IGNORED, device)?;
        drop(file);
        let rename = |name: &str| names.of_file(name);
        let layers = Layers { tensors: &tensors, rename: &rename, arithmetic };
        Ok(Self { encoder: Encoder::new(&layers, &ARCHITECTURE)?, device: device.clone() })
    }

    /// Channels of a latent.
    pub(crate) fn channels(&self) -> usize {
        ARCHITECTURE.channels
    }

    /// Learned numbers of the encoder.
    pub(crate) fn parameters(&self) -> u64 {
        let all = ARCHITECTURE.tensors().into_iter();
        let encoder = all.filter(|(name, _)| name.starts_with("encoder."));
        encoder.map(|(_, shape)| shape.iter().product::<usize>() as u64).sum()
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
