use candle_core::Device;
use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{
    Activation, Attention, Linear, Maps, Modulation, NnError, RmsNorm, Rotary, swiglu,
};
use prismbench_weights::Tensors;

use super::config::{HeadNorms, MlpKind, Options, StackConfig};
use super::norm::{EPSILON, Norm};
use crate::error::layer;
use crate::vit::{Scope, take_linear};

/// The vectors of a block's modulation, in their order.
const VECTORS: usize = 6;
const SHIFT: [usize; 2] = [0, 3];
const SCALE: [usize; 2] = [1, 4];
const GATE: [usize; 2] = [2, 5];

/// Attention, then the MLP, each behind a norm that a condition shifts and scales and before a gate
/// (RAE `src/stage2/models/DDT.py`, `LightningDDTBlock`).
pub(super) struct Block {
    pub(super) norms: [Norm; 2],
    modulation: Linear,
    /// To all queries, keys and values.
    joint: Linear,
    /// Of queries and of keys.
    head_norms: Option<[RmsNorm; 2]>,
    attention: Attention,
    output: Linear,
    pub(super) mlp: Mlp,
}

pub(super) enum Mlp {
    SwiGlu([Linear; 2]),
    Gelu([Linear; 2]),
}

impl Block {
    pub(super) fn take(
        stack: &StackConfig,
        options: &Options,
        scope: &Scope,
        device: &Device,
        tensors: &mut Tensors,
    ) -> Result<Self, TokenizerError> {
        let at = (stack.width, device);
        let norms = [
            Norm::take(options.norm, scope, "norm1", at, tensors)?,
            Norm::take(options.norm, scope, "norm2", at, tensors)?,
        ];
        let mut linear = |name: &str, activation| take_linear(scope, &[name], activation, tensors);
        let modulation = linear("adaLN_modulation.1", Activation::Identity)?;
        let joint = linear("attn.qkv", Activation::Identity)?;
        let output = linear("attn.proj", Activation::Identity)?;
        let mlp = match options.mlp {
            MlpKind::SwiGlu => Mlp::SwiGlu([
                linear("mlp.w12", Activation::Identity)?,
                linear("mlp.w3", Activation::Identity)?,
            ]),
            MlpKind::Gelu => Mlp::Gelu([
                linear("mlp.fc1", Activation::GeluTanh)?,
                linear("mlp.fc2", Activation::Identity)?,
            ]),
        };
        let mut head_norm =
            |name: &str| RmsNorm::new(&scope.take(&[name], tensors)?, EPSILON).map_err(layer);
        let head_norms = match options.head_norms {
            HeadNorms::None => None,
            HeadNorms::Rms => {
                Some([head_norm("attn.q_norm.weight")?, head_norm("attn.k_norm.weight")?])
            }
        };
        let attention = Attention::new(stack.heads);
        Ok(Self { norms, modulation, joint, head_norms, attention, output, mlp })
    }

    /// The vectors of a condition that its SiLU has been through: one condition for all tokens of an
    /// image, or one for each.
    pub(super) fn modulation(&self, condition: &Maps) -> Result<Modulation, NnError> {
        Modulation::new(self.modulation.forward(condition)?, VECTORS)
    }

    /// Tokens behind the block.
    pub(super) fn forward(
        &self,
        x: Maps,
        condition: &Maps,
        rotary: &Rotary,
    ) -> Result<Maps, NnError> {
        let modulation = self.modulation(condition)?;
        let x = self.with_attention(x, &modulation, rotary)?;
        let y = modulation.shift_and_scale(self.norms[1].forward(&x)?, SHIFT[1], SCALE[1])?;
        modulation.add_gated(x, &self.mlp.forward(&y)?, GATE[1])
    }

    /// Tokens behind the first half.
    pub(super) fn with_attention(
        &self,
        x: Maps,
        modulation: &Modulation,
        rotary: &Rotary,
    ) -> Result<Maps, NnError> {
        let y = modulation.shift_and_scale(self.norms[0].forward(&x)?, SHIFT[0], SCALE[0])?;
        modulation.add_gated(x, &self.attend(&y, rotary)?, GATE[0])
    }

    /// Attention of tokens that are normalised and modulated.
    pub(super) fn attend(&self, tokens: &Maps, rotary: &Rotary) -> Result<Maps, NnError> {
        let mut joint = self.joint.forward(tokens)?;
        let width = joint.shape().channels / 3;
        if let Some([queries, keys]) = &self.head_norms {
            joint = queries.forward_parts(joint, 0..width)?;
            joint = keys.forward_parts(joint, width..2 * width)?;
        }
        let joint = rotary.forward_parts(joint, 0..2 * width)?;
        self.output.forward(&self.attention.forward_joint(&joint)?)
    }
}

impl Mlp {
    pub(super) fn forward(&self, x: &Maps) -> Result<Maps, NnError> {
        match self {
            Self::SwiGlu([wide, narrow]) => narrow.forward(&swiglu(&wide.forward(x)?)?),
            Self::Gelu([wide, narrow]) => narrow.forward(&wide.forward(x)?),
        }
    }
}
