use candle_core::Device;
use prismbench_core::{ImageBatch, TokenizerError};
use prismbench_kernels::nn::{Conv2d, ConvOptions, GroupNorm, Maps, NnError, Padding, Window};

use super::architecture::{Architecture, LEVELS, Quantiser};
use super::at_once;
use super::blocks::{Level, Middle, norm};
use super::posterior::Posterior;
use crate::layers::{Bias, Layers, in_pieces};

/// Pictures in `[-1, 1]` to the moments of their posteriors.
pub(super) struct Encoder {
    input: Conv2d,
    levels: Vec<Level>,
    middle: Middle,
    norm: GroupNorm,
    output: Conv2d,
    quantiser: Option<Conv2d>,
}

impl Encoder {
    pub(super) fn new(
        layers: &Layers<'_>,
        architecture: &Architecture,
    ) -> Result<Self, TokenizerError> {
        let level = |level: usize| {
            let name = format!("encoder.down_blocks.{level}");
            let halve = || halving(layers, &format!("{name}.downsamplers.0.conv"));
            let resample = (level + 1 < LEVELS).then(halve).transpose()?;
            Level::new(layers, &name, architecture.blocks, architecture.down(level), resample)
        };
        let quantiser =
            (architecture.quantiser == Quantiser::Convolutions).then(|| layers.conv("quant_conv"));
        Ok(Self {
            input: layers.conv("encoder.conv_in")?,
            levels: (0..LEVELS).map(level).collect::<Result<_, _>>()?,
            middle: Middle::new(layers, "encoder", architecture.widths[LEVELS - 1])?,
            norm: norm(layers, "encoder.conv_norm_out")?,
            output: layers.conv("encoder.conv_out")?,
            quantiser: quantiser.transpose()?,
        })
    }

    /// The posteriors of pictures whose sides are multiples of 8, a few at a time.
    pub(super) fn posterior(
        &self,
        images: &ImageBatch,
        device: &Device,
    ) -> Result<Posterior, TokenizerError> {
        let (_, height, width) = images.dims();
        let pictures = images.tensor().to_device(device)?;
        let moments = in_pieces(&pictures, at_once(height * width, device), |pictures| {
            let signed = Maps::from_tensor(&pictures.affine(2.0, -1.0)?)?;
            self.forward(&signed)?.to_tensor()
        })?;
        Ok(Posterior::new(moments))
    }

    /// `[N, 3, H, W]` to `[N, 2 channels, H / 8, W / 8]`: means, then logarithms of variances.
    pub(super) fn forward(&self, pictures: &Maps) -> Result<Maps, NnError> {
        let mut x = self.input.forward(pictures)?;
        for level in &self.levels {
            for block in &level.blocks {
                x = block.forward(&x)?;
            }
            if let Some(halve) = &level.resample {
                x = halve.forward(&x)?;
            }
        }
        x = self.middle.forward(&x)?;
        x = self.output.forward(&self.norm.forward(&x)?)?;
        match &self.quantiser {
            Some(conv) => conv.forward(&x),
            None => Ok(x),
        }
    }
}

/// 3x3 in steps of two, with a row below and a column to the right and none on the other sides.
fn halving(layers: &Layers<'_>, name: &str) -> Result<Conv2d, TokenizerError> {
    layers.conv_with(name, Bias::Learned, |options| {
        let padding = Padding { bottom: 1, right: 1, ..Padding::default() };
        let window = Window { padding, ..options.window.stride(2, 2) };
        ConvOptions { window, ..options }
    })
}
