//! Memory of maps that outlives them.
//!
//! A network makes and drops maps of the same few sizes for every image. Fresh memory from the
//! system costs a page fault per 4 KB, which for the first layers of a network is as much time as
//! the arithmetic; so dropped buffers are kept and handed out again.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values kept at most: 256 MB.
const KEPT: usize = 64 << 20;
/// A buffer is not used for a request of less than this part of it.
const WASTE: usize = 2;

static SHELF: Mutex<Vec<Box<[f32]>>> = Mutex::new(Vec::new());

/// Values of unspecified content until they are written.
#[derive(Debug)]
pub(crate) struct Buffer {
    memory: Box<[f32]>,
    len: usize,
}

impl Buffer {
    /// Room for `len` values; what is in them is left over from earlier use.
    pub(crate) fn new(len: usize) -> Self {
        let mut shelf = shelf();
        let fits = |memory: &&Box<[f32]>| (len..=WASTE * len).contains(&memory.len());
        let smallest = shelf.iter().filter(fits).map(|memory| memory.len()).min();
        let found = shelf.iter().rposition(|memory| Some(memory.len()) == smallest);
        let memory = found.map(|place| shelf.swap_remove(place));
        drop(shelf);
        let memory = memory.unwrap_or_else(|| vec![0.0; len].into_boxed_slice());
        Self { memory, len }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        let mut shelf = shelf();
        let kept: usize = shelf.iter().map(|memory| memory.len()).sum();
        if !memory.is_empty() && memory.len() <= KEPT {
            // The oldest make room, so that the sizes in use stay.
            let mut excess = (kept + memory.len()).saturating_sub(KEPT);
            let old = shelf.iter().take_while(|memory| {
                let goes = excess > 0;
                excess = excess.saturating_sub(memory.len());
                goes
            });
            let old = old.count();
            shelf.drain(..old);
            shelf.push(memory);
        }
    }
}

impl From<Vec<f32>> for Buffer {
    fn from(values: Vec<f32>) -> Self {
        Self { len: values.len(), memory: values.into_boxed_slice() }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[..self.len]
    }
}

/// What is on the shelf is memory without meaning: a panic elsewhere cannot have spoilt it.
fn shelf() -> MutexGuard<'static, Vec<Box<[f32]>>> {
    SHELF.lock().unwrap_or_else(PoisonError::into_inner)
}
