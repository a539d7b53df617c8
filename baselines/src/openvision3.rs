//! OpenVision 3 (arXiv 2601.15369, UCSC-VLAA/OpenVision): the latents of FLUX.1's autoencoder, and a
//! vision transformer over them whose tokens serve understanding and generation.
//!
//! **What is published** is the encoder. Which of OpenCLIP's options it was made with is in
//! `open_clip_config.json` beside the weights and nowhere else: that file is needed.
//!
//! **No decoder is read.** The paper names one (patches of 1x1, a linear head to the autoencoder's
//! latent); its depth, heads, norms and positions are stated nowhere, and shapes of tensors do not
//! tell all of them. A checkpoint that carries one is refused with the names of its tensors, as one
//! with any other tensor that is not understood.

mod config;
mod encoder;
mod models;
mod pooling;
mod tower;

pub(crate) use models::MODELS;
