//! Long tables into wide ones: 100,000 records into leaderboards, and 1,000,000 rows of per-image values into a
//! column for each tokenizer and metric.
//!
//! With `PRISMBENCH_PIVOT` the two files stay in that folder; `tests/oracle/pivot_speed.py` asks Python's
//! Polars the same of them.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, criterion_group, criterion_main};
use prismbench_core::{Better, Outcome, Record, Stream, Unit};
use prismbench_reports::{SampleColumns, Side, leaderboards, read_samples, write_samples};

const METRICS: [&str; 10] = [
    "psnr@1",
    "ssim@1",
    "ms-ssim@1",
    "lpips@1",
    "rfid@1",
    "sfid@1",
    "kid@1",
    "precision@1",
    "recall@1",
    "bpp@1",
];
const TOKENIZERS: usize = 1_000;
const PROTOCOLS: usize = 10;
const IMAGES: u64 = 50_000;

/// 1,000 tokenizers, 10 metrics, 10 protocols.
fn records() -> Vec<Record> {
    let mut stream = Stream::new("pivot", 0, 0);
    let mut records = Vec::with_capacity(TOKENIZERS * PROTOCOLS * METRICS.len());
    for protocol in 0..PROTOCOLS {
        for tokenizer in 0..TOKENIZERS {
            for metric in METRICS {
                let value = stream.uniform();
                let (low, high) = (Some(value - 0.01), Some(value + 0.01));
                records.push(Record {
                    run: format!("nightly-{}", tokenizer % 7),
                    tokenizer: format!("tokenizer-{tokenizer}"),
                    variant: String::new(),
                    latent: "32x32x32".to_owned(),
                    suite: "reconstruction@1".to_owned(),
                    dataset: "imagenet/val".to_owned(),
                    split: "all".to_owned(),
                    resolution: "256".to_owned(),
                    n: IMAGES,
                    metric: metric.to_owned(),
                    dialect: String::new(),
                    setting: String::new(),
                    outcome: Outcome::Ok { value, low, high },
                    warnings: Vec::new(),
                    replicates: Vec::new(),
                    unit: Unit::One,
                    better: Better::Higher,
                    protocol: format!("p{protocol}"),
                    protocol_sha256: format!("{protocol:064}"),
                    weights_sha256: format!("{tokenizer:064}"),
                    reference_sha256: "9f00aa11".repeat(8),
                    device: "cpu".to_owned(),
                    dtype: "f32".to_owned(),
                    seconds: 1.25,
                    source: "measured".to_owned(),
                    tool_version: "0.1.0".to_owned(),
                });
            }
        }
    }
    records
}

/// 20 tokenizers, 50,000 images, 4 metrics.
fn samples() -> Vec<SampleColumns> {
    let made = |tokenizer: u64| {
        let mut stream = Stream::new("pivot", 1, tokenizer);
        let mut column = || (0..IMAGES).map(|_| stream.normal()).collect::<Vec<f64>>();
        SampleColumns {
            tokenizer: format!("tokenizer-{tokenizer}"),
            dataset: "imagenet/val".to_owned(),
            protocol: "default".to_owned(),
            protocol_sha256: "1a2b3c4d".repeat(8),
            indices: (0..IMAGES).collect(),
            ids: (0..IMAGES).map(|i| format!("n{:08}/{i}.JPEG", i / 50)).collect(),
            labels: (0..IMAGES).map(|i| Some((i / 50) as u32)).collect(),
            sizes: Vec::new(),
            metrics: METRICS[..4].iter().map(|metric| ((*metric).to_owned(), column())).collect(),
        }
    };
    (0..20).map(made).collect()
}

fn pivots(criterion: &mut Criterion) {
    let kept = std::env::var_os("PRISMBENCH_PIVOT").map(PathBuf::from);
    let temporary = tempfile::tempdir().unwrap();
    let folder: &Path = kept.as_deref().unwrap_or(temporary.path());
    let records = records();
    if kept.is_some() {
        let lines = records.iter().map(|record| serde_json::to_string(record).unwrap() + "\n");
        std::fs::write(folder.join("records.jsonl"), lines.collect::<String>()).unwrap();
    }
    let path = folder.join("samples.parquet");
    if !path.exists() {
        write_samples(&path, &samples()).unwrap();
    }
    let mut group = criterion.benchmark_group("pivot");
    group.sample_size(10);
    group.bench_function("100,000 records", |bencher| {
        bencher.iter(|| leaderboards(black_box(&records)).unwrap());
    });
    group.bench_function("1,000,000 per-image rows from Parquet", |bencher| {
        bencher.iter(|| Side::new(Vec::new(), read_samples(black_box(&path)).unwrap()));
    });
    group.finish();
}

criterion_group!(benches, pivots);
criterion_main!(benches);
