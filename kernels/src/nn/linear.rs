use candle_core::{DType, Tensor};

use crate::InstructionSet;
use crate::matrix::Rows;
use crate::nn::maps::{Values, is_half};
use crate::nn::{Activation, Buffer, MapShape, Maps, NnError, Work};
use crate::product::{self, Epilogue, Output, Panels};

const LAYER: &str = "linear layer";

/// `activation(W x + b)` of the channels at each position, or with a residual added before the
/// activation.
#[derive(Debug)]
pub struct Linear {
    inputs: usize,
    outputs: usize,
    activation: Activation,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Host { set: InstructionSet, weight: Panels, bias: Vec<f32> },
    Device { weight: Tensor, bias: Option<Tensor> },
}

impl Linear {
    /// `weight` is `[out, in]`, `bias` is `[out]`. For maps on the host if the weights are on the
    /// CPU and not of half precision, else for maps on their device, whose elements become the weights'.
    ///
    /// # Errors
    /// [`NnError::Shape`] when they do not fit each other.
    pub fn new(
        weight: &Tensor,
        bias: Option<&Tensor>,
        activation: Activation,
    ) -> Result<Self, NnError> {
        if weight.device().is_cpu() && !is_half(weight) {
            Self::for_set(InstructionSet::Best, weight, bias, activation)
        } else {
            Self::on_device(weight, bias, activation)
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
        activation: Activation,
    ) -> Result<Self, NnError> {
        let (outputs, inputs) = shape(weight, bias)?;
        let flat = |tensor: &Tensor| tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
        let values = flat(weight)?;
        let weight = Panels::new(set, inputs, outputs, |i, o| values[o * inputs + i]);
        let bias = bias.map(flat).transpose()?.unwrap_or_default();
        Ok(Self { inputs, outputs, activation, kind: Kind::Host { set, weight, bias } })
    }

    /// For maps on the device of the weights, with candle's product.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn on_device(
        weight: &Tensor,
        bias: Option<&Tensor>,
        activation: Activation,
    ) -> Result<Self, NnError> {
        let (outputs, inputs) = shape(weight, bias)?;
        let weight = weight.contiguous()?;
        let shaped = |bias: &Tensor| bias.to_dtype(weight.dtype())?.reshape((1, (), 1, 1));
        let bias = bias.map(shaped).transpose()?;
        Ok(Self { inputs, outputs, activation, kind: Kind::Device { weight, bias } })
    }

    /// Maps of `out` channels.
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
        let found = maps.shape();
        if found.channels != self.inputs {
            let expected = format!("maps of {} channels", self.inputs);
            return Err(NnError::Shape { layer: LAYER, expected, found: found.to_string() });
        }
        let output = MapShape { channels: self.outputs, ..found };
        if let Some(found) = residual.map(Maps::shape).filter(|&found| found != output) {
            let expected = format!("a residual of {output}");
            return Err(NnError::Shape { layer: LAYER, expected, found: found.to_string() });
        }
        let inputs: Vec<&Maps> = std::iter::once(maps).chain(residual).collect();
        if let Some(counted) = Maps::counted(&inputs, output, || self.work(output, residual)) {
            return Ok(counted);
        }
        match (&self.kind, maps.values()) {
            (Kind::Host { set, weight, bias }, Values::Host(values)) => {
                let residual = residual.map(|residual| residual.host(LAYER)).transpose()?;
                let mut rows = Buffer::new(output.len());
                let left = Rows { values, columns: self.inputs };
                let out = Output { rows: &mut rows, stride: self.outputs, column: 0 };
                let epilogue = Epilogue { bias, residual, activation: self.activation };
                product::multiply(*set, &left, weight, out, epilogue);
                Ok(Maps::from_buffer(output, rows))
            }
            (Kind::Device { weight, bias }, _) => {
                let tensor = maps.device_like(LAYER, weight)?;
                let MapShape { images, height, width, .. } = found;
                let columns = tensor.reshape((images, self.inputs, height * width))?;
                // The same matrix for every image: a step of zero, and no copy.
                let weight = weight.expand((images, self.outputs, self.inputs))?;
                let out = weight.matmul(&columns)?;
                let mut out = out.reshape((images, self.outputs, height, width))?;
                if let Some(bias) = bias {
                    out = out.broadcast_add(bias)?;
                }
                if let Some(residual) = residual {
                    out = (&out + residual.device_like(LAYER, &out)?)?;
                }
                Maps::on_device(&self.activation.on_device(&out)?)
            }
            (Kind::Host { .. }, _) => Err(NnError::Devices { layer: LAYER }),
        }
    }

    fn work(&self, output: MapShape, residual: Option<&Maps>) -> Work {
        let weights = self.inputs * self.outputs;
        let bias = match &self.kind {
            Kind::Host { bias, .. } => bias.len(),
            Kind::Device { bias, .. } => bias.as_ref().map_or(0, Tensor::elem_count),
        };
        Work { linear: (output.positions() * weights) as u64, ..Work::default() }
            .with_weights(weights + bias)
            .with_residual(residual)
            .with_activation(self.activation, output.len())
    }
}

/// Outputs and inputs.
fn shape(weight: &Tensor, bias: Option<&Tensor>) -> Result<(usize, usize), NnError> {
    let (outputs, inputs) = weight.dims2()?;
    match bias.filter(|bias| bias.dims() != [outputs]) {
        None => Ok((outputs, inputs)),
        Some(bias) => Err(NnError::Shape {
            layer: "linear layer's bias",
            expected: format!("[{outputs}]"),
            found: format!("{:?}", bias.dims()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn positions_are_mapped_by_themselves_and_candle_agrees() {
        let value = |i: usize| ((i * 37 % 101) as f32 - 50.0) / 50.0;
        let tensor = |start: usize, shape: &[usize]| {
            let len = shape.iter().product();
            let values: Vec<f32> = (start..).take(len).map(value).collect();
            Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
        };
        let (weight, bias) = (tensor(3, &[45, 70]), tensor(11, &[45]));
        let maps = Maps::from_tensor(&tensor(5, &[2, 70, 3, 7])).unwrap();
        let residual = Maps::from_tensor(&tensor(7, &[2, 45, 3, 7])).unwrap();
        let layer = Linear::new(&weight, Some(&bias), Activation::Relu).unwrap();
        let out = layer.forward_add(&maps, &residual).unwrap().to_rows().unwrap();
        let (rows, added) = (maps.to_rows().unwrap(), residual.to_rows().unwrap());
        let weight_values = weight.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (at, &found) in out.iter().enumerate() {
            let (row, o) = (&rows[at / 45 * 70..][..70], at % 45);
            let sum = row
                .iter()
                .zip(&weight_values[o * 70..])
                .fold(0.0, |sum, (&x, &w)| x.mul_add(w, sum));
            let expected = (sum + value(11 + o) + added[at]).max(0.0);
            assert_eq!(found.to_bits(), expected.to_bits());
        }
        let device = |maps: &Maps| Maps::on_device(&maps.to_tensor().unwrap()).unwrap();
        let layer = Linear::on_device(&weight, Some(&bias), Activation::Relu).unwrap();
        let theirs = layer.forward_add(&device(&maps), &device(&residual)).unwrap();
        // 70 products of values below 1: their order of summation moves 1e-5 at most.
        for (a, b) in theirs.to_rows().unwrap().iter().zip(&out) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }
}
