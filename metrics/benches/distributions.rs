//! Seconds of the feature metrics at their real sizes: 5,000 samples of 2,048 features a side.
//!
//! `tests/oracle/feature_speed.py` runs this with `PRISMBENCH_RECORD_SECONDS` set, in turn with
//! numpy, SciPy and torch-fidelity on the same features; then each metric is timed once or for as
//! many seconds, and values and seconds are printed. Two threads on both sides.
//!
//! # Measured
//!
//! On two busy cores of a 4th-generation Xeon, one run, CPU seconds (peer's in brackets): moments
//! of one side 0.51 (0.46), Fréchet distance 2.7 to 2.9 (37), precision and recall 2.4 (4.4),
//! KID of 10 subsets 1.8 to 2.4 (1.4, in f32), Inception Score 0.06 (0.12). Wall times were too
//! disturbed to quote. Of the Fréchet distance 1.0 are the two moments, the rest is mostly the
//! tridiagonal reduction, bound by memory. Values agree: the Fréchet distance within 2e-7, the
//! others as `feature_speed.py` states.

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
use prismbench_core::{InceptionScoreDialect, PrecisionRecallDialect};
use prismbench_metrics::{
    FeatureMatrix, FeatureSet, Moments, SubsetSize, Subsets, frechet_distance, inception_score,
    kernel_inception_distance, precision_recall,
};
use uniforms::uniforms;

const ROWS: usize = 5000;
const COLUMNS: usize = 2048;

/// Not unlike pooled features: positive, skewed, of different scale in each column.
fn features(seed: u64) -> FeatureMatrix {
    let values = uniforms(ROWS * COLUMNS, seed).into_iter().enumerate();
    let value = |(at, u): (usize, f32)| u * u * (0.25 + (at % COLUMNS % 7) as f32 * 0.125);
    FeatureMatrix::new(COLUMNS, values.map(value).collect()).unwrap()
}

fn logits() -> FeatureMatrix {
    let values = uniforms(ROWS * 1008, 9).into_iter().map(|u| u * 10.0).collect();
    FeatureMatrix::new(1008, values).unwrap()
}

fn two_threads() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap()
}

fn frechet(first: &FeatureMatrix, second: &FeatureMatrix) -> f64 {
    let sets = [first, second].map(|set| FeatureSet::Features(set));
    frechet_distance(sets[0], sets[1]).unwrap().value
}

fn neighbours(first: &FeatureMatrix, second: &FeatureMatrix) -> f64 {
    precision_recall(first, second, PrecisionRecallDialect::Exact).unwrap().recall
}

fn kid(first: &FeatureMatrix, second: &FeatureMatrix) -> f64 {
    let subsets = Subsets { count: 10, size: SubsetSize::Exactly(1000) };
    kernel_inception_distance(first, second, subsets).unwrap().mean
}

fn distributions(c: &mut Criterion) {
    let (first, second, pool) = (features(1), features(2), two_threads());
    let mut group = c.benchmark_group("two-threads");
    group.sample_size(10);
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("moments", |b| {
        b.iter(|| pool.install(|| black_box(Moments::of(&first).unwrap())));
    });
    group.throughput(Throughput::Elements(2 * ROWS as u64));
    group.bench_function("frechet", |b| b.iter(|| pool.install(|| frechet(&first, &second))));
    group.bench_function("precision-recall", |b| {
        b.iter(|| pool.install(|| neighbours(&first, &second)));
    });
    group.bench_function("kid-10-subsets", |b| b.iter(|| pool.install(|| kid(&first, &second))));
    let logits = logits();
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("inception-score", |b| {
        let dialect = InceptionScoreDialect::TorchFidelity;
        b.iter(|| pool.install(|| inception_score(&logits, dialect).unwrap()));
    });
    group.finish();
}

fn records(limit: Duration) {
    let (first, second, pool) = (features(1), features(2), two_threads());
    record::value("moments", limit, || pool.install(|| Moments::of(&first).unwrap().trace()));
    record::value("frechet", limit, || pool.install(|| frechet(&first, &second)));
    record::value("precision-recall", limit, || pool.install(|| neighbours(&first, &second)));
    record::value("kid", limit, || pool.install(|| kid(&first, &second)));
    let logits = logits();
    record::value("inception-score", limit, || {
        let dialect = InceptionScoreDialect::TorchFidelity;
        pool.install(|| inception_score(&logits, dialect).unwrap().mean)
    });
}

criterion_group!(benches, distributions);

fn main() {
    record::main(benches, records);
}
