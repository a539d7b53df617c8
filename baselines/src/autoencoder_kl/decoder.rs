use candle_core::{Device, Tensor};
use prismbench_core::{ImageBatch, TokenizerError};
use prismbench_kernels::nn::{Conv2d, GroupNorm, Maps, NnError, upsample_nearest};

use super::architecture::{Architecture, LEVELS, Quantiser};
use super::blocks::{Level, Middle, norm};
use super::{STRIDE, at_once};
use crate::layers::{Layers, in_pieces};

/// Latents to pictures in `[-1, 1]`.
pub(super) struct Decoder {
    quantiser: Option<Conv2d>,
    input: Conv2d,
    middle: Middle,
    levels: Vec<Level>,
    norm: GroupNorm,
    output: Conv2d,
}

impl Decoder {
    pub(super) fn new(
        layers: &Layers<'_>,
        architecture: &Architecture,
    ) -> Result<Self, TokenizerError> {
        let level = |level: usize| {
            let name = format!("decoder.up_blocks.{level}");
            let conv = || layers.conv(&format!("{name}.upsamplers.0.conv"));
            let resample = (level + 1 < LEVELS).then(conv).transpose()?;
            Level::new(layers, &name, architecture.blocks + 1, architecture.up(level), resample)
        };
        let quantiser = (architecture.quantiser == Quantiser::Convolutions)
            .then(|| layers.conv("post_quant_conv"));
        Ok(Self {
            quantiser: quantiser.transpose()?,
            input: layers.conv("decoder.conv_in")?,
            middle: Middle::new(layers, "decoder", architecture.widths[LEVELS - 1])?,
            levels: (0..LEVELS).map(level).collect::<Result<_, _>>()?,
            norm: norm(layers, "decoder.conv_norm_out")?,
            output: layers.conv("decoder.conv_out")?,
        })
    }

    /// The pictures of latents `[N, channels, h, w]`, a few at a time.
    pub(super) fn pictures(
        &self,
        latents: &Tensor,
        device: &Device,
    ) -> Result<ImageBatch, TokenizerError> {
        let (_, _, height, width) = latents.dims4()?;
        let pixels = height * width * STRIDE * STRIDE;
        let latents = latents.to_device(device)?;
        ImageBatch::new(in_pieces(&latents, at_once(pixels, device), |latents| {
            let signed = self.forward(&Maps::from_tensor(latents)?)?;
            Ok(signed.to_tensor()?.affine(0.5, 0.5)?)
        })?)
    }

    /// `[N, channels, h, w]` to `[N, 3, 8 h, 8 w]`.
    pub(super) fn forward(&self, latents: &Maps) -> Result<Maps, NnError> {
        let quantised = self.quantiser.as_ref().map(|conv| conv.forward(latents)).transpose()?;
        let mut x = self.input.forward(quantised.as_ref().unwrap_or(latents))?;
        x = self.middle.forward(&x)?;
        for level in &self.levels {
            for block in &level.blocks {
                x = block.forward(&x)?;
            }
            if let Some(conv) = &level.resample {
                x = conv.forward(&upsample_nearest(&x, 2)?)?;
            }
        }
        self.output.forward(&self.norm.forward(&x)?)
    }
}
