//! The one place of this module with unsafe code.
#![expect(
    unsafe_code,
    reason = "neither the driver's functions nor a kernel can be checked by Rust"
)]

use std::sync::Arc;

#[cfg(feature = "candle-cuda")]
use cudarc::driver::CudaView;
use cudarc::driver::sys::{self, CUresult};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaSlice, CudaStream, DriverError, LaunchConfig, PinnedHostSlice,
    PushKernelArg,
};
#[cfg(not(feature = "candle-cuda"))]
use cudarc::nvrtc;

use super::buffer::{Memory, Place};
use super::kernel::{Argument, Grid, Kernel};
use super::{CudaError, Version};

/// Whether the driver's library can be loaded: without it, each of its functions panics.
///
/// candle links the library: a program that has it has not started without.
#[cfg(feature = "candle-cuda")]
pub(super) fn has_driver() -> bool {
    true
}

/// The same of NVRTC's.
#[cfg(feature = "candle-cuda")]
pub(super) fn has_compiler() -> bool {
    true
}

/// Whether the driver's library can be loaded: without it, each of its functions panics.
#[cfg(not(feature = "candle-cuda"))]
pub(super) fn has_driver() -> bool {
    // SAFETY: it opens a shared library and closes it again. What Rust cannot know is what the library
    // does when it is opened: it is the one that the system's loader finds under the driver's name.
    unsafe { sys::is_culib_present() }
}

/// The same of NVRTC's.
#[cfg(not(feature = "candle-cuda"))]
pub(super) fn has_compiler() -> bool {
    // SAFETY: as above, under NVRTC's name.
    unsafe { nvrtc::sys::is_culib_present() }
}

/// What the driver serves. The library must be there.
pub(super) fn driver_version() -> Result<Version, CUresult> {
    let mut version = 0;
    // SAFETY: it writes one `int` through the pointer, which is to one; every driver has it, and it may
    // be called before `cuInit`.
    match unsafe { sys::cuDriverGetVersion(&raw mut version) } {
        CUresult::CUDA_SUCCESS => Ok(Version(version.unsigned_abs())),
        code => Err(code),
    }
}

/// A number of the pool that the memory of tensors comes from.
#[cfg(feature = "candle-cuda")]
pub(super) fn pool(
    context: &CudaContext,
    attribute: sys::CUmemPool_attribute,
) -> Result<u64, CUresult> {
    let (pool, mut value) = (default_pool(context)?, 0_u64);
    // SAFETY: the pool is the device's own and lives as long as it; the attributes that this module asks
    // for are of 64 bits, which the driver writes through the pointer.
    let said = unsafe { sys::cuMemPoolGetAttribute(pool, attribute, (&raw mut value).cast()) };
    match said {
        CUresult::CUDA_SUCCESS => Ok(value),
        code => Err(code),
    }
}

/// Lets the highest use of the pool begin anew.
#[cfg(feature = "candle-cuda")]
pub(super) fn reset_pool(context: &CudaContext) -> Result<(), CUresult> {
    let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH;
    let (pool, mut value) = (default_pool(context)?, 0_u64);
    // SAFETY: as above; the driver reads 64 bits, and takes no other value than 0.
    let said = unsafe { sys::cuMemPoolSetAttribute(pool, attribute, (&raw mut value).cast()) };
    match said {
        CUresult::CUDA_SUCCESS => Ok(()),
        code => Err(code),
    }
}

#[cfg(feature = "candle-cuda")]
fn default_pool(context: &CudaContext) -> Result<sys::CUmemoryPool, CUresult> {
    let mut pool = std::ptr::null_mut();
    // SAFETY: the driver writes a handle through the pointer, for a device that it gave itself.
    match unsafe { sys::cuDeviceGetDefaultMemPool(&raw mut pool, context.cu_device()) } {
        CUresult::CUDA_SUCCESS => Ok(pool),
        code => Err(code),
    }
}

/// Memory of the host that the system does not move, all zeros.
pub(super) fn pinned(
    context: &Arc<CudaContext>,
    bytes: usize,
) -> Result<PinnedHostSlice<u8>, DriverError> {
    // SAFETY: its bytes are written in full before anything reads them, here and by whoever asked for it.
    let mut memory = unsafe { context.alloc_pinned::<u8>(bytes) }?;
    memory.as_mut_slice()?.fill(0);
    Ok(memory)
}

/// Memory that nobody has written yet.
pub(super) fn allocate(
    stream: &Arc<CudaStream>,
    bytes: usize,
) -> Result<CudaSlice<u8>, DriverError> {
    // SAFETY: only the device and copies by the driver ever read it, for which every pattern of bits is
    // as good as another; so it is for the types of `Element` that the bytes become on the host.
    unsafe { stream.alloc(bytes) }
}

/// The same numbers as bytes of their own.
#[cfg(feature = "candle-cuda")]
pub(super) fn copy(
    stream: &Arc<CudaStream>,
    numbers: &CudaView<'_, f32>,
) -> Result<CudaSlice<u8>, DriverError> {
    let bytes = numbers.len() * size_of::<f32>();
    let mut copy = allocate(stream, bytes.max(1))?;
    if bytes > 0 {
        // SAFETY: as many bytes as the numbers have; any of their patterns is one of bytes.
        let numbers = unsafe { numbers.transmute::<u8>(bytes) };
        if let Some(numbers) = numbers {
            stream.memcpy_dtod(&numbers, &mut copy)?;
        }
    }
    Ok(copy)
}

/// The first `count` numbers of which these are the bytes, in memory of their own.
#[cfg(feature = "candle-cuda")]
pub(super) fn numbers(
    stream: &Arc<CudaStream>,
    bytes: &CudaSlice<u8>,
    count: usize,
) -> Result<CudaSlice<f32>, DriverError> {
    // SAFETY: as for `allocate`: it is written in full below, but for the one number of an empty slice.
    let mut numbers = unsafe { stream.alloc::<f32>(count.max(1)) }?;
    let length = count * size_of::<f32>();
    if length > 0 {
        let mut all = numbers.slice_mut(..count);
        // SAFETY: as many bytes as the numbers have, and any pattern of them is a number.
        let place = unsafe { all.transmute_mut::<u8>(length) };
        if let Some(mut place) = place {
            stream.memcpy_dtod(&bytes.slice(..length), &mut place)?;
        }
    }
    Ok(numbers)
}

/// Hands a kernel to the stream, if the arguments are what it takes.
pub(super) fn launch(
    stream: &CudaStream,
    function: &CudaFunction,
    kernel: &Kernel,
    grid: Grid,
    arguments: &mut [Argument<'_>],
) -> Result<(), CudaError> {
    kernel.check(arguments)?;
    let [x, y, z] = grid.blocks;
    let config = LaunchConfig {
        grid_dim: (x, y, z),
        block_dim: (kernel.threads, 1, 1),
        shared_mem_bytes: grid.shared,
    };
    let mut launch = stream.launch_builder(function);
    for argument in arguments.iter_mut() {
        match argument {
            Argument::Input(memory) => launch.arg(slice(memory)?),
            Argument::Output(memory) => launch.arg(slice_mut(memory)?),
            Argument::U32(number) => launch.arg(&*number),
            Argument::U64(number) => launch.arg(&*number),
            Argument::F32(number) => launch.arg(&*number),
            Argument::F64(number) => launch.arg(&*number),
        };
    }
    // SAFETY: `check` compared each argument with `kernel.parameters`, type and mutability; tests compare
    // these with the source's parameters and with those of the PTX. So the kernel gets what it was
    // written for and writes to nothing that was borrowed as shared. That it stays within the buffers
    // is its functions' part: each compares lengths before it launches, and the same sources and
    // launches run in tests on memory that ends at guarded pages. Buffers live until the stream is done
    // with them: cudarc frees them on it.
    let launched = unsafe { launch.launch(config) };
    let ordinal = stream.context().ordinal();
    let name = kernel.name;
    launched.map(drop).map_err(|error| CudaError::of(error.0, ordinal, name, 0))
}

fn slice(memory: &Memory) -> Result<&CudaSlice<u8>, CudaError> {
    match memory.place() {
        Place::Gpu(slice) => Ok(slice),
        #[cfg(test)]
        Place::Emulated(_) => Err(CudaError::OtherDevice { expected: 0, found: 0 }),
    }
}

fn slice_mut(memory: &mut Memory) -> Result<&mut CudaSlice<u8>, CudaError> {
    match memory.place_mut() {
        Place::Gpu(slice) => Ok(slice),
        #[cfg(test)]
        Place::Emulated(_) => Err(CudaError::OtherDevice { expected: 0, found: 0 }),
    }
}
