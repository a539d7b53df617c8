use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::SpooledTempFile;

/// Bytes of a pass that stay in memory; more go to a file that has no name.
const IN_MEMORY: usize = 64 << 20;

/// Bytes in memory or on disk that several readers share.
#[derive(Clone)]
pub struct Store(Arc<Mutex<Box<dyn Bytes>>>);

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Store")
    }
}

/// Where bytes lie.
trait Bytes: Read + Write + Seek + Send {}

impl<T: Read + Write + Seek + Send> Bytes for T {}

impl Store {
    /// Nothing yet; gone with the last of its readers.
    #[must_use]
    pub fn temporary() -> Self {
        Self::temporary_beyond(IN_MEMORY)
    }

    /// The same, in memory up to so many bytes.
    #[must_use]
    pub fn temporary_beyond(bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(Box::new(SpooledTempFile::new(bytes)))))
    }

    /// What lies in a file.
    #[must_use]
    pub fn of(file: File) -> Self {
        Self(Arc::new(Mutex::new(Box::new(file))))
    }

    /// Fills a buffer from byte `from` on.
    ///
    /// # Errors
    /// Those of the file; [`io::ErrorKind::UnexpectedEof`] for bytes that are not there.
    pub fn read(&self, from: u64, into: &mut [u8]) -> io::Result<()> {
        let mut bytes = self.lock();
        bytes.seek(SeekFrom::Start(from))?;
        bytes.read_exact(into)
    }

    /// Writes bytes at byte `from`.
    ///
    /// # Errors
    /// Those of the file.
    pub fn write(&self, from: u64, parts: &[&[u8]]) -> io::Result<()> {
        let mut bytes = self.lock();
        bytes.seek(SeekFrom::Start(from))?;
        parts.iter().try_for_each(|part| bytes.write_all(part))
    }

    /// Copies `count` bytes from byte `from` on.
    ///
    /// # Errors
    /// Those of the file and of `to`; [`io::ErrorKind::UnexpectedEof`] for bytes that are not there.
    pub fn copy_to(&self, from: u64, count: u64, to: &mut impl Write) -> io::Result<()> {
        let mut bytes = self.lock();
        bytes.seek(SeekFrom::Start(from))?;
        match io::copy(&mut (&mut **bytes).take(count), to)? {
            copied if copied == count => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Whether both are the same bytes.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Every use seeks first: a panic elsewhere leaves nothing behind that matters.
    fn lock(&self) -> MutexGuard<'_, Box<dyn Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
