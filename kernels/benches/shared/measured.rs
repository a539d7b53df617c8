//! What a bench reached of what this machine can do.
//!
//! Shared by the benches of kernels through `#[path]`: criterion shows operations or bytes a second, and
//! beside it stands which part of the measured peak that is.

use std::cell::Cell;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Throughput};
use prismbench_kernels::peaks;

/// How long each peak is measured.
const PEAK: Duration = Duration::from_secs(1);

/// What bounds a kernel.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    /// Floating-point operations of a call, 2 for a multiply-accumulate.
    Operations(u64),
    /// Bytes that a call reads and writes at least.
    Bytes(u64),
}

/// The peaks of this machine on the threads of the pool.
pub(crate) struct Peaks {
    product: f64,
    copy: f64,
}

impl Peaks {
    pub(crate) fn measure(pool: &rayon::ThreadPool) -> Self {
        let (product, copy) = pool.install(|| (peaks::matrix_product(PEAK), peaks::copy(PEAK)));
        println!("peaks: product {:.1} GFLOP/s, copying {:.1} GB/s", product / 1e9, copy / 1e9);
        Self { product, copy }
    }

    /// Benches a call and prints the part of the peak that its fastest pass reached.
    pub(crate) fn bench(
        &self,
        group: &mut BenchmarkGroup<'_, WallTime>,
        (name, bound): (&str, Bound),
        call: impl Fn(),
    ) {
        group.throughput(match bound {
            Bound::Operations(operations) => Throughput::Elements(operations),
            Bound::Bytes(bytes) => Throughput::Bytes(bytes),
        });
        let fastest = Cell::new(f64::INFINITY);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|calls| {
                let start = Instant::now();
                for _ in 0..calls {
                    let begun = Instant::now();
                    call();
                    fastest.set(fastest.get().min(begun.elapsed().as_secs_f64()));
                }
                start.elapsed()
            });
        });
        let (share, of) = self.share(bound, fastest.get());
        if share > 0.0 {
            println!("{name}: {:.0} % of {of}", 100.0 * share);
        }
    }

    /// The part of a peak that a call of so many seconds reached, and of which.
    pub(crate) fn share(&self, bound: Bound, seconds: f64) -> (f64, &'static str) {
        match bound {
            Bound::Operations(operations) => {
                (operations as f64 / seconds / self.product, "the product's peak")
            }
            Bound::Bytes(bytes) => (bytes as f64 / seconds / self.copy, "copying"),
        }
    }
}
