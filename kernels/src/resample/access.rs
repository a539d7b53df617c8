//! What the kernels on a GPU need of the arithmetics here.

pub(crate) use super::bilinear::{Between, half_pixel, positions, tf1};
pub(crate) use super::eight_bit::{Fixed, Plan};
pub(crate) use super::filter::{Taps, taps};
