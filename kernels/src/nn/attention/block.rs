//! A few queries, all keys.

use pulp::{Simd, WithSimd};

use super::packed::Packed;
use super::tile::{CHUNK, VECTORS, accumulate, scores};
use super::{Mask, Tokens};
use crate::nn::Buffer;
use crate::nn::exponential::exp_of_nonpositive;
use crate::transpose::transpose;

/// Keys whose scores are made before the running maximum moves. Decides bits.
const KEYS: usize = 128;

/// The output of a few queries, all heads.
pub(super) struct Block<'a> {
    pub(super) q: Tokens<'a>,
    /// Position of the first query.
    pub(super) first: usize,
    /// Positions of keys.
    pub(super) keys: usize,
    /// One per head.
    pub(super) packed: &'a [Packed],
    pub(super) scale: f32,
    pub(super) mask: Mask,
    /// `queries x channels of all heads`.
    pub(super) out: &'a mut [f32],
}

impl WithSimd for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let queries = (self.q.len() - self.first).min(VECTORS * S::F32_LANES);
        match (queries.div_ceil(S::F32_LANES), S::REGISTER_COUNT >= 32) {
            (1, true) => self.heads::<S, 8, 1>(simd, queries),
            (2, true) => self.heads::<S, 8, 2>(simd, queries),
            (_, true) => self.heads::<S, 8, VECTORS>(simd, queries),
            (1, false) => self.heads::<S, 4, 1>(simd, queries),
            (2, false) => self.heads::<S, 4, 2>(simd, queries),
            (_, false) => self.heads::<S, 4, VECTORS>(simd, queries),
        }
    }
}

impl Block<'_> {
    #[inline(always)]
    fn heads<S: Simd, const R: usize, const V: usize>(self, simd: S, queries: usize) {
        let stride = self.out.len() / queries;
        let width = stride / self.packed.len();
        let lanes = V * S::F32_LANES;
        let depth = self.q.width.next_multiple_of(CHUNK);
        let mut memory = Buffer::new((depth + KEYS + width.next_multiple_of(R)) * lanes);
        let (turned, rest) = memory.split_at_mut(depth * lanes);
        let (parts, sums) = rest.split_at_mut(KEYS * lanes);
        for (head, packed) in self.packed.iter().enumerate() {
            self.turn(head, queries, lanes, turned);
            let last = match self.mask {
                Mask::None => self.keys,
                Mask::Causal => self.keys.min(self.first + queries),
            };
            #[cfg(test)]
            crate::executed::add(queries * last * (self.q.width + width));
            let state = Head::<S, R, V> {
                simd,
                queries: S::as_simd_f32s(turned).0.as_chunks().0,
                keys: packed.keys.as_chunks::<CHUNK>().0.as_chunks().0,
                values: packed.values.as_chunks().0,
                positions: self.keys,
                causal: (self.mask == Mask::Causal).then_some(self.first),
            };
            let parts = S::as_mut_simd_f32s(parts).0.as_chunks_mut().0;
            state.run(last, parts, S::as_mut_simd_f32s(sums).0.as_chunks_mut().0);
            let out = &mut self.out[head * width..];
            transpose(sums, out, (lanes, stride), (width, queries));
        }
    }

    /// Scaled queries across the lanes: `[channel][query]`, filled up with zeros.
    #[inline(always)]
    fn turn(&self, head: usize, queries: usize, lanes: usize, out: &mut [f32]) {
        if queries < lanes || !self.q.width.is_multiple_of(CHUNK) {
            out.fill(0.0);
        }
        let rows = self.q.from(head, self.first);
        transpose(rows, out, (self.q.stride, lanes), (queries, self.q.width));
        for value in out {
            *value *= self.scale;
        }
    }
}

/// One head.
struct Head<'a, S: Simd, const R: usize, const V: usize> {
    simd: S,
    /// One per channel.
    queries: &'a [[S::f32s; V]],
    /// As many per tile of keys as a key has chunks.
    keys: &'a [[[f32; CHUNK]; R]],
    /// One per key, for each tile of channels.
    values: &'a [[f32; R]],
    positions: usize,
    /// Position of the first query, if it must not see keys behind its own.
    causal: Option<usize>,
}

impl<S: Simd, const R: usize, const V: usize> Head<'_, S, R, V> {
    /// Leaves the output in `sums`, one row per channel.
    #[inline(always)]
    fn run(&self, last: usize, parts: &mut [[S::f32s; V]], sums: &mut [[S::f32s; V]]) {
        let simd = self.simd;
        let zero = [simd.splat_f32s(0.0); V];
        sums.fill(zero);
        // Not infinite: the difference of two infinities would be NaN.
        let mut largest = [simd.splat_f32s(f32::MIN); V];
        let mut total = zero;
        for start in (0..last).step_by(KEYS) {
            let parts = &mut parts[..KEYS.min(last - start)];
            let before = largest;
            self.score(start, parts, &mut largest);
            let mut fade = zero;
            for v in 0..V {
                fade[v] = exp_of_nonpositive(simd, simd.sub_f32s(before[v], largest[v]));
            }
            let mut sum = zero;
            for part in &mut *parts {
                for v in 0..V {
                    let below = simd.sub_f32s(part[v], largest[v]);
                    part[v] = exp_of_nonpositive(simd, below);
                    sum[v] = simd.add_f32s(sum[v], part[v]);
                }
            }
            for v in 0..V {
                total[v] = simd.mul_add_f32s(total[v], fade[v], sum[v]);
            }
            let tiles = self.values.chunks_exact(self.positions);
            for (values, sums) in tiles.zip(sums.as_chunks_mut::<R>().0) {
                let mut tile = *sums;
                for row in &mut tile {
                    for v in 0..V {
                        row[v] = simd.mul_f32s(row[v], fade[v]);
                    }
                }
                *sums = accumulate(simd, &values[start..start + parts.len()], parts, tile);
            }
        }
        self.divide(total, sums);
    }

    /// Scores of the keys from `start` on, and the largest so far.
    #[inline(always)]
    fn score(&self, start: usize, out: &mut [[S::f32s; V]], largest: &mut [S::f32s; V]) {
        let simd = self.simd;
        let chunks = self.queries.len() / CHUNK;
        // Blocks are whole tiles, but for the last.
        let tiles = self.keys.chunks_exact(chunks.max(1)).skip(start / R);
        for (tile, (keys, out)) in tiles.zip(out.chunks_mut(R)).enumerate() {
            let scores = scores(simd, keys, self.queries);
            for (row, (out, mut score)) in out.iter_mut().zip(scores).enumerate() {
                if let Some(first) = self.causal {
                    self.hide(start + tile * R + row, first, &mut score);
                }
                for v in 0..V {
                    let more = simd.greater_than_f32s(score[v], largest[v]);
                    largest[v] = simd.select_f32s(more, score[v], largest[v]);
                }
                *out = score;
            }
        }
    }

    /// Minus infinity for the queries before the key.
    #[inline(always)]
    fn hide(&self, key: usize, first: usize, score: &mut [S::f32s; V]) {
        if key <= first {
            return;
        }
        let mut score = score.iter_mut();
        let lanes = S::F32_LANES;
        for (v, score) in (0..V).zip(&mut score) {
            // Queries of this vector that come before the key.
            let hidden = (key - first).saturating_sub(v * lanes).min(lanes);
            let mut values = [0.0; 64];
            let Some(values) = values.get_mut(..lanes) else { return };
            self.simd.partial_store_f32s(values, *score);
            values[..hidden].fill(f32::NEG_INFINITY);
            *score = self.simd.partial_load_f32s(values);
        }
    }

    #[inline(always)]
    fn divide(&self, total: [S::f32s; V], sums: &mut [[S::f32s; V]]) {
        let simd = self.simd;
        let mut factors = total;
        for factor in &mut factors {
            let none = simd.equal_f32s(*factor, simd.splat_f32s(0.0));
            let inverse = simd.div_f32s(simd.splat_f32s(1.0), *factor);
            *factor = simd.select_f32s(none, simd.splat_f32s(0.0), inverse);
        }
        for row in sums {
            for v in 0..V {
                row[v] = simd.mul_f32s(row[v], factors[v]);
            }
        }
    }
}
