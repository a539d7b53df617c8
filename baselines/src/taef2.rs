mod layout;
mod network;

use std::path::Path;

use candle_core::Device;
use prismbench_core::{
    ImageBatch, LatentShape, Latents, Posterior, Tokenizer, TokenizerError, TokenizerSpec,
};
use prismbench_weights::{Expected, WeightsFile};

use crate::grid::expect_grid;
use layout::{DECODER, ENCODER, tensors};
use network::Network;

const STRIDE: usize = 8;
const CHANNELS: usize = 32;
const REMEDY: &str = "fetch taef2_encoder.safetensors and taef2_decoder.safetensors of the hub \
                      repository madebyollin/taef2 into one folder and name the folder";

/// TAEF2, the tiny autoencoder of madebyollin/taef2 (MIT): residual convolutions of 64 channels,
/// pictures in `[0, 1]`, latents of 32 channels at an eighth of the side.
///
/// Deterministic: mode and sample are the same. No layer's sums depend on the other images of the
/// batch.
pub(crate) struct Taef2 {
    spec: TokenizerSpec,
    encoder: Network,
    decoder: Network,
    device: Device,
}

impl Taef2 {
    /// Reads both halves from `folder`.
    ///
    /// # Errors
    /// As [`WeightsFile::open`] and [`WeightsFile::tensors`].
    pub(crate) fn open(id: String, folder: &Path, device: &Device) -> Result<Self, TokenizerError> {
        let read = |name: &str, layout| {
            let expected = tensors(layout);
            let file = WeightsFile::open(&folder.join(name), REMEDY)?;
            let network = Network::new(layout, &file.tensors(&expected, &[], device)?)?;
            let parameters: usize = expected.iter().map(Expected::len).sum();
            Ok::<_, TokenizerError>((network, file.origin().clone(), parameters as u64))
        };
        let (encoder, first, encoder_parameters) = read("taef2_encoder.safetensors", &ENCODER[..])?;
        let (decoder, second, decoder_parameters) =
            read("taef2_decoder.safetensors", &DECODER[..])?;
        let spec = TokenizerSpec {
            id,
            stride: STRIDE,
            parameters: encoder_parameters + decoder_parameters,
            weights: vec![first, second],
            source: "madebyollin/taef2".to_owned(),
        };
        Ok(Self { spec, encoder, decoder, device: device.clone() })
    }
}

impl Tokenizer for Taef2 {
    fn spec(&self) -> &TokenizerSpec {
        &self.spec
    }

    fn latent_shape(&self, height: usize, width: usize) -> LatentShape {
        LatentShape::Tensor(vec![CHANNELS, height / STRIDE, width / STRIDE])
    }

    fn encode(&self, images: &ImageBatch, _: Posterior<'_>) -> Result<Latents, TokenizerError> {
        self.spec.check_sides(images)?;
        let images = images.tensor().to_device(&self.device)?;
        Ok(Latents::Tensor(self.encoder.forward(&images)?))
    }

    fn decode(&self, latents: &Latents) -> Result<ImageBatch, TokenizerError> {
        let (latents, _) = expect_grid(latents, &self.spec, CHANNELS)?;
        ImageBatch::new(self.decoder.forward(&latents.to_device(&self.device)?)?)
    }
}
