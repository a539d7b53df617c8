use std::io;

use serde::{Deserialize, Serialize};

use crate::column::Column;

/// Pieces from one whose first row is in memory to the next.
const STRIDE: usize = 1_024;

/// Consecutive rows that lie one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    /// Number of the first of them.
    pub(super) first: u64,
    pub(super) rows: u64,
    /// Number of the store in which they lie.
    pub(super) store: u32,
    /// Where the first of them begins.
    pub(super) start: u64,
}

impl Piece {
    /// Where what follows its last row begins.
    pub(super) fn end(&self, width: usize) -> u64 {
        self.start + self.rows * width as u64
    }
}

/// Pieces in the order of their rows. There is one for every few samples, so only the last is in memory,
/// and of the others now and then a first row.
#[derive(Default)]
pub(super) struct Pieces {
    /// All but the last.
    written: Column<Piece>,
    /// The first row of every [`STRIDE`]th.
    firsts: Vec<u64>,
    last: Option<Piece>,
}

impl Pieces {
    /// Adds `rows` rows of `width` bytes; those that lie right behind the last ones become one piece with them.
    pub(super) fn add(
        &mut self,
        (store, start): (u32, u64),
        rows: u64,
        width: usize,
    ) -> io::Result<()> {
        let first = self.last.map_or(0, |last| last.first + last.rows);
        match &mut self.last {
            Some(last) if last.store == store && last.end(width) == start => last.rows += rows,
            _ if rows == 0 => {}
            last => {
                if let Some(last) = last.replace(Piece { first, rows, store, start }) {
                    if self.written.len().is_multiple_of(STRIDE) {
                        self.firsts.push(last.first);
                    }
                    self.written.push(last)?;
                }
            }
        }
        Ok(())
    }

    /// Number of the piece in which a row is.
    pub(super) fn of_row(&self, row: u64) -> io::Result<usize> {
        if self.last.is_none_or(|last| last.first <= row) {
            return Ok(self.written.len());
        }
        let stride = self.firsts.partition_point(|&first| first <= row);
        let mut low = stride.saturating_sub(1) * STRIDE;
        let mut high = (low + STRIDE).min(self.written.len());
        // The piece at `low` begins at or before the row, the one at `high` behind it.
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match self.written.get(middle)? {
                Some(piece) if piece.first <= row => low = middle,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// A piece by its number; `None` behind the last.
    pub(super) fn get(&self, number: usize) -> io::Result<Option<Piece>> {
        match number == self.written.len() {
            true => Ok(self.last),
            false => self.written.get(number),
        }
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = io::Result<Piece>> + '_ {
        self.written.iter().chain(self.last.map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_in_its_piece() {
        let (mut pieces, mut expected, width) = (Pieces::default(), Vec::new(), 4);
        // More than two strides, and some chunks of the column.
        for number in 0..5 * STRIDE as u64 + 3 {
            let rows = 1 + number % 3;
            // A gap before each, and one piece in two steps.
            let start = 1_000 * number;
            pieces.add((number as u32 % 2, start), 1, width).unwrap();
            pieces.add((number as u32 % 2, start + 4), rows - 1, width).unwrap();
            expected.extend((0..rows).map(|row| (number as usize, row)));
        }
        for (row, &(number, within)) in expected.iter().enumerate() {
            assert_eq!(pieces.of_row(row as u64).unwrap(), number);
            let piece = pieces.get(number).unwrap().unwrap();
            assert_eq!(row as u64 - piece.first, within);
            assert_eq!((piece.start, piece.rows), (1_000 * number as u64, 1 + number as u64 % 3));
        }
        assert_eq!(
            pieces.iter().map(|piece| piece.unwrap().rows).sum::<u64>(),
            expected.len() as u64
        );
        assert_eq!(pieces.get(5 * STRIDE + 3).unwrap(), None);
    }
}
