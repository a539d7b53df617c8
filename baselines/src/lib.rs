//! The tokenizers that prismbench measures: codecs, controls and models, each behind
//! [`prismbench_core::Tokenizer`].
//!
//! [`TokenizerRef`] is how one is asked for, [`registry`] lists what there is, [`open`] makes it.
//! Generators of their latents have [`GeneratorRef`], [`generators()`] and [`open_generator`].
//!
//! **Invariant:** nothing here knows suites, metrics or reports, and nothing prints.

mod autoencoder_kl;
#[cfg(test)]
#[path = "../tests/it/checksum.rs"]
mod checksum;
mod cost;
mod dct;
mod encoders;
mod error;
mod exec;
mod generators;
mod grid;
mod hub;
mod identity;
mod jpeg;
mod layers;
mod model;
mod noise;
mod open;
mod openvision3;
mod patches;
mod pca;
mod rae;
#[cfg(test)]
#[path = "../../tests/oracle/recipe.rs"]
mod recipe;
mod recon;
mod reference;
mod registry;
mod resample;
mod tiny_autoencoder;
mod uae;
mod vit;

pub use encoders::Instrument;
pub use error::OpenError;
pub use exec::{ExecError, FrameError, end_programs};
pub use generators::{
    GeneratorEntry, GeneratorRef, PublishedGuide, ReleasedConfigError, generators, open_generator,
    released_sampling,
};
pub use hub::{FetchError, Hub};
pub use model::{HubFile, Model, Part};
pub use open::{Fit, OpenOptions, Opened, open};
pub use recon::ReconError;
pub use reference::TokenizerRef;
pub use registry::{Entry, Needs, registry};
