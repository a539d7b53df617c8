use candle_core::Tensor;
use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{
    Activation, Conv2d, ConvOptions, GroupNorm, Maps, NnError, upsample_nearest,
};

use super::layout::Layer;
use crate::layers::{Bias, Layers};

/// Groups of the pooled branch's norm.
const GROUPS: usize = 4;

/// PyTorch's default, which the network was trained with.
const EPSILON: f64 = 1e-5;

/// One half: a sequence of layers with their weights.
pub(super) struct Network(Vec<Step>);

enum Step {
    Clamp,
    Conv(Box<Conv2d>),
    Relu,
    Block(Box<Block>),
    Upsample,
}

/// `relu(conv relu conv relu conv (x) + x)`, each ReLU in the store of its convolution.
struct Block {
    pool: Option<Pool>,
    convs: [Conv2d; 3],
}

/// 1x1 convolution, group norm with ReLU, 1x1 convolution.
struct Pool {
    widen: Conv2d,
    norm: GroupNorm,
    narrow: Conv2d,
}

impl Network {
    /// Takes the tensors of `layout`.
    pub(super) fn new(layout: &[Layer], layers: &Layers<'_>) -> Result<Self, TokenizerError> {
        let step = |(position, layer): (usize, &Layer)| {
            let name = position.to_string();
            Ok(match *layer {
                Layer::Clamp => Step::Clamp,
                Layer::Relu => Step::Relu,
                Layer::Upsample => Step::Upsample,
                Layer::Conv { .. } => Step::Conv(Box::new(layers.conv(&name)?)),
                Layer::Stride { stride } => {
                    let conv = layers.conv_with(&name, Bias::None, |options| ConvOptions {
                        window: options.window.stride(stride, stride),
                        ..options
                    });
                    Step::Conv(Box::new(conv?))
                }
                Layer::Block => Step::Block(Box::new(Block::new(layers, &name, None)?)),
                Layer::PooledBlock => {
                    let pool = Pool::new(layers, &format!("{name}.pool"))?;
                    Step::Block(Box::new(Block::new(layers, &name, Some(pool))?))
                }
            })
        };
        layout.iter().enumerate().map(step).collect::<Result<_, _>>().map(Self)
    }

    /// Runs `[N, C, H, W]` through every layer, all images at once.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor, NnError> {
        self.run(Maps::from_tensor(x)?)?.to_tensor()
    }

    /// The same of maps.
    pub(super) fn run(&self, x: Maps) -> Result<Maps, NnError> {
        self.0.iter().try_fold(x, |x, step| step.forward(&x))
    }
}

impl Step {
    fn forward(&self, x: &Maps) -> Result<Maps, NnError> {
        match self {
            Self::Clamp => clamp(x),
            Self::Conv(conv) => conv.forward(x),
            Self::Relu => Activation::Relu.forward(x),
            Self::Block(block) => block.forward(x),
            Self::Upsample => upsample_nearest(x, 2),
        }
    }
}

/// `3 tanh(x / 3)`.
fn clamp(x: &Maps) -> Result<Maps, NnError> {
    if let Some(counted) = x.behind_function() {
        return Ok(counted);
    }
    let tensor = x.to_tensor()?;
    if !tensor.device().is_cpu() {
        return Maps::on_device(&((tensor / 3.0)?.tanh()? * 3.0)?);
    }
    let clamped = x.to_rows()?.into_iter().map(|x| 3.0 * libm::tanhf(x / 3.0)).collect();
    Maps::from_rows(x.shape(), clamped)
}

impl Block {
    fn new(layers: &Layers<'_>, name: &str, pool: Option<Pool>) -> Result<Self, TokenizerError> {
        // The last one's ReLU follows the residual.
        let conv = |position: usize| {
            layers.conv_with(&format!("{name}.conv.{position}"), Bias::Learned, |options| {
                ConvOptions { activation: Activation::Relu, ..options }
            })
        };
        Ok(Self { pool, convs: [conv(0)?, conv(2)?, conv(4)?] })
    }

    fn forward(&self, x: &Maps) -> Result<Maps, NnError> {
        let pooled = self.pool.as_ref().map(|pool| pool.forward(x)).transpose()?;
        let x = pooled.as_ref().unwrap_or(x);
        let [first, second, third] = &self.convs;
        third.forward_add(&second.forward(&first.forward(x)?)?, x)
    }
}

impl Pool {
    fn new(layers: &Layers<'_>, name: &str) -> Result<Self, TokenizerError> {
        let plain = |position: usize| {
            layers.conv_with(&format!("{name}.{position}"), Bias::None, |options| options)
        };
        let norm = layers.group_norm(&format!("{name}.1"), GROUPS, EPSILON)?;
        Ok(Self { widen: plain(0)?, norm: norm.activation(Activation::Relu), narrow: plain(3)? })
    }

    /// `x + pool(x)`.
    fn forward(&self, x: &Maps) -> Result<Maps, NnError> {
        let y = self.norm.forward(&self.widen.forward(x)?)?;
        self.narrow.forward_add(&y, x)
    }
}
