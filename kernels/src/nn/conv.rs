mod batch_norm;
mod patches;
mod winograd;

use std::sync::OnceLock;

use candle_core::{DType, Tensor};

pub use batch_norm::BatchNorm;

use crate::InstructionSet;
use crate::nn::maps::{Values, is_half};
use crate::nn::{Activation, Arithmetic, Buffer, MapShape, Maps, NnError, Padding, Window, Work};
use crate::product::{self, Epilogue, Output, Panels};
use patches::Patches;
use winograd::{Frame, Tile, Winograd};

const LAYER: &str = "convolution";

/// Convolution with bias, an optional residual and an activation in one pass.
#[derive(Debug)]
pub struct Conv2d {
    options: ConvOptions,
    shape: WeightShape,
    kind: Kind,
}

/// What besides the weights makes a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvOptions {
    /// Kernel, steps and padding.
    pub window: Window,
    /// Groups of channels that do not see each other.
    pub groups: usize,
    /// Function of the sums.
    pub activation: Activation,
    /// Whether Winograd's algorithm may be used.
    pub arithmetic: Arithmetic,
}

#[derive(Clone, Copy, Debug)]
struct WeightShape {
    outputs: usize,
    /// Of all groups.
    inputs: usize,
    kernel: (usize, usize),
}

#[derive(Debug)]
enum Kind {
    Host(Host),
    Device { weight: Tensor, bias: Option<Tensor> },
}

/// Weights for this project's kernels, packed at the first use of each form: which one a layer
/// needs depends on the maps that it meets.
#[derive(Debug)]
struct Host {
    set: InstructionSet,
    /// `[out][in / groups][row][column]`.
    weight: Vec<f32>,
    bias: Vec<f32>,
    groups: OnceLock<Vec<Panels>>,
    winograd: OnceLock<Winograd>,
}

impl ConvOptions {
    /// One group, no activation, strict arithmetic.
    #[must_use]
    pub const fn new(window: Window) -> Self {
        Self { window, groups: 1, activation: Activation::Identity, arithmetic: Arithmetic::Strict }
    }
}

impl Conv2d {
    /// `weight` is `[out, in / groups, rows, columns]`, `bias` is `[out]`. For maps on the host if
    /// the weights are on the CPU and not of half precision, else for maps on their device, whose
    /// elements become the weights'.
    ///
    /// # Errors
    /// [`NnError::Shape`] when they do not fit each other or the options.
    pub fn new(
        weight: &Tensor,
        bias: Option<&Tensor>,
        options: ConvOptions,
    ) -> Result<Self, NnError> {
        if weight.device().is_cpu() && !is_half(weight) {
            Self::for_set(InstructionSet::Best, weight, bias, options)
        } else {
            Self::on_device(weight, bias, options)
        }
    }

    /// For maps on the host, compiled for an instruction set of one's choice.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_set(
        set: InstructionSet,
        weight: &Tensor,
        bias: Option<&Tensor>,
        options: ConvOptions,
    ) -> Result<Self, NnError> {
        let shape = WeightShape::new(weight, bias, &options)?;
        let flat = |tensor: &Tensor| tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
        let host = Host {
            set,
            weight: flat(weight)?,
            bias: bias.map(flat).transpose()?.unwrap_or_default(),
            groups: OnceLock::new(),
            winograd: OnceLock::new(),
        };
        Ok(Self { options, shape, kind: Kind::Host(host) })
    }

    /// For maps on the device of the weights, with candle's convolution.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn on_device(
        weight: &Tensor,
        bias: Option<&Tensor>,
        options: ConvOptions,
    ) -> Result<Self, NnError> {
        let shape = WeightShape::new(weight, bias, &options)?;
        let shaped = |bias: &Tensor| bias.to_dtype(weight.dtype())?.reshape((1, (), 1, 1));
        let bias = bias.map(shaped).transpose()?;
        Ok(Self { options, shape, kind: Kind::Device { weight: weight.clone(), bias } })
    }

    /// Maps `[images, output rows, output columns, out]`.
    ///
    /// # Errors
    /// [`NnError`] when the maps do not fit the layer.
    pub fn forward(&self, maps: &Maps) -> Result<Maps, NnError> {
        self.run(maps, None)
    }

    /// As [`forward`](Self::forward), with `residual` added before the activation.
    ///
    /// # Errors
    /// [`NnError`] when the maps do not fit the layer, or the residual its output.
    pub fn forward_add(&self, maps: &Maps, residual: &Maps) -> Result<Maps, NnError> {
        self.run(maps, Some(residual))
    }

    fn run(&self, maps: &Maps, residual: Option<&Maps>) -> Result<Maps, NnError> {
        let output = self.output_shape(maps.shape())?;
        if let Some(found) = residual.map(Maps::shape).filter(|&found| found != output) {
            let expected = format!("a residual of {output}");
            return Err(NnError::Shape { layer: LAYER, expected, found: found.to_string() });
        }
        let inputs: Vec<&Maps> = std::iter::once(maps).chain(residual).collect();
        if let Some(counted) = Maps::counted(&inputs, output, || self.work(output, residual)) {
            return Ok(counted);
        }
        match (&self.kind, maps.values()) {
            (Kind::Host(host), Values::Host(values)) => {
                let residual = residual.map(|residual| residual.host(LAYER)).transpose()?;
                let mut out = Buffer::new(output.len());
                self.run_host(host, (maps.shape(), output), values, &mut out, residual);
                Ok(Maps::from_buffer(output, out))
            }
            (Kind::Device { weight, bias }, _) => {
                let like = |maps: &Maps| maps.device_like(LAYER, weight);
                let residual = residual.map(like).transpose()?;
                self.run_device(weight, bias.as_ref(), &like(maps)?, residual.as_ref())
            }
            (Kind::Host(_), _) => Err(NnError::Devices { layer: LAYER }),
        }
    }

    fn work(&self, output: MapShape, residual: Option<&Maps>) -> Work {
        let WeightShape { inputs, outputs, kernel } = self.shape;
        let weights = inputs / self.options.groups * outputs * kernel.0 * kernel.1;
        let bias = match &self.kind {
            Kind::Host(host) => host.bias.len(),
            Kind::Device { bias, .. } => bias.as_ref().map_or(0, Tensor::elem_count),
        };
        Work { convolution: (output.positions() * weights) as u64, ..Work::default() }
            .with_weights(weights + bias)
            .with_residual(residual)
            .with_activation(self.options.activation, output.len())
    }

    fn output_shape(&self, maps: MapShape) -> Result<MapShape, NnError> {
        let WeightShape { inputs, outputs, .. } = self.shape;
        if maps.channels != inputs {
            return Err(NnError::Shape {
                layer: LAYER,
                expected: format!("maps of {inputs} channels"),
                found: format!("{} in {maps}", maps.channels),
            });
        }
        let (height, width) = self
            .options
            .window
            .output(maps.height, maps.width)
            .ok_or(NnError::TooSmall { layer: LAYER, maps })?;
        Ok(MapShape { images: maps.images, height, width, channels: outputs })
    }

    fn run_host(
        &self,
        host: &Host,
        (input, output): (MapShape, MapShape),
        maps: &[f32],
        out: &mut [f32],
        residual: Option<&[f32]>,
    ) {
        let WeightShape { inputs, outputs, kernel } = self.shape;
        let activation = self.options.activation;
        let epilogue = Epilogue { bias: &host.bias, residual, activation };
        let frame = Frame { input, output, padding: self.options.window.padding };
        if let Some(tile) = self.winograd_tile(frame) {
            let make = || Winograd::new(host.set, &host.weight, (inputs, outputs), tile);
            host.winograd.get_or_init(make).run(frame, maps, out, epilogue);
            return;
        }
        let groups = self.options.groups;
        let panels = host.groups.get_or_init(|| host.pack(self.shape, groups));
        for (group, right) in panels.iter().enumerate() {
            let left = Patches {
                maps,
                shape: input,
                window: Window { kernel, ..self.options.window },
                channels: group * (inputs / groups)..(group + 1) * (inputs / groups),
                output: (output.height, output.width),
            };
            let column = group * (outputs / groups);
            let bias = epilogue.bias.get(column..).unwrap_or_default();
            let out = Output { rows: &mut *out, stride: outputs, column };
            product::multiply(host.set, &left, right, out, Epilogue { bias, ..epilogue });
        }
    }

    fn winograd_tile(&self, frame: Frame) -> Option<Tile> {
        let Window { kernel, stride, dilation, .. } = self.options.window;
        let steps = (stride, dilation, self.options.groups) == ((1, 1), (1, 1), 1);
        let may = self.options.arithmetic == Arithmetic::Fast && steps;
        may.then(|| Tile::under(kernel, frame)).flatten()
    }

    fn run_device(
        &self,
        weight: &Tensor,
        bias: Option<&Tensor>,
        maps: &Tensor,
        residual: Option<&Tensor>,
    ) -> Result<Maps, NnError> {
        let Window { stride, dilation, padding, .. } = self.options.window;
        let Padding { top, bottom, left, right } = padding;
        // candle's convolution pads alike on all sides; other padding is put into the maps.
        let (padded, alike) = match top == bottom && top == left && top == right {
            true => (maps.clone(), top),
            false => {
                let tall = maps.pad_with_zeros(2, top, bottom)?;
                (tall.pad_with_zeros(3, left, right)?, 0)
            }
        };
        // candle's convolution has one step for rows and columns: with two, both take the smaller
        // and the rows or columns that are too many are dropped.
        let (step, both) = (stride.0.min(stride.1), stride);
        if dilation.0 != dilation.1 || !both.0.is_multiple_of(step) || !both.1.is_multiple_of(step)
        {
            return Err(NnError::Unsupported { layer: LAYER, what: "unequal steps on a device" });
        }
        let mut out = padded.conv2d(weight, alike, step, dilation.0, self.options.groups)?;
        for (dimension, every) in [(2, both.0 / step), (3, both.1 / step)] {
            if every > 1 {
                let kept: Vec<u32> = (0..out.dim(dimension)? as u32).step_by(every).collect();
                let kept = Tensor::new(kept, out.device())?;
                out = out.index_select(&kept, dimension)?;
            }
        }
        if let Some(bias) = bias {
            out = out.broadcast_add(bias)?;
        }
        if let Some(residual) = residual {
            out = (out + residual)?;
        }
        Maps::on_device(&self.options.activation.on_device(&out)?)
    }
}

impl WeightShape {
    fn new(weight: &Tensor, bias: Option<&Tensor>, options: &ConvOptions) -> Result<Self, NnError> {
        let (outputs, per_group, rows, columns) = weight.dims4()?;
        let (groups, kernel) = (options.groups, options.window.kernel);
        if (rows, columns) != kernel || groups == 0 || !outputs.is_multiple_of(groups) {
            return Err(NnError::Shape {
                layer: "convolution's weight",
                expected: format!("[a multiple of {groups}, _, {}, {}]", kernel.0, kernel.1),
                found: format!("{:?}", weight.dims()),
            });
        }
        if let Some(bias) = bias.filter(|bias| bias.dims() != [outputs]) {
            return Err(NnError::Shape {
                layer: "convolution's bias",
                expected: format!("[{outputs}]"),
                found: format!("{:?}", bias.dims()),
            });
        }
        Ok(Self { outputs, inputs: per_group * groups, kernel })
    }
}

impl Host {
    fn pack(&self, shape: WeightShape, groups: usize) -> Vec<Panels> {
        let WeightShape { outputs, inputs, kernel } = shape;
        let (outputs, inputs, taps) = (outputs / groups, inputs / groups, kernel.0 * kernel.1);
        let per_group = outputs * inputs * taps;
        let group = |group: usize| {
            let weight = &self.weight[group * per_group..][..per_group];
            Panels::new(self.set, taps * inputs, outputs, |step, output| {
                weight[(output * inputs + step % inputs) * taps + step / inputs]
            })
        };
        (0..groups).map(group).collect()
    }
}
