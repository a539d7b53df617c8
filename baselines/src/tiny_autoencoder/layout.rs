//! The two halves as flat sequences; a tensor's name starts with the position of its layer.

use std::fmt;

use prismbench_weights::WeightsFile;

use super::names::Names;

/// Width of every hidden layer.
pub(super) const HIDDEN: usize = 64;

/// Width of the pooled branch.
pub(super) const POOLED: usize = 4 * HIDDEN;

/// Which half of an autoencoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Encoder,
    Decoder,
}

/// What distinguishes one tiny autoencoder from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Channels of a latent.
    pub(super) channels: usize,
    /// Blocks at the latent's resolution.
    pub(super) lowest: Lowest,
}

/// Blocks at the latent's resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lowest {
    /// As all others.
    Plain,
    /// With a branch of 1x1 convolutions and a norm.
    Pooled,
}

/// One position of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// `3 tanh(x / 3)`.
    Clamp,
    /// 3x3 with bias, padding 1.
    Conv { inputs: usize, outputs: usize },
    /// 3x3 without bias, padding 1.
    Stride { stride: usize },
    /// `max(x, 0)`.
    Relu,
    /// `relu(conv relu conv relu conv (x) + x)`.
    Block,
    /// A block whose input is first `x + pool(x)`.
    PooledBlock,
    /// Nearest neighbour, twice the side.
    Upsample,
}

use Layer::{Block, Clamp, Conv, PooledBlock, Relu, Stride, Upsample};

const DOWN: Layer = Stride { stride: 2 };
const KEEP: Layer = Stride { stride: 1 };

impl Half {
    /// Position of the first layer that has weights.
    pub(super) fn first(self) -> usize {
        match self {
            Self::Encoder => 0,
            Self::Decoder => 1,
        }
    }
}

impl Form {
    /// What the weights of a half say; `None` where they are not of this half.
    pub(super) fn of(file: &WeightsFile, half: Half, names: Names) -> Option<Self> {
        let shape = |name: &str| file.shape(&names.of_file(name));
        let (channels, pooled) = match half {
            Half::Encoder => (shape("14.weight")?.first(), "11.pool.0.weight"),
            Half::Decoder => (shape("1.weight")?.get(1), "3.pool.0.weight"),
        };
        let lowest = if shape(pooled).is_some() { Lowest::Pooled } else { Lowest::Plain };
        // No larger than the tensor, whose bytes the file has.
        Some(Self { channels: *channels?, lowest })
    }

    /// The sequence of a half.
    #[rustfmt::skip]
    pub(super) fn layout(self, half: Half) -> Vec<Layer> {
        let lowest = match self.lowest {
            Lowest::Plain => Block,
            Lowest::Pooled => PooledBlock,
        };
        match half {
            Half::Encoder => vec![
                Conv { inputs: 3, outputs: HIDDEN }, Block,
                DOWN, Block, Block, Block,
                DOWN, Block, Block, Block,
                DOWN, lowest, lowest, lowest,
                Conv { inputs: HIDDEN, outputs: self.channels },
            ],
            Half::Decoder => vec![
                Clamp, Conv { inputs: self.channels, outputs: HIDDEN }, Relu,
                lowest, lowest, lowest, Upsample, KEEP,
                Block, Block, Block, Upsample, KEEP,
                Block, Block, Block, Upsample, KEEP,
                Block, Conv { inputs: HIDDEN, outputs: 3 },
            ],
        }
    }
}

impl fmt::Display for Form {
    /// `latents of 16 channels`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "latents of {} channels", self.channels)?;
        match self.lowest {
            Lowest::Plain => Ok(()),
            Lowest::Pooled => f.write_str(" with a pooled branch"),
        }
    }
}

/// Name and shape of every tensor of a sequence.
pub(super) fn tensors(layout: &[Layer]) -> Vec<(String, Vec<usize>)> {
    let mut expected = Vec::new();
    for (position, layer) in layout.iter().enumerate() {
        let mut push = |name: &str, shape: &[usize]| {
            expected.push((format!("{position}.{name}"), shape.to_vec()));
        };
        match *layer {
            Clamp | Relu | Upsample => {}
            Conv { inputs, outputs } => {
                push("weight", &[outputs, inputs, 3, 3]);
                push("bias", &[outputs]);
            }
            Stride { .. } => push("weight", &[HIDDEN, HIDDEN, 3, 3]),
            Block | PooledBlock => {
                for conv in [0, 2, 4] {
                    push(&format!("conv.{conv}.weight"), &[HIDDEN, HIDDEN, 3, 3]);
                    push(&format!("conv.{conv}.bias"), &[HIDDEN]);
                }
            }
        }
        if *layer == PooledBlock {
            push("pool.0.weight", &[POOLED, HIDDEN, 1, 1]);
            push("pool.1.weight", &[POOLED]);
            push("pool.1.bias", &[POOLED]);
            push("pool.3.weight", &[HIDDEN, POOLED, 1, 1]);
        }
    }
    expected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_halves_have_the_published_numbers_of_parameters() {
        let count = |channels, lowest| {
            [Half::Encoder, Half::Decoder].map(|half| {
                let tensors = tensors(&Form { channels, lowest }.layout(half));
                tensors.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum::<usize>()
            })
        };
        assert_eq!(count(4, Lowest::Plain), [1_222_532, 1_222_531]);
        assert_eq!(count(16, Lowest::Plain), [1_229_456, 1_229_443]);
        assert_eq!(count(32, Lowest::Pooled), [1_338_528, 1_338_499]);
    }
}
