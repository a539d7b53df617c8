//! Generators of latents: DiT^DH (RAE, arXiv 2510.11690), LightningDiT, and the sampler that integrates
//! their velocities from noise to data.
//!
//! [`GeneratorRef`] is how one is asked for, [`generators`] lists what there is, [`open_generator`]
//! makes it. Facts and sources: bytetriper/RAE, `src/stage2`; WeichenFan/UAE uses the same networks.

mod architecture;
mod block;
mod config;
mod cost;
mod embedders;
mod entry;
mod expected;
mod guided;
mod integrate;
mod models;
mod network;
mod norm;
mod open;
mod read;
mod reference;
mod released;
mod sampler;
#[cfg(test)]
mod testing;

pub use entry::{GeneratorEntry, PublishedGuide, generators};
pub use open::open_generator;
pub use reference::GeneratorRef;
pub use released::{ReleasedConfigError, released_sampling};
