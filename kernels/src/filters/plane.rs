use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::lines::{Room, VECTORS, count, lines};
use super::mask::{Cutoff, Mask, Pass, Shape};
use super::network::Network;
use super::turning::{Tiles, gather, scatter};
use crate::aligned::Aligned;
use crate::bands::even_parts;
use crate::{InstructionSet, Size};

/// Values between two tiles: tiles that lie a power of 2 apart share few places of a cache.
const GAP: usize = 16;

/// A low-pass or high-pass filter for planes of one size.
///
/// **Error:** sums in f32 leave up to 3e-7 where values are in `[0, 1]`, against the same filter in
/// f64. A filter that keeps everything leaves every bit as it was.
///
/// **Bits:** each line is a fixed sequence of correctly rounded operations, fused products and sums
/// included: neither the instruction set nor the threads nor the other planes show in the result.
#[derive(Clone, Debug)]
pub struct PlaneFilter {
    set: InstructionSet,
    size: Size,
    pass: Pass,
    /// `None` where everything is kept.
    low: Option<LowPass>,
}

/// Transform, weigh, transform back.
#[derive(Clone, Debug)]
pub(super) struct LowPass {
    down: Network,
    across: Network,
    /// For the vertical frequencies that are kept, as many at a time as lines lie side by side:
    /// `[horizontal frequency][of these]`. The gain of the transforms is taken out.
    weights: Vec<f32>,
}

impl PlaneFilter {
    /// For planes of this size.
    #[must_use]
    pub fn new(size: Size, shape: Shape, pass: Pass, cutoff: Cutoff) -> Self {
        Self::for_set(InstructionSet::Best, size, shape, pass, cutoff)
    }

    /// As [`new`](Self::new), for an instruction set of one's choice: what tests compare.
    #[must_use]
    pub fn for_set(
        set: InstructionSet,
        size: Size,
        shape: Shape,
        pass: Pass,
        cutoff: Cutoff,
    ) -> Self {
        let low = LowPass::new(set, size, &Mask::new(shape, cutoff, size));
        Self { set, size, pass, low }
    }

    /// Keeps part `band` of `bands` parts, in which the DCT coefficients in zigzag order are divided
    /// as evenly as can be ([`even_parts`]); nothing where there is no such part.
    ///
    /// Source: `band_masks` of WeichenFan/UAE main, prelim_analysis/energy_exp.py.
    #[must_use]
    pub fn zigzag_band(size: Size, band: usize, bands: usize) -> Self {
        let kept = even_parts(size.area(), bands).nth(band).unwrap_or(0..0);
        let set = InstructionSet::Best;
        let low = LowPass::new(set, size, &Mask::ranks(size, kept));
        Self { set, size, pass: Pass::Low, low }
    }

    /// Filters planes of `height x width` values, row by row and one after the other. What comes out
    /// may leave the range of what came in.
    ///
    /// # Panics
    /// When the planes are not whole or `out` is not as long.
    pub fn apply(&self, planes: &[f32], out: &mut [f32]) {
        let area = self.size.area();
        assert!(planes.len().is_multiple_of(area.max(1)), "planes must be whole");
        assert_eq!(planes.len(), out.len(), "one output for each value");
        if area == 0 {
            return;
        }
        let pairs = planes.par_chunks_exact(area).zip(out.par_chunks_exact_mut(area));
        let scratch = || Scratch::new(self);
        pairs.for_each_init(scratch, |scratch, (plane, out)| {
            self.set.run(Plane { filter: self, plane, out, scratch });
        });
    }
}

/// What other forms of a filter are made from.
#[cfg(feature = "cuda")]
impl PlaneFilter {
    pub(super) fn set(&self) -> InstructionSet {
        self.set
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    pub(super) fn pass(&self) -> Pass {
        self.pass
    }

    pub(super) fn low(&self) -> Option<&LowPass> {
        self.low.as_ref()
    }
}

#[cfg(feature = "cuda")]
impl LowPass {
    /// Along columns and along rows.
    pub(super) fn networks(&self) -> (&Network, &Network) {
        (&self.down, &self.across)
    }

    /// The weights as `[horizontal frequency][vertical frequency]`, for the filter's instruction set.
    pub(super) fn plain_weights(&self, set: InstructionSet) -> Vec<f32> {
        let side_by_side = set.run(Count);
        let (rows, columns) = (self.down.kept.len(), self.across.kept.len());
        let mut weights = Vec::with_capacity(rows * columns);
        for column in 0..columns {
            weights.extend((0..rows).map(|row| {
                let (group, lane) = (row / side_by_side, row % side_by_side);
                self.weights[(group * columns + column) * side_by_side + lane]
            }));
        }
        weights
    }
}

/// Lines that a set transforms side by side.
struct Count;

impl WithSimd for Count {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        count::<S>()
    }
}

impl LowPass {
    /// `None` where every weight is 1.
    fn new(set: InstructionSet, size: Size, mask: &Mask) -> Option<Self> {
        if size.area() == 0 {
            return None;
        }
        let basis = mask.basis();
        let (rows, columns) = (basis.frequencies(size.height), basis.frequencies(size.width));
        let pairs = || (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x)));
        if pairs().all(|(y, x)| mask.weight(y, x) >= 1.0) {
            return None;
        }
        let (mut is_row, mut is_column) = (vec![false; rows], vec![false; columns]);
        for (y, x) in pairs().filter(|&(y, x)| mask.weight(y, x) > 0.0) {
            (is_row[y], is_column[x]) = (true, true);
        }
        let down = Network::new(basis, size.height, |frequency| is_row[frequency]);
        let across = Network::new(basis, size.width, |frequency| is_column[frequency]);
        let scale = 1.0 / (down.gain * across.gain);
        let side_by_side = set.run(Count);
        let mut weights = Vec::new();
        for rows in down.frequencies.chunks(side_by_side) {
            for &x in &across.frequencies {
                weights.extend(rows.iter().map(|&y| (mask.weight(y, x) * scale) as f32));
                weights.resize(weights.len() + side_by_side - rows.len(), 0.0);
            }
        }
        Some(Self { down, across, weights })
    }
}

/// Room for one plane.
struct Scratch {
    room: Room,
    /// The plane and then its columns' transforms.
    tiles: Aligned,
    /// Values of a tile, with its gap.
    stride: usize,
    /// Rows that are transformed.
    block: Aligned,
}

impl Scratch {
    fn new(filter: &PlaneFilter) -> Self {
        let Size { width, height } = filter.size;
        let side_by_side = filter.set.run(Count);
        let (tiles, stride) = (width.div_ceil(side_by_side), height * side_by_side + GAP);
        let (tiles, block) = match filter.low {
            Some(_) => (tiles * stride, tiles * side_by_side * side_by_side),
            None => (0, 0),
        };
        let (tiles, block) = (Aligned::zeros(tiles), Aligned::zeros(block));
        Self { room: Room::default(), tiles, stride, block }
    }
}

struct Plane<'a> {
    filter: &'a PlaneFilter,
    plane: &'a [f32],
    out: &'a mut [f32],
    scratch: &'a mut Scratch,
}

impl WithSimd for Plane<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { filter: PlaneFilter { size, pass, low, .. }, plane, out, scratch } = self;
        let mean = match pass {
            Pass::Low => None,
            Pass::High => Some(mean(plane) as f32),
        };
        match (low, mean) {
            (Some(low), mean) => {
                let Scratch { room, tiles, stride, block } = scratch;
                let mut tiles = Tiles { values: tiles, stride: *stride };
                tiles.fill(simd, plane, size.width);
                low.apply(simd, &mut tiles, block, room);
                tiles.empty(simd, (plane, size.width), mean, out);
            }
            (None, Some(mean)) => out.fill(mean),
            (None, None) => out.copy_from_slice(plane),
        }
    }
}

impl LowPass {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, tiles: &mut Tiles<'_>, block: &mut [f32], room: &mut Room) {
        for tile in tiles.values.chunks_exact_mut(tiles.stride) {
            self.down.forward(simd, lines::<S>(tile), room);
        }
        let weights = self.weights.chunks_exact((self.across.kept.len() * count::<S>()).max(1));
        for (slots, weights) in self.down.kept.chunks(count::<S>()).zip(weights) {
            gather(simd, tiles, slots, block);
            let lines = lines::<S>(block);
            self.across.forward(simd, lines, room);
            let weights = S::as_simd_f32s(weights).0.as_chunks::<VECTORS>().0;
            for (&slot, weights) in self.across.kept.iter().zip(weights) {
                for (value, &weight) in lines[slot as usize].iter_mut().zip(weights) {
                    *value = simd.mul_f32s(*value, weight);
                }
            }
            self.across.backward(simd, lines, room);
            scatter(simd, block, slots, tiles);
        }
        for tile in tiles.values.chunks_exact_mut(tiles.stride) {
            self.down.backward(simd, lines::<S>(tile), room);
        }
    }
}

/// In f64, sixteen sums side by side.
#[inline(always)]
fn mean(plane: &[f32]) -> f64 {
    let mut parts = [0.0_f64; 16];
    let (lines, rest) = plane.as_chunks::<16>();
    for line in lines {
        for (part, &value) in parts.iter_mut().zip(line) {
            *part += f64::from(value);
        }
    }
    for (part, &value) in parts.iter_mut().zip(rest) {
        *part += f64::from(value);
    }
    parts.iter().sum::<f64>() / plane.len() as f64
}
