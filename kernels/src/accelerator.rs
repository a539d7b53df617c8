//! What the device of a tensor tells of itself, and what its failures mean.

use std::error::Error;
use std::time::Duration;

use candle_core::Device;

/// Memory of a device, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What tensors of this process take.
    pub used: u64,
    /// The most that they took since [`reset_peak`].
    pub peak: u64,
    /// What can still be had.
    pub available: u64,
}

/// Why a device did not do what was asked of it, where this is not for what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceFailure {
    /// There is no memory left: less at once may do.
    OutOfMemory,
    /// It does not answer any more, or a kernel broke it: nothing that is on it can be used.
    Lost,
}

/// Codes of the driver and its libraries after which nothing on the device can be used.
const LOST: [&str; 20] = [
    "CUBLAS_STATUS_EXECUTION_FAILED",
    "CUDA_ERROR_CONTAINED",
    "CUDA_ERROR_CONTEXT_IS_DESTROYED",
    "CUDA_ERROR_DEINITIALIZED",
    "CUDA_ERROR_DEVICE_UNAVAILABLE",
    "CUDA_ERROR_ECC_UNCORRECTABLE",
    "CUDA_ERROR_EXTERNAL_DEVICE",
    "CUDA_ERROR_HARDWARE_STACK_ERROR",
    "CUDA_ERROR_ILLEGAL_ADDRESS",
    "CUDA_ERROR_ILLEGAL_INSTRUCTION",
    "CUDA_ERROR_INVALID_ADDRESS_SPACE",
    "CUDA_ERROR_INVALID_PC",
    "CUDA_ERROR_LAUNCH_FAILED",
    "CUDA_ERROR_LAUNCH_TIMEOUT",
    "CUDA_ERROR_MISALIGNED_ADDRESS",
    "CUDA_ERROR_MPS_CLIENT_TERMINATED",
    "CUDA_ERROR_NVLINK_UNCORRECTABLE",
    "CUDA_ERROR_SYSTEM_NOT_READY",
    "CUDA_ERROR_TENSOR_MEMORY_LEAK",
    "CUDA_ERROR_UNKNOWN",
];

const OUT_OF_MEMORY: [&str; 2] = ["CUBLAS_STATUS_ALLOC_FAILED", "CUDA_ERROR_OUT_OF_MEMORY"];

impl DeviceFailure {
    /// What a code of the driver means: `CUDA_ERROR_OUT_OF_MEMORY`. `None` for those that are not about
    /// the device.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        match code {
            code if OUT_OF_MEMORY.contains(&code) => Some(Self::OutOfMemory),
            code if LOST.contains(&code) => Some(Self::Lost),
            _ => None,
        }
    }

    /// What is at the bottom of an error.
    ///
    /// The tensor library wraps errors of the driver in boxes and texts that do not tell their causes,
    /// but the driver's code is in the text of every one: it is looked for there.
    #[must_use]
    pub fn at_the_bottom_of(error: &(dyn Error + 'static)) -> Option<Self> {
        let causes = std::iter::successors(Some(error), |cause| (*cause).source());
        causes.into_iter().find_map(|cause| {
            #[cfg(feature = "cuda")]
            match cause.downcast_ref() {
                Some(crate::cuda::CudaError::OutOfMemory { .. }) => return Some(Self::OutOfMemory),
                Some(crate::cuda::CudaError::DeviceLost { .. }) => return Some(Self::Lost),
                _ => {}
            }
            Self::in_text(&cause.to_string())
        })
    }

    /// What the first code of the driver in a message means.
    #[must_use]
    pub fn in_text(message: &str) -> Option<Self> {
        let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        message.split(|c| !in_word(c)).find_map(Self::of_code)
    }
}

/// What a device is called, and how fast it runs at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// By its driver.
    pub name: String,
    /// `None` where nothing tells.
    pub clocks: Option<Clocks>,
}

/// Clocks of a GPU, in MHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// Of its multiprocessors.
    pub multiprocessors: u32,
    /// The highest that these may have.
    pub most_multiprocessors: u32,
    /// Of its memory.
    pub memory: u32,
}

/// What a device tells of itself; `None` for the CPU, and where the driver does not answer.
#[must_use]
pub fn describe(device: &Device) -> Option<Description> {
    #[cfg(feature = "candle-cuda")]
    if let Device::Cuda(device) = device {
        let stream = device.cuda_stream();
        let name = stream.context().name().ok()?;
        return Some(Description { name, clocks: crate::cuda::clocks_of(stream.context()) });
    }
    let _ = device;
    None
}

/// The time from one moment to another on a device that computes behind the program's back.
pub struct Stopwatch {
    #[cfg(feature = "candle-cuda")]
    start: (cudarc::driver::CudaEvent, std::sync::Arc<cudarc::driver::CudaStream>),
    #[cfg(not(feature = "candle-cuda"))]
    never: std::convert::Infallible,
}

impl Stopwatch {
    /// From when the device has done everything that it was given; `None` for the CPU, which the clock on the
    /// wall is for.
    ///
    /// # Errors
    /// What the driver says.
    pub fn start(device: &Device) -> candle_core::Result<Option<Self>> {
        #[cfg(feature = "candle-cuda")]
        if let Device::Cuda(device) = device {
            let stream = device.cuda_stream();
            let event = crate::cuda::moment(&stream).map_err(by_driver)?;
            return Ok(Some(Self { start: (event, stream) }));
        }
        let _ = device;
        Ok(None)
    }

    /// Until the device has done everything that it was given since. Waits for that.
    ///
    /// # Errors
    /// What the driver says.
    pub fn stop(self) -> candle_core::Result<Duration> {
        #[cfg(feature = "candle-cuda")]
        {
            let (start, stream) = self.start;
            let end = crate::cuda::moment(&stream).map_err(by_driver)?;
            let milliseconds = start.elapsed_ms(&end).map_err(by_driver)?;
            return Ok(Duration::from_secs_f64(f64::from(milliseconds.max(0.0)) / 1e3));
        }
        #[cfg(not(feature = "candle-cuda"))]
        match self.never {}
    }
}

#[cfg(feature = "candle-cuda")]
fn by_driver(error: cudarc::driver::DriverError) -> candle_core::Error {
    candle_core::Error::Cuda(Box::new(error))
}

/// For each sample whether it lies in the ball around some reference that reaches to that one's `neighbours`-th
/// nearest other reference, and for each reference the same among samples: `[samples, references]`, closed
/// balls, as [`radii`](crate::distances::radii) and [`inside`](crate::distances::inside) have it. `None` for the
/// CPU. Both sets, rows of `columns` numbers, are in the device's memory together.
///
/// # Errors
/// Rows that are not whole; no memory, a device that is lost.
pub fn in_manifolds(
    device: &Device,
    [references, samples]: [&[f32]; 2],
    columns: usize,
    neighbours: usize,
) -> candle_core::Result<Option<[Vec<bool>; 2]>> {
    #[cfg(feature = "candle-cuda")]
    if device.is_cuda() {
        use crate::cuda::CudaError;
        use crate::distances::Ball;
        let inside = || -> Result<[Vec<bool>; 2], CudaError> {
            let ours = crate::cuda::Device::of_tensors(device)?;
            let sets = [ours.upload(references)?, ours.upload(samples)?];
            let radii = [
                ours.radii(&sets[0], columns, neighbours)?,
                ours.radii(&sets[1], columns, neighbours)?,
            ];
            let among = |of: usize, centres: usize| {
                let balls = ((&sets[centres]).into(), (&radii[centres]).into());
                let found = ours.inside(&sets[of], balls, columns, Ball::Closed)?.to_vec()?;
                Ok(found.into_iter().map(|inside| inside > 0).collect())
            };
            Ok([among(1, 0)?, among(0, 1)?])
        };
        return inside().map(Some).map_err(|error| candle_core::Error::Cuda(Box::new(error)));
    }
    let _ = (device, references, samples, columns, neighbours);
    Ok(None)
}

/// The memory of a device; `None` for the CPU.
#[must_use]
pub fn memory(device: &Device) -> Option<Memory> {
    #[cfg(feature = "candle-cuda")]
    if let Device::Cuda(device) = device {
        return crate::cuda::memory_of(&device.cuda_stream());
    }
    let _ = device;
    None
}

/// Lets [`Memory::peak`] begin anew at what is used.
pub fn reset_peak(device: &Device) {
    #[cfg(feature = "candle-cuda")]
    if let Device::Cuda(device) = device {
        crate::cuda::reset_peak_of(&device.cuda_stream());
    }
    let _ = device;
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("encode a batch")]
    struct Outer(#[source] Box<candle_core::Error>);

    #[test]
    fn failures_are_found_below_what_wraps_them() {
        let of = |text: &str| {
            let driver = io::Error::other(format!("DriverError({text}, \"in words\")"));
            let error = candle_core::Error::Cuda(Box::new(driver)).bt().context("a layer");
            DeviceFailure::at_the_bottom_of(&Outer(Box::new(error)))
        };
        assert_eq!(of("CUDA_ERROR_OUT_OF_MEMORY"), Some(DeviceFailure::OutOfMemory));
        assert_eq!(of("CUBLAS_STATUS_ALLOC_FAILED"), Some(DeviceFailure::OutOfMemory));
        assert_eq!(of("CUDA_ERROR_ILLEGAL_ADDRESS"), Some(DeviceFailure::Lost));
        assert_eq!(of("CUDA_ERROR_UNKNOWN"), Some(DeviceFailure::Lost));
        assert_eq!(of("CUDA_ERROR_INVALID_VALUE"), None, "a bug, and no failure of the device");
        assert_eq!(of("CUDA_ERROR_UNKNOWN_TO_US"), None, "whole words");
        let plain = candle_core::Error::Msg("out of memory".to_owned());
        assert_eq!(DeviceFailure::at_the_bottom_of(&plain), None, "nobody's code");
    }

    #[cfg(feature = "cuda")]
    #[test]
    fn errors_of_our_own_calls_are_told_by_their_kind() {
        let full = crate::cuda::CudaError::OutOfMemory { ordinal: 0, bytes: 1 };
        let found = DeviceFailure::at_the_bottom_of(&full);
        assert_eq!(found, Some(DeviceFailure::OutOfMemory));
    }

    #[test]
    fn the_host_has_no_memory_of_a_device() {
        reset_peak(&Device::Cpu);
        assert_eq!(memory(&Device::Cpu), None);
        assert_eq!(describe(&Device::Cpu), None);
        assert_eq!(in_manifolds(&Device::Cpu, [&[0.0], &[1.0]], 1, 1).unwrap(), None);
        assert!(Stopwatch::start(&Device::Cpu).unwrap().is_none());
    }
}
