use pulp::Simd;

use super::network::{Network, Run};
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
                for &slots in all {
                    butterfly(simd, block, slots);
                }
            }
            Self::Reflections(all) => {
                let block = lines.slots();
                for reflection in all {
                    let (cos, sin) =
                        (simd.splat_f32s(reflection.cos), simd.splat_f32s(reflection.sin));
                    reflect(simd, block, reflection.slots, [cos, sin]);
                }
            }
            Self::Stretches(all) => {
                let block = lines.slots();
                let root = simd.splat_f32s(std::f32::consts::SQRT_2);
                for &slot in all.as_flattened() {
                    for value in S::as_mut_simd_f32s(&mut block[slot as usize]).0 {
                        *value = simd.mul_f32s(*value, root);
                    }
                }
            }
            Self::Dense(dense) => dense.apply(simd, lines, backwards),
        }
    }
}

#[inline(always)]
fn butterfly<S: Simd>(simd: S, block: &mut [[f32; LINE]], slots: [u32; 2]) {
    if let Ok([a, b]) = block.get_disjoint_mut(slots.map(|slot| slot as usize)) {
        let (a, b) = (S::as_mut_simd_f32s(a).0, S::as_mut_simd_f32s(b).0);
        for (a, b) in a.iter_mut().zip(b) {
            (*a, *b) = (simd.add_f32s(*a, *b), simd.sub_f32s(*a, *b));
        }
    }
}

#[inline(always)]
fn reflect<S: Simd>(simd: S, block: &mut [[f32; LINE]], slots: [u32; 2], [cos, sin]: [S::f32s; 2]) {
    if let Ok([a, b]) = block.get_disjoint_mut(slots.map(|slot| slot as usize)) {
        let (a, b) = (S::as_mut_simd_f32s(a).0, S::as_mut_simd_f32s(b).0);
        for (a, b) in a.iter_mut().zip(b) {
            let (x, y) = (*a, *b);
            *a = simd.mul_add_f32s(cos, x, simd.mul_f32s(sin, y));
            *b = simd.mul_add_f32s(sin, x, simd.neg_f32s(simd.mul_f32s(cos, y)));
        }
    }
}
