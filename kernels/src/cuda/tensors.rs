//! Beside the tensor library on one device.

use candle_core::op::BackpropOp;
use candle_core::{CudaStorage, DType, Shape, Storage, Tensor};
use cudarc::driver::sys::{CUevent_flags, CUmemPool_attribute as PoolAttribute};
use cudarc::driver::{CudaEvent, CudaStream, DriverError};

use super::buffer::{Memory as Bytes, Place};
use super::kernel::Scalar;
use super::{Buffer, CudaError, Device, unchecked};
use crate::accelerator::Memory;

/// The memory of the device of a stream; `None` where the driver does not tell.
pub(crate) fn memory_of(stream: &CudaStream) -> Option<Memory> {
    let context = stream.context();
    let (available, _) = context.mem_get_info().ok()?;
    let number = |attribute| unchecked::pool(context, attribute).ok();
    Some(Memory {
        used: number(PoolAttribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)?,
        peak: number(PoolAttribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH)?,
        available: available as u64,
    })
}

/// Lets the peak begin anew, where the driver does that.
pub(crate) fn reset_peak_of(stream: &CudaStream) {
    let _ = unchecked::reset_pool(stream.context());
}

/// A moment on a stream that times can be taken from.
pub(crate) fn moment(stream: &CudaStream) -> Result<CudaEvent, DriverError> {
    stream.record_event(Some(CUevent_flags::CU_EVENT_DEFAULT))
}

/// A device for the tensor library.
///
/// One stream for all threads: with the library's own choice each thread has another, and a batch that one of
/// them has copied may not be there yet for the next.
///
/// # Errors
/// As [`Device::open`], whose words say what to do; [`CudaError::Driver`] where the library fails.
pub fn for_tensors(ordinal: usize) -> Result<candle_core::Device, CudaError> {
    Device::open(ordinal)?;
    candle_core::Device::new_cuda_with_stream(ordinal).map_err(|error| {
        let (operation, code) = ("opening it for tensors", error.to_string());
        CudaError::Driver { ordinal, operation, code }
    })
}

impl Device {
    /// The values of a tensor on this device, in f32, copied within its memory: the device must be that of
    /// [`of_tensors`](Self::of_tensors).
    ///
    /// # Errors
    /// [`CudaError::Unsupported`] for a tensor that lies elsewhere; [`CudaError::OutOfMemory`],
    /// [`CudaError::DeviceLost`].
    pub fn take(&self, tensor: &Tensor) -> Result<Buffer<f32>, CudaError> {
        const NAME: &str = "take";
        let unsupported = |reason: String| CudaError::Unsupported { operation: NAME, reason };
        let dense = tensor.to_dtype(DType::F32).and_then(|tensor| tensor.contiguous());
        let dense = dense.map_err(|error| unsupported(error.to_string()))?;
        let (storage, layout) = dense.storage_and_layout();
        let elsewhere = || unsupported("a tensor that is not on it".to_owned());
        let (Storage::Cuda(storage), Some(stream)) = (&*storage, self.stream()) else {
            return Err(elsewhere());
        };
        let values = storage.as_cuda_slice::<f32>().map_err(|_| elsewhere())?;
        let range = layout.start_offset()..layout.start_offset() + layout.shape().elem_count();
        let bytes = range.len() * size_of::<f32>();
        let copy = unchecked::copy(stream, &values.slice(range));
        let copy = copy.map_err(|error| self.not_copied(error, bytes))?;
        Ok(Buffer::new(Bytes::new(Scalar::F32, bytes, Place::Gpu(copy))))
    }

    /// The same of bytes, which the tensor must have.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_bytes(&self, tensor: &Tensor) -> Result<Buffer<u8>, CudaError> {
        let unsupported =
            |reason: String| CudaError::Unsupported { operation: "take_bytes", reason };
        let dense = tensor.contiguous().map_err(|error| unsupported(error.to_string()))?;
        let (storage, layout) = dense.storage_and_layout();
        let elsewhere = || unsupported("a tensor that is not of bytes on it".to_owned());
        let (Storage::Cuda(storage), Some(stream)) = (&*storage, self.stream()) else {
            return Err(elsewhere());
        };
        let values = storage.as_cuda_slice::<u8>().map_err(|_| elsewhere())?;
        let range = layout.start_offset()..layout.start_offset() + layout.shape().elem_count();
        let bytes = range.len();
        // The driver refuses to give nothing.
        let mut copy = unchecked::allocate(stream, bytes.max(1))
            .map_err(|error| self.not_copied(error, bytes))?;
        if bytes > 0 {
            let copied = stream.memcpy_dtod(&values.slice(range), &mut copy);
            copied.map_err(|error| self.not_copied(error, bytes))?;
        }
        Ok(Buffer::new(Bytes::new(Scalar::U8, bytes, Place::Gpu(copy))))
    }

    /// Numbers of this device as a tensor of the library on it, copied within its memory: `device` must be
    /// the one that this is of.
    ///
    /// # Errors
    /// [`CudaError::Lengths`] for another number of values than the shape has, [`CudaError::Unsupported`] for
    /// another device; [`CudaError::OutOfMemory`], [`CudaError::DeviceLost`].
    pub fn tensor(
        &self,
        numbers: &Buffer<f32>,
        shape: impl Into<Shape>,
        device: &candle_core::Device,
    ) -> Result<Tensor, CudaError> {
        const NAME: &str = "tensor";
        let shape = shape.into();
        if numbers.len() != shape.elem_count() {
            return Err(CudaError::Lengths {
                operation: NAME,
                expected: format!("as many values as {shape:?} has"),
                found: numbers.len().to_string(),
            });
        }
        let (candle_core::Device::Cuda(device), Some(stream), Place::Gpu(bytes)) =
            (device, self.stream(), numbers.memory().place())
        else {
            let reason = "a device of the host".to_owned();
            return Err(CudaError::Unsupported { operation: NAME, reason });
        };
        let copy = unchecked::numbers(stream, bytes, numbers.len());
        let length = size_of::<f32>() * numbers.len();
        let copy = copy.map_err(|error| self.not_copied(error, length))?;
        let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(copy, device.clone()));
        Ok(Tensor::from_storage(storage, shape, BackpropOp::none(), false))
    }

    fn not_copied(&self, error: DriverError, bytes: usize) -> CudaError {
        CudaError::of(error.0, self.ordinal(), "copying", bytes)
    }
}
