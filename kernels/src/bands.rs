//! Frequency bands of planes of any size: UAE's two transforms of a latent grid (arXiv 2512.19693).
//!
//! In f64 between f32 planes: the planes are small, and a band that is taken apart and put together
//! again should be what it was.

mod cosine;
mod parts;
mod rings;
mod zigzag;

pub use cosine::CosineTransform;
pub use parts::even_parts;
pub use rings::Rings;
pub use zigzag::zigzag;
