//! Multiply-accumulates that kernels are run for, told by the kernels themselves: what a test holds
//! the counts of layers against. In tests alone.

use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Notes products that this thread is about to compute.
pub(crate) fn add(products: usize) {
    COUNT.set(COUNT.get() + products as u64);
}

/// Products of `work`, which is run on a thread of its own, and what it gives.
pub(crate) fn of<T: Send>(work: impl FnOnce() -> T + Send) -> (u64, T) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        COUNT.set(0);
        let result = work();
        (COUNT.get(), result)
    })
}
