use pulp::{Simd, WithSimd};

use super::Tokens;
use super::tile::{CHUNK, rows};
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
        let (Self { k, v, head }, rows) = (self, rows::<S>());
        let (positions, depth) = (k.len(), k.width.next_multiple_of(CHUNK));
        let mut keys = Buffer::new(positions.next_multiple_of(rows) * depth);
        let tiles = keys.chunks_exact_mut((rows * depth).max(1)).enumerate();
        for (tile, out) in tiles {
            for (row, position) in (tile * rows..(tile + 1) * rows).enumerate() {
                let key = if position < positions { k.of(head, position) } else { &[] };
                for (chunk, out) in out.chunks_exact_mut(rows * CHUNK).enumerate() {
                    let from = key.get(chunk * CHUNK..).unwrap_or_default();
                    fill(&mut out[row * CHUNK..][..CHUNK], from);
                }
            }
        }
        let mut values = Buffer::new(positions * v.width.next_multiple_of(rows));
        let tiles = values.chunks_exact_mut((rows * positions).max(1)).enumerate();
        for (tile, out) in tiles {
            for (position, out) in out.chunks_exact_mut(rows).enumerate() {
                fill(out, &v.of(head, position)[tile * rows..]);
            }
        }
        Packed { keys, values }
    }
}

/// What there is, then zeros.
#[inline(always)]
fn fill(out: &mut [f32], from: &[f32]) {
    match from.get(..out.len()) {
        Some(whole) => out.copy_from_slice(whole),
        None => {
            let (head, tail) = out.split_at_mut(from.len());
            head.copy_from_slice(from);
            tail.fill(0.0);
        }
    }
}
