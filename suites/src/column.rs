use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};

use prismbench_metrics::Store;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Values that are written and read at once.
const CHUNK: usize = 1_024;

/// Chunks of which values were read by their numbers that stay in memory.
const KEPT: usize = 8;

/// Bytes of a column that stay in memory; more go to a file that has no name.
const IN_MEMORY: usize = 1 << 16;

/// A value for each picture of a pass, in the order of the pictures.
///
/// Only the newest are in memory: a column of a million values costs no more of it than one of some
/// thousands.
pub struct Column<T> {
    /// Where each whole chunk begins and how long it is.
    chunks: Vec<(u64, u32)>,
    store: Store,
    /// What follows the last whole chunk.
    newest: Vec<T>,
    /// Chunks that were read, the newest last: the next value is likely to be in one of them.
    read: Mutex<Vec<(usize, Vec<T>)>>,
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        let store = Store::temporary_beyond(IN_MEMORY);
        Self { chunks: Vec::new(), store, newest: Vec::new(), read: Mutex::new(Vec::new()) }
    }
}

impl<T> Column<T> {
    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.len() * CHUNK + self.newest.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Clone + Serialize + DeserializeOwned> Column<T> {
    /// A column of these.
    ///
    /// # Errors
    /// Those of the temporary file.
    pub fn of(values: impl IntoIterator<Item = T>) -> io::Result<Self> {
        let mut column = Self::default();
        values.into_iter().try_for_each(|value| column.push(value))?;
        Ok(column)
    }

    /// Adds the value of the next picture.
    ///
    /// # Errors
    /// Those of the temporary file.
    pub fn push(&mut self, value: T) -> io::Result<()> {
        self.newest.push(value);
        if self.newest.len() == CHUNK {
            let bytes = rmp_serde::to_vec(&self.newest).map_err(io::Error::other)?;
            let start = self.chunks.last().map_or(0, |&(start, length)| start + u64::from(length));
            let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
            self.store.write(start, &[&bytes])?;
            self.chunks.push((start, length));
            self.newest.clear();
        }
        Ok(())
    }

    /// The value of one picture; `None` behind the last.
    ///
    /// # Errors
    /// Those of the temporary file.
    pub fn get(&self, row: usize) -> io::Result<Option<T>> {
        let number = row / CHUNK;
        if number >= self.chunks.len() {
            return Ok(self.newest.get(row - self.chunks.len() * CHUNK).cloned());
        }
        // What a panic elsewhere left here are whole chunks.
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, values)) = read.iter().find(|(known, _)| *known == number) {
            return Ok(values.get(row % CHUNK).cloned());
        }
        let values = self.chunk(number)?;
        let value = values.get(row % CHUNK).cloned();
        if read.len() == KEPT {
            read.remove(0);
        }
        read.push((number, values));
        Ok(value)
    }

    /// All values, in the order of the pictures.
    pub fn iter(&self) -> impl Iterator<Item = io::Result<T>> + '_ {
        let written = (0..self.chunks.len()).flat_map(|number| {
            let (values, error) = match self.chunk(number) {
                Ok(values) => (values, None),
                Err(error) => (Vec::new(), Some(error)),
            };
            values.into_iter().map(Ok).chain(error.map(Err))
        });
        written.chain(self.newest.iter().cloned().map(Ok))
    }

    /// A column of what `value` makes of each.
    pub(crate) fn map(&self, value: impl Fn(T) -> T) -> io::Result<Self> {
        let mut column = Self::default();
        self.iter().try_for_each(|each| column.push(value(each?)))?;
        Ok(column)
    }

    fn chunk(&self, number: usize) -> io::Result<Vec<T>> {
        let (start, length) = self.chunks[number];
        let mut bytes = vec![0; length as usize];
        self.store.read(start, &mut bytes)?;
        rmp_serde::from_slice(&bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

impl<T> fmt::Debug for Column<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a column of {}", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_from_memory_and_from_the_file() {
        for count in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 40 * CHUNK + 7] {
            let value = |row: usize| (format!("picture {row}"), Some(row as u32));
            let column = Column::of((0..count).map(value)).unwrap();
            assert_eq!((column.len(), column.is_empty()), (count, count == 0));
            let all: Vec<_> = column.iter().collect::<io::Result<_>>().unwrap();
            assert!(all.iter().cloned().eq((0..count).map(value)));
            for row in [0, 1, CHUNK - 1, CHUNK, count / 2, count.saturating_sub(1)] {
                let expected = (row < count).then(|| value(row));
                assert_eq!(column.get(row).unwrap(), expected, "{row} of {count}");
                assert_eq!(column.get(row).unwrap(), expected, "{row} of {count}, again");
            }
            assert_eq!(column.get(count).unwrap(), None);
        }
    }

    #[test]
    fn numbers_keep_their_bits() {
        let values = [0.1 + 0.2, f64::INFINITY, -0.0, f64::MIN_POSITIVE, 5e-324];
        let column = Column::of((0..2 * CHUNK).map(|row| values[row % values.len()])).unwrap();
        for (row, found) in column.iter().enumerate() {
            assert_eq!(found.unwrap().to_bits(), values[row % values.len()].to_bits());
        }
    }
}
