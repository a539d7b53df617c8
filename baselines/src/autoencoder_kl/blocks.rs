//! Residual blocks, the attention between them, and levels of blocks.

use candle_core::Tensor;
use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{Activation, Attention, Conv2d, GroupNorm, Linear, Maps, NnError};

use super::architecture::{EPSILON, GROUPS};
use crate::error::layer;
use crate::layers::Layers;

/// Group norm with SiLU in its store.
pub(super) fn norm(layers: &Layers<'_>, name: &str) -> Result<GroupNorm, TokenizerError> {
    Ok(layers.group_norm(name, GROUPS, EPSILON)?.activation(Activation::Silu))
}

/// `shortcut(x) + conv(silu(norm(conv(silu(norm(x))))))`.
pub(super) struct Resnet {
    norms: [GroupNorm; 2],
    convs: [Conv2d; 2],
    /// 1x1 where the width changes.
    shortcut: Option<Conv2d>,
}

impl Resnet {
    pub(super) fn new(
        layers: &Layers<'_>,
        name: &str,
        (from, to): (usize, usize),
    ) -> Result<Self, TokenizerError> {
        let named = |part: &str| format!("{name}.{part}");
        let shortcut = (from != to).then(|| layers.conv(&named("conv_shortcut")));
        Ok(Self {
            norms: [norm(layers, &named("norm1"))?, norm(layers, &named("norm2"))?],
            convs: [layers.conv(&named("conv1"))?, layers.conv(&named("conv2"))?],
            shortcut: shortcut.transpose()?,
        })
    }

    pub(super) fn forward(&self, x: &Maps) -> Result<Maps, NnError> {
        let y = self.convs[0].forward(&self.norms[0].forward(x)?)?;
        let y = self.norms[1].forward(&y)?;
        let shortcut = self.shortcut.as_ref().map(|conv| conv.forward(x)).transpose()?;
        self.convs[1].forward_add(&y, shortcut.as_ref().unwrap_or(x))
    }
}

/// Residual blocks of one width, and what changes the side after them.
pub(super) struct Level {
    pub(super) blocks: Vec<Resnet>,
    pub(super) resample: Option<Conv2d>,
}

impl Level {
    pub(super) fn new(
        layers: &Layers<'_>,
        name: &str,
        count: usize,
        (from, to): (usize, usize),
        resample: Option<Conv2d>,
    ) -> Result<Self, TokenizerError> {
        let block = |block: usize| {
            let from = if block == 0 { from } else { to };
            Resnet::new(layers, &format!("{name}.resnets.{block}"), (from, to))
        };
        Ok(Self { blocks: (0..count).map(block).collect::<Result<_, _>>()?, resample })
    }
}

/// Two residual blocks with self-attention of one head over all positions between them.
pub(super) struct Middle {
    first: Resnet,
    norm: GroupNorm,
    /// Queries, keys and values in one product.
    joint: Linear,
    projection: Linear,
    last: Resnet,
}

impl Middle {
    /// That of the half of this name, `width` channels wide.
    pub(super) fn new(
        layers: &Layers<'_>,
        half: &str,
        width: usize,
    ) -> Result<Self, TokenizerError> {
        let name = format!("{half}.mid_block");
        let attention = format!("{name}.attentions.0");
        let all = |kind: &str| {
            let part = |part: &str| layers.tensor(&format!("{attention}.{part}.{kind}"));
            Ok::<_, TokenizerError>(Tensor::cat(&[part("to_q")?, part("to_k")?, part("to_v")?], 0)?)
        };
        let linear = |weight: &Tensor, bias: &Tensor| {
            let weight = layers.tensors.for_products(weight)?;
            Linear::new(&weight, Some(bias), Activation::Identity).map_err(layer)
        };
        let out = |kind: &str| layers.tensor(&format!("{attention}.to_out.0.{kind}"));
        let resnet =
            |block: usize| Resnet::new(layers, &format!("{name}.resnets.{block}"), (width, width));
        Ok(Self {
            first: resnet(0)?,
            norm: layers.group_norm(&format!("{attention}.group_norm"), GROUPS, EPSILON)?,
            joint: linear(&all("weight")?, &all("bias")?)?,
            projection: linear(&out("weight")?, &out("bias")?)?,
            last: resnet(1)?,
        })
    }

    pub(super) fn forward(&self, x: &Maps) -> Result<Maps, NnError> {
        let x = self.first.forward(x)?;
        let joint = self.joint.forward(&self.norm.forward(&x)?)?;
        let seen = Attention::new(1).forward_joint(&joint)?;
        self.last.forward(&self.projection.forward_add(&seen, &x)?)
    }
}
