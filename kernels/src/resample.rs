//! Picture resizing in the arithmetics that reference pipelines use.
//!
//! [`resize_rgb8`] and [`resize_plane`] are Pillow's `Image.resize` on 8-bit RGB and on mode `F`;
//! [`bilinear_tf1`], [`bilinear_half_pixel`] and [`bilinear_antialiased`] are the bilinear resizes
//! that Inception features are computed behind.

#[cfg(feature = "cuda")]
pub(crate) mod access;
mod antialiased;
mod bilinear;
mod eight_bit;
mod filter;
mod plane;
pub(crate) mod torch_taps;

pub use antialiased::bilinear_antialiased;
pub use bilinear::{bilinear_half_pixel, bilinear_tf1};
pub use eight_bit::{Window, resize_rgb8, resize_rgb8_window};
pub use filter::{Filter, Method, Passes};
pub use plane::resize_plane;
