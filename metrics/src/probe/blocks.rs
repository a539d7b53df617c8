use std::borrow::Borrow;
use std::ops::Range;

use super::softmax::Block;
use crate::features::slice;
use crate::spilled::Spilled;
use crate::{Features as _, MetricError};

/// Bytes of prepared blocks that stay in memory: 65,000 samples of 2,048 features. What comes after them
/// lies in a temporary file and is prepared whenever a fit passes by: at 1,000 classes that is a tenth of
/// the products' time.
pub(super) const IN_MEMORY: usize = 1 << 30;

/// The blocks of a training set, in order, of which only some need to be in memory.
pub(super) struct Blocks {
    columns: usize,
    each: Vec<Place>,
    /// Rows of the blocks that are not kept.
    rows: Spilled,
    /// Bytes that may still be kept.
    left: usize,
}

enum Place {
    Kept(Block),
    /// From this row on.
    Stored(usize, Vec<u32>),
}

/// A block while it is worked on.
pub(super) enum Held<'a> {
    Kept(&'a Block),
    Read(Block),
}

impl Borrow<Block> for Held<'_> {
    fn borrow(&self) -> &Block {
        match self {
            Self::Kept(block) => block,
            Self::Read(block) => block,
        }
    }
}

impl Blocks {
    /// None yet, of which as many bytes stay in memory.
    pub(super) fn new(columns: usize, in_memory: usize) -> Self {
        // What the store itself keeps is small beside the budget.
        let rows = Spilled::beyond(0, columns);
        Self { columns, each: Vec::new(), rows, left: in_memory }
    }

    /// Adds the next block: its rows and their classes.
    pub(super) fn push(&mut self, rows: &[f32], labels: Vec<u32>) -> Result<(), MetricError> {
        let bytes = 2 * size_of_val(rows);
        self.each.push(if bytes <= self.left {
            self.left -= bytes;
            Place::Kept(Block::new(rows, self.columns, &labels))
        } else {
            // One that does not fit ends what is kept: the last blocks are those on disk.
            self.left = 0;
            let first = self.rows.rows();
            self.rows.push(rows).map_err(MetricError::read)?;
            Place::Stored(first, labels)
        });
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.each.len()
    }

    /// Samples of some blocks.
    pub(super) fn samples(&self, blocks: Range<usize>) -> usize {
        let samples = |place: &Place| match place {
            Place::Kept(block) => block.labels().len(),
            Place::Stored(_, labels) => labels.len(),
        };
        self.each[blocks].iter().map(samples).sum()
    }

    /// A block, read where it is not kept.
    pub(super) fn get(&self, number: usize) -> Result<Held<'_>, MetricError> {
        match &self.each[number] {
            Place::Kept(block) => Ok(Held::Kept(block)),
            Place::Stored(first, labels) => {
                let rows = slice(&self.rows, *first, labels.len())?;
                Ok(Held::Read(Block::new(&rows, self.columns, labels)))
            }
        }
    }
}
