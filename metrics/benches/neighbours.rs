//! Seconds and memory of precision and recall beside the f32 product that they are made of.
//!
//! `tests/oracle/neighbour_speed.py` runs this with `PRISMBENCH_RECORD_SECONDS` and `PRISMBENCH_NEIGHBOURS` set; then each is timed
//! once or for as many seconds, and value, seconds and CPU seconds are printed, and the peak of memory. Two threads. At the published
//! size (50,000 samples, 10,000 references, 2,048 features) a run takes many minutes.
//!
//! # Floor
//!
//! The distances of all samples to each other, of all references to each other and of both: 2 columns (N N + M M + N M) operations,
//! none left out for symmetry, at the rate of `product`, which multiplies some of the samples with all references.

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
use prismbench_core::PrecisionRecallDialect;
use prismbench_kernels::matrix::{Packed, multiply};
use prismbench_metrics::{FeatureMatrix, precision_recall};
use uniforms::uniforms;

/// Samples, references and columns: `50000,10000,2048`.
const SIZES: &str = "PRISMBENCH_NEIGHBOURS";

/// Rows of the left operand, at most: enough for a rate.
const LEFT: usize = 4032;

/// Rows of the right operand that are packed together.
const BLOCK: usize = 1008;

#[derive(Clone, Copy)]
struct Sizes {
    samples: usize,
    references: usize,
    columns: usize,
}

impl Sizes {
    fn wanted() -> Self {
        let text = std::env::var(SIZES).unwrap_or_else(|_| "4000,2000,2048".to_owned());
        let numbers: Vec<usize> = text.split(',').map(|number| number.parse().unwrap()).collect();
        let &[samples, references, columns] = &numbers[..] else { panic!("{SIZES}: {text}") };
        Self { samples, references, columns }
    }

    fn features(self, rows: usize, seed: u64) -> Vec<f32> {
        // Not unlike pooled features: positive and skewed.
        uniforms(rows * self.columns, seed).into_iter().map(|u| u * u).collect()
    }

    fn matrix(self, rows: usize, seed: u64) -> FeatureMatrix {
        FeatureMatrix::new(self.columns, self.features(rows, seed)).unwrap()
    }
}

fn two_threads() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap()
}

fn both(samples: &FeatureMatrix, references: &FeatureMatrix) -> f64 {
    let found = precision_recall(references, samples, PrecisionRecallDialect::Exact).unwrap();
    found.precision + found.recall
}

/// Operands of the product alone.
struct Product {
    columns: usize,
    left: Vec<f32>,
    right: Vec<Packed>,
    out: Vec<f32>,
}

impl Product {
    fn of(sizes: Sizes) -> Self {
        let Sizes { samples, references, columns } = sizes;
        let right = sizes.features(references, 2);
        let right = right.chunks(BLOCK * columns).map(|rows| Packed::new(rows, columns)).collect();
        Self { columns, left: sizes.features(samples.min(LEFT), 1), right, out: Vec::new() }
    }

    /// Some of it, so that it is not left out.
    fn run(&mut self) -> f64 {
        let mut sum = 0.0;
        for rows in self.left.chunks(BLOCK * self.columns) {
            for packed in &self.right {
                self.out.resize(rows.len() / self.columns * packed.rows(), 0.0);
                multiply(rows, packed, &mut self.out);
                sum += f64::from(self.out[0]);
            }
        }
        sum
    }

    fn operations(&self) -> usize {
        let right: usize = self.right.iter().map(Packed::rows).sum();
        2 * self.left.len() * right
    }
}

fn neighbours(c: &mut Criterion) {
    let (sizes, pool) = (Sizes::wanted(), two_threads());
    let mut group = c.benchmark_group("two-threads");
    group.sample_size(10);
    let mut product = Product::of(sizes);
    group.throughput(Throughput::Elements(product.operations() as u64));
    group.bench_function("product", |b| b.iter(|| pool.install(|| black_box(product.run()))));
    drop(product);
    let (samples, references) = (sizes.matrix(sizes.samples, 1), sizes.matrix(sizes.references, 2));
    group.throughput(Throughput::Elements((sizes.samples + sizes.references) as u64));
    group.bench_function("precision-recall", |b| {
        b.iter(|| pool.install(|| both(&samples, &references)));
    });
    group.finish();
}

fn records(limit: Duration) {
    let (sizes, pool) = (Sizes::wanted(), two_threads());
    let mut product = Product::of(sizes);
    println!("operations {}", product.operations());
    record::value("product", limit, || pool.install(|| product.run()));
    drop(product);
    let (samples, references) = (sizes.matrix(sizes.samples, 1), sizes.matrix(sizes.references, 2));
    record::value("precision-recall", limit, || pool.install(|| both(&samples, &references)));
    // The peak of the whole process, the features of both sides included.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!("memory {}", peak.unwrap_or("unknown").trim().trim_end_matches(" kB"));
}

criterion_group!(benches, neighbours);

fn main() {
    record::main(benches, records);
}
