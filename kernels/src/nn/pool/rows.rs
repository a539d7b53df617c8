//! One row of windows, vector by vector of channels.

use pulp::{Simd, WithSimd};

use super::{Kind, Pool, Taps};
use crate::nn::MapShape;

/// Vectors of channels that are reduced together: enough to hide the latency of an addition.
const BLOCK: usize = 4;

/// One row of an image's output.
pub(super) struct Rows<'a> {
    pub(super) pool: &'a Pool,
    pub(super) shape: MapShape,
    pub(super) image: &'a [f32],
    pub(super) rows: &'a Taps,
    pub(super) columns: &'a [Taps],
    /// `columns.len() x channels`.
    pub(super) out: &'a mut [f32],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (rows, columns, image) = (self.rows, self.columns, self.image);
        let view = View { image, shape: self.shape, dilation: self.pool.window.dilation, rows };
        let windows = self.out.chunks_exact_mut(self.shape.channels).zip(columns);
        match self.pool.kind {
            Kind::Max => windows.for_each(|(out, column)| view.window(simd, Max, column, out)),
            Kind::Average => windows.for_each(|(out, column)| {
                let count = (rows.padded * column.padded) as f32;
                view.window(simd, Mean { count }, column, out);
            }),
            Kind::AverageOfMap => windows.for_each(|(out, column)| {
                let count = (rows.count * column.count) as f32;
                view.window(simd, Mean { count }, column, out);
            }),
        }
    }
}

trait Reduction: Copy {
    fn add<S: Simd>(self, simd: S, sum: S::f32s, value: S::f32s) -> S::f32s;
    fn finish<S: Simd>(self, simd: S, sum: S::f32s) -> S::f32s;
}

#[derive(Clone, Copy)]
struct Max;

#[derive(Clone, Copy)]
struct Mean {
    count: f32,
}

impl Reduction for Max {
    /// The instruction sets disagree on the maximum of a number and NaN: here NaN stays.
    #[inline(always)]
    fn add<S: Simd>(self, simd: S, sum: S::f32s, value: S::f32s) -> S::f32s {
        let larger = simd.greater_than_f32s(value, sum);
        let nan = simd.not_m32s(simd.equal_f32s(value, value));
        simd.select_f32s(simd.or_m32s(larger, nan), value, sum)
    }

    #[inline(always)]
    fn finish<S: Simd>(self, _: S, sum: S::f32s) -> S::f32s {
        sum
    }
}

impl Reduction for Mean {
    #[inline(always)]
    fn add<S: Simd>(self, simd: S, sum: S::f32s, value: S::f32s) -> S::f32s {
        simd.add_f32s(sum, value)
    }

    #[inline(always)]
    fn finish<S: Simd>(self, simd: S, sum: S::f32s) -> S::f32s {
        simd.div_f32s(sum, simd.splat_f32s(self.count))
    }
}

/// The rows of an image that a row of windows sees.
#[derive(Clone, Copy)]
struct View<'a> {
    image: &'a [f32],
    shape: MapShape,
    dilation: (usize, usize),
    rows: &'a Taps,
}

impl View<'_> {
    /// All channels of one window.
    #[inline(always)]
    fn window<S: Simd>(self, simd: S, by: impl Reduction, columns: &Taps, out: &mut [f32]) {
        let block = BLOCK * S::F32_LANES;
        let (blocks, rest) = out.split_at_mut(out.len() / block * block);
        let first_rest = blocks.len();
        for (index, out) in blocks.chunks_exact_mut(block).enumerate() {
            let sums = self.sums::<S, BLOCK>(simd, by, columns, (index * block, block));
            S::as_mut_simd_f32s(out).0.copy_from_slice(&sums);
        }
        for (index, out) in rest.chunks_mut(S::F32_LANES).enumerate() {
            let start = first_rest + index * S::F32_LANES;
            let [sum] = self.sums::<S, 1>(simd, by, columns, (start, out.len()));
            simd.partial_store_f32s(out, sum);
        }
    }

    /// `N` vectors that hold `len` channels from the channel `start` on.
    #[inline(always)]
    fn sums<S: Simd, const N: usize>(
        self,
        simd: S,
        by: impl Reduction,
        columns: &Taps,
        (start, len): (usize, usize),
    ) -> [S::f32s; N] {
        let channels = self.shape.channels;
        let load = |row: usize, column: usize| {
            let row = self.rows.first + row * self.dilation.0;
            let column = columns.first + column * self.dilation.1;
            let at = (row * self.shape.width + column) * channels + start;
            let values = &self.image[at..at + len];
            match S::as_simd_f32s(values).0.first_chunk::<N>() {
                Some(whole) => *whole,
                None => [simd.partial_load_f32s(values); N],
            }
        };
        let mut sums = load(0, 0);
        for row in 0..self.rows.count {
            for column in usize::from(row == 0)..columns.count {
                for (sum, value) in sums.iter_mut().zip(load(row, column)) {
                    *sum = by.add(simd, *sum, value);
                }
            }
        }
        sums.map(|sum| by.finish(simd, sum))
    }
}
