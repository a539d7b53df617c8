//! Weights files: safetensors and PyTorch's pickles, against the tensors that an architecture needs.
//!
//! **Invariant:** nothing in a file is executed and no size in it is believed. A pickle may hold
//! tensors and dictionaries of them; whatever else it asks for is an error that names it.

mod digest;
mod error;
mod expected;
mod file;
mod hub;
mod known;
mod mapped;
mod safe;
mod stored;
mod torch;

pub use digest::{sha256, sha256_of_file};
pub use error::WeightsError;
pub use expected::{Expected, Tensors};
pub use file::WeightsFile;
