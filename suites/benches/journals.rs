//! What shards and resuming cost beside the measurement: a merge of 64 journals of 50,000 x 2,048 features, against
//! reading the same files, and finding the place behind 1,000,000 finished samples.
//!
//! Floor of the merge: 410 MB are read once and hashed once (SHA-256 with the processor's instructions does
//! 1.5 to 2 GB/s), and 50,000 descriptions of samples are parsed.

use std::fs;
use std::hint::black_box;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use prismbench_core::{
    Encoding, FeatureTap, Features, ImageBatch, LatentShape, Latents, Protocol, RgbImage, Sample,
    Tokenizer, TokenizerError, TokenizerSpec,
};
use prismbench_suites::{
    Context, DataError, Dataset, FileState, Journals, Networks, Observer, OnBad, Part, Pending,
    Pictures, Samples, SuiteError, extract,
};

/// Pictures of one pixel.
struct Dots(u64);

impl Dataset for Dots {
    fn id(&self) -> &str {
        "dots"
    }

    fn len(&self) -> u64 {
        self.0
    }

    fn name(&self, _: u64) -> Option<&str> {
        None
    }

    fn classes(&self) -> &[String] {
        &[]
    }

    fn file_state(&self) -> FileState {
        FileState::default()
    }

    fn samples(&self, range: Range<u64>) -> Result<Samples<'_>, DataError> {
        let sample = |index: u64| {
            let id = format!("{index:08}");
            Ok(Pending::new(index, id.clone(), move || {
                let level = (index % 251) as u8;
                let image = RgbImage::new(1, 1, vec![level, 1, 2]);
                let image = image.unwrap_or_else(|error| panic!("{error}"));
                Ok(Sample { index, id, image, label: None, captions: Vec::new() })
            }))
        };
        Ok(Box::new(range.map(sample)))
    }
}

/// Features that cost nothing.
struct Idle(TokenizerSpec, usize);

impl Tokenizer for Idle {
    fn spec(&self) -> &TokenizerSpec {
        &self.0
    }

    fn latent_shape(&self, _: usize, _: usize) -> LatentShape {
        LatentShape::Unknown
    }

    fn encode(&self, images: &ImageBatch, _: &Encoding<'_>) -> Result<Latents, TokenizerError> {
        Ok(Latents::Tensor(images.tensor().clone()))
    }

    fn decode(&self, _: &Latents) -> Result<ImageBatch, TokenizerError> {
        Err(TokenizerError::Unsupported { tokenizer: self.0.id.clone(), capability: "decoder" })
    }

    fn features(&self, images: &ImageBatch, _: FeatureTap) -> Result<Features, TokenizerError> {
        let shape = (images.tensor().dims()[0], 1, self.1);
        let patch_tokens = Tensor::full(0.5_f32, shape, &Device::Cpu)?;
        Ok(Features { patch_tokens, grid: (1, 1), class_token: None, pooled: None })
    }
}

/// Stops a pass behind so many pictures.
struct Stops<'a>(u64, &'a AtomicBool);

impl Observer for Stops<'_> {
    fn progress(&mut self, done: u64, _: u64) {
        self.1.store(done >= self.0, Ordering::Relaxed);
    }
}

/// A pass over dots with rows of so many numbers, up to picture `stop`; how long it took.
fn pass((count, width): (u64, usize), batch: usize, journals: &Journals, stop: u64) -> Duration {
    let default = Protocol::preset("default").unwrap_or_else(|error| panic!("{error}"));
    let protocol = default.with("crop", "none").unwrap_or_else(|error| panic!("{error}"));
    let (dataset, part, on_bad) = (Dots(count), Part::All, OnBad::Stop);
    let pictures = Pictures { dataset: &dataset, part, limit: None, protocol: &protocol, on_bad };
    let (id, source) = ("idle".to_owned(), String::new());
    let idle =
        Idle(TokenizerSpec { id, stride: 1, parameters: 0, weights: Vec::new(), source }, width);
    let interrupted = AtomicBool::new(false);
    let mut observer = Stops(stop, &interrupted);
    let mut context = Context {
        metrics: &[],
        device: &Device::Cpu,
        batch,
        seed: 0,
        protocol: &protocol,
        networks: &Networks::default(),
        allow_unlike_reference: false,
        training: None,
        text_tower: None,
        load_times: &[],
        reference: None,
        cache: None,
        save_features: None,
        journals,
        save_samples: None,
        interrupted: &interrupted,
        observer: &mut observer,
    };
    let start = Instant::now();
    match extract(&[&idle], &pictures, &mut context) {
        Ok(found) => drop(black_box(found)),
        Err(SuiteError::Interrupted { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    start.elapsed()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    entries(folder)
        .flat_map(|shard| entries(&shard.path()).collect::<Vec<_>>())
        .map(|file| file.path())
        .collect()
}

fn journals(criterion: &mut Criterion) {
    const SHARDS: u64 = 64;
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let place = |index: u64| folder.path().join(index.to_string());
    for index in 0..SHARDS {
        let journals = Journals::Shard { folder: place(index), index, count: SHARDS };
        pass((50_000, 2_048), 64, &journals, u64::MAX);
    }
    let merged = Journals::Merged((0..SHARDS).map(place).collect());
    let mut group = criterion.benchmark_group("journals");
    group.sample_size(10);
    group.bench_function("read 64 shards of 50,000 x 2,048", |bencher| {
        bencher.iter(|| {
            files(folder.path())
                .iter()
                .map(|file| fs::read(file).map_or(0, |bytes| bytes.len()))
                .sum::<usize>()
        });
    });
    group.bench_function("merge 64 shards of 50,000 x 2,048", |bencher| {
        bencher.iter(|| pass((50_000, 2_048), 64, &merged, u64::MAX));
    });
    let long = Journals::Folder(folder.path().join("long"));
    pass((2_000_000, 4), 8, &long, 1_000_000);
    group.bench_function("go on behind 1,000,000 samples, and measure a block", |bencher| {
        bencher.iter(|| pass((2_000_000, 4), 8, &long, 0));
    });
    group.finish();
}

criterion_group!(benches, journals);
criterion_main!(benches);
