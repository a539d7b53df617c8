//! Layers of networks, a whole ViT-B/16 and the convolutions of SD-VAE's decoder, on two threads.
//!
//! `tests/oracle/layer_speed.py` runs this and PyTorch in turn and prints ratios; for it,
//! `PRISMBENCH_RECORD_SECONDS=1` replaces criterion by a plain timed loop per layer that prints the
//! median wall time and the CPU time of a call.
//!
//! # Floors
//!
//! Attention is two products: 8 x 12 heads x 257 x 64 are 1.6 GFLOP, 4096 x 512 34 GFLOP. One core
//! with AVX-512 does 175 GFLOP/s, so 9.3 ms and 196 ms of CPU. Everything else is bound by memory
//! or, softmax and the activations, by some 20 to 50 operations per value.
//!
//! # Tried
//!
//! - Queries lie across lanes; so softmax needs no sum across them, and neither keys nor values are
//!   transposed. The tiles run at the machine's peak; of 18.5 ms in all (257 tokens) they take 46 %,
//!   copying keys and values 11 %. Queries scattered one by one took 12 %.
//! - Softmax took 8 times as long while its closures were not `inline(always)`: they were compiled
//!   without AVX.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]
#![expect(clippy::print_stdout, reason = "the record is read from there")]

#[path = "shared/measured.rs"]
mod measured;

use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use criterion::{Criterion, criterion_group};
use measured::{Bound, Peaks};
use prismbench_kernels::nn::{
    Activation, Arithmetic, Attention, Conv2d, ConvOptions, GroupNorm, LayerNorm, Linear, MapShape,
    Maps, NnError, Pool, Window, Work, count, softmax, upsample_nearest,
};

/// Set for a plain timed loop whose result a script can read, instead of criterion's analysis.
const RECORD: &str = "PRISMBENCH_RECORD_SECONDS";

type Layer = (&'static str, Work, Box<dyn Fn() -> Maps + Sync>);

fn maps(images: usize, height: usize, width: usize, channels: usize) -> Maps {
    let shape = MapShape { images, height, width, channels };
    let hash = |i: u64| (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let values = (0..shape.len() as u64).map(|i| hash(i) as f32 / (1 << 22) as f32 - 2.0);
    Maps::from_rows(shape, values.collect()).unwrap()
}

/// A layer under its name, with what it computes of these maps.
fn layer(
    name: &'static str,
    x: Maps,
    forward: impl Fn(&Maps) -> Result<Maps, NnError> + Sync + 'static,
) -> Layer {
    let (work, _) = count(x.shape(), |x| forward(&x)).unwrap();
    (name, work, Box::new(move || forward(&x).unwrap()))
}

/// The same names and sizes as in `layer_speed.py`.
fn layers() -> Vec<Layer> {
    let mut layers: Vec<Layer> = vec![];
    for (name, heads, images, tokens, channels) in
        [("attention 8x12x257x64", 12, 8, 257, 768), ("attention 1x1x4096x512", 1, 1, 4096, 512)]
    {
        let [k, v] = [1, 2].map(|_| maps(images, 1, tokens, channels));
        let (attention, q) = (Attention::new(heads), maps(images, 1, tokens, channels));
        layers.push(layer(name, q, move |q| attention.forward(q, &k, &v)));
    }
    for (name, function) in [
        ("gelu 8x257x3072", Activation::Gelu),
        ("gelu-tanh 8x257x3072", Activation::GeluTanh),
        ("silu 8x257x3072", Activation::Silu),
    ] {
        layers.push(layer(name, maps(8, 1, 257, 3072), move |x| function.forward(x)));
    }
    let ones = |channels: usize| Tensor::ones(channels, DType::F32, &Device::Cpu).unwrap();
    layers.push(layer("softmax 96x257x257", maps(96, 1, 257, 257), softmax));
    let norm = LayerNorm::new(&ones(768), None, 1e-6).unwrap();
    layers.push(layer("layer-norm 8x257x768", maps(8, 1, 257, 768), move |x| norm.forward(x)));
    let norm = GroupNorm::new(32, &ones(128), None, 1e-6).unwrap().activation(Activation::Silu);
    let x = maps(1, 512, 512, 128);
    layers.push(layer("group-norm+silu 512x512x128", x, move |x| norm.forward(x)));
    let pool = Pool::max(Window::new(3, 3).stride(2, 2));
    layers.push(layer("max-pool 8x147x147x64", maps(8, 147, 147, 64), move |x| pool.forward(x)));
    let pool = Pool::average(Window::new(3, 3).padding(1, 1));
    layers.push(layer("average-pool 8x35x35x288", maps(8, 35, 35, 288), move |x| pool.forward(x)));
    let x = maps(1, 256, 256, 256);
    layers.push(layer("nearest 256x256x256", x, |x| upsample_nearest(x, 2)));
    layers.extend(convolutions());
    layers.push(vit());
    layers
}

fn weight(shape: &[usize]) -> Tensor {
    let fan_in: usize = shape[1..].iter().product();
    Tensor::randn(0.0_f32, 1.0 / (fan_in as f32).sqrt(), shape, &Device::Cpu).unwrap()
}

/// 3x3 convolutions of SD-VAE's decoder at 256x256, where most of its time goes.
fn convolutions() -> Vec<Layer> {
    let convolution = |(name, channels, side): (&'static str, usize, usize)| -> Layer {
        let arithmetic = Arithmetic::Fast;
        let options = ConvOptions::new(Window::new(3, 3).padding(1, 1));
        let weight = weight(&[channels, channels, 3, 3]);
        let conv = Conv2d::new(&weight, None, ConvOptions { arithmetic, ..options }).unwrap();
        layer(name, maps(1, side, side, channels), move |x| conv.forward(x))
    };
    [("conv 512x64x64", 512, 64), ("conv 256x128x128", 256, 128), ("conv 128x256x256", 128, 256)]
        .into_iter()
        .map(convolution)
        .collect()
}

/// Twelve blocks of ViT-B on 8 x 197 tokens.
fn vit() -> Layer {
    struct Block {
        norms: [LayerNorm; 2],
        linears: [Linear; 4],
    }
    let ones = Tensor::ones(768, DType::F32, &Device::Cpu).unwrap();
    let norm = || LayerNorm::new(&ones, Some(&ones), 1e-6).unwrap();
    let linear = |outputs: usize, inputs: usize, activation| {
        let bias = Tensor::zeros(outputs, DType::F32, &Device::Cpu).unwrap();
        Linear::new(&weight(&[outputs, inputs]), Some(&bias), activation).unwrap()
    };
    let block = |_| Block {
        norms: [norm(), norm()],
        linears: [
            linear(2304, 768, Activation::Identity),
            linear(768, 768, Activation::Identity),
            linear(3072, 768, Activation::Gelu),
            linear(768, 3072, Activation::Identity),
        ],
    };
    let blocks: Vec<Block> = (0..12).map(block).collect();
    let attention = Attention::new(12);
    let forward = move |tokens: &Maps| {
        let mut x = tokens.clone();
        for Block { norms: [first, second], linears: [qkv, projection, wide, narrow] } in &blocks {
            let joint = qkv.forward(&first.forward(&x)?)?;
            x = projection.forward_add(&attention.forward_joint(&joint)?, &x)?;
            let hidden = wide.forward(&second.forward(&x)?)?;
            x = narrow.forward_add(&hidden, &x)?;
        }
        Ok(x)
    };
    layer("vit-b 8x197", maps(8, 1, 197, 768), forward)
}

fn two_threads() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap()
}

fn all(c: &mut Criterion) {
    let pool = two_threads();
    let peaks = Peaks::measure(&pool);
    let mut group = c.benchmark_group("layers");
    for (name, work, layer) in layers() {
        // What is no product is bound by memory.
        let bound = match work.products() {
            0 => Bound::Bytes(4 * (work.values + work.weights)),
            products => Bound::Operations(2 * products),
        };
        peaks.bench(&mut group, (name, bound), || drop(pool.install(&layer)));
    }
    group.finish();
}

/// CPU seconds of this process so far, where `/proc` tells.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

fn record(limit: Duration) {
    let pool = two_threads();
    for (name, _, layer) in layers() {
        pool.install(&layer);
        let (start, cpu) = (Instant::now(), cpu_seconds());
        let mut calls = vec![];
        while start.elapsed() < limit {
            let call = Instant::now();
            pool.install(&layer);
            calls.push(call.elapsed().as_secs_f64());
        }
        let cpu = cpu.and_then(|before| Some((cpu_seconds()? - before) / calls.len() as f64));
        calls.sort_by(f64::total_cmp);
        println!("{}\t{}\t{}", name, calls[calls.len() / 2], cpu.unwrap_or(0.0));
    }
}

criterion_group!(benches, all);

fn main() {
    match std::env::var(RECORD).ok().and_then(|seconds| seconds.parse().ok()) {
        Some(seconds) => record(Duration::from_secs_f64(seconds)),
        None => {
            benches();
            Criterion::default().configure_from_args().final_summary();
        }
    }
}
