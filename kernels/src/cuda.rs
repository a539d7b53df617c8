//! The kernels on an NVIDIA GPU, with the names and arguments of their twins on the CPU.
//!
//! [`Device`] has the functions, [`Gram`] and [`PlaneFilter`] the sums and filters. Values come from
//! the host or from a [`Buffer`] of an earlier call ([`Operand`]) and stay on the GPU until
//! [`Buffer::to_vec`] asks for them, so that calls can be chained. Calls return before they are done.
//!
//! **Bits:** the sources in `kernels/cuda` are compiled without contraction, and their sums have the
//! twins' order: results have the bits of the CPU's, whatever the grid, unless a function says
//! otherwise.
//!
//! The driver is loaded when a device is opened, and kernels are compiled by NVRTC when they are first
//! used, where nvcc did not do it when this was built: nothing of CUDA is needed to build this, or to
//! start a program that has it.

mod buffer;
mod clocks;
mod device;
mod directions;
mod distances;
#[cfg(test)]
mod emulator;
mod error;
mod filters;
mod gram;
mod kernel;
mod pictures;
mod program;
mod resample;
mod similarity;
mod tables;
#[cfg(feature = "candle-cuda")]
mod tensors;
#[cfg(test)]
mod tests;
mod unchecked;
mod uploads;

pub use buffer::{Buffer, Element, Operand};
#[cfg(feature = "candle-cuda")]
pub(crate) use clocks::clocks_of;
pub use device::Device;
pub use error::{CudaError, Version};
pub use filters::PlaneFilter;
pub use gram::Gram;
pub use pictures::Pictures;
#[cfg(feature = "candle-cuda")]
pub use tensors::for_tensors;
#[cfg(feature = "candle-cuda")]
pub(crate) use tensors::{memory_of, moment, reset_peak_of};
pub use uploads::Uploads;
