//! What pairs and fours do to lines.
//!
//! Traits where functions would do: a function that is handed on is called through one that is
//! compiled without vector instructions.

use pulp::Simd;

use super::lines::{Lines, VECTORS};
use super::step::{Pair, Quad, QuadKind, Turn};

#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "several slots at one place")]
pub(super) fn pairs<S: Simd>(simd: S, lines: &mut Lines<S>, all: &[Pair]) {
    for Pair { slots: [a, b], turn } in all {
        for vector in 0..VECTORS {
            let values = [lines[*a as usize][vector], lines[*b as usize][vector]];
            let [x, y] = match *turn {
                Turn::Butterfly => butterfly(simd, values),
                Turn::Reflection { cos, sin } => reflected(simd, values, [cos, sin]),
                Turn::Stretch => {
                    let root = simd.splat_f32s(std::f32::consts::SQRT_2);
                    [simd.mul_f32s(values[0], root), simd.mul_f32s(values[1], root)]
                }
            };
            lines[*a as usize][vector] = x;
            lines[*b as usize][vector] = y;
        }
    }
}

/// One loop for each kind and direction: the operations in it are then known.
#[inline(always)]
pub(super) fn quads<S: Simd>(
    simd: S,
    lines: &mut Lines<S>,
    all: &[Quad],
    kind: QuadKind,
    backwards: bool,
) {
    match (kind, backwards) {
        (QuadKind::LastTurns, false) => on_four::<S, LastTurns, false>(simd, lines, all),
        (QuadKind::LastTurns, true) => on_four::<S, LastTurns, true>(simd, lines, all),
        (QuadKind::FirstTurn, false) => on_four::<S, FirstTurn, false>(simd, lines, all),
        (QuadKind::FirstTurn, true) => on_four::<S, FirstTurn, true>(simd, lines, all),
        (QuadKind::NoneTurns, false) => on_four::<S, NoneTurns, false>(simd, lines, all),
        (QuadKind::NoneTurns, true) => on_four::<S, NoneTurns, true>(simd, lines, all),
    }
}

#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "several slots at one place")]
fn on_four<S: Simd, F: Four, const BACKWARDS: bool>(simd: S, lines: &mut Lines<S>, all: &[Quad]) {
    for quad in all {
        let [a, b, c, d] = quad.slots;
        for vector in 0..VECTORS {
            // Not `map`, which is compiled without vector instructions.
            let values = [
                lines[a as usize][vector],
                lines[b as usize][vector],
                lines[c as usize][vector],
                lines[d as usize][vector],
            ];
            let [w, x, y, z] = if BACKWARDS {
                F::first(simd, F::last(simd, values, quad), quad)
            } else {
                F::last(simd, F::first(simd, values, quad), quad)
            };
            lines[a as usize][vector] = w;
            lines[b as usize][vector] = x;
            lines[c as usize][vector] = y;
            lines[d as usize][vector] = z;
        }
    }
}

/// The operations of a four.
trait Four {
    /// On `ab` and `cd`.
    fn first<S: Simd>(simd: S, values: [S::f32s; 4], quad: &Quad) -> [S::f32s; 4];

    /// On `ac` and `bd`.
    fn last<S: Simd>(simd: S, values: [S::f32s; 4], quad: &Quad) -> [S::f32s; 4];
}

/// [`QuadKind::LastTurns`].
struct LastTurns;

impl Four for LastTurns {
    #[inline(always)]
    fn first<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4], _: &Quad) -> [S::f32s; 4] {
        let ([a, b], [c, d]) = (butterfly(simd, [a, b]), butterfly(simd, [c, d]));
        [a, b, c, d]
    }

    #[inline(always)]
    fn last<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4], quad: &Quad) -> [S::f32s; 4] {
        let ([a, c], [b, d]) = (butterfly(simd, [a, c]), reflected(simd, [b, d], quad.turns[0]));
        [a, b, c, d]
    }
}

/// [`QuadKind::FirstTurn`].
struct FirstTurn;

impl Four for FirstTurn {
    #[inline(always)]
    fn first<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4], quad: &Quad) -> [S::f32s; 4] {
        let [first, second] = quad.turns;
        let ([a, b], [c, d]) = (reflected(simd, [a, b], first), reflected(simd, [c, d], second));
        [a, b, c, d]
    }

    #[inline(always)]
    fn last<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4], _: &Quad) -> [S::f32s; 4] {
        let ([a, c], [b, d]) = (butterfly(simd, [a, c]), butterfly(simd, [b, d]));
        [a, b, c, d]
    }
}

/// [`QuadKind::NoneTurns`].
struct NoneTurns;

impl Four for NoneTurns {
    #[inline(always)]
    fn first<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4], _: &Quad) -> [S::f32s; 4] {
        let ([a, b], [d, c]) = (butterfly(simd, [a, b]), butterfly(simd, [d, c]));
        [a, b, c, d]
    }

    #[inline(always)]
    fn last<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4], _: &Quad) -> [S::f32s; 4] {
        let ([a, c], [b, d]) = (butterfly(simd, [a, c]), butterfly(simd, [b, d]));
        [a, b, c, d]
    }
}

#[inline(always)]
fn butterfly<S: Simd>(simd: S, [a, b]: [S::f32s; 2]) -> [S::f32s; 2] {
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
