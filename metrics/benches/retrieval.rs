//! Seconds of retrieval at its real size: 25,000 texts, 5,000 images, 512 columns, both ways.
//!
//! `tests/oracle/retrieval_speed.py` runs this with `PRISMBENCH_RECORD_SECONDS` set, in turn with
//! PyTorch's product and `topk` on the same features; then each is timed for as many seconds, and
//! value, seconds and CPU seconds are printed. Two threads on both sides.
//!
//! # Floor
//!
//! The f32 product of all pairs, which `product` times alone: 128 GFLOP.
//!
//! # Measured
//!
//! On two cores that many others kept busy, CPU seconds: the product 1.07 (120 GFLOP/s on a core),
//! recall both ways 1.22, 1.15 times the floor. Wall times were too disturbed to quote. Both values
//! agree with PyTorch's to the last hit.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]
#![expect(clippy::print_stdout, reason = "the record is read from there")]

#[expect(dead_code, reason = "other benches print other figures")]
#[path = "../../tests/oracle/record.rs"]
mod record;
#[path = "../../tests/oracle/uniforms.rs"]
mod uniforms;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group};
use prismbench_kernels::matrix::{Packed, multiply};
use prismbench_metrics::{Direction, FeatureMatrix, Groups, retrieve};
use uniforms::uniforms;

const TEXTS: usize = 25_000;
const IMAGES: usize = 5_000;
const COLUMNS: usize = 512;

fn values(rows: usize, seed: u64) -> Vec<f32> {
    uniforms(rows * COLUMNS, seed).into_iter().map(|u| u - 0.5).collect()
}

/// Five captions of each image: a little of the image, and noise.
fn texts(images: &[f32]) -> Vec<f32> {
    let mut texts = values(TEXTS, 2);
    for (text, values) in texts.chunks_exact_mut(COLUMNS).enumerate() {
        let image = &images[text / (TEXTS / IMAGES) * COLUMNS..][..COLUMNS];
        values.iter_mut().zip(image).for_each(|(value, image)| *value += 0.125 * image);
    }
    texts
}

fn two_threads() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap()
}

fn recall(texts: &FeatureMatrix, images: &FeatureMatrix) -> f64 {
    let image_of: Vec<usize> = (0..TEXTS).map(|text| text / (TEXTS / IMAGES)).collect();
    let found = retrieve(texts, images, &Groups::of_captions(IMAGES, &image_of).unwrap()).unwrap();
    let of = |direction| found.recall(direction, 5).unwrap().value;
    of(Direction::TextToImage) + of(Direction::ImageToText)
}

/// The product alone, in the blocks that it is fastest in; some of it, so that it is not left out.
fn product(texts: &[f32], packed: &[Packed], out: &mut Vec<f32>) -> f64 {
    let mut sum = 0.0;
    for rows in texts.chunks(1008 * COLUMNS) {
        for packed in packed {
            out.resize(rows.len() / COLUMNS * packed.rows(), 0.0);
            multiply(rows, packed, out);
            sum += f64::from(out[0]);
        }
    }
    sum
}

fn retrieval(c: &mut Criterion) {
    let (images, pool) = (values(IMAGES, 1), two_threads());
    let texts = texts(&images);
    let packed: Vec<Packed> =
        images.chunks(1008 * COLUMNS).map(|rows| Packed::new(rows, COLUMNS)).collect();
    let mut group = c.benchmark_group("two-threads");
    group.sample_size(10);
    group.throughput(Throughput::Elements((TEXTS * IMAGES) as u64));
    let mut out = Vec::new();
    group.bench_function("product", |b| {
        b.iter(|| pool.install(|| black_box(product(&texts, &packed, &mut out))));
    });
    let [texts, images] =
        [texts, images].map(|values| FeatureMatrix::new(COLUMNS, values).unwrap());
    group.bench_function("recall", |b| b.iter(|| pool.install(|| recall(&texts, &images))));
    group.finish();
}

fn records(limit: Duration) {
    let (images, pool) = (values(IMAGES, 1), two_threads());
    let texts = texts(&images);
    let packed: Vec<Packed> =
        images.chunks(1008 * COLUMNS).map(|rows| Packed::new(rows, COLUMNS)).collect();
    let mut out = Vec::new();
    record::value("product", limit, || pool.install(|| product(&texts, &packed, &mut out)));
    let [texts, images] =
        [texts, images].map(|values| FeatureMatrix::new(COLUMNS, values).unwrap());
    record::value("recall", limit, || pool.install(|| recall(&texts, &images)));
}

criterion_group!(benches, retrieval);

fn main() {
    record::main(benches, records);
}
