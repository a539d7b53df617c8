//! Kernels that a GPU has too: each beside what this machine's processor can do at most and, with the feature
//! `cuda` and a device, its twin there beside that device's copy bandwidth.
//!
//! `cargo bench -p prismbench-kernels --bench twins` runs criterion on the processor, all threads; `--features cuda`
//! adds the device. With `PRISMBENCH_RECORD_SECONDS=1` a plain timed loop per kernel prints the rows of a table
//! instead, with a device those of the table in `kernels/RESULTS.md`.
//!
//! Inputs lie where they are computed, results stay there, and a call ends when the device is done.
//!
//! # Floors
//!
//! Bytes are those that must come from memory and go there, once each; where arithmetic and not memory
//! is the floor, its operations are counted, a fused product and sum as 2. Shares are of the f32 product's peak: in
//! f64 half of it is all that there is. The heads of the sources in `kernels/cuda` derive both.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]
#![expect(clippy::print_stdout, reason = "the record is read from there")]

mod cases;
#[path = "../shared/measured.rs"]
mod measured;
#[cfg(feature = "cuda")]
mod on_device;
#[expect(dead_code, reason = "other benches print other figures")]
#[path = "../../../tests/oracle/record.rs"]
mod record;
mod sets;

use std::time::{Duration, Instant};

use cases::{Case, Gpu};
use criterion::Criterion;
use measured::Peaks;

/// All cases; those of the device too where there is one.
fn all(gpu: Gpu<'_>) -> Vec<Case<'_>> {
    let mut all = sets::resizes(gpu);
    all.extend(sets::fidelity(gpu));
    all.extend(sets::spectra(gpu));
    all.extend(sets::features(gpu));
    all
}

/// All threads of this machine.
fn pool() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().build().unwrap()
}

fn criterion(gpu: Gpu<'_>) {
    let mut criterion = Criterion::default().configure_from_args();
    let pool = pool();
    let (peaks, cases) = (Peaks::measure(&pool), all(gpu));
    let mut group = criterion.benchmark_group("host");
    group.sample_size(10);
    for Case { name, bound, on_host, .. } in &cases {
        peaks.bench(&mut group, (name, *bound), || pool.install(on_host));
    }
    group.finish();
    #[cfg(feature = "cuda")]
    if let Some(device) = gpu {
        on_device::criterion(device, &cases, &mut criterion);
    }
}

/// Seconds of the fastest of many calls.
fn fastest(limit: Duration, run: impl Fn()) -> f64 {
    run();
    let (start, mut fastest) = (Instant::now(), f64::INFINITY);
    while start.elapsed() < limit {
        let call = Instant::now();
        run();
        fastest = fastest.min(call.elapsed().as_secs_f64());
    }
    fastest
}

fn print(gpu: Gpu<'_>, limit: Duration) {
    let pool = pool();
    #[cfg(feature = "cuda")]
    if let Some(device) = gpu {
        return on_device::print(device, &all(gpu), (&pool, limit));
    }
    let peaks = Peaks::measure(&pool);
    println!("| kernel | CPU | share |\n|---|---|---|");
    for Case { name, bound, on_host, .. } in all(gpu) {
        let seconds = fastest(limit, || pool.install(&on_host));
        let (share, of) = peaks.share(bound, seconds);
        println!("| {name} | {:.1} ms | {:.0} % of {of} |", seconds * 1e3, 100.0 * share);
    }
}

#[cfg(feature = "cuda")]
fn main() {
    let opened = prismbench_kernels::cuda::Device::open(0);
    if let Err(error) = &opened {
        println!("left out: the device's twins: no CUDA device: {error}");
    }
    let gpu = opened.as_ref().ok();
    record::main(|| criterion(gpu), |limit| print(gpu, limit));
}

#[cfg(not(feature = "cuda"))]
fn main() {
    println!("left out: the device's twins: `--features cuda` adds them");
    record::main(|| criterion(Gpu::default()), |limit| print(Gpu::default(), limit));
}
