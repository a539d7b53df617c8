//! Memory of maps that outlives them.
//!
//! A network makes and drops maps of the same few sizes for every image. Fresh memory from the
//! system costs a page fault per 4 KB, which for the first layers of a network is as much time as
//! the arithmetic; so dropped buffers are kept and handed out again.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::aligned::Aligned;

/// Values kept at most: 256 MB.
const KEPT: usize = 64 << 20;
/// A buffer is not used for a request of less than one part in so many of it.
const WASTE: usize = 2;

static SHELF: Mutex<Vec<Aligned>> = Mutex::new(Vec::new());

/// Values of unspecified content until they are written.
#[derive(Debug)]
pub(crate) struct Buffer(Option<Aligned>);

impl Buffer {
    /// Room for `len` values; what is in them is left over from earlier use.
    pub(crate) fn new(len: usize) -> Self {
        let mut shelf = shelf();
        let fits = |memory: &&Aligned| (len..=WASTE * len).contains(&memory.capacity());
        let smallest = shelf.iter().filter(fits).map(Aligned::capacity).min();
        let found = shelf.iter().rposition(|memory| Some(memory.capacity()) == smallest);
        let memory = found.map(|place| shelf.swap_remove(place));
        drop(shelf);
        Self(Some(match memory {
            Some(memory) => memory.with_len(len),
            None => Aligned::zeros(len),
        }))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(memory) = self.0.take().filter(|memory| memory.capacity() <= KEPT) else {
            return;
        };
        let mut shelf = shelf();
        let kept: usize = shelf.iter().map(Aligned::capacity).sum();
        // The oldest make room, so that the sizes in use stay.
        let mut excess = (kept + memory.capacity()).saturating_sub(KEPT);
        let old = shelf.iter().take_while(|memory| {
            let goes = excess > 0;
            excess = excess.saturating_sub(memory.capacity());
            goes
        });
        let old = old.count();
        shelf.drain(..old);
        shelf.push(memory);
    }
}

impl From<&[f32]> for Buffer {
    fn from(values: &[f32]) -> Self {
        let mut copy = Self::new(values.len());
        copy.copy_from_slice(values);
        copy
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        Self::from(&**self)
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        self.0.as_deref_mut().unwrap_or_default()
    }
}

/// What is on the shelf is memory without meaning: a panic elsewhere cannot have spoilt it.
fn shelf() -> MutexGuard<'static, Vec<Aligned>> {
    SHELF.lock().unwrap_or_else(PoisonError::into_inner)
}
