//! Beside the tensor library on one device.

use cudarc::driver::CudaStream;
use cudarc::driver::sys::CUmemPool_attribute as PoolAttribute;

use super::unchecked;
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
