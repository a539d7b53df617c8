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
//! `dinov2-reg-b`: 85 % in the products of linear layers, whose weights come from memory for every
//! picture (`kernels/src/product/block.rs` asks for them ahead); 7 % in attention.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench may panic")]
#![expect(clippy::print_stdout, reason = "the record is read from there")]

#[path = "../tests/it/generated.rs"]
mod generated;
#[expect(dead_code, reason = "shared with the tests, which read arrays")]
#[path = "../tests/it/golden.rs"]
mod golden;
#[path = "../../tests/oracle/hashed.rs"]
mod hashed;
#[path = "../tests/it/planned.rs"]
mod planned;
#[path = "../../tests/oracle/recipe.rs"]
mod recipe;
#[expect(dead_code, reason = "other benches print other figures")]
#[path = "../../tests/oracle/record.rs"]
mod record;
#[expect(dead_code, reason = "shared with the tests, which open more models")]
#[path = "../tests/it/vision_weights.rs"]
mod vision_weights;

use std::hint::black_box;
use std::path::{Path, PathBuf};

use candle_core::Device;
use criterion::{Criterion, Throughput, criterion_group};
use planned::Planned;
use prismbench_baselines::{OpenOptions, Opened, open};
use prismbench_core::{Encoding, ImageBatch, RgbImage, Tokenizer};
use vision_weights::{Decoder, Sizes};

const SIDE: usize = 256;
const BATCHES: [usize; 2] = [1, 4];

/// A tokenizer to be timed.
struct Row {
    id: &'static str,
    /// Makes its weights and tells where they are; the folder is theirs if they have none.
    weights: fn(&Path) -> PathBuf,
    passes: &'static [Pass],
}

#[derive(Clone, Copy)]
enum Pass {
    Encode,
    Decode,
    /// Counting what both compute, which must take less than a hundredth of an encode.
    Count,
}

/// The same ids as in `tokenizer_speed.py`.
const ROWS: [Row; 3] = [
    Row { id: "sd-vae", weights: sd_vae, passes: &[Pass::Encode, Pass::Decode, Pass::Count] },
    Row { id: "rae-dinov2-b", weights: rae, passes: &[Pass::Encode, Pass::Decode, Pass::Count] },
    Row { id: "dinov2-reg-b", weights: dinov2, passes: &[Pass::Encode, Pass::Count] },
];

fn sd_vae(_: &Path) -> PathBuf {
    generated::autoencoder_kl("sd-vae")
}

fn dinov2(folder: &Path) -> PathBuf {
    written(folder, &vision_weights::dinov2("", Sizes::new(768, 12, 14), 4))
}

fn rae(folder: &Path) -> PathBuf {
    let decoder = Decoder { width: 1152, hidden: 4096, depth: 28, latent: (768, 16) };
    let mut tensors = vision_weights::dinov2("encoder.", Sizes::new(768, 12, 14), 4);
    // It has no weights in RAE.
    tensors.retain(|tensor| !tensor.name.contains("encoder.layernorm."));
    tensors.extend(vision_weights::rae_decoder(decoder));
    tensors.extend(vision_weights::rae_buffers(decoder, ["encoder_mean", "encoder_std"]));
    written(folder, &tensors)
}

fn written(folder: &Path, tensors: &[Planned]) -> PathBuf {
    let path = folder.join("weights.safetensors");
    planned::write(&path, tensors);
    path
}

fn opened(row: &Row) -> Box<dyn Tokenizer> {
    let folder = tempfile::tempdir().unwrap();
    let reference = format!("{}={}", row.id, (row.weights)(folder.path()).display());
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
                    Pass::Count => time(format!("{}-count-{count}", row.id), 1, &|| {
                        black_box(tokenizer.cost(SIDE, SIDE).unwrap());
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

criterion_group!(benches, tokenizers);

fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(2).build_global().unwrap();
    record::main(benches, |limit| {
        for_each_case(|name, count, pass| record::rate(&name, count as u64, limit, pass));
    });
}
