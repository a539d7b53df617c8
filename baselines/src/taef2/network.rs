use candle_core::{Module, Tensor};
use candle_nn::GroupNorm;
use prismbench_core::TokenizerError;
use prismbench_weights::Tensors;

use super::layout::{Layer, POOLED};

/// Groups of the pooled branch's norm.
const GROUPS: usize = 4;

/// PyTorch's default, which the network was trained with.
const EPSILON: f64 = 1e-5;

/// One half: a sequence of layers with their weights.
pub(super) struct Network(Vec<Step>);

enum Step {
    Clamp,
    Conv(Conv),
    Relu,
    Block(Block),
    Upsample,
}

struct Conv {
    weight: Tensor,
    /// `[1, C, 1, 1]`.
    bias: Option<Tensor>,
    stride: usize,
}

struct Block {
    pool: Option<Pool>,
    convs: [Conv; 3],
}

/// 1x1 convolution, group norm, ReLU, 1x1 convolution.
struct Pool {
    widen: Conv,
    norm: GroupNorm,
    narrow: Conv,
}

impl Network {
    /// Takes the tensors of `layout`.
    pub(super) fn new(layout: &[Layer], tensors: &Tensors) -> Result<Self, TokenizerError> {
        let step = |(position, layer): (usize, &Layer)| {
            let name = position.to_string();
            Ok(match *layer {
                Layer::Clamp => Step::Clamp,
                Layer::Relu => Step::Relu,
                Layer::Upsample => Step::Upsample,
                Layer::Conv { .. } => Step::Conv(Conv::with_bias(tensors, &name)?),
                Layer::Stride { stride } => Step::Conv(Conv::without_bias(tensors, &name, stride)?),
                Layer::Block => Step::Block(Block { pool: None, convs: convs(tensors, &name)? }),
                Layer::PooledBlock => {
                    let pool = Some(Pool::new(tensors, &name)?);
                    Step::Block(Block { pool, convs: convs(tensors, &name)? })
                }
            })
        };
        layout.iter().enumerate().map(step).collect::<Result<_, _>>().map(Self)
    }

    /// Runs `[N, C, H, W]` through every layer.
    pub(super) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.0.iter().try_fold(x.clone(), |x, step| match step {
            Step::Clamp => (x / 3.0)?.tanh()? * 3.0,
            Step::Conv(conv) => conv.forward(&x),
            Step::Relu => x.relu(),
            Step::Block(block) => block.forward(&x),
            Step::Upsample => {
                let (_, _, height, width) = x.dims4()?;
                x.upsample_nearest2d(2 * height, 2 * width)
            }
        })
    }
}

fn convs(tensors: &Tensors, name: &str) -> Result<[Conv; 3], TokenizerError> {
    let conv = |position: usize| Conv::with_bias(tensors, &format!("{name}.conv.{position}"));
    Ok([conv(0)?, conv(2)?, conv(4)?])
}

impl Conv {
    fn with_bias(tensors: &Tensors, name: &str) -> Result<Self, TokenizerError> {
        let bias = tensors.get(&format!("{name}.bias"))?;
        let bias = Some(bias.reshape((1, bias.elem_count(), 1, 1))?);
        Ok(Self { bias, ..Self::without_bias(tensors, name, 1)? })
    }

    fn without_bias(tensors: &Tensors, name: &str, stride: usize) -> Result<Self, TokenizerError> {
        Ok(Self { weight: tensors.get(&format!("{name}.weight"))?, bias: None, stride })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        // Padding 1 for 3x3, none for 1x1: the size is kept, or halved by the stride.
        let padding = self.weight.dim(2)? / 2;
        let y = x.conv2d(&self.weight, padding, self.stride, 1, 1)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

impl Block {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let x = match &self.pool {
            Some(pool) => (x + pool.forward(x)?)?,
            None => x.clone(),
        };
        let [first, second, third] = &self.convs;
        let y = first.forward(&x)?.relu()?;
        let y = second.forward(&y)?.relu()?;
        (third.forward(&y)? + x)?.relu()
    }
}

impl Pool {
    fn new(tensors: &Tensors, name: &str) -> Result<Self, TokenizerError> {
        let scale = tensors.get(&format!("{name}.pool.1.weight"))?;
        let shift = tensors.get(&format!("{name}.pool.1.bias"))?;
        Ok(Self {
            widen: Conv::without_bias(tensors, &format!("{name}.pool.0"), 1)?,
            norm: GroupNorm::new(scale, shift, POOLED, GROUPS, EPSILON)?,
            narrow: Conv::without_bias(tensors, &format!("{name}.pool.3"), 1)?,
        })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let y = self.norm.forward(&self.widen.forward(x)?)?.relu()?;
        self.narrow.forward(&y)
    }
}
