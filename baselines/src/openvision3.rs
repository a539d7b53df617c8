//! OpenVision 3 (arXiv 2601.15369, UCSC-VLAA/OpenVision): the latents of FLUX.1's autoencoder, and a
//! vision transformer over them whose tokens serve understanding and generation.
//!
//! **What is published** is the encoder. Which of OpenCLIP's options it was made with is in
//! `open_clip_config.json` beside the weights and nowhere else: that file is needed.
//!
//! **A decoder is read where a checkpoint carries one and says how it is built.** None is published.
//! The paper has a transformer over the tokens, in patches of 1x1, and a linear head to the
//! autoencoder's latents; the layout here is this project's reading of that. It is OpenCLIP's
//! `VisionTransformer` with the encoder's tokens for pixels, all names under `decoder.`:
//! `conv1.weight` `[w, width, 1, 1]` without a bias, `class_embedding`, `positional_embedding` (the
//! class token's first), `ln_pre`, `transformer.resblocks.N`, `ln_post`, and for its projection
//! `head.weight` and `head.bias`, which give each token's 2x2 latents of 16 channels. They are
//! divided by the factor that the encoder multiplies by. What shapes do not tell, and how many
//! tensors there must be, stands beside `vision_cfg`, without defaults:
//!
//! ```json
//! "decoder_cfg": {
//!   "width": 768, "layers": 12, "head_width": 64, "mlp_ratio": 4.0, "eps": 1e-6,
//!   "activation": "gelu",
//!   "class_embedding": false, "positional_embedding": true, "ln_pre": false, "ln_post": true,
//!   "patch_order": "hwc"
//! }
//! ```
//!
//! `activation` is `gelu`, `gelu_tanh` or `quick_gelu`; `patch_order` says whether a head's outputs
//! are `[row, column, channel]` (`hwc`) or `[channel, row, column]` (`chw`). Without this section a
//! decoder's tensors are refused by name, as is any tensor that is not understood.

mod config;
mod decoder;
mod decoder_config;
mod encoder;
mod models;
mod pooling;
mod sizes;
mod tower;

pub(crate) use models::MODELS;
