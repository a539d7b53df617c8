//! Sizes of a network as the shapes of its file tell them.

use std::ops::Range;

use prismbench_weights::WeightsFile;

use super::config::{
    Config, HeadNorms, MlpKind, NormKind, Options, Outputs, PositionTable, StackConfig,
};
use super::expected::ROTARY;
use crate::vit::Scope;

/// No extent of a network comes near: a file that says more has a tensor without numbers.
const LARGEST: usize = 1 << 20;

/// What comes before names in files that frameworks wrap.
const PREFIXES: [&str; 5] = ["", "module.", "model.", "_orig_mod.", "module._orig_mod."];

/// The tensors of a file by the reference's names.
pub(super) struct Reading<'a> {
    file: &'a WeightsFile,
    prefix: &'static str,
}

impl<'a> Reading<'a> {
    /// Sees what comes before the names.
    pub(super) fn new(file: &'a WeightsFile) -> Self {
        let has = |prefix: &&str| file.shape(&format!("{prefix}t_embedder.W")).is_some();
        Self { file, prefix: PREFIXES.into_iter().find(has).unwrap_or_default() }
    }

    pub(super) fn scope(&self) -> Scope {
        Scope::new(&[self.prefix])
    }

    /// All sizes and options.
    ///
    /// # Errors
    /// A sentence that names the tensor from which they cannot be read.
    pub(super) fn config(&self) -> Result<Config, String> {
        let has_head = self.has("s_embedder.proj.weight");
        let (last, channels) = self.matrix("x_embedder.proj.weight")?;
        let depth = (0..).take_while(|i| self.has(&format!("blocks.{i}.attn.qkv.weight"))).count();
        let (encoder, head) = if has_head {
            let (first, _) = self.matrix("s_embedder.proj.weight")?;
            if first == last {
                return Err(format!(
                    "encoder and head are both {first} wide, so that shapes do not tell where the \
                     head begins"
                ));
            }
            let narrow = |i: &usize| self.width_of(*i).is_ok_and(|width| width == first);
            let split = (0..depth).take_while(narrow).count();
            let encoder = self.stack(0..split, ROTARY[0], first)?;
            (encoder, Some(self.stack(split..depth, ROTARY[1], last)?))
        } else {
            (self.stack(0..depth, ROTARY[2], last)?, None)
        };
        let tokens =
            self.extent(&format!("{}freqs_cos", ROTARY[if has_head { 0 } else { 2 }]), 0)?;
        let side = tokens.isqrt();
        if side * side != tokens {
            return Err(format!("its {tokens} positions are no square"));
        }
        let rows = self.extent("y_embedder.embedding_table.weight", 0)?;
        let classes = rows.checked_sub(1).filter(|&classes| classes > 0);
        let classes = classes.ok_or("`y_embedder.embedding_table.weight` is of no class")?;
        let frequencies = self.extent("t_embedder.W", 0)?;
        let options = self.options(channels)?;
        Ok(Config { channels, side, classes, frequencies, encoder, head, options })
    }

    fn options(&self, channels: usize) -> Result<Options, String> {
        let outputs = self.extent("final_layer.linear.weight", 0)?;
        Ok(Options {
            norm: match self.has("blocks.0.norm1.weight") {
                true => NormKind::Rms,
                false => NormKind::Layer,
            },
            mlp: match self.has("blocks.0.mlp.fc1.weight") {
                true => MlpKind::Gelu,
                false => MlpKind::SwiGlu,
            },
            head_norms: match self.has("blocks.0.attn.q_norm.weight") {
                true => HeadNorms::Rms,
                false => HeadNorms::None,
            },
            positions: match self.has("pos_embed") {
                true => PositionTable::Added,
                false => PositionTable::None,
            },
            outputs: match outputs == 2 * channels {
                true => Outputs::VelocityAndSigma,
                false => Outputs::Velocity,
            },
        })
    }

    fn stack(
        &self,
        blocks: Range<usize>,
        rotary: &str,
        width: usize,
    ) -> Result<StackConfig, String> {
        if blocks.is_empty() {
            return Err(format!("no blocks are {width} wide"));
        }
        let table = format!("{rotary}freqs_cos");
        let head = self.extent(&table, 1)?;
        if !width.is_multiple_of(head) || !head.is_multiple_of(2) {
            return Err(format!("`{table}` is for heads of {head} channels, of {width} in all"));
        }
        let mlp = format!("blocks.{}.mlp", blocks.start);
        let hidden = match self.has(&format!("{mlp}.fc1.weight")) {
            true => self.extent(&format!("{mlp}.fc1.weight"), 0)?,
            false => self.extent(&format!("{mlp}.w12.weight"), 0)? / 2,
        };
        Ok(StackConfig { width, depth: blocks.len(), heads: width / head, hidden })
    }

    fn width_of(&self, block: usize) -> Result<usize, String> {
        self.extent(&format!("blocks.{block}.attn.qkv.weight"), 1)
    }

    fn has(&self, name: &str) -> bool {
        self.shape(name).is_some()
    }

    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.file.shape(&format!("{}{name}", self.prefix))
    }

    /// Outputs and inputs of a linear layer.
    fn matrix(&self, name: &str) -> Result<(usize, usize), String> {
        Ok((self.extent(name, 0)?, self.extent(name, 1)?))
    }

    fn extent(&self, name: &str, axis: usize) -> Result<usize, String> {
        let Some(shape) = self.shape(name) else {
            return Err(format!("`{name}`, from which sizes are read, is missing"));
        };
        let extent = shape.get(axis).copied().filter(|extent| (1..=LARGEST).contains(extent));
        extent.ok_or_else(|| format!("`{name}` is {shape:?}, from which no size can be read"))
    }
}
