//! Encode and decode of 256x256 pictures with generated weights, on two threads: pictures per
//! second for batches of 1 and 4.
//!
//! `tests/oracle/tokenizer_speed.py` runs this and the Python packages in turn and prints ratios;
//! for it, `PRISMBENCH_RECORD_SECONDS=6` replaces criterion by a plain timed loop.
//!
//! # Where the time goes
//!
//! CPU time of `sd-vae` for one picture, counted layer by layer on two shared cores with AVX-512:
//!
//! | | encode, 136 GMAC | decode, 311 GMAC |
//! |---|---|---|
//! | 3x3 convolutions that keep the side (Winograd) | 71 % | 78 % |
//! | 3x3 convolutions that halve it | 9 % | – |
//! | group norms with SiLU | 16 % | 15 % |
//! | doubling the side | – | 3 % |
//! | attention with its products | 3 % | 1 % |
//! | 1x1 shortcuts | 1 % | 3 % |
//! | all | 1.29 s | 2.96 s |
//!
//! `dinov2-reg-b`: 85 % of the samples of both threads are in the products of linear layers, which run
//! slower here than the same layers alone in `kernels/benches/layers.rs`: why is not yet known.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench may panic")]
#![expect(clippy::print_stdout, reason = "the record is read from there")]

#[path = "../../tests/oracle/hashed.rs"]
mod hashed;
#[path = "../tests/it/planned.rs"]
mod planned;
#[path = "../../tests/oracle/recipe.rs"]
mod recipe;
#[expect(dead_code, reason = "shared with the tests, which open more models")]
#[path = "../tests/it/vision_weights.rs"]
mod vision_weights;

use std::collections::HashMap;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use criterion::{Criterion, Throughput, criterion_group};
use prismbench_baselines::{OpenOptions, Opened, open};
use prismbench_core::{Encoding, ImageBatch, RgbImage, Tokenizer};
use vision_weights::{Decoder, Sizes};

const SIDE: usize = 256;
const BATCHES: [usize; 2] = [1, 4];
const RECORD: &str = "PRISMBENCH_RECORD_SECONDS";

/// A tokenizer to be timed.
struct Row {
    id: &'static str,
    /// Writes its weights into a folder, under the names that it looks for.
    weights: fn(&Path),
    passes: &'static [Pass],
}

#[derive(Clone, Copy)]
enum Pass {
    Encode,
    Decode,
}

/// The same ids as in `tokenizer_speed.py`.
const ROWS: [Row; 3] = [
    Row { id: "sd-vae", weights: sd_vae, passes: &[Pass::Encode, Pass::Decode] },
    Row { id: "rae-dinov2-b", weights: rae, passes: &[Pass::Encode, Pass::Decode] },
    Row { id: "dinov2-reg-b", weights: dinov2, passes: &[Pass::Encode] },
];

fn sd_vae(folder: &Path) {
    let tensors = golden("autoencoder_kl/tensors.json", "sd-vae");
    write(&folder.join("diffusion_pytorch_model.safetensors"), &tensors);
}

fn dinov2(folder: &Path) {
    let tensors = vision_weights::dinov2("", Sizes::new(768, 12, 14), 4);
    planned::write(&folder.join("model.safetensors"), &tensors);
}

fn rae(folder: &Path) {
    let decoder = Decoder { width: 1152, hidden: 4096, depth: 28, latent: (768, 16) };
    let mut tensors = vision_weights::dinov2("encoder.", Sizes::new(768, 12, 14), 4);
    // It has no weights in RAE.
    tensors.retain(|tensor| !tensor.name.contains("encoder.layernorm."));
    tensors.extend(vision_weights::rae_decoder(decoder));
    tensors.extend(vision_weights::rae_buffers(decoder, ["encoder_mean", "encoder_std"]));
    planned::write(&folder.join("diffusion_pytorch_model.safetensors"), &tensors);
}

/// The tensors of a model: name in the recipe, name in the file, shape.
fn golden(file: &str, model: &str) -> Vec<(String, String, Vec<usize>)> {
    let path = format!("{}/../tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    let mut models: HashMap<String, _> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    models.remove(model).unwrap()
}

fn write(path: &Path, rows: &[(String, String, Vec<usize>)]) {
    let tensor = |(name, stored, shape): &(String, String, Vec<usize>)| {
        let values = recipe::tensor(name, shape);
        (stored.clone(), Tensor::from_vec(values, shape.as_slice(), &Device::Cpu).unwrap())
    };
    let tensors: HashMap<_, _> = rows.iter().map(tensor).collect();
    candle_core::safetensors::save(&tensors, path).unwrap();
}

fn opened(row: &Row) -> Box<dyn Tokenizer> {
    let folder = tempfile::tempdir().unwrap();
    (row.weights)(folder.path());
    let reference = format!("{}={}", row.id, folder.path().display());
    match open(&reference.parse().unwrap(), &OpenOptions::on(&Device::Cpu)).unwrap() {
        Opened::Ready(tokenizer) => tokenizer,
        Opened::Unfitted(_) => panic!("{} needs pictures", row.id),
    }
}

fn batch(count: usize) -> ImageBatch {
    let picture = |seed| RgbImage::new(SIDE, SIDE, hashed::picture(SIDE, SIDE, seed, 30)).unwrap();
    let images: Vec<RgbImage> = (0..count as u64).map(picture).collect();
    ImageBatch::from_images(&images.iter().collect::<Vec<_>>(), &Device::Cpu).unwrap()
}

/// Calls `time` with the name of each case, its pictures and the pass.
fn for_each_case(mut time: impl FnMut(String, usize, &dyn Fn())) {
    for row in ROWS {
        let tokenizer = opened(&row);
        for count in BATCHES {
            let images = batch(count);
            let encode = || tokenizer.encode(&images, &Encoding::deterministic()).unwrap();
            let latents = encode();
            for pass in row.passes {
                match pass {
                    Pass::Encode => time(format!("{}-encode-{count}", row.id), count, &|| {
                        black_box(encode());
                    }),
                    Pass::Decode => time(format!("{}-decode-{count}", row.id), count, &|| {
                        black_box(tokenizer.decode(&latents).unwrap());
                    }),
                }
            }
        }
    }
}

fn tokenizers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tokenizers");
    for_each_case(|name, count, pass| {
        group.sample_size(10).throughput(Throughput::Elements(count as u64));
        group.bench_function(name, |bencher| bencher.iter(pass));
    });
}

/// The fastest pass of each case, as a rate.
fn record(seconds: f64) {
    for_each_case(|name, count, pass| {
        pass();
        let start = Instant::now();
        let mut fastest = Duration::MAX;
        while start.elapsed().as_secs_f64() < seconds {
            let pass_start = Instant::now();
            pass();
            fastest = fastest.min(pass_start.elapsed());
        }
        println!("{name} {:.4}", count as f64 / fastest.as_secs_f64());
    });
}

criterion_group!(benches, tokenizers);

fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(2).build_global().unwrap();
    match std::env::var(RECORD) {
        Ok(seconds) => record(seconds.parse().unwrap()),
        Err(_) => {
            benches();
            Criterion::default().configure_from_args().final_summary();
        }
    }
}
