//! RAE (arXiv 2510.11690, bytetriper/RAE): a frozen encoder whose patch tokens are the latent, and a
//! ViT decoder that was trained to paint pictures from them.

mod autoencoder;
mod decoder;
mod parts;
mod sincos;
mod statistics;
mod variant;

pub(crate) use autoencoder::{Extents, Rae};
pub(crate) use decoder::{Decoder, DecoderConfig, PositionSource};
pub(crate) use parts::{EncoderPart, NATIVE_STATISTICS, Parts, borrowed};
pub(crate) use statistics::Statistics;
pub(crate) use variant::MODELS;
