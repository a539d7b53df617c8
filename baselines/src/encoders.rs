//! Vision encoders: DINOv2 with registers and without, MAE, CLIP and SigLIP2.
//!
//! Their latents are the patch tokens behind the last block and its norm; there is no decoder. CLIP
//! and SigLIP2 have towers of texts beside those of pictures, where the file holds them.
//!
//! **Sizes.** DINOv2 interpolates its positions, so it sees 14 pixels for each 16 of a picture, as
//! in RAE: one token for each 16x16, 224 for 256 and 448 for 512. The others were trained at one
//! side and see every square picture at that side: CLIP and MAE at 224, SigLIP2 at 256. The crop is
//! the protocol's; the resize is RAE's, bicubic without antialiasing.

mod clip;
mod dinov2;
mod encoder;
mod family;
mod instrument;
mod mae;
mod pooling;
mod siglip;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use clip::{LARGE_14 as CLIP_L, MODELS as CLIP_MODELS};
pub(crate) use dinov2::{Dinov2Size, MODELS as DINOV2_MODELS, dinov2_registers};
pub(crate) use family::Family;
pub use instrument::Instrument;
pub(crate) use mae::{MAE_B, MODELS as MAE_MODELS};
pub(crate) use siglip::{MODELS as SIGLIP_MODELS, SIGLIP2_B};
