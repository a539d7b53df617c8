//! The two halves as flat sequences; a tensor's name starts with the position of its layer.

use prismbench_weights::Expected;

/// Width of every hidden layer.
pub(super) const HIDDEN: usize = 64;

/// Width of the pooled branch.
pub(super) const POOLED: usize = 4 * HIDDEN;

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

/// Pictures to latents.
#[rustfmt::skip]
pub(super) const ENCODER: [Layer; 15] = [
    Conv { inputs: 3, outputs: HIDDEN }, Block,
    DOWN, Block, Block, Block,
    DOWN, Block, Block, Block,
    DOWN, PooledBlock, PooledBlock, PooledBlock,
    Conv { inputs: HIDDEN, outputs: 32 },
];

/// Latents to pictures.
#[rustfmt::skip]
pub(super) const DECODER: [Layer; 20] = [
    Clamp, Conv { inputs: 32, outputs: HIDDEN }, Relu,
    PooledBlock, PooledBlock, PooledBlock, Upsample, KEEP,
    Block, Block, Block, Upsample, KEEP,
    Block, Block, Block, Upsample, KEEP,
    Block, Conv { inputs: HIDDEN, outputs: 3 },
];

/// Every tensor of a sequence.
pub(super) fn tensors(layout: &[Layer]) -> Vec<Expected> {
    let mut expected = Vec::new();
    for (position, layer) in layout.iter().enumerate() {
        let mut push = |name: &str, shape: &[usize]| {
            expected.push(Expected::new(format!("{position}.{name}"), shape));
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
        let count = |layout| -> usize { tensors(layout).iter().map(Expected::len).sum() };
        assert_eq!((count(&ENCODER), count(&DECODER)), (1_338_528, 1_338_499));
    }
}
