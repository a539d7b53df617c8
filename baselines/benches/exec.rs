//! What the pipe to a program costs: 16 pictures of 256x256 to a program that computes nothing and
//! back, beside the same pictures through the same data structures in this process.
//!
//! A batch moves 12.6 MB of pictures in either direction and 0.5 MB of latents twice.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench may panic")]

use std::hint::black_box;

use candle_core::{Device, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use prismbench_baselines::{OpenOptions, Opened, open};
use prismbench_core::{Encoding, ImageBatch, Tokenizer};

const BATCH: usize = 16;
const SIDE: usize = 256;

fn tokenizer(reference: &str) -> Box<dyn Tokenizer> {
    match open(&reference.parse().unwrap(), &OpenOptions::on(&Device::Cpu)).unwrap() {
        Opened::Ready(tokenizer) => tokenizer,
        Opened::Unfitted(_) => panic!("nothing here needs a fit"),
    }
}

fn round_trip(c: &mut Criterion) {
    let values: Vec<f32> = (0..BATCH * 3 * SIDE * SIDE).map(|i| (i % 255) as f32 / 255.0).collect();
    let images = Tensor::from_vec(values, (BATCH, 3, SIDE, SIDE), &Device::Cpu).unwrap();
    let images = ImageBatch::new(images).unwrap();
    let mut group = c.benchmark_group("round-trip/16x256x256");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.sample_size(50);
    let echo = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/echo.py");
    for (name, reference) in
        [("exec", format!("exec:python3 -B '{echo}'")), ("in-process", "identity".to_owned())]
    {
        let tokenizer = tokenizer(&reference);
        group.bench_function(name, |b| {
            b.iter(|| {
                let latents =
                    tokenizer.encode(black_box(&images), &Encoding::deterministic()).unwrap();
                tokenizer.decode(&latents).unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, round_trip);
criterion_main!(benches);
