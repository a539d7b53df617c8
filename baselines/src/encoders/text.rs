//! The towers of texts that were trained beside those of pictures: CLIP's and SigLIP's.
//!
//! Their tensors lie in the file of the pictures' tower and are checked with it. They are loaded when
//! the first text comes, and of the table of tokens, half of SigLIP2's numbers, only the rows of
//! tokens that occur are ever read.

mod config;
mod encoder;
mod network;
mod tokenizer;

pub(crate) use config::{IGNORED, TextConfig, TextSize, TextStyle};
pub(crate) use encoder::TextEncoder;
