//! Winograd's minimal filtering of kernels that are lines or small squares, at stride 1.
//!
//! A tile of outputs is transformed, multiplied point by point and transformed back: F(4x4, 3x3)
//! has 36 products for 16 outputs instead of 144, F(4, 7) has 10 for 4 instead of 28. A tile has a
//! line's transform down and one across, and either may be that of a single tap, which does
//! nothing.

mod grid;
mod line;
mod transform;

use std::ops::Range;

use rayon::prelude::*;

use crate::InstructionSet;
use crate::matrix::Rows;
use crate::nn::Buffer;
use crate::product::{Block, Epilogue, Output, Panels};
pub(super) use grid::Frame;
use grid::{Grid, Side};
use transform::{Inputs, Outputs};

/// Keeps the points of a tile from falling on the same cache lines.
const GAP: usize = 16;

/// The shape of a tile, and the code made for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    down: Side,
    across: Side,
    block: fn(Job<'_>),
}

/// A tile for each kernel that has one.
///
/// The rounding error of a plain sum grows by 2.2 on lines of 6 points, 4.4 on 8 and 10 on 10 (root
/// mean square for random inputs and taps), and on squares by the product of both. So there is no
/// tile of 6 outputs under 7 taps (23), and none for 7x7.
const TILES: [Tile; 6] = [
    Tile::of::<6, 4, 6, 4>(),
    Tile::of::<8, 4, 8, 4>(),
    Tile::of::<1, 1, 6, 4>(),
    Tile::of::<6, 4, 1, 1>(),
    Tile::of::<1, 1, 10, 4>(),
    Tile::of::<10, 4, 1, 1>(),
];

impl Tile {
    const fn of<const PY: usize, const OY: usize, const PX: usize, const OX: usize>() -> Self {
        Self {
            down: Side { points: PY, outputs: OY },
            across: Side { points: PX, outputs: OX },
            block: block::<PY, OY, PX, OX>,
        }
    }

    /// The tile under a kernel; `None` where there is none or its transforms do not pay for
    /// themselves. Decided by the shape of one image alone, so that every machine and every batch
    /// decides alike.
    pub(super) fn under(kernel: (usize, usize), frame: Frame) -> Option<Self> {
        let tile = TILES.into_iter().find(|tile| tile.kernel() == kernel)?;
        let (inputs, outputs) = (frame.input.channels, frame.output.channels);
        let whole = inputs.is_multiple_of(16) && outputs.is_multiple_of(16);
        let pixels = frame.output.height * frame.output.width;
        let direct = pixels * kernel.0 * kernel.1 * inputs * outputs / 16;
        (whole && tile.grid(frame).cost() < direct).then_some(tile)
    }

    const fn kernel(self) -> (usize, usize) {
        (self.down.taps(), self.across.taps())
    }

    const fn grid(self, frame: Frame) -> Grid {
        Grid { frame, down: self.down, across: self.across }
    }
}

/// Weights at the points of a tile, one matrix for each.
#[derive(Debug)]
pub(super) struct Winograd {
    set: InstructionSet,
    inputs: usize,
    outputs: usize,
    tile: Tile,
    points: Vec<Panels>,
}

impl Winograd {
    /// `weight` is `[out][in][row][column]`.
    pub(super) fn new(
        set: InstructionSet,
        weight: &[f32],
        (inputs, outputs): (usize, usize),
        tile: Tile,
    ) -> Self {
        let (rows, columns) = tile.kernel();
        let down = line::taps_at_points(tile.down.points, rows);
        let across = line::taps_at_points(tile.across.points, columns);
        let at_point = |row: &[f64], column: &[f64]| {
            let scales = row.iter().flat_map(|y| column.iter().map(move |x| y * x));
            let scales: Vec<f64> = scales.collect();
            let kernels = weight.chunks_exact(rows * columns);
            let values = kernels.map(|kernel| {
                let products = kernel.iter().zip(&scales).map(|(&w, s)| f64::from(w) * s);
                products.sum::<f64>() as f32
            });
            let values: Vec<f32> = values.collect();
            Panels::new(set, inputs, outputs, |i, o| values[o * inputs + i])
        };
        let points = down.iter().flat_map(|row| across.iter().map(move |column| (row, column)));
        let points = points.map(|(row, column)| at_point(row, column)).collect();
        Self { set, inputs, outputs, tile, points }
    }

    /// All images, on all cores.
    pub(super) fn run(&self, frame: Frame, maps: &[f32], out: &mut [f32], epilogue: Epilogue<'_>) {
        let grid = self.tile.grid(frame);
        let mut rest = out;
        let mut jobs = Vec::new();
        let mut end = frame.output.images * grid.tiles_down();
        for (row, start) in grid.blocks().into_iter().rev() {
            let (before, out) = rest.split_at_mut(start);
            let residual = epilogue.residual.map(|all| &all[start..][..out.len()]);
            let epilogue = Epilogue { residual, ..epilogue };
            jobs.push(Job { weights: self, grid, maps, rows: row..end, out, epilogue });
            (rest, end) = (before, row);
        }
        jobs.into_par_iter().for_each(self.tile.block);
    }
}

/// Some rows of tiles, on one core.
struct Job<'a> {
    weights: &'a Winograd,
    grid: Grid,
    maps: &'a [f32],
    /// Counted through all images.
    rows: Range<usize>,
    /// The outputs of these rows of tiles, and as many of the residual.
    out: &'a mut [f32],
    epilogue: Epilogue<'a>,
}

fn block<const PY: usize, const OY: usize, const PX: usize, const OX: usize>(job: Job<'_>) {
    let Job { weights, grid, maps, rows, out, epilogue } = job;
    let Winograd { set, inputs, outputs, ref points, .. } = *weights;
    let tiles = rows.len() * grid.tiles_across();
    let stride = tiles * inputs + GAP;
    let mut values = Buffer::new(points.len() * stride);
    let into = &mut values[..];
    set.run(Inputs::<PY, OY, PX, OX> { grid, maps, rows: rows.clone(), points: into, stride });
    let out_stride = tiles * outputs + GAP;
    let mut sums = Buffer::new(points.len() * out_stride);
    let each = values.chunks_exact(stride).zip(sums.chunks_exact_mut(out_stride));
    for ((values, sums), right) in each.zip(points) {
        let left = &Rows { values, columns: inputs };
        let out = Output { rows: &mut sums[..tiles * outputs], stride: outputs, column: 0 };
        Block { left, right, start: 0, out, epilogue: Epilogue::default() }.run(set);
    }
    let (points, stride) = (&sums[..], out_stride);
    set.run(Outputs::<PY, OY, PX, OX> { grid, rows, points, stride, out, epilogue });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{MapShape, Window};

    /// Kernel, side of the maps, inputs and outputs.
    type Layer = ((usize, usize), usize, usize, usize);

    fn tile(kernel: (usize, usize), side: usize, inputs: usize, outputs: usize) -> Option<Tile> {
        let window = Window::new(kernel.0, kernel.1).padding(kernel.0 / 2, kernel.1 / 2);
        let input = MapShape { images: 1, height: side, width: side, channels: inputs };
        let (height, width) = window.output(side, side).unwrap();
        let output = MapShape { images: 1, height, width, channels: outputs };
        Tile::under(kernel, Frame { input, output, padding: window.padding })
    }

    #[test]
    fn every_kernel_of_inception_that_can_be_filtered_is() {
        let layers: [Layer; 9] = [
            ((3, 3), 149, 32, 32),
            ((3, 3), 35, 96, 96),
            ((3, 3), 8, 448, 384),
            ((5, 5), 35, 48, 64),
            ((1, 7), 17, 128, 128),
            ((7, 1), 17, 160, 192),
            ((1, 7), 17, 192, 192),
            ((1, 3), 8, 384, 384),
            ((3, 1), 8, 384, 384),
        ];
        for (kernel, side, inputs, outputs) in layers {
            let tile = tile(kernel, side, inputs, outputs);
            assert_eq!(tile.map(Tile::kernel), Some(kernel), "{side}");
        }
    }

    #[test]
    fn what_does_not_pay_is_not_filtered() {
        assert!(tile((1, 1), 17, 768, 192).is_none(), "one tap leaves nothing to save");
        assert!(tile((7, 7), 112, 64, 64).is_none(), "too many digits would be lost");
        assert!(tile((3, 3), 35, 40, 64).is_none(), "40 channels are no whole vectors");
        assert!(tile((3, 3), 1, 512, 512).is_none(), "one output of 16 is needed");
        assert!(tile((1, 3), 33, 16, 16).is_none(), "the transforms take longer than the products");
    }
}
