mod pieces;

use std::io::{self, Write};

use prismbench_metrics::{Features, Store};

use crate::column::Column;
use pieces::Pieces;

/// Rows of features of one layer, one per sample, in the order in which they came.
///
/// They lie where they were put, in pieces: in the journals of a pass, or in a temporary file of the
/// spool's own, so that 50,000 rows of 2,048 values cost no more memory than a few hundred.
pub(crate) struct Spool {
    columns: usize,
    /// What the sample of each row is called.
    names: Column<String>,
    pieces: Pieces,
    /// Where they lie.
    stores: Vec<Store>,
    /// For rows that lie nowhere else, and where it ends.
    own: Option<(Store, u64)>,
}

/// Rows that lie somewhere already.
pub(crate) struct StoredRows<'a> {
    pub(crate) store: &'a Store,
    /// Where the first of them begins.
    pub(crate) start: u64,
    pub(crate) columns: usize,
}

impl Spool {
    pub(crate) fn new(columns: usize) -> Self {
        Self {
            columns,
            names: Column::default(),
            pieces: Pieces::default(),
            stores: Vec::new(),
            own: None,
        }
    }

    /// Adds the row of the next sample.
    pub(crate) fn push(&mut self, name: &str, row: &[f32]) -> io::Result<()> {
        if row.len() != self.columns {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (store, end) = self.own.get_or_insert_with(|| (Store::temporary(), 0));
        let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
        let (store, start) = (store.clone(), *end);
        *end += bytes.len() as u64;
        store.write(start, &[&bytes])?;
        self.adopt([name], &StoredRows { store: &store, start, columns: self.columns })
    }

    /// Takes in rows that stay where they lie: one for each name.
    pub(crate) fn adopt<'n>(
        &mut self,
        names: impl IntoIterator<Item = &'n str>,
        stored: &StoredRows<'_>,
    ) -> io::Result<()> {
        if stored.columns != self.columns {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let before = self.names.len();
        names.into_iter().try_for_each(|name| self.names.push(name.to_owned()))?;
        let rows = (self.names.len() - before) as u64;
        let store = self.number_of(stored.store)?;
        self.pieces.add((store, stored.start), rows, self.width())
    }

    /// Copies all rows, as they lie in memory and on disk, to `to`.
    pub(crate) fn copy_to(&self, to: &mut impl Write) -> io::Result<()> {
        let width = self.width();
        self.pieces.iter().try_for_each(|piece| {
            let piece = piece?;
            let store = &self.stores[piece.store as usize];
            store.copy_to(piece.start, piece.end(width) - piece.start, to)
        })
    }

    /// Bytes of a row.
    fn width(&self) -> usize {
        self.columns * size_of::<f32>()
    }

    fn number_of(&mut self, store: &Store) -> io::Result<u32> {
        let known = self.stores.iter().rposition(|known| known.is(store));
        let number = known.unwrap_or_else(|| {
            self.stores.push(store.clone());
            self.stores.len() - 1
        });
        u32::try_from(number).map_err(io::Error::other)
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
        let width = self.width();
        let mut bytes = vec![0; size_of_val(into)];
        let (mut row, mut rest) = (first as u64, bytes.as_mut_slice());
        let mut number = self.pieces.of_row(row)?;
        while !rest.is_empty() {
            let piece = self.pieces.get(number)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let count = (piece.first + piece.rows - row).min((rest.len() / width) as u64);
            // No more than the bytes of `into`.
            let (here, after) = rest.split_at_mut(count as usize * width);
            let start = piece.start + (row - piece.first) * width as u64;
            self.stores[piece.store as usize].read(start, here)?;
            (row, rest, number) = (row + count, after, number + 1);
        }
        let values = bytes.as_chunks().0;
        into.iter_mut().zip(values).for_each(|(value, &bytes)| *value = f32::from_le_bytes(bytes));
        Ok(())
    }

    fn name(&self, row: usize) -> String {
        self.ordering_name(row).unwrap_or_else(|_| row.to_string())
    }

    fn ordering_name(&self, row: usize) -> io::Result<String> {
        Ok(self.names.get(row)?.unwrap_or_else(|| row.to_string()))
    }
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

    #[test]
    fn rows_that_lie_in_pieces_are_read_as_one() {
        let stores = [Store::temporary(), Store::temporary()];
        let row = |i: usize| [i as f32, -(i as f32), 0.5];
        let mut spool = Spool::new(3);
        // Pieces of one to five rows, in turn in two stores, with bytes of others between them.
        let (mut next, mut ends) = (0, [7_u64, 0]);
        for piece in 0..40 {
            let (store, rows) = (piece % 2, 1 + piece % 5);
            let values: Vec<u8> = (next..next + rows)
                .flat_map(row)
                .flat_map(|value: f32| value.to_le_bytes())
                .collect();
            stores[store].write(ends[store], &[&values]).unwrap();
            let names: Vec<String> = (next..next + rows).map(|i| i.to_string()).collect();
            let stored = StoredRows { store: &stores[store], start: ends[store], columns: 3 };
            spool.adopt(names.iter().map(String::as_str), &stored).unwrap();
            ends[store] += values.len() as u64 + u64::from(piece % 3 == 0) * 5;
            next += rows;
            if piece == 20 {
                spool.push("own", &row(next)).unwrap();
                next += 1;
            }
        }
        assert_eq!(spool.rows(), next);
        let expected: Vec<f32> = (0..next).flat_map(row).collect();
        for first in 0..next {
            for rows in 1..=next - first {
                let mut found = vec![0.0; 3 * rows];
                spool.read(first, &mut found).unwrap();
                assert_eq!(found, expected[3 * first..3 * (first + rows)]);
            }
        }
        let mut copied = Vec::new();
        spool.copy_to(&mut copied).unwrap();
        let expected: Vec<u8> = expected.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(copied, expected);
        let narrow = StoredRows { store: &stores[0], start: 0, columns: 2 };
        assert!(spool.adopt(["x"], &narrow).is_err());
    }
}
