//! The tokenizers through their public face: the contract, and golden values of each.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod autoencoder_kl;
mod checkpoint;
mod checksum;
mod codecs;
mod contract;
mod cost;
mod exec;
mod generated;
mod generator_weights;
mod generators;
mod golden;
mod gone;
mod half;
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
mod taef2;
mod taef2_weights;
mod text;
mod text_weights;
mod tiny_autoencoder;
mod uae;
mod vision;
mod vision_weights;

use std::path::Path;

use candle_core::{Device, Tensor};
use prismbench_baselines::{OpenError, OpenOptions, Opened, TokenizerRef, open};
use prismbench_core::{Encoding, ImageBatch, Latents, Tokenizer, TokenizerError};

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

/// Opens a model by the path of its weights.
fn opened(id: &str, path: &Path) -> Box<dyn Tokenizer> {
    ready(&format!("{id}={}", path.display()), &[])
}

/// Why a model cannot be opened by this path.
fn refusal(id: &str, path: &Path) -> TokenizerError {
    let reference = TokenizerRef { id: id.to_owned(), weights: Some(path.to_owned()) };
    match open(&reference, &OpenOptions::on(&Device::Cpu)) {
        Err(OpenError::Tokenizer(error)) => error,
        Err(error) => panic!("unexpected {error}"),
        Ok(_) => panic!("opened"),
    }
}

/// An error with its causes, as a person sees it.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}

fn encode(tokenizer: &dyn Tokenizer, images: &ImageBatch) -> Latents {
    tokenizer.encode(images, &Encoding::deterministic()).unwrap()
}

fn round_trip(tokenizer: &dyn Tokenizer, images: &ImageBatch) -> ImageBatch {
    tokenizer.decode(&encode(tokenizer, images)).unwrap()
}

fn tensor(latents: Latents) -> Tensor {
    match latents {
        Latents::Tensor(tensor) => tensor,
        other => panic!("expected a tensor, not {}", other.kind()),
    }
}

fn planes(images: &ImageBatch) -> Vec<f32> {
    images.to_planes().unwrap().concat()
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
    values.into_iter().map(f32::to_bits).collect()
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
