//! The feature networks on 256x256 u8 pictures, with generated weights, on two threads.
//!
//! `inception` is the features behind the global mean for a batch of 8, `lpips-*` one pair of
//! pictures from bytes to distance, `random-filters` a batch of 8. `tests/oracle/network_speed.py`
//! runs them and the Python packages in turn; for it, `PRISMBENCH_RECORD_SECONDS=6` replaces
//! criterion by a plain timed loop that prints pictures (or pairs) per second.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]
#![expect(clippy::print_stdout, reason = "the record is read from there")]

#[path = "../../tests/oracle/hashed.rs"]
mod hashed;
#[path = "../../tests/oracle/recipe.rs"]
mod recipe;
#[expect(dead_code, reason = "other benches print other figures")]
#[path = "../../tests/oracle/record.rs"]
mod record;
#[path = "../tests/networks/weights.rs"]
mod weights;

use std::hint::black_box;

use candle_core::Device;
use criterion::{Criterion, Throughput, criterion_group};
use prismbench_core::{InceptionResize, LpipsTrunk, RgbImage};
use prismbench_kernels::nn::Arithmetic;
use prismbench_metrics::{
    FeatureNetwork, Inception, Lpips, LpipsHead, LpipsInput, RandomFilters, Tap,
};

const SIDE: usize = 256;
const BATCH: usize = 8;

/// A name, pictures or pairs in one pass, and the pass.
type Case = (String, u64, Box<dyn Fn()>);

fn pictures() -> Vec<RgbImage> {
    let picture = |seed| hashed::picture(SIDE, SIDE, seed, 30);
    (0..BATCH as u64).map(|seed| RgbImage::new(SIDE, SIDE, picture(seed)).unwrap()).collect()
}

fn batch(name: String, network: impl FeatureNetwork + 'static) -> Case {
    let pictures = pictures();
    let pass = move || {
        let images: Vec<&RgbImage> = pictures.iter().collect();
        black_box(network.features(&images, &[Tap::Pooled]).unwrap());
    };
    (name, BATCH as u64, Box::new(pass))
}

fn pair(trunk: LpipsTrunk, arithmetic: Arithmetic) -> Case {
    let path = weights::generated(&format!("{trunk}.safetensors"));
    let head = LpipsHead::InTrunkFile;
    let lpips = Lpips::open(trunk, &path, head, arithmetic, &Device::Cpu).unwrap();
    let pictures = pictures();
    let pass = move || {
        let pair = [0, 1].map(|picture| LpipsInput::Original(&pictures[picture]));
        let [a, b] = lpips.features_together(pair).unwrap();
        black_box(lpips.distance(&a, &b).unwrap());
    };
    (format!("lpips-{trunk}-{arithmetic:?}").to_lowercase(), 1, Box::new(pass))
}

fn cases() -> Vec<Case> {
    let mut cases = vec![batch("random-filters".into(), RandomFilters::new(&Device::Cpu).unwrap())];
    for arithmetic in [Arithmetic::Strict, Arithmetic::Fast] {
        let path = weights::generated("inception.safetensors");
        let network =
            Inception::open(&path, InceptionResize::Tf1, arithmetic, &Device::Cpu).unwrap();
        cases.push(batch(format!("inception-{arithmetic:?}").to_lowercase(), network));
        cases.push(pair(LpipsTrunk::Alex, arithmetic));
        cases.push(pair(LpipsTrunk::Vgg, arithmetic));
    }
    cases
}

fn networks(criterion: &mut Criterion) {
    for (name, count, pass) in cases() {
        let mut group = criterion.benchmark_group("networks");
        group.sample_size(10).throughput(Throughput::Elements(count));
        group.bench_function(name, |bencher| bencher.iter(&pass));
    }
}

criterion_group!(benches, networks);

fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(2).build_global().unwrap();
    record::main(benches, |limit| {
        for (name, count, pass) in cases() {
            record::rate(&name, count, limit, pass);
        }
    });
}
