use pulp::Simd;

use super::network::{Network, Run};
use super::step::{Pair, Quad, QuadKind, Turn};
use crate::aligned::Aligned;

/// Lines that are transformed side by side: a cache line.
pub(super) const LINE: usize = 16;

/// Sixteen lines, `[slot][line]`, and room for what a dense product needs.
pub(super) struct Lines {
    pub(super) block: Aligned,
    pub(super) rows: Vec<f32>,
    pub(super) outputs: Vec<[f32; LINE]>,
}

impl Lines {
    /// Lines of `n` values at most.
    pub(super) fn new(n: usize) -> Self {
        Self { block: Aligned::zeros(n * LINE), rows: Vec::new(), outputs: Vec::new() }
    }

    /// The value of every line in each slot.
    #[inline(always)]
    pub(super) fn slots(&mut self) -> &mut [[f32; LINE]] {
        self.block.as_chunks_mut().0
    }
}

impl Network {
    /// From values to frequencies.
    #[inline(always)]
    pub(super) fn forward<S: Simd>(&self, simd: S, lines: &mut Lines) {
        for run in &self.runs {
            run.apply(simd, lines, false);
        }
    }

    /// From frequencies to values, by the transpose.
    #[inline(always)]
    pub(super) fn backward<S: Simd>(&self, simd: S, lines: &mut Lines) {
        for run in self.runs.iter().rev() {
            run.apply(simd, lines, true);
        }
    }
}

impl Run {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, lines: &mut Lines, backwards: bool) {
        match self {
            Self::Butterflies(all) => {
                let block = lines.slots();
                for pair in all {
                    on_two(simd, block, pair, butterfly);
                }
            }
            Self::Reflections(all) => {
                let block = lines.slots();
                for pair in all {
                    on_two(simd, block, pair, reflect);
                }
            }
            Self::Stretches(all) => {
                let block = lines.slots();
                for pair in all {
                    on_two(simd, block, pair, stretch);
                }
            }
            Self::Quads { kind, is_transposed, all } => {
                quads(simd, lines.slots(), all, *kind, *is_transposed != backwards);
            }
            Self::Dense(dense) => dense.apply(simd, lines, backwards),
        }
    }
}

/// A few of the sixteen lines, in one slot.
#[inline(always)]
fn load<S: Simd>(block: &[[f32; LINE]], slot: u32, vector: usize) -> S::f32s {
    S::as_simd_f32s(&block[slot as usize]).0[vector]
}

#[inline(always)]
fn store<S: Simd>(block: &mut [[f32; LINE]], slot: u32, vector: usize, value: S::f32s) {
    S::as_mut_simd_f32s(&mut block[slot as usize]).0[vector] = value;
}

#[inline(always)]
fn on_two<S: Simd>(
    simd: S,
    block: &mut [[f32; LINE]],
    pair: &Pair,
    operation: impl Fn(S, [S::f32s; 2], Turn) -> [S::f32s; 2],
) {
    let [a, b] = pair.slots;
    for vector in 0..LINE / S::F32_LANES {
        let values = [load::<S>(block, a, vector), load::<S>(block, b, vector)];
        let [x, y] = operation(simd, values, pair.turn);
        store::<S>(block, a, vector, x);
        store::<S>(block, b, vector, y);
    }
}

#[inline(always)]
fn butterfly<S: Simd>(simd: S, [a, b]: [S::f32s; 2], _: Turn) -> [S::f32s; 2] {
    sum_difference(simd, [a, b])
}

#[inline(always)]
fn reflect<S: Simd>(simd: S, values: [S::f32s; 2], turn: Turn) -> [S::f32s; 2] {
    match turn {
        Turn::Reflection { cos, sin } => reflected(simd, values, [cos, sin]),
        Turn::Butterfly | Turn::Stretch => values,
    }
}

#[inline(always)]
fn stretch<S: Simd>(simd: S, [a, b]: [S::f32s; 2], _: Turn) -> [S::f32s; 2] {
    let root = simd.splat_f32s(std::f32::consts::SQRT_2);
    [simd.mul_f32s(a, root), simd.mul_f32s(b, root)]
}

#[inline(always)]
fn sum_difference<S: Simd>(simd: S, [a, b]: [S::f32s; 2]) -> [S::f32s; 2] {
    [simd.add_f32s(a, b), simd.sub_f32s(a, b)]
}

#[inline(always)]
fn reflected<S: Simd>(simd: S, [a, b]: [S::f32s; 2], [cos, sin]: [f32; 2]) -> [S::f32s; 2] {
    let (minus, cos, sin) = (simd.splat_f32s(-cos), simd.splat_f32s(cos), simd.splat_f32s(sin));
    [
        simd.mul_add_f32s(cos, a, simd.mul_f32s(sin, b)),
        simd.mul_add_f32s(sin, a, simd.mul_f32s(minus, b)),
    ]
}

#[inline(always)]
fn quads<S: Simd>(
    simd: S,
    block: &mut [[f32; LINE]],
    all: &[Quad],
    kind: QuadKind,
    backwards: bool,
) {
    // One loop for each case: the operations in it are then known.
    match (kind, backwards) {
        (QuadKind::LastTurns, false) => on_four(simd, block, all, last_turns::<S>),
        (QuadKind::LastTurns, true) => on_four(simd, block, all, last_turns_backwards::<S>),
        (QuadKind::FirstTurn, false) => on_four(simd, block, all, first_turn::<S>),
        (QuadKind::FirstTurn, true) => on_four(simd, block, all, first_turn_backwards::<S>),
        (QuadKind::NoneTurns, false) => on_four(simd, block, all, none_turns::<S>),
        (QuadKind::NoneTurns, true) => on_four(simd, block, all, none_turns_backwards::<S>),
    }
}

#[inline(always)]
fn on_four<S: Simd>(
    simd: S,
    block: &mut [[f32; LINE]],
    all: &[Quad],
    operation: impl Fn(S, [S::f32s; 4], &Quad) -> [S::f32s; 4],
) {
    for quad in all {
        let [a, b, c, d] = quad.slots;
        for vector in 0..LINE / S::F32_LANES {
            let values = [
                load::<S>(block, a, vector),
                load::<S>(block, b, vector),
                load::<S>(block, c, vector),
                load::<S>(block, d, vector),
            ];
            let [w, x, y, z] = operation(simd, values, quad);
            store::<S>(block, a, vector, w);
            store::<S>(block, b, vector, x);
            store::<S>(block, c, vector, y);
            store::<S>(block, d, vector, z);
        }
    }
}

#[inline(always)]
fn last_turns<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4], quad: &Quad) -> [S::f32s; 4] {
    let ([a, b], [c, d]) = (sum_difference(simd, [a, b]), sum_difference(simd, [c, d]));
    let ([a, c], [b, d]) = (sum_difference(simd, [a, c]), reflected(simd, [b, d], quad.turns[0]));
    [a, b, c, d]
}

#[inline(always)]
fn last_turns_backwards<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4], quad: &Quad) -> [S::f32s; 4] {
    let ([a, c], [b, d]) = (sum_difference(simd, [a, c]), reflected(simd, [b, d], quad.turns[0]));
    let ([a, b], [c, d]) = (sum_difference(simd, [a, b]), sum_difference(simd, [c, d]));
    [a, b, c, d]
}

#[inline(always)]
fn first_turn<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4], quad: &Quad) -> [S::f32s; 4] {
    let [first, second] = quad.turns;
    let ([a, b], [c, d]) = (reflected(simd, [a, b], first), reflected(simd, [c, d], second));
    let ([a, c], [b, d]) = (sum_difference(simd, [a, c]), sum_difference(simd, [b, d]));
    [a, b, c, d]
}

#[inline(always)]
fn first_turn_backwards<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4], quad: &Quad) -> [S::f32s; 4] {
    let [first, second] = quad.turns;
    let ([a, c], [b, d]) = (sum_difference(simd, [a, c]), sum_difference(simd, [b, d]));
    let ([a, b], [c, d]) = (reflected(simd, [a, b], first), reflected(simd, [c, d], second));
    [a, b, c, d]
}

#[inline(always)]
fn none_turns<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4], _: &Quad) -> [S::f32s; 4] {
    let ([a, b], [d, c]) = (sum_difference(simd, [a, b]), sum_difference(simd, [d, c]));
    let ([a, c], [b, d]) = (sum_difference(simd, [a, c]), sum_difference(simd, [b, d]));
    [a, b, c, d]
}

#[inline(always)]
fn none_turns_backwards<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4], _: &Quad) -> [S::f32s; 4] {
    let ([a, c], [b, d]) = (sum_difference(simd, [a, c]), sum_difference(simd, [b, d]));
    let ([a, b], [d, c]) = (sum_difference(simd, [a, b]), sum_difference(simd, [d, c]));
    [a, b, c, d]
}
