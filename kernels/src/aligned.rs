use std::ops::{Deref, DerefMut};

/// Values of a cache line, which is also the widest vector.
pub(crate) const LINE: usize = 16;

/// Values that start on a cache line, so that no vector of packed weights lies across two.
#[derive(Debug, Default)]
pub(crate) struct Aligned {
    memory: Box<[f32]>,
    start: usize,
    len: usize,
}

impl Aligned {
    pub(crate) fn zeros(len: usize) -> Self {
        let memory = vec![0.0_f32; len + LINE - 1].into_boxed_slice();
        // The offset may be refused (by an interpreter); then alignment is lost and nothing else.
        let start = match memory.as_ptr().align_offset(LINE * size_of::<f32>()) {
            start if start < LINE => start,
            _ => 0,
        };
        Self { memory, start, len }
    }

    /// Values there is room for.
    pub(crate) fn capacity(&self) -> usize {
        self.memory.len().saturating_sub(LINE - 1)
    }

    /// The first `len` values of the room that there is.
    pub(crate) fn with_len(mut self, len: usize) -> Self {
        debug_assert!(len <= self.capacity());
        self.len = len;
        self
    }
}

impl Clone for Aligned {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory[self.start..][..self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..][..self.len]
    }
}
