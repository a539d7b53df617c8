//! Layers of networks: this project's kernels on the CPU, candle's on any other device.
//!
//! **Layout:** on the CPU, maps are `[image][row][column][channel]`. **Bits:** on the CPU every
//! value is one fixed sequence of correctly rounded operations, fused products and sums included,
//! that does not depend on the instruction set, the threads or the other images of the batch.

mod activation;
mod affine;
mod attention;
mod bicubic;
mod conv;
mod directions;
mod error;
mod exponential;
mod group_norm;
mod layer_norm;
mod linear;
mod maps;
mod modulation;
#[cfg(test)]
mod on_device;
mod pool;
mod rms_norm;
mod rotary;
mod softmax;
mod sums;
mod swiglu;
#[cfg(test)]
mod testing;
mod tokens;
mod upsample;
mod window;
mod work;

pub use activation::Activation;
pub use attention::{Attention, Mask};
pub use bicubic::{Antialiasing, resize_bicubic, resize_bicubic_by};
pub use conv::{BatchNorm, Conv2d, ConvOptions};
pub use directions::{unit_vectors, weighted_differences};
pub use error::NnError;
pub(crate) use exponential::exp_of_nonpositive;
pub use group_norm::GroupNorm;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub(crate) use maps::Buffer;
pub use maps::{MapShape, Maps};
pub use modulation::Modulation;
pub use pool::{Pool, global_average};
pub use rms_norm::RmsNorm;
pub use rotary::Rotary;
pub use softmax::{softmax, softmax_rows};
pub use swiglu::swiglu;
pub use upsample::{upsample_bilinear, upsample_nearest};
pub use window::{Padding, Window};
pub(crate) use work::Tally;
pub use work::{Work, count};

/// Counts the changes that moved the bits of a layer's result: what was computed before such a change
/// and kept cannot be put beside what is computed now.
///
/// 2: Winograd's filtering also of 1x3, 3x1, 1x7, 7x1 and 5x5 kernels.
pub const BITS: u32 = 2;

/// How exact the convolutions of a network are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// Sums of products as the definition has them.
    #[default]
    Strict,
    /// Winograd's minimal filtering where it is faster: a sixth to a half of the products, up to six
    /// times the rounding error.
    Fast,
}
