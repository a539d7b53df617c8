//! Kernels as Rust knows them: which source has one, what it takes, and a check of both at each launch.

use super::CudaError;
use super::buffer::Memory;
use super::program::Program;

/// Types of values in the memory of a device and of numbers that a kernel takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// Bytes.
    U8,
    /// Whole numbers.
    U32,
    /// Sizes.
    U64,
    /// Whole numbers with a sign.
    I32,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

/// What a kernel takes at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    /// Values that it reads.
    Input(Scalar),
    /// Values that it writes, or reads and writes.
    Output(Scalar),
    Number(Scalar),
}

/// An entry point of a source in `kernels/cuda`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kernel {
    pub(super) name: &'static str,
    pub(super) program: Program,
    /// Of a block.
    pub(super) threads: u32,
    /// Sides of the grid along which it loops over what the blocks do not cover.
    pub(super) loops: [bool; 3],
    pub(super) parameters: &'static [Parameter],
}

/// What a kernel is given at one place.
#[derive(Debug)]
pub(super) enum Argument<'a> {
    Input(&'a Memory),
    Output(&'a mut Memory),
    U32(u32),
    U64(u64),
    F32(f32),
    F64(f64),
}

impl Argument<'_> {
    pub(super) fn parameter(&self) -> Parameter {
        match self {
            Self::Input(memory) => Parameter::Input(memory.scalar()),
            Self::Output(memory) => Parameter::Output(memory.scalar()),
            Self::U32(_) => Parameter::Number(Scalar::U32),
            Self::U64(_) => Parameter::Number(Scalar::U64),
            Self::F32(_) => Parameter::Number(Scalar::F32),
            Self::F64(_) => Parameter::Number(Scalar::F64),
        }
    }
}

/// Blocks of a launch, and the bytes of shared memory of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) blocks: [u32; 3],
    pub(super) shared: u32,
}

/// Blocks along each side of a grid.
pub(super) const MOST_BLOCKS: [u32; 3] = [i32::MAX as u32, 65_535, 65_535];

impl Grid {
    /// At least one block along each side.
    pub(super) fn new(blocks: [usize; 3], shared: usize) -> Self {
        let blocks = blocks.map(|blocks| u32::try_from(blocks.max(1)).unwrap_or(u32::MAX));
        Self { blocks, shared: u32::try_from(shared).unwrap_or(u32::MAX) }
    }

    /// No more blocks than there may be where the kernel loops over the others.
    pub(super) fn within(self, most: [u32; 3], kernel: &Kernel) -> Result<Self, CudaError> {
        let mut blocks = self.blocks;
        for ((blocks, most), loops) in blocks.iter_mut().zip(most).zip(kernel.loops) {
            if loops {
                *blocks = (*blocks).min(most);
            }
        }
        match blocks.iter().zip(MOST_BLOCKS).all(|(blocks, most)| *blocks <= most) {
            true => Ok(Self { blocks, ..self }),
            false => Err(CudaError::Unsupported {
                operation: kernel.name,
                reason: format!("a grid of {blocks:?} blocks"),
            }),
        }
    }
}

impl Kernel {
    /// Refuses arguments that are not what the kernel takes, one by one.
    pub(super) fn check(&self, arguments: &[Argument<'_>]) -> Result<(), CudaError> {
        let found: Vec<Parameter> = arguments.iter().map(Argument::parameter).collect();
        match found == self.parameters {
            true => Ok(()),
            false => Err(CudaError::Arguments {
                kernel: self.name,
                expected: format!("{:?}", self.parameters),
                found: format!("{found:?}"),
            }),
        }
    }
}

/// A size or number that kernels take as 32 bits.
pub(super) fn narrow(operation: &'static str, number: usize) -> Result<u32, CudaError> {
    u32::try_from(number).map_err(|_| CudaError::Unsupported {
        operation,
        reason: format!("a size of {number}, which is 2^32 or more"),
    })
}

/// Short names for lists of parameters.
pub(super) mod parameter {
    use super::{Parameter, Scalar};

    pub(in super::super) const IN_U8: Parameter = Parameter::Input(Scalar::U8);
    pub(in super::super) const IN_U32: Parameter = Parameter::Input(Scalar::U32);
    pub(in super::super) const IN_I32: Parameter = Parameter::Input(Scalar::I32);
    pub(in super::super) const IN_F32: Parameter = Parameter::Input(Scalar::F32);
    pub(in super::super) const IN_F64: Parameter = Parameter::Input(Scalar::F64);
    pub(in super::super) const OUT_U8: Parameter = Parameter::Output(Scalar::U8);
    pub(in super::super) const OUT_F32: Parameter = Parameter::Output(Scalar::F32);
    pub(in super::super) const OUT_F64: Parameter = Parameter::Output(Scalar::F64);
    pub(in super::super) const U32: Parameter = Parameter::Number(Scalar::U32);
    pub(in super::super) const U64: Parameter = Parameter::Number(Scalar::U64);
    pub(in super::super) const F32: Parameter = Parameter::Number(Scalar::F32);
    pub(in super::super) const F64: Parameter = Parameter::Number(Scalar::F64);
}
