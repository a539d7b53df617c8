//! The arithmetic of prismbench on plain slices.
//!
//! **Invariant:** nothing here knows files, tokenizers or metrics. Every function gives the same
//! bits on every machine and for any number of threads: sums have a fixed order, a product and a
//! sum are fused where the code says so and nowhere else, and transcendental functions come from
//! `libm` or are sequences of operations of our own.

pub mod accelerator;
mod aligned;
pub mod bands;
pub mod crop;
pub mod cross_entropy;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod dct;
pub mod device_pictures;
pub mod directions;
pub mod distances;
pub mod dots;
#[cfg(test)]
mod executed;
pub mod filters;
pub mod gram;
mod instruction_set;
pub mod matrix;
pub mod network_input;
pub mod nn;
pub mod peaks;
mod product;
pub mod ranks;
pub mod resample;
pub mod similarity;
pub mod squared_error;
mod transpose;

pub use instruction_set::InstructionSet;

/// Columns and rows of a picture or plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Size {
    /// Columns first, as picture sizes are written.
    #[must_use]
    pub const fn new(width: usize, height: usize) -> Self {
        Self { width, height }
    }

    /// Pixels.
    #[must_use]
    pub const fn area(self) -> usize {
        self.width * self.height
    }

    /// The shorter of the two.
    #[must_use]
    pub fn shorter(self) -> usize {
        self.width.min(self.height)
    }
}
