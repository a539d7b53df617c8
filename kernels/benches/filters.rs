//! Frequency filters of batches of 256x256 RGB pictures, on two threads.
//!
//! `tests/oracle/filter_speed.py` runs this and `scipy.fft` in turn on the same pictures, checks that the
//! values agree and prints ratios; for it, `PRISMBENCH_RECORD_SECONDS=1` replaces criterion by a
//! plain timed loop per filter that prints one value, the wall time of the fastest call and the CPU
//! time of a mean one.
//!
//! # Floor
//!
//! A plane is read and written once: 0.8 MB each way for a picture. As matrix products the four
//! transforms of a plane are 134 MFLOP, 0.4 GFLOP for a picture, which two cores with AVX-512 do in
//! 1.2 ms; factorised they are 1,300 butterflies and reflections a line instead of 65,536 products,
//! 8 MFLOP a plane.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]
#![expect(clippy::print_stdout, reason = "the record is read from there")]

#[path = "../../tests/oracle/hashed.rs"]
mod hashed;
#[expect(dead_code, reason = "other kernels are bound by products")]
#[path = "shared/measured.rs"]
mod measured;
#[expect(dead_code, reason = "other benches print other figures")]
#[path = "../../tests/oracle/record.rs"]
mod record;

use std::sync::Mutex;
use std::time::Duration;

use criterion::{Criterion, criterion_group};
use measured::{Bound, Peaks};
use prismbench_kernels::Size;
use prismbench_kernels::filters::{Cutoff, Pass, PlaneFilter, Shape};

const SIZE: Size = Size::new(256, 256);
const PICTURES: usize = 16;

/// The same names as in `filter_speed.py`.
const FILTERS: [(&str, Shape, Pass, u32); 8] = [
    ("dct-radial-axis:low:0.05", Shape::DctRadialAxis, Pass::Low, 50),
    ("dct-radial-axis:low:0.2", Shape::DctRadialAxis, Pass::Low, 200),
    ("dct-radial-axis:low:1", Shape::DctRadialAxis, Pass::Low, 1000),
    ("dct-radial-axis:high:0.2", Shape::DctRadialAxis, Pass::High, 200),
    ("dct-zigzag:low:0.4", Shape::DctZigzag, Pass::Low, 400),
    ("fft-ideal:low:0.2", Shape::FftIdeal, Pass::Low, 200),
    ("fft-ideal:low:1", Shape::FftIdeal, Pass::Low, 1000),
    ("fft-cosine:high:0.4", Shape::FftCosine, Pass::High, 400),
];

/// Planes of 16 pictures.
fn planes() -> Vec<f32> {
    let mut planes = Vec::with_capacity(PICTURES * 3 * SIZE.area());
    for seed in 0..PICTURES as u64 {
        let pixels = hashed::picture(SIZE.width, SIZE.height, seed, 20);
        for channel in 0..3 {
            planes.extend(pixels[channel..].iter().step_by(3).map(|&b| f32::from(b) / 255.0));
        }
    }
    planes
}

fn filters() -> impl Iterator<Item = (&'static str, PlaneFilter)> {
    FILTERS.into_iter().map(|(name, shape, pass, thousandths)| {
        let cutoff = Cutoff::from_thousandths(thousandths).unwrap();
        (name, PlaneFilter::new(SIZE, shape, pass, cutoff))
    })
}

fn two_threads() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap()
}

fn all(c: &mut Criterion) {
    let pool = two_threads();
    let peaks = Peaks::measure(&pool);
    let mut group = c.benchmark_group("filters");
    for (name, filter) in filters() {
        let (planes, out) = (planes(), Mutex::new(planes()));
        // Each plane is read and written once.
        let bound = Bound::Bytes(8 * planes.len() as u64);
        peaks.bench(&mut group, (name, bound), || {
            pool.install(|| filter.apply(&planes, &mut out.lock().unwrap()));
        });
    }
    group.finish();
}

/// Prints for each filter one of its values, the seconds of the fastest call and the CPU seconds of a
/// mean one.
fn print(limit: Duration) {
    let pool = two_threads();
    let (planes, mut out) = (planes(), planes());
    for (name, filter) in filters() {
        record::value(name, limit, || {
            pool.install(|| filter.apply(&planes, &mut out));
            f64::from(out[40_000])
        });
    }
}

criterion_group!(benches, all);

fn main() {
    record::main(benches, print);
}
