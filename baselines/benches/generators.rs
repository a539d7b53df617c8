//! One call of DiT^DH-S for 4 latents of 768x16x16 with generated weights, on two threads: latents per
//! second. A sample of Euler's method with two points is one call, and the noise before it.
//!
//! `tests/oracle/generator_speed.py` runs this and PyTorch in turn and prints ratios; for it,
//! `PRISMBENCH_RECORD_SECONDS=6` replaces criterion by a plain timed loop.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench may panic")]
#![expect(clippy::print_stdout, reason = "the record is read from there")]

#[expect(dead_code, reason = "shared with the tests, which have other sizes")]
#[path = "../tests/it/generator_weights.rs"]
mod generator_weights;
#[path = "../tests/it/planned.rs"]
mod planned;
#[path = "../../tests/oracle/recipe.rs"]
mod recipe;
#[expect(dead_code, reason = "other benches print other figures")]
#[path = "../../tests/oracle/record.rs"]
mod record;

use std::hint::black_box;

use candle_core::Device;
use criterion::{Criterion, Throughput, criterion_group};
use generator_weights::{DITDH_S, generator};
use prismbench_baselines::{OpenOptions, open_generator};
use prismbench_core::{Draw, Generator};

const COUNT: u64 = 4;
const NAME: &str = "ditdh-s-4";

fn opened() -> Box<dyn Generator> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    planned::write(&path, &generator(DITDH_S));
    let reference = format!("ditdh-s={}", path.display()).parse().unwrap();
    let sampling = "euler:2".parse().unwrap();
    open_generator(&reference, Some(sampling), None, &OpenOptions::on(&Device::Cpu)).unwrap()
}

/// Calls `time` with a pass over all latents.
fn with_pass(mut time: impl FnMut(&dyn Fn())) {
    let generator = opened();
    let draws: Vec<Draw> = (0..COUNT).map(|index| Draw { index, class: index as u32 }).collect();
    time(&|| {
        black_box(generator.sample(&draws, 0).unwrap());
    });
}

fn generators(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("generators");
    with_pass(|pass| {
        group.sample_size(10).throughput(Throughput::Elements(COUNT));
        group.bench_function(NAME, |bencher| bencher.iter(pass));
    });
}

criterion_group!(benches, generators);

fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(2).build_global().unwrap();
    record::main(benches, |limit| {
        with_pass(|pass| record::rate(NAME, COUNT, limit, pass));
    });
}
