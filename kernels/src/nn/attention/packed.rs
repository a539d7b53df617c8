use pulp::{Simd, WithSimd};

use super::Tokens;
use super::tile::CHUNK;
use crate::InstructionSet;
use crate::nn::Buffer;

/// Keys and values of one head as the tiles read them.
pub(super) struct Packed {
    /// `[tile][chunk][key of the tile][channel of the chunk]`, filled up with zeros.
    pub(super) keys: Buffer,
    /// `[tile][key][channel of the tile]`, filled up with zeros.
    pub(super) values: Buffer,
}

impl Packed {
    pub(super) fn new(set: InstructionSet, k: Tokens<'_>, v: Tokens<'_>, head: usize) -> Self {
        set.run(Pack { k, v, head })
    }
}

struct Pack<'a> {
    k: Tokens<'a>,
    v: Tokens<'a>,
    head: usize,
}

impl WithSimd for Pack<'_> {
    type Output = Packed;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Packed {
        // The rows of a tile are a constant of the loops: whole copies are moves of a vector.
        if S::REGISTER_COUNT >= 32 { self.pack::<8>() } else { self.pack::<4>() }
    }
}

impl Pack<'_> {
    #[inline(always)]
    fn pack<const R: usize>(self) -> Packed {
        let Self { k, v, head } = self;
        let (positions, depth) = (k.len(), k.width.next_multiple_of(CHUNK));
        let mut keys = Buffer::new(positions.next_multiple_of(R) * depth);
        for (tile, out) in keys.chunks_exact_mut((R * depth).max(1)).enumerate() {
            for (row, position) in (tile * R..(tile + 1) * R).enumerate() {
                let key = if position < positions { k.of(head, position) } else { &[] };
                let chunks = out.as_chunks_mut::<CHUNK>().0.as_chunks_mut::<R>().0;
                for (chunk, out) in chunks.iter_mut().enumerate() {
                    fill(&mut out[row], key.get(chunk * CHUNK..).unwrap_or_default());
                }
            }
        }
        let mut values = Buffer::new(positions * v.width.next_multiple_of(R));
        let places = values.as_chunks_mut::<R>().0;
        // Position by position, because a head's values are far from each other in memory.
        for position in 0..positions {
            let value = v.of(head, position);
            let tiles = places.iter_mut().skip(position).step_by(positions);
            for (tile, out) in tiles.enumerate() {
                fill(out, &value[tile * R..]);
            }
        }
        Packed { keys, values }
    }
}

/// What there is, then zeros.
#[inline(always)]
fn fill<const N: usize>(out: &mut [f32; N], from: &[f32]) {
    match from.first_chunk() {
        Some(whole) => *out = *whole,
        None => {
            *out = [0.0; N];
            out[..from.len()].copy_from_slice(from);
        }
    }
}
