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

/// Every tile that is known.
///
/// An error grows by 1.3, 2.2, 4.4 and 10 for lines of 4, 6, 8 and 10 points (root mean square of
/// random inputs and taps over that of a plain sum), and by the product of both for a square.
const TILES: [Tile; 8] = [
    Tile::of::<6, 4, 6, 4>(),
    Tile::of::<4, 2, 4, 2>(),
    Tile::of::<6, 2, 6, 2>(),
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

    /// The tile that takes the least time; `None` where the transforms do not pay for themselves.
    /// Decided by the shape of one image alone, so that every machine and every batch decides
    /// alike.
    pub(super) fn best(kernel: (usize, usize), frame: Frame) -> Option<usize> {
        let (inputs, outputs) = (frame.input.channels, frame.output.channels);
        if !inputs.is_multiple_of(16) || !outputs.is_multiple_of(16) {
            return None;
        }
        let pixels = frame.output.height * frame.output.width;
        let direct = pixels * kernel.0 * kernel.1 * inputs * outputs / 16;
        let cost = |tile: usize| TILES[tile].grid(frame).cost();
        (0..TILES.len())
            .filter(|&tile| TILES[tile].kernel() == kernel && cost(tile) < direct)
            .min_by_key(|&tile| cost(tile))
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
    /// Tiles there are: [`Tile::best`] is less.
    pub(super) const TILES: usize = TILES.len();

    /// `weight` is `[out][in][row][column]`, `tile` what [`Tile::best`] found.
    pub(super) fn new(
        set: InstructionSet,
        weight: &[f32],
        (inputs, outputs): (usize, usize),
        tile: usize,
    ) -> Self {
        let tile = TILES[tile];
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
        set.run(Block { left, right, start: 0, out, epilogue: Epilogue::default() });
    }
    let (points, stride) = (&sums[..], out_stride);
    set.run(Outputs::<PY, OY, PX, OX> { grid, rows, points, stride, out, epilogue });
}
