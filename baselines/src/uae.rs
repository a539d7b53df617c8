//! UAE (arXiv 2512.19693, WeichenFan/UAE): RAE's architecture with an encoder that was trained
//! further, so that its latents hold what the picture needs, band by band.
//!
//! There are two generations, whose checkpoints do not fit each other. The first (branch `old_uae`,
//! versions 1 and 2 of the paper) takes latents apart into rings of their spectrum and puts them
//! together again by learned layers, the [`Modulator`]. The second (branch `main`, from version 3)
//! has no layers for it: in training, high coefficients of the latents' DCT are left out.

mod autoencoder;
mod low_pass;
mod modulator;
mod parts;
mod variant;

pub(crate) use variant::MODELS;
