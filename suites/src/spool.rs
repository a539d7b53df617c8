use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use prismbench_metrics::Features;
use tempfile::SpooledTempFile;

/// Bytes of features that stay in memory; more go to a file that has no name.
const IN_MEMORY: usize = 64 << 20;

/// Rows of features of one layer, one per sample, in the order in which they came.
///
/// What does not fit into memory lies in a temporary file, so that 50,000 rows of 2,048 values cost
/// no more than a few hundred.
pub(crate) struct Spool {
    columns: usize,
    /// What the sample of each row is called.
    names: Vec<String>,
    file: Mutex<Box<dyn Store>>,
}

/// Where rows lie.
trait Store: Read + Write + Seek + Send {}

impl<T: Read + Write + Seek + Send> Store for T {}

impl Spool {
    pub(crate) fn new(columns: usize) -> Self {
        let file = Mutex::new(Box::new(SpooledTempFile::new(IN_MEMORY)) as _);
        Self { columns, names: Vec::new(), file }
    }

    /// Rows in a file that outlives this process. Those that lie in it are taken in one by one, by
    /// [`recall`](Self::recall).
    pub(crate) fn in_file(columns: usize, file: File) -> Self {
        Self { columns, names: Vec::new(), file: Mutex::new(Box::new(file) as _) }
    }

    /// The bytes that lie where the next sample's row belongs.
    pub(crate) fn next_row(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.columns * size_of::<f32>()];
        let mut file = lock(&self.file);
        file.seek(SeekFrom::Start(self.names.len() as u64 * bytes.len() as u64))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Takes in what lies there as the row of the next sample.
    pub(crate) fn recall(&mut self, name: &str) {
        self.names.push(name.to_owned());
    }

    /// Adds the row of the next sample.
    pub(crate) fn push(&mut self, name: &str, row: &[f32]) -> io::Result<()> {
        if row.len() != self.columns {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
        let end = self.names.len() as u64 * bytes.len() as u64;
        let mut file = lock(&self.file);
        file.seek(SeekFrom::Start(end))?;
        file.write_all(&bytes)?;
        drop(file);
        self.names.push(name.to_owned());
        Ok(())
    }

    /// Copies all rows, as they lie in memory and on disk, to `to`.
    pub(crate) fn copy_to(&self, to: &mut impl Write) -> io::Result<()> {
        let bytes = (self.names.len() * self.columns * size_of::<f32>()) as u64;
        let mut file = lock(&self.file);
        file.seek(SeekFrom::Start(0))?;
        io::copy(&mut (&mut **file).take(bytes), to)?;
        Ok(())
    }
}

impl Features for Spool {
    fn rows(&self) -> usize {
        self.names.len()
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn read(&self, first: usize, into: &mut [f32]) -> io::Result<()> {
        let rows = into.len().checked_div(self.columns).unwrap_or(0);
        if rows * self.columns != into.len() || first + rows > self.names.len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut bytes = vec![0; size_of_val(into)];
        let mut file = lock(&self.file);
        file.seek(SeekFrom::Start((first * self.columns * size_of::<f32>()) as u64))?;
        file.read_exact(&mut bytes)?;
        drop(file);
        let values = bytes.as_chunks().0;
        into.iter_mut().zip(values).for_each(|(value, &bytes)| *value = f32::from_le_bytes(bytes));
        Ok(())
    }

    fn name(&self, row: usize) -> String {
        self.names.get(row).cloned().unwrap_or_else(|| row.to_string())
    }
}

/// Every use seeks first: a panic elsewhere leaves nothing behind that matters.
fn lock(file: &Mutex<Box<dyn Store>>) -> MutexGuard<'_, Box<dyn Store>> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_from_memory_and_from_the_file() {
        // 2,100 rows of 8,192 values are 69 MB.
        let mut spool = Spool::new(8192);
        let row = |i: usize| vec![i as f32 + 0.5; 8192];
        for i in 0..2100 {
            spool.push(&format!("s{i}"), &row(i)).unwrap();
        }
        let mut two = vec![0.0; 2 * 8192];
        for first in [0, 1000, 2098] {
            spool.read(first, &mut two).unwrap();
            assert_eq!(two, [row(first), row(first + 1)].concat());
        }
        assert!(spool.read(2099, &mut two).is_err(), "there is one row only");
        assert_eq!((spool.rows(), spool.name(7)), (2100, "s7".to_owned()));
        spool.push("last", &row(1)).unwrap();
        spool.read(2099, &mut two).unwrap();
        assert_eq!(two, [row(2099), row(1)].concat(), "reading does not move the end");
    }
}
