//! The cases on a device.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use prismbench_kernels::cuda::Device;

use crate::cases::Case;
use crate::fastest;
use crate::measured::Bound;

/// Bytes per second that a copy of 1 GiB on the device moves, read and written.
fn copy_bandwidth(device: &Device, limit: Duration) -> f64 {
    let values = device.zeros::<f32>(1 << 28).unwrap();
    let seconds = fastest(limit, || {
        drop(device.copy(&values).unwrap());
        device.synchronise().unwrap();
    });
    2.0 * (4_u64 << 28) as f64 / seconds
}

/// The table of `kernels/RESULTS.md`.
pub(crate) fn print(
    device: &Device,
    cases: &[Case<'_>],
    (pool, limit): (&rayon::ThreadPool, Duration),
) {
    let bandwidth = copy_bandwidth(device, limit);
    println!("device: {}; copies {:.0} GB/s", device.name(), bandwidth / 1e9);
    println!("| kernel | device | of the copy bandwidth, or rate | CPU |\n|---|---|---|---|");
    for Case { name, bound, on_host, on_device } in cases {
        let Some(on_device) = on_device else { continue };
        let seconds = fastest(limit, || {
            on_device();
            device.synchronise().unwrap();
        });
        let rate = match *bound {
            Bound::Bytes(bytes) => format!("{:.2}", bytes as f64 / seconds / bandwidth),
            Bound::Operations(count) => format!("{:.2} TFLOP/s", count as f64 / seconds / 1e12),
        };
        let host = fastest(limit, || pool.install(on_host));
        println!("| {name} | {:.3} ms | {rate} | {:.1} ms |", seconds * 1e3, host * 1e3);
    }
}

pub(crate) fn criterion(device: &Device, cases: &[Case<'_>], criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("device");
    group.sample_size(10);
    for Case { name, bound, on_device, .. } in cases {
        let Some(on_device) = on_device else { continue };
        group.throughput(match *bound {
            Bound::Bytes(bytes) => Throughput::Bytes(bytes),
            Bound::Operations(operations) => Throughput::Elements(operations),
        });
        group.bench_function(*name, |bencher| {
            bencher.iter_custom(|calls| {
                let start = Instant::now();
                (0..calls).for_each(|_| on_device());
                device.synchronise().unwrap();
                start.elapsed()
            });
        });
    }
    group.finish();
}
