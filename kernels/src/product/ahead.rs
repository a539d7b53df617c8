use crate::aligned::LINE;

/// The piece of the right operand that is needed next, asked for while tiles are computed.
///
/// Its lines are shared out among the tiles and spread over their steps, because a core can wait for
/// a dozen lines at once and no more.
#[derive(Clone, Copy)]
pub(super) struct Ahead<'a> {
    values: &'a [f32],
    /// Lines for each tile.
    share: usize,
    /// A request at each step whose number has none of these bits.
    between: usize,
}

impl<'a> Ahead<'a> {
    /// `values` for so many `tiles` of so many `steps`.
    pub(super) fn new(values: &'a [f32], tiles: usize, steps: usize) -> Self {
        let share = values.len().div_ceil(LINE * tiles.max(1)).max(1);
        // The largest power of two that gives each line its step; with too few steps, each has one.
        let every = (steps / share).checked_ilog2().map_or(1, |log| 1 << log);
        Self { values, share, between: every - 1 }
    }

    /// The part of a tile.
    #[inline(always)]
    pub(super) fn part(self, tile: usize) -> Self {
        let start = (tile * self.share * LINE).min(self.values.len());
        Self { values: &self.values[start..], ..self }
    }

    /// Asks for the line that belongs to step `k`, if one does.
    #[inline(always)]
    pub(super) fn step(self, k: usize) {
        if k & self.between == 0 {
            prefetch(self.values, k / (self.between + 1) * LINE);
        }
    }
}

/// Asks for the cache line where `values[at]` lies, or would lie, to come to the second-level cache.
///
/// Changes how long later loads take and nothing else; does nothing where the standard library has
/// no such request.
#[inline(always)]
#[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "no such request"))]
fn prefetch(values: &[f32], at: usize) {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "the request takes a pointer")]
    // SAFETY: a request is a hint, reads nothing into the program and does not fault, whatever the
    // address; SSE, which has it, is part of every x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(values.as_ptr().wrapping_add(at).cast());
    }
}
