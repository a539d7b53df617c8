use std::marker::PhantomData;

use cudarc::driver::CudaSlice;
use pulp::bytemuck::{Pod, cast_slice_mut};

use super::kernel::Scalar;
use super::{CudaError, Device};

/// Types of values that a device computes with.
pub trait Element: Typed + Pod {}

/// The same, as a value: closed, so that no other types come into buffers.
pub trait Typed {
    /// Which one it is.
    const SCALAR: Scalar;
}

macro_rules! elements {
    ($($type:ty: $scalar:ident),*) => {
        $(
            impl Element for $type {}
            impl Typed for $type {
                const SCALAR: Scalar = Scalar::$scalar;
            }
        )*
    };
}

elements!(u8: U8, u32: U32, i32: I32, f32: F32, f64: F64);

/// Values in the memory of a device.
#[derive(Debug)]
pub struct Buffer<T> {
    memory: Memory,
    kind: PhantomData<T>,
}

impl<T: Element> Buffer<T> {
    pub(super) fn new(memory: Memory) -> Self {
        debug_assert_eq!(memory.scalar, T::SCALAR);
        Self { memory, kind: PhantomData }
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.memory.bytes / size_of::<T>()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.memory.bytes == 0
    }

    /// The values, on the host. Waits for the calls that make them.
    ///
    /// # Errors
    /// [`CudaError::DeviceLost`] where one of these failed.
    pub fn to_vec(&self) -> Result<Vec<T>, CudaError> {
        let mut values = vec![T::zeroed(); self.len()];
        self.memory.read(cast_slice_mut(&mut values))?;
        Ok(values)
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(super) fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }
}

/// Bytes in the memory of a device, and the type that they are of.
#[derive(Debug)]
pub(super) struct Memory {
    scalar: Scalar,
    bytes: usize,
    place: Place,
}

#[derive(Debug)]
pub(super) enum Place {
    Gpu(CudaSlice<u8>),
    #[cfg(test)]
    Emulated(Vec<u8>),
}

impl Memory {
    /// `bytes` of a place that has as many, or more where that is none.
    pub(super) fn new(scalar: Scalar, bytes: usize, place: Place) -> Self {
        Self { scalar, bytes, place }
    }

    pub(super) fn scalar(&self) -> Scalar {
        self.scalar
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn place_mut(&mut self) -> &mut Place {
        &mut self.place
    }

    fn read(&self, into: &mut [u8]) -> Result<(), CudaError> {
        if self.bytes == 0 {
            return Ok(());
        }
        match &self.place {
            Place::Gpu(slice) => {
                let (stream, ordinal) = (slice.stream(), slice.ordinal());
                let copied = stream.memcpy_dtoh(&slice.slice(..self.bytes), into);
                let done = copied.and_then(|()| stream.synchronize());
                done.map_err(|error| CudaError::of(error.0, ordinal, "copying to the host", 0))
            }
            #[cfg(test)]
            Place::Emulated(bytes) => {
                into.copy_from_slice(&bytes[..self.bytes]);
                Ok(())
            }
        }
    }
}

/// Values that a call takes: from the host, or where an earlier call left them.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a, T> {
    /// They are copied to the device first.
    Host(&'a [T]),
    /// They are there.
    Device(&'a Buffer<T>),
}

impl<'a, T> From<&'a [T]> for Operand<'a, T> {
    fn from(values: &'a [T]) -> Self {
        Self::Host(values)
    }
}

impl<'a, T> From<&'a Vec<T>> for Operand<'a, T> {
    fn from(values: &'a Vec<T>) -> Self {
        Self::Host(values)
    }
}

impl<'a, T> From<&'a Buffer<T>> for Operand<'a, T> {
    fn from(buffer: &'a Buffer<T>) -> Self {
        Self::Device(buffer)
    }
}

impl<'a, T: Element> Operand<'a, T> {
    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Host(values) => values.len(),
            Self::Device(buffer) => buffer.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values on a device.
    pub(super) fn on(self, device: &Device) -> Result<Held<'a, T>, CudaError> {
        match self {
            Self::Host(values) => Ok(Held::Own(device.upload(values)?)),
            Self::Device(buffer) => {
                if let Place::Gpu(slice) = &buffer.memory.place
                    && slice.ordinal() != device.ordinal()
                {
                    let (expected, found) = (device.ordinal(), slice.ordinal());
                    return Err(CudaError::OtherDevice { expected, found });
                }
                Ok(Held::Given(buffer))
            }
        }
    }
}

/// An operand that is on the device.
pub(super) enum Held<'a, T> {
    Own(Buffer<T>),
    Given(&'a Buffer<T>),
}

impl<T: Element> Held<'_, T> {
    /// The same values in memory of their own.
    pub(super) fn copy(self, device: &Device) -> Result<Buffer<T>, CudaError> {
        match self {
            Self::Own(buffer) => Ok(buffer),
            Self::Given(buffer) => device.copy(buffer),
        }
    }

    pub(super) fn memory(&self) -> &Memory {
        match self {
            Self::Own(buffer) => buffer.memory(),
            Self::Given(buffer) => buffer.memory(),
        }
    }
}
