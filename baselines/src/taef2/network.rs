use candle_core::Tensor;
use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{
    Activation, Arithmetic, Conv2d, ConvOptions, GroupNorm, Maps, NnError, Window, upsample_nearest,
};
use prismbench_weights::Tensors;

use super::layout::Layer;

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
    pub(super) fn new(
        layout: &[Layer],
        tensors: &Tensors,
        arithmetic: Arithmetic,
    ) -> Result<Self, TokenizerError> {
        let step = |(position, layer): (usize, &Layer)| {
            let source = Source { tensors, prefix: position.to_string(), arithmetic };
            Ok(match *layer {
                Layer::Clamp => Step::Clamp,
                Layer::Relu => Step::Relu,
                Layer::Upsample => Step::Upsample,
                Layer::Conv { .. } => Step::Conv(Box::new(source.conv("", Activation::Identity)?)),
                Layer::Stride { stride } => Step::Conv(Box::new(source.plain("", stride)?)),
                Layer::Block => Step::Block(Box::new(Block { pool: None, convs: source.convs()? })),
                Layer::PooledBlock => Step::Block(Box::new(Block {
                    pool: Some(source.pool()?),
                    convs: source.convs()?,
                })),
            })
        };
        layout.iter().enumerate().map(step).collect::<Result<_, _>>().map(Self)
    }

    /// Runs `[N, C, H, W]` through every layer, all images at once.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor, TokenizerError> {
        let run = || {
            let maps = self.0.iter().try_fold(Maps::from_tensor(x)?, |x, step| step.forward(&x));
            maps?.to_tensor()
        };
        run().map_err(layer)
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
    let tensor = x.to_tensor()?;
    if !tensor.device().is_cpu() {
        return Maps::on_device(&((tensor / 3.0)?.tanh()? * 3.0)?);
    }
    let clamped = x.to_rows()?.into_iter().map(|x| 3.0 * libm::tanhf(x / 3.0)).collect();
    Maps::from_rows(x.shape(), clamped)
}

impl Block {
    fn forward(&self, x: &Maps) -> Result<Maps, NnError> {
        let pooled = self.pool.as_ref().map(|pool| pool.forward(x)).transpose()?;
        let x = pooled.as_ref().unwrap_or(x);
        let [first, second, third] = &self.convs;
        third.forward_add(&second.forward(&first.forward(x)?)?, x)
    }
}

impl Pool {
    /// `x + pool(x)`.
    fn forward(&self, x: &Maps) -> Result<Maps, NnError> {
        let y = self.norm.forward(&self.widen.forward(x)?)?;
        self.narrow.forward_add(&y, x)
    }
}

/// Tensors whose names start with the position of a layer.
struct Source<'a> {
    tensors: &'a Tensors,
    prefix: String,
    arithmetic: Arithmetic,
}

impl Source<'_> {
    fn get(&self, name: &str) -> Result<Tensor, TokenizerError> {
        Ok(self.tensors.get(&format!("{}.{name}", self.prefix))?)
    }

    /// With bias; `name` is empty or ends with a dot.
    fn conv(&self, name: &str, activation: Activation) -> Result<Conv2d, TokenizerError> {
        let (weight, bias) =
            (self.get(&format!("{name}weight"))?, self.get(&format!("{name}bias"))?);
        let options = ConvOptions { activation, ..self.options(&weight, 1)? };
        Conv2d::new(&weight, Some(&bias), options).map_err(layer)
    }

    /// Without bias.
    fn plain(&self, name: &str, stride: usize) -> Result<Conv2d, TokenizerError> {
        let weight = self.get(&format!("{name}weight"))?;
        Conv2d::new(&weight, None, self.options(&weight, stride)?).map_err(layer)
    }

    /// The last one's ReLU follows the residual.
    fn convs(&self) -> Result<[Conv2d; 3], TokenizerError> {
        let conv = |position: usize| self.conv(&format!("conv.{position}."), Activation::Relu);
        Ok([conv(0)?, conv(2)?, conv(4)?])
    }

    fn pool(&self) -> Result<Pool, TokenizerError> {
        let (scale, shift) = (self.get("pool.1.weight")?, self.get("pool.1.bias")?);
        let norm = GroupNorm::new(GROUPS, &scale, Some(&shift), EPSILON).map_err(layer)?;
        Ok(Pool {
            widen: self.plain("pool.0.", 1)?,
            norm: norm.activation(Activation::Relu),
            narrow: self.plain("pool.3.", 1)?,
        })
    }

    /// Padding 1 for 3x3, none for 1x1: the size is kept, or halved by the stride.
    fn options(&self, weight: &Tensor, stride: usize) -> Result<ConvOptions, TokenizerError> {
        let (_, _, rows, columns) = weight.dims4()?;
        let window =
            Window::new(rows, columns).padding(rows / 2, columns / 2).stride(stride, stride);
        Ok(ConvOptions { arithmetic: self.arithmetic, ..ConvOptions::new(window) })
    }
}

fn layer(error: NnError) -> TokenizerError {
    match error {
        NnError::Tensor(error) => error.into(),
        error => candle_core::Error::wrap(error).into(),
    }
}
