//! The tokenizers that prismbench measures: codecs, controls and models, each behind
//! [`prismbench_core::Tokenizer`].
//!
//! [`TokenizerRef`] is how one is asked for, [`registry`] lists what there is, [`open`] makes it.
//!
//! **Invariant:** nothing here knows suites, metrics or reports, and nothing prints.

mod autoencoder_kl;
mod dct;
mod encoders;
mod error;
mod exec;
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
mod recon;
mod reference;
mod registry;
mod resample;
mod tiny_autoencoder;
mod uae;
mod vit;

pub use error::OpenError;
pub use exec::{ExecError, FrameError, end_programs};
pub use hub::{FetchError, Hub};
pub use model::{HubFile, Model, Part};
pub use open::{Fit, OpenOptions, Opened, open};
pub use recon::ReconError;
pub use reference::TokenizerRef;
pub use registry::{Entry, Needs, registry};
