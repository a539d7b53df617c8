use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{Conv2d, GroupNorm, Maps, NnError, upsample_nearest};

use super::architecture::{Architecture, LEVELS, Quantiser};
use super::blocks::{Level, Middle, norm};
use crate::layers::Layers;

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
