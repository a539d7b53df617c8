//! A stage that nobody records, on one thread: what tracing costs a run without `--profile`.
//!
//! The shortest stage, a crop, takes a tenth of a millisecond; a picture goes through five.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use prismbench_suites::Stage;

fn stages(c: &mut Criterion) {
    let mut group = c.benchmark_group("stages");
    group.throughput(Throughput::Elements(1));
    group.bench_function("nobody records", |b| {
        b.iter(|| drop(black_box(black_box(Stage::Crop).enter())));
    });
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
