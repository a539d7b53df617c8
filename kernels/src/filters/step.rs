use super::dense::Dense;

/// A part of a transform that changes a few slots of a line in place.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Pair(Pair),
    Quad(Quad),
    Dense(Dense),
}

/// A symmetric operation on two slots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) slots: [u32; 2],
    pub(super) turn: Turn,
}

/// What becomes of `(a, b)`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    /// `(a + b, a - b)`.
    Butterfly,
    /// `(c a + s b, s a - c b)`.
    Reflection { cos: f32, sin: f32 },
    /// Both times the root of 2.
    Stretch,
}

/// Four operations on four slots `a, b, c, d`, which go through memory once: on `ab` and `cd`, then on
/// `ac` and `bd`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quad {
    pub(super) slots: [u32; 4],
    pub(super) kind: QuadKind,
    /// Cosines and sines of the reflections, in order.
    pub(super) turns: [[f32; 2]; 2],
    /// The transpose: the second two operations come first.
    pub(super) is_transposed: bool,
}

/// Which operations a [`Quad`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum QuadKind {
    /// Butterflies; the last is a reflection.
    LastTurns,
    /// Reflections, then butterflies.
    FirstTurn,
    /// Butterflies, the second of them on `dc`.
    NoneTurns,
}

impl Step {
    pub(super) fn slots(&self) -> &[u32] {
        match self {
            Self::Pair(pair) => &pair.slots,
            Self::Quad(quad) => &quad.slots,
            Self::Dense(dense) => &dense.slots,
        }
    }

    pub(super) fn slots_mut(&mut self) -> &mut [u32] {
        match self {
            Self::Pair(pair) => &mut pair.slots,
            Self::Quad(quad) => &mut quad.slots,
            Self::Dense(dense) => &mut dense.slots,
        }
    }

    /// Pairs are symmetric.
    pub(super) fn transpose(&mut self) {
        match self {
            Self::Pair(_) => {}
            Self::Quad(quad) => quad.is_transposed = !quad.is_transposed,
            Self::Dense(dense) => dense.transpose(),
        }
    }
}
