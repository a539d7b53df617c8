//! The networks: tokens of a latent in noise, a time and a class to a velocity.

mod tables;

use std::ops::Range;

use candle_core::{Device, Tensor};
use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{Activation, Linear, MapShape, Maps, Modulation, NnError, Rotary};
use prismbench_weights::{Tensors, WeightsFile};

use super::block::Block;
use super::config::{Config, PositionTable, StackConfig};
use super::embedders::{LabelEmbedder, TimeEmbedder};
use super::expected::ROTARY;
use super::norm::Norm;
use crate::error::layer;
use crate::vit::{Scope, take_linear};

/// A DiT^DH or a LightningDiT (RAE `src/stage2/models/{DDT,lightningDiT}.py`).
///
/// The encoder's blocks see the time and the class. The head of a DiT^DH sees the latent again, and in
/// place of time and class the encoder's tokens, each its own.
pub(super) struct Network {
    pub(super) config: Config,
    time: TimeEmbedder,
    labels: LabelEmbedder,
    encoder: Stack,
    head: Option<Head>,
    last: LastLayer,
}

/// Blocks with what they begin with.
struct Stack {
    embed: Linear,
    positions: Option<Maps>,
    blocks: Vec<Block>,
    rotary: Rotary,
}

struct Head {
    /// From the encoder's width to the head's, where they differ.
    project: Option<Linear>,
    stack: Stack,
}

/// Shift and scale of a norm, and a linear layer.
struct LastLayer {
    norm: Norm,
    modulation: Linear,
    linear: Linear,
}

impl Network {
    /// Takes the tensors that [`Config::expected`] lists from the file that they are read from.
    ///
    /// # Errors
    /// As [`WeightsFile::tensors`], and [`TokenizerError::WeightsMismatch`] naming a table that is
    /// not of cosines and sines.
    pub(super) fn load(
        config: Config,
        file: WeightsFile,
        scope: &Scope,
        device: &Device,
    ) -> Result<Self, TokenizerError> {
        let mut tensors = file.tensors(&config.expected(scope), &[], device)?;
        let path = file.path().to_owned();
        // What the file takes is free before the layers make their copies.
        drop(file);
        let tensors = &mut tensors;
        let rotary = |name: &str, tensors: &mut Tensors| tables::take(scope, name, &path, tensors);
        let parts = Parts { config: &config, scope, device };
        let depth = config.encoder.depth;
        let (encoder, head) = match &config.head {
            None => {
                let rotary = rotary(ROTARY[2], tensors)?;
                (parts.stack(&config.encoder, "x_embedder.proj", 0..depth, rotary, tensors)?, None)
            }
            Some(wide) => {
                let own = rotary(ROTARY[0], tensors)?;
                let narrow =
                    parts.stack(&config.encoder, "s_embedder.proj", 0..depth, own, tensors)?;
                let own = rotary(ROTARY[1], tensors)?;
                let blocks = depth..depth + wide.depth;
                let stack = parts.stack(wide, "x_embedder.proj", blocks, own, tensors)?;
                let project = (wide.width != config.encoder.width)
                    .then(|| take_linear(scope, &["s_projector"], Activation::Identity, tensors));
                (narrow, Some(Head { project: project.transpose()?, stack }))
            }
        };
        let mut network = Self {
            config,
            time: TimeEmbedder::take(scope, device, tensors)?,
            labels: LabelEmbedder::take(scope, tensors)?,
            encoder,
            head,
            last: parts.last(tensors)?,
        };
        if config.options.positions == PositionTable::Added {
            let table = scope.take(&["pos_embed"], tensors)?;
            network.encoder.positions = Some(Maps::from_token_tensor(&table).map_err(layer)?);
        }
        Ok(network)
    }

    /// The label of no class.
    pub(super) fn null(&self) -> u32 {
        self.config.classes as u32
    }

    /// The velocity of each latent of `x`, `[N, C, h, w]`, at its own time and with its own label.
    ///
    /// # Errors
    /// [`TokenizerError::Tensor`] for latents of another shape, or another number of times or labels.
    pub(super) fn velocity(
        &self,
        x: &Tensor,
        times: &[f32],
        labels: &[u32],
    ) -> Result<Tensor, TokenizerError> {
        self.run(x, times, labels).map_err(layer)
    }

    fn run(&self, x: &Tensor, times: &[f32], labels: &[u32]) -> Result<Tensor, NnError> {
        let tokens = Maps::from_tensor(x)?.into_tokens()?;
        let time = self.time.forward(times)?;
        let condition = self.condition(&time, labels)?;
        let encoded = self.encoder.forward(self.encoder.begin(&tokens)?, &condition)?;
        let (out, condition) = match &self.head {
            None => (encoded, condition),
            Some(head) => {
                let condition = head.condition(encoded, time)?;
                (head.stack.forward(head.stack.begin(&tokens)?, &condition)?, condition)
            }
        };
        self.image(self.last.forward(&out, &condition)?)
    }

    /// What modulates the encoder, behind the SiLU that every modulation begins with. That of a
    /// DiT^DH goes through SiLU twice.
    fn condition(&self, time: &Maps, labels: &[u32]) -> Result<Maps, NnError> {
        let labels = Modulation::new(self.labels.forward(labels)?, 1)?;
        let condition = Activation::Silu.forward(&labels.add(time.clone(), 0)?)?;
        if self.head.is_some() { Activation::Silu.forward(&condition) } else { Ok(condition) }
    }

    /// Tokens as `[N, C, h, w]`.
    fn image(&self, tokens: Maps) -> Result<Tensor, NnError> {
        let MapShape { images, channels, .. } = tokens.shape();
        let side = self.config.side;
        tokens.reshape(MapShape { images, height: side, width: side, channels })?.to_tensor()
    }
}

impl Stack {
    /// Tokens of a latent as the first block takes them.
    fn begin(&self, tokens: &Maps) -> Result<Maps, NnError> {
        let embedded = self.embed.forward(tokens)?;
        match &self.positions {
            Some(positions) => embedded.add_to_each(positions),
            None => Ok(embedded),
        }
    }

    fn forward(&self, tokens: Maps, condition: &Maps) -> Result<Maps, NnError> {
        let mut blocks = self.blocks.iter();
        blocks.try_fold(tokens, |x, block| block.forward(x, condition, &self.rotary))
    }
}

impl Head {
    /// What the encoder's tokens and the time are to the head, the class not among it; behind the
    /// SiLU that every modulation begins with.
    fn condition(&self, encoded: Maps, time: Maps) -> Result<Maps, NnError> {
        let tokens = Activation::Silu.forward(&Modulation::new(time, 1)?.add(encoded, 0)?)?;
        let tokens = match &self.project {
            Some(project) => project.forward(&tokens)?,
            None => tokens,
        };
        Activation::Silu.forward(&tokens)
    }
}

impl LastLayer {
    fn forward(&self, tokens: &Maps, condition: &Maps) -> Result<Maps, NnError> {
        let modulation = Modulation::new(self.modulation.forward(condition)?, 2)?;
        let tokens = modulation.shift_and_scale(self.norm.forward(tokens)?, 0, 1)?;
        self.linear.forward(&tokens)
    }
}

/// What all parts are made with.
struct Parts<'a> {
    config: &'a Config,
    scope: &'a Scope,
    device: &'a Device,
}

impl Parts<'_> {
    fn stack(
        &self,
        config: &StackConfig,
        embed: &str,
        blocks: Range<usize>,
        rotary: Rotary,
        tensors: &mut Tensors,
    ) -> Result<Stack, TokenizerError> {
        let embed = take_linear(self.scope, &[embed], Activation::Identity, tensors)?;
        let scope = self.scope.under(&["blocks."]);
        let block = |index| {
            let scope = scope.block(index);
            Block::take(config, &self.config.options, &scope, self.device, tensors)
        };
        let blocks = blocks.map(block).collect::<Result<_, _>>()?;
        Ok(Stack { embed, positions: None, blocks, rotary })
    }

    fn last(&self, tensors: &mut Tensors) -> Result<LastLayer, TokenizerError> {
        let scope = self.scope.under(&["final_layer."]);
        let at = (self.config.last().width, self.device);
        let norm = Norm::take(self.config.options.norm, &scope, "norm_final", at, tensors)?;
        let modulation =
            take_linear(&scope, &["adaLN_modulation.1"], Activation::Identity, tensors)?;
        // A sigma behind the velocity is not computed.
        let kept = |tensor: Tensor| tensor.narrow(0, 0, self.config.channels)?.contiguous();
        let weight = kept(scope.take(&["linear.weight"], tensors)?)?;
        let bias = kept(scope.take(&["linear.bias"], tensors)?)?;
        let weight = tensors.for_products(&weight)?;
        let linear = Linear::new(&weight, Some(&bias), Activation::Identity).map_err(layer)?;
        Ok(LastLayer { norm, modulation, linear })
    }
}

#[cfg(test)]
mod tests;
