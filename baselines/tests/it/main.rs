//! The tokenizers through their public face: the contract, and golden values of each.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod autoencoder_kl;
mod checkpoint;
mod checksum;
mod codecs;
mod contract;
mod exec;
mod generated;
mod golden;
#[path = "../../../tests/oracle/hashed.rs"]
mod hashed;
mod openvision3;
mod pca;
mod pictures;
mod planned;
mod rae;
#[path = "../../../tests/oracle/recipe.rs"]
mod recipe;
mod recon;
mod sampled;
mod taef2;
mod taef2_weights;
mod text;
mod text_weights;
mod tiny_autoencoder;
mod uae;
mod vision;
mod vision_weights;

use candle_core::Device;
use prismbench_baselines::{OpenOptions, Opened, open};
use prismbench_core::{Encoding, ImageBatch, Latents, Tokenizer};

/// Opens a tokenizer, fitting it on `training` if it asks for that.
fn ready(reference: &str, training: &[ImageBatch]) -> Box<dyn Tokenizer> {
    match open(&reference.parse().unwrap(), &OpenOptions::on(&Device::Cpu)).unwrap() {
        Opened::Ready(tokenizer) => tokenizer,
        Opened::Unfitted(mut fit) => {
            training.iter().for_each(|images| fit.observe(images).unwrap());
            fit.finish().unwrap()
        }
    }
}

fn encode(tokenizer: &dyn Tokenizer, images: &ImageBatch) -> Latents {
    tokenizer.encode(images, &Encoding::deterministic()).unwrap()
}

fn round_trip(tokenizer: &dyn Tokenizer, images: &ImageBatch) -> ImageBatch {
    tokenizer.decode(&encode(tokenizer, images)).unwrap()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn mean_squared(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
    a.iter().zip(b).map(square).sum::<f64>() / a.len() as f64
}
