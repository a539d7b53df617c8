use candle_core::Tensor;
use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{Activation, Attention, LayerNorm, Linear, Maps, Mask, NnError};
use prismbench_weights::{Expected, Tensors};

use super::{
    AttentionNames, BlockNames, Scope, expect_linear, expect_norm, take_linear, take_norm,
};
use crate::error::layer;

/// What all blocks of a stack share besides their names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockConfig {
    /// Channels of a token.
    pub(crate) width: usize,
    /// Channels within the MLP.
    pub(crate) hidden: usize,
    pub(crate) heads: usize,
    /// Of the norms.
    pub(crate) epsilon: f64,
    /// Within the MLP.
    pub(crate) activation: Activation,
    pub(crate) mask: Mask,
}

/// `x + attention(norm x)`, then `x + mlp(norm x)`, each summand times its layer scale if the model
/// has those.
pub(super) struct Block {
    norms: [LayerNorm; 2],
    /// To all queries, keys and values.
    joint: Linear,
    attention: Attention,
    output: Linear,
    mlp: [Linear; 2],
}

impl BlockConfig {
    /// The tensors of a block.
    pub(super) fn expected(&self, scope: &Scope, names: &BlockNames) -> Vec<Expected> {
        let Self { width, hidden, .. } = *self;
        let mut all = Vec::new();
        all.extend(expect_norm(scope, names.norms[0], width));
        match &names.attention {
            AttentionNames::Apart(parts) => {
                all.extend(
                    parts.iter().flat_map(|part| expect_linear(scope, part, (width, width))),
                );
            }
            AttentionNames::Joint { weight, bias } => {
                all.push(scope.expect(weight, [3 * width, width]));
                all.push(scope.expect(bias, [3 * width]));
            }
        }
        all.extend(expect_linear(scope, names.output, (width, width)));
        all.extend(expect_norm(scope, names.norms[1], width));
        all.extend(expect_linear(scope, names.mlp[0], (hidden, width)));
        all.extend(expect_linear(scope, names.mlp[1], (width, hidden)));
        let scales = names.scales.iter().flatten();
        all.extend(scales.map(|scale| scope.expect(scale, [width])));
        all
    }
}

impl Block {
    /// Takes the tensors that [`BlockConfig::expected`] lists.
    pub(super) fn new(
        config: &BlockConfig,
        scope: &Scope,
        names: &BlockNames,
        tensors: &mut Tensors,
    ) -> Result<Self, TokenizerError> {
        let norms = [
            take_norm(scope, names.norms[0], config.epsilon, tensors)?,
            take_norm(scope, names.norms[1], config.epsilon, tensors)?,
        ];
        let joint = joint(scope, &names.attention, tensors)?;
        let [first, second] = match names.scales {
            Some([first, second]) => [Some(first), Some(second)],
            None => [None, None],
        };
        let mut scaled = |names: &[&str], scale: Option<&[&str]>| {
            let Some(scale) = scale else {
                return take_linear(scope, names, Activation::Identity, tensors);
            };
            // A factor per output of a linear layer is a factor of its weights: one pass less.
            let scale = scope.take(scale, tensors)?;
            let linear = scope.under(names);
            let weight = linear.take(&[".weight"], tensors)?;
            let weight = weight.broadcast_mul(&scale.reshape(((), 1))?)?;
            let bias = (linear.take(&[".bias"], tensors)? * &scale)?;
            let weight = tensors.for_products(&weight)?;
            Linear::new(&weight, Some(&bias), Activation::Identity).map_err(layer)
        };
        let (output, narrow) = (scaled(names.output, first)?, scaled(names.mlp[1], second)?);
        let widen = take_linear(scope, names.mlp[0], config.activation, tensors)?;
        let attention = Attention::new(config.heads).mask(config.mask);
        Ok(Self { norms, joint, attention, output, mlp: [widen, narrow] })
    }

    pub(super) fn forward(&self, x: &Maps) -> Result<Maps, NnError> {
        let [before, between] = &self.norms;
        let [widen, narrow] = &self.mlp;
        let heads = self.attention.forward_joint(&self.joint.forward(&before.forward(x)?)?)?;
        let x = self.output.forward_add(&heads, x)?;
        narrow.forward_add(&widen.forward(&between.forward(&x)?)?, &x)
    }
}

/// One layer for queries, keys and values, whichever way the file has them.
fn joint(
    scope: &Scope,
    names: &AttentionNames,
    tensors: &mut Tensors,
) -> Result<Linear, TokenizerError> {
    let (weight, bias) = match names {
        AttentionNames::Joint { weight, bias } => {
            (scope.take(weight, tensors)?, scope.take(bias, tensors)?)
        }
        AttentionNames::Apart(parts) => {
            let mut all = |end| {
                let part = |names: &&[&str]| scope.under(names).take(&[end], tensors);
                let parts = parts.iter().map(part).collect::<Result<Vec<_>, _>>()?;
                Ok::<_, TokenizerError>(Tensor::cat(&parts, 0)?)
            };
            (all(".weight")?, all(".bias")?)
        }
    };
    let weight = tensors.for_products(&weight)?;
    Linear::new(&weight, Some(&bias), Activation::Identity).map_err(layer)
}
