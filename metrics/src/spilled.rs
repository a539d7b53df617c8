use std::io;

use crate::{Features, Store};

/// Rows that were made of features and are read again and again: in memory up to a number of bytes, in a
/// file without a name beyond it.
pub(crate) struct Spilled {
    store: Store,
    columns: usize,
    rows: usize,
}

impl Spilled {
    /// No row yet.
    pub(crate) fn beyond(bytes: usize, columns: usize) -> Self {
        Self { store: Store::temporary_beyond(bytes), columns, rows: 0 }
    }

    /// Adds whole rows.
    pub(crate) fn push(&mut self, rows: &[f32]) -> io::Result<()> {
        if self.columns == 0 || !rows.len().is_multiple_of(self.columns) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.store.write(self.start(self.rows), &[&bytes])?;
        self.rows += rows.len() / self.columns;
        Ok(())
    }

    /// The byte that a row begins at.
    fn start(&self, row: usize) -> u64 {
        row as u64 * self.columns as u64 * size_of::<f32>() as u64
    }
}

impl Features for Spilled {
    fn rows(&self) -> usize {
        self.rows
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn read(&self, first: usize, into: &mut [f32]) -> io::Result<()> {
        let rows = into.len().checked_div(self.columns).unwrap_or(0);
        let is_there = first.checked_add(rows).is_some_and(|end| end <= self.rows);
        if !is_there || rows * self.columns != into.len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut bytes = vec![0; size_of_val(into)];
        self.store.read(self.start(first), &mut bytes)?;
        let values = bytes.as_chunks().0;
        into.iter_mut().zip(values).for_each(|(value, &bytes)| *value = f32::from_le_bytes(bytes));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_from_memory_and_from_the_file() {
        let row = |row: usize| [row as f32, -0.0, f32::MIN_POSITIVE / (row + 1) as f32];
        for bytes in [0, 100, 1 << 20] {
            let mut spilled = Spilled::beyond(bytes, 3);
            for first in (0..40).step_by(5) {
                spilled.push(&(first..first + 5).flat_map(row).collect::<Vec<_>>()).unwrap();
            }
            assert_eq!((spilled.rows(), spilled.columns()), (40, 3));
            for first in 0..40 {
                let mut found = vec![1.0; 3 * (40 - first)];
                spilled.read(first, &mut found).unwrap();
                let bits =
                    |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
                assert_eq!(bits(found), bits((first..40).flat_map(row).collect()));
            }
            assert!(spilled.read(38, &mut [0.0; 9]).is_err() && spilled.push(&[1.0]).is_err());
            assert!(spilled.read(0, &mut [0.0; 4]).is_err());
        }
    }
}
