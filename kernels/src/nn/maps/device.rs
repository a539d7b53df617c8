//! Maps on a device: candle's tensors, of f32 or of half precision.

use candle_core::{DType, Tensor};

use super::{MapShape, Maps, Values};
use crate::nn::NnError;

impl Maps {
    /// Maps that candle's layers compute with, on whatever device the tensor is, the CPU included. Of
    /// f16 and bf16 they stay; of anything else they become f32.
    ///
    /// # Errors
    /// [`NnError::Tensor`] when the tensor has not four dimensions.
    pub fn on_device(tensor: &Tensor) -> Result<Self, NnError> {
        let (images, channels, height, width) = tensor.dims4()?;
        let shape = MapShape { images, height, width, channels };
        let element = if is_half(tensor) { tensor.dtype() } else { DType::F32 };
        let tensor = tensor.to_dtype(element)?.contiguous()?;
        Ok(Self { shape, values: Values::Device(tensor) })
    }

    /// The tensor of maps on a device, with elements of the type of `like`.
    ///
    /// Weights of half precision compute by candle's layers on the CPU, too, where maps begin as those
    /// of the host.
    pub(crate) fn device_like(
        &self,
        layer: &'static str,
        like: &Tensor,
    ) -> Result<Tensor, NnError> {
        match &self.values {
            Values::Device(tensor) => Ok(tensor.to_dtype(like.dtype())?),
            Values::Host(_) if is_half(like) && like.device().is_cpu() => {
                Ok(self.to_tensor()?.to_dtype(like.dtype())?)
            }
            Values::Host(_) => Err(NnError::Devices { layer }),
            Values::None(_) => Err(NnError::Valueless),
        }
    }

    /// The tensor of the first that is on a device.
    pub(crate) fn first_on_device<'a>(maps: &[&'a Self]) -> Option<&'a Tensor> {
        maps.iter().find_map(|maps| match &maps.values {
            Values::Device(tensor) => Some(tensor),
            Values::Host(_) | Values::None(_) => None,
        })
    }
}

/// Whether numbers are of 16 bits.
pub(crate) fn is_half(tensor: &Tensor) -> bool {
    matches!(tensor.dtype(), DType::F16 | DType::BF16)
}

/// A function in f32, whatever the type of what it is given and gives: sums, and functions that cancel,
/// lose too much in half precision. PyTorch's layers compute so, too.
pub(crate) fn in_f32(
    tensor: &Tensor,
    function: impl FnOnce(&Tensor) -> Result<Tensor, NnError>,
) -> Result<Tensor, NnError> {
    Ok(function(&tensor.to_dtype(DType::F32)?)?.to_dtype(tensor.dtype())?)
}
