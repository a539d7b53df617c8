mod layout;
mod network;

use candle_core::Device;
use prismbench_core::{
    Encoding, ImageBatch, LatentShape, Latents, Tokenizer, TokenizerError, TokenizerSpec,
};
use prismbench_weights::Expected;

use crate::grid::expect_grid;
use crate::model::{HubFile, Model, Opening, Part};
use layout::{DECODER, ENCODER, tensors};
use network::Network;

const STRIDE: usize = 8;
const CHANNELS: usize = 32;

pub(crate) const MODELS: &[Model] = &[Model {
    id: "taef2",
    summary: "tiny autoencoder for the FLUX.2 latent space (madebyollin/taef2)",
    licence: "MIT",
    parameters: 2_677_027,
    parts: &[
        Part { files: &[file("taef2_encoder.safetensors")] },
        Part { files: &[file("taef2_decoder.safetensors")] },
    ],
    open: |opening| Ok(Box::new(Taef2::open(opening)?)),
}];

const fn file(path: &'static str) -> HubFile {
    HubFile { repository: "madebyollin/taef2", path }
}

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
    /// Reads both halves.
    ///
    /// # Errors
    /// As [`Opening::weights`] and [`prismbench_weights::WeightsFile::tensors`].
    fn open(opening: &Opening<'_>) -> Result<Self, TokenizerError> {
        let device = opening.device;
        let read = |part, layout| {
            let expected = tensors(layout);
            let file = opening.weights(part)?;
            let tensors = file.tensors(&expected, &[], device)?;
            let network = Network::new(layout, &tensors, opening.arithmetic)?;
            let parameters: usize = expected.iter().map(Expected::len).sum();
            Ok::<_, TokenizerError>((network, file.origin().clone(), parameters as u64))
        };
        let (encoder, first, encoder_parameters) = read(0, &ENCODER[..])?;
        let (decoder, second, decoder_parameters) = read(1, &DECODER[..])?;
        let spec = TokenizerSpec {
            id: opening.id.clone(),
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

    fn encode(
        &self,
        images: &ImageBatch,
        encoding: &Encoding<'_>,
    ) -> Result<Latents, TokenizerError> {
        encoding.refuse_extras(&self.spec().id)?;
        self.spec.check_sides(images)?;
        let images = images.tensor().to_device(&self.device)?;
        Ok(Latents::Tensor(self.encoder.forward(&images)?))
    }

    fn decode(&self, latents: &Latents) -> Result<ImageBatch, TokenizerError> {
        let (latents, _) = expect_grid(latents, &self.spec, CHANNELS)?;
        ImageBatch::new(self.decoder.forward(&latents.to_device(&self.device)?)?)
    }
}
