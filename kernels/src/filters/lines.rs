use pulp::Simd;

use super::network::{Network, Run};
use super::operations::{pairs, quads};

/// Vectors of lines that are transformed side by side: what a step costs beside its arithmetic is
/// then shared by two.
pub(super) const VECTORS: usize = 2;

/// Lines side by side, `[slot][line]`.
pub(super) type Lines<S> = [[<S as Simd>::f32s; VECTORS]];

/// Lines that one instruction set transforms side by side.
pub(super) const fn count<S: Simd>() -> usize {
    VECTORS * S::F32_LANES
}

/// The values of lines as vectors.
#[inline(always)]
pub(super) fn lines<S: Simd>(values: &mut [f32]) -> &mut Lines<S> {
    S::as_mut_simd_f32s(values).0.as_chunks_mut().0
}

/// What a dense product needs beside its lines.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) rows: Vec<f32>,
    pub(super) outputs: Vec<f32>,
}

impl Network {
    /// From values to frequencies.
    #[inline(always)]
    pub(super) fn forward<S: Simd>(&self, simd: S, lines: &mut Lines<S>, room: &mut Room) {
        for run in &self.runs {
            run.apply(simd, lines, room, false);
        }
    }

    /// From frequencies to values, by the transpose. What the slots of dropped frequencies hold does
    /// not matter.
    #[inline(always)]
    pub(super) fn backward<S: Simd>(&self, simd: S, lines: &mut Lines<S>, room: &mut Room) {
        for &slot in &self.dropped {
            lines[slot as usize] = [simd.splat_f32s(0.0); VECTORS];
        }
        for run in self.runs.iter().rev() {
            run.apply(simd, lines, room, true);
        }
    }
}

impl Run {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, lines: &mut Lines<S>, room: &mut Room, backwards: bool) {
        match self {
            Self::Pairs(all) => pairs(simd, lines, all),
            Self::Quads { kind, is_transposed, all } => {
                quads(simd, lines, all, *kind, *is_transposed != backwards);
            }
            Self::Dense(dense) => dense.apply(simd, lines, room, backwards),
        }
    }
}
