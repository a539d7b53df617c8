use std::io::{self, Read};

/// Counts the bytes that are read, up to a limit.
pub(super) struct Counted<R> {
    inner: io::Take<R>,
    limit: u64,
}

impl<R: Read> Counted<R> {
    pub(super) fn new(inner: R, limit: u64) -> Self {
        Self { inner: inner.take(limit), limit }
    }

    /// Bytes that were read.
    pub(super) fn count(&self) -> u64 {
        self.limit - self.inner.limit()
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer)
    }
}
