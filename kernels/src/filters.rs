//! Frequency filters of f32 planes of any size: masks over the discrete cosine transform and over the
//! Fourier transform of each plane.
//!
//! A weight depends on how fast a wave is along each axis and not on its phase or sign, so real
//! transforms of the lines suffice, along columns and then along rows: orthonormal ones whose
//! transposes lead back. They are computed in f32 as lists of sparse steps, many lines side by
//! side; a frequency that no weight keeps is not computed.

mod dense;
mod factors;
mod fusion;
mod lines;
mod mask;
mod network;
mod operations;
mod plane;
#[cfg(feature = "cuda")]
pub(crate) mod program;
mod step;
mod turning;

pub use mask::{Cutoff, Pass, Shape};
pub use plane::PlaneFilter;
