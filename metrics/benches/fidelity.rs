//! Images per second of PSNR, SSIM and MS-SSIM on 256x256 u8 pictures.
//!
//! `two-threads/psnr+ssim` is the pair of default metrics over 64 pictures; `one-thread/...` is each
//! metric in each dialect on one. `tests/oracle/compare_speed.py` runs the former and torchmetrics
//! in turn; for it, `PRISMBENCH_RECORD_SECONDS=6` replaces criterion by a plain timed loop that
//! prints rate, CPU time and the values themselves.
//!
//! # The floor
//!
//! Default SSIM, per value of a picture's 196,608: 4 products, 4 moments filtered across and down
//! with 15 operations each, 15 for the term and its sum: 139 operations on f64, one a division.
//! AVX2 without fused products does 8 in a cycle, hence 3.4 million cycles, 1.1 ms at 3 GHz. The
//! bytes hardly count: 2 x 197 KB read one and a half times (strips overlap), and 23 KB of filtered
//! rows that stay in the first-level cache. PSNR reads the same bytes once: 14 us measured, 1 %.
//!
//! # Measured
//!
//! On two quiet cores of a 4th-generation Xeon, in alternation: 1.5 ms of CPU per image with both
//! threads at work, near the floor; torchmetrics 1.9.0 at its best batch size 17 to 20 ms. Ratio,
//! median of 5 rounds: 15 by wall time (13.7 to 16.5), 13 by CPU time (11 to 14); 13.7 between the
//! fastest rounds of each side (1,386 and 101 images/s). Values agree to 1e-14 in SSIM, 5e-8 in
//! PSNR.
//!
//! # Tried
//!
//! Ratios of time, before over after, each measured in one run on one thread.
//!
//! - 4.7 in all, against per-channel f64 planes and arrays of 8 lanes in a closure given to
//!   `pulp`. The closure was not inlined into the wide-vector function and ran on SSE2.
//! - 1.0 from inlining alone: the compiler left the 8-lane arrays on the stack. 1.7 from loops
//!   along strips of 64 values with nothing summed across them; 1.6 to 1.9 more from making the
//!   radius a constant, without which the loops of both windows were merged under masks.
//! - 1.1 to 1.2 in the kernel from reading interleaved bytes in place of planes, and the planes
//!   themselves (a sixth of the old time, a third of that in page faults) are no longer made.
//! - Strips of 32 to 96 values are equal; 128 loses 1.3, 192 loses 1.5.
//! - Filtering x + y and x - y, with the centre's weight 1, needs 139 operations in place of 153.
//!   Not timed apart.
//! - AVX-512 (`pulp`'s feature `x86-v4`) would gain another 1.3 to 1.4 with the same bits. Left
//!   out: it is a feature of every crate that uses `pulp`.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]
#![expect(clippy::print_stdout, reason = "the record is read from there")]

#[path = "../../tests/oracle/hashed.rs"]
mod hashed;
#[expect(dead_code, reason = "other benches print other figures")]
#[path = "../../tests/oracle/record.rs"]
mod record;

use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group};
use prismbench_core::{Choice, MsSsimDialect, PsnrDialect, Reconstruction, RgbImage, SsimDialect};
use prismbench_metrics::{ImageMetric, psnr, ssim};
use rayon::prelude::*;

const SIDE: usize = 256;
const PICTURES: u64 = 64;

type Pair = (RgbImage, Reconstruction);

fn picture(seed: u64, amplitude: i64) -> RgbImage {
    RgbImage::new(SIDE, SIDE, hashed::picture(SIDE, SIDE, seed, amplitude)).unwrap()
}

fn pictures() -> Vec<Pair> {
    let pair = |i| (picture(100 + i, 4), Reconstruction::U8(picture(200 + i, 20)));
    (0..PICTURES).map(pair).collect()
}

fn two_threads() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap()
}

/// The default metrics of a picture.
fn both((reference, reconstruction): &Pair) -> (f64, f64) {
    (
        psnr(reference, reconstruction, PsnrDialect::PerImage).unwrap(),
        ssim(reference, reconstruction, SsimDialect::TorchMetrics).unwrap(),
    )
}

fn defaults(c: &mut Criterion) {
    let (pictures, pool) = (pictures(), two_threads());
    let mut group = c.benchmark_group("two-threads");
    group.throughput(Throughput::Elements(PICTURES));
    group.bench_function("psnr+ssim", |b| {
        b.iter(|| pool.install(|| pictures.par_iter().map(both).collect::<Vec<_>>()));
    });
    group.finish();
}

fn dialects(c: &mut Criterion) {
    let pair = &pictures()[0];
    let mut group = c.benchmark_group("one-thread");
    group.throughput(Throughput::Elements(1));
    for dialect in PsnrDialect::ALL {
        one(&mut group, ImageMetric::Psnr(*dialect), pair);
    }
    for dialect in SsimDialect::ALL {
        one(&mut group, ImageMetric::Ssim(*dialect), pair);
    }
    for dialect in MsSsimDialect::ALL {
        one(&mut group, ImageMetric::MsSsim(*dialect), pair);
    }
    group.finish();
}

fn one(group: &mut BenchmarkGroup<'_, WallTime>, metric: ImageMetric, pair: &Pair) {
    let name = format!("{}/{}", metric.definition().id, metric.dialect());
    group.bench_function(name, |b| b.iter(|| metric.score(&pair.0, &pair.1)));
}

fn print(limit: Duration) {
    let (pictures, pool) = (pictures(), two_threads());
    let all = || pool.install(|| pictures.par_iter().map(both).collect::<Vec<_>>());
    let values = all();
    let (start, cpu) = (Instant::now(), record::cpu_seconds());
    let mut batches = Vec::new();
    while start.elapsed() < limit {
        let batch = Instant::now();
        all();
        batches.push(batch.elapsed().as_secs_f64());
    }
    let images = (batches.len() as u64 * PICTURES) as f64;
    if let (Some(before), Some(after)) = (cpu, record::cpu_seconds()) {
        println!("cpu {}", (after - before) / images);
    }
    batches.sort_by(f64::total_cmp);
    println!("rate {}", PICTURES as f64 / batches[batches.len() / 2]);
    for (psnr, ssim) in values {
        println!("value {psnr} {ssim}");
    }
}

criterion_group!(benches, defaults, dialects);

fn main() {
    record::main(benches, print);
}
