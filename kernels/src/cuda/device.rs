use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::sys::{
    CUdevice_attribute_enum as DeviceAttribute, CUfunction_attribute_enum as FunctionAttribute,
    CUresult,
};
use cudarc::driver::{CudaContext, CudaFunction, CudaModule, CudaSlice, CudaStream, DriverError};
use pulp::bytemuck::cast_slice;

use super::buffer::{Buffer, Element, Memory, Place};
#[cfg(test)]
use super::emulator::Emulator;
use super::kernel::{Argument, Grid, Kernel, MOST_BLOCKS};
use super::program::{self, Program};
use super::{CudaError, Version, unchecked};

/// Shared memory that a block has without asking.
const SHARED: u32 = 48 << 10;

/// A GPU. Clones are the same one; calls from several threads follow each other on it.
#[derive(Clone)]
pub struct Device {
    runtime: Arc<Runtime>,
}

enum Runtime {
    Gpu(Gpu),
    #[cfg(test)]
    Emulated(Emulator),
}

struct Gpu {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    name: String,
    /// How many blocks it runs at a time is a multiple of it.
    multiprocessors: usize,
    /// Shared memory that a block may ask for.
    most_shared: u32,
    modules: Mutex<HashMap<Program, Arc<CudaModule>>>,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({})", self.name())
    }
}

impl Device {
    /// The device of this number, counted from 0 as `CUDA_VISIBLE_DEVICES` leaves them.
    ///
    /// # Errors
    /// [`CudaError::NoDriver`], [`CudaError::DriverTooOld`] and [`CudaError::NoDevice`], each with what
    /// to do about it.
    pub fn open(ordinal: usize) -> Result<Self, CudaError> {
        if !unchecked::has_driver() {
            return Err(CudaError::NoDriver);
        }
        let failed = |code| match code {
            CUresult::CUDA_ERROR_NO_DEVICE => CudaError::NoDevice { ordinal, count: 0 },
            // The toolkit's stand-in for machines that have no driver.
            CUresult::CUDA_ERROR_STUB_LIBRARY => CudaError::NoDriver,
            code => CudaError::of(code, ordinal, "opening the device", 0),
        };
        let found = unchecked::driver_version().map_err(failed)?;
        if found < Version::NEEDED {
            return Err(CudaError::DriverTooOld { found, needed: Version::NEEDED });
        }
        let count = CudaContext::device_count().map_err(|error| failed(error.0))?;
        let count = usize::try_from(count).unwrap_or(0);
        if ordinal >= count {
            return Err(CudaError::NoDevice { ordinal, count });
        }
        let gpu = Gpu::new(ordinal).map_err(|error| failed(error.0))?;
        Ok(Self { runtime: Arc::new(Runtime::Gpu(gpu)) })
    }

    #[cfg(test)]
    pub(super) fn emulated(emulator: Emulator) -> Self {
        Self { runtime: Arc::new(Runtime::Emulated(emulator)) }
    }

    /// The device that the tensor library computes on, and its stream: what is called here comes after
    /// what was called there.
    ///
    /// # Errors
    /// [`CudaError::Unsupported`] for the CPU; what opening a device may meet.
    #[cfg(feature = "candle-cuda")]
    pub fn of_tensors(device: &candle_core::Device) -> Result<Self, CudaError> {
        let candle_core::Device::Cuda(device) = device else {
            let reason = "tensors in the host's memory".to_owned();
            return Err(CudaError::Unsupported { operation: "of_tensors", reason });
        };
        /// Kernels are loaded once for each.
        static KNOWN: Mutex<Vec<Device>> = Mutex::new(Vec::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let stream = device.cuda_stream();
        let has_stream =
            |known: &&Self| known.stream().is_some_and(|own| Arc::ptr_eq(own, &stream));
        if let Some(device) = known.iter().find(has_stream) {
            return Ok(device.clone());
        }
        let (context, ordinal) = (stream.context().clone(), stream.context().ordinal());
        let gpu = Gpu::on(context, stream)
            .map_err(|error| CudaError::of(error.0, ordinal, "opening the device", 0))?;
        known.push(Self { runtime: Arc::new(Runtime::Gpu(gpu)) });
        // It was just put there.
        known.last().cloned().ok_or(CudaError::NoDevice { ordinal, count: 0 })
    }

    /// The stream that it computes on; `None` for one that has none.
    pub(super) fn stream(&self) -> Option<&Arc<CudaStream>> {
        match &*self.runtime {
            Runtime::Gpu(gpu) => Some(&gpu.stream),
            #[cfg(test)]
            Runtime::Emulated(_) => None,
        }
    }

    /// What the driver calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        match &*self.runtime {
            Runtime::Gpu(gpu) => &gpu.name,
            #[cfg(test)]
            Runtime::Emulated(_) => "emulated on the CPU",
        }
    }

    /// Its number.
    #[must_use]
    pub fn ordinal(&self) -> usize {
        match &*self.runtime {
            Runtime::Gpu(gpu) => gpu.context.ordinal(),
            #[cfg(test)]
            Runtime::Emulated(_) => 0,
        }
    }

    /// Bytes of its memory that are free, and all of them.
    ///
    /// # Errors
    /// [`CudaError::DeviceLost`] when it does not answer.
    pub fn memory(&self) -> Result<(usize, usize), CudaError> {
        match &*self.runtime {
            Runtime::Gpu(gpu) => gpu.said("asking for its memory", gpu.context.mem_get_info()),
            #[cfg(test)]
            Runtime::Emulated(emulator) => Ok((emulator.memory, emulator.memory)),
        }
    }

    /// Waits until every call is done.
    ///
    /// # Errors
    /// [`CudaError::DeviceLost`] where one of them failed.
    pub fn synchronise(&self) -> Result<(), CudaError> {
        match &*self.runtime {
            Runtime::Gpu(gpu) => gpu.said("computing", gpu.stream.synchronize()),
            #[cfg(test)]
            Runtime::Emulated(_) => Ok(()),
        }
    }

    /// Copies values to the device.
    ///
    /// # Errors
    /// [`CudaError::OutOfMemory`], [`CudaError::DeviceLost`].
    pub fn upload<T: Element>(&self, values: &[T]) -> Result<Buffer<T>, CudaError> {
        let mut buffer = self.unset(values.len())?;
        let bytes: &[u8] = cast_slice(values);
        match (&*self.runtime, buffer.memory_mut().place_mut()) {
            (Runtime::Gpu(gpu), Place::Gpu(slice)) if !bytes.is_empty() => {
                gpu.said("copying to the device", gpu.stream.memcpy_htod(bytes, slice))?;
            }
            #[cfg(test)]
            (Runtime::Emulated(_), Place::Emulated(memory)) => memory.copy_from_slice(bytes),
            _ => {}
        }
        Ok(buffer)
    }

    /// As many zeros.
    ///
    /// # Errors
    /// As [`upload`](Self::upload).
    pub fn zeros<T: Element>(&self, len: usize) -> Result<Buffer<T>, CudaError> {
        let mut buffer = self.unset(len)?;
        match (&*self.runtime, buffer.memory_mut().place_mut()) {
            (Runtime::Gpu(gpu), Place::Gpu(slice)) => {
                gpu.said("filling with zeros", gpu.stream.memset_zeros(slice))?;
            }
            #[cfg(test)]
            (Runtime::Emulated(_), Place::Emulated(memory)) => memory.fill(0),
            #[cfg(test)]
            _ => {}
        }
        Ok(buffer)
    }

    /// The same values in other memory of the device: what its bandwidth is measured by.
    ///
    /// # Errors
    /// As [`upload`](Self::upload).
    pub fn copy<T: Element>(&self, buffer: &Buffer<T>) -> Result<Buffer<T>, CudaError> {
        let mut copy = self.unset(buffer.len())?;
        let from = buffer.memory().place();
        match (&*self.runtime, from, copy.memory_mut().place_mut()) {
            (Runtime::Gpu(gpu), Place::Gpu(from), Place::Gpu(to)) => {
                gpu.said("copying on the device", gpu.stream.memcpy_dtod(from, to))?;
            }
            #[cfg(test)]
            (Runtime::Emulated(_), Place::Emulated(from), Place::Emulated(to)) => {
                to.clone_from(from);
            }
            #[cfg(test)]
            _ => {}
        }
        Ok(copy)
    }

    /// Room for what a kernel writes.
    pub(super) fn unset<T: Element>(&self, len: usize) -> Result<Buffer<T>, CudaError> {
        let bytes = len.saturating_mul(size_of::<T>());
        let place = match &*self.runtime {
            Runtime::Gpu(gpu) => Place::Gpu(gpu.allocate(bytes)?),
            #[cfg(test)]
            Runtime::Emulated(emulator) => Place::Emulated(emulator.allocate(bytes)?),
        };
        Ok(Buffer::new(Memory::new(T::SCALAR, bytes, place)))
    }

    /// Blocks that keep it busy, of which each multiprocessor has `each`.
    pub(super) fn blocks(&self, each: usize) -> usize {
        match &*self.runtime {
            Runtime::Gpu(gpu) => gpu.multiprocessors * each,
            #[cfg(test)]
            Runtime::Emulated(emulator) => emulator.blocks,
        }
    }

    /// Shared memory that a block may have.
    pub(super) fn most_shared(&self) -> usize {
        match &*self.runtime {
            Runtime::Gpu(gpu) => gpu.most_shared as usize,
            #[cfg(test)]
            Runtime::Emulated(emulator) => emulator.most_shared,
        }
    }

    /// Hands a kernel to the device, if the arguments are what it takes.
    pub(super) fn launch(
        &self,
        kernel: &Kernel,
        grid: Grid,
        arguments: &mut [Argument<'_>],
    ) -> Result<(), CudaError> {
        match &*self.runtime {
            Runtime::Gpu(gpu) => {
                let grid = grid.within(MOST_BLOCKS, kernel)?;
                let function = gpu.function(kernel, grid.shared)?;
                unchecked::launch(&gpu.stream, &function, kernel, grid, arguments)
            }
            #[cfg(test)]
            Runtime::Emulated(emulator) => {
                kernel.check(arguments)?;
                let grid = grid.within([emulator.most_blocks; 3], kernel)?;
                emulator.launch(kernel, grid, arguments)
            }
        }
    }
}

impl Gpu {
    fn new(ordinal: usize) -> Result<Self, DriverError> {
        let context = CudaContext::new(ordinal)?;
        let stream = context.default_stream();
        Self::on(context, stream)
    }

    fn on(context: Arc<CudaContext>, stream: Arc<CudaStream>) -> Result<Self, DriverError> {
        let attribute = |attribute| context.attribute(attribute);
        let multiprocessors = attribute(DeviceAttribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let shared =
            attribute(DeviceAttribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?;
        Ok(Self {
            stream,
            name: context.name()?,
            multiprocessors: usize::try_from(multiprocessors).unwrap_or(1).max(1),
            most_shared: u32::try_from(shared).unwrap_or(SHARED).max(SHARED),
            modules: Mutex::default(),
            context,
        })
    }

    /// What the driver said about something that takes no memory.
    fn said<T>(
        &self,
        operation: &'static str,
        result: Result<T, DriverError>,
    ) -> Result<T, CudaError> {
        result.map_err(|error| CudaError::of(error.0, self.context.ordinal(), operation, 0))
    }

    fn allocate(&self, bytes: usize) -> Result<CudaSlice<u8>, CudaError> {
        // The driver refuses to give nothing.
        let allocated = unchecked::allocate(&self.stream, bytes.max(1));
        let ordinal = self.context.ordinal();
        allocated.map_err(|error| CudaError::of(error.0, ordinal, "asking for memory", bytes))
    }

    fn function(&self, kernel: &Kernel, shared: u32) -> Result<CudaFunction, CudaError> {
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        let module = match modules.get(&kernel.program) {
            Some(module) => module.clone(),
            None => {
                let module = program::load(&self.context, kernel.program)?;
                modules.entry(kernel.program).or_insert(module).clone()
            }
        };
        self.said("turning to the device", self.context.bind_to_thread())?;
        let function = self.said("looking for a kernel", module.load_function(kernel.name))?;
        if shared > SHARED {
            let most = FunctionAttribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            let shared = i32::try_from(shared).unwrap_or(i32::MAX);
            self.said("asking for shared memory", function.set_attribute(most, shared))?;
        }
        Ok(function)
    }
}
