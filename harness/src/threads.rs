use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::Failure;

/// A pool of its own, so that two commands in one process do not share a setting; one thread per core where
/// nobody said how many.
pub(crate) fn pool(threads: Option<u16>) -> Result<ThreadPool, Failure> {
    let pool = ThreadPoolBuilder::new().num_threads(threads.map_or(0, usize::from)).build();
    pool.map_err(|error| Failure::Output(std::io::Error::other(error)))
}
