//! Tiles to the points and back: a line transform down each column and along each row.

use pulp::{Simd, WithSimd};

use super::grid::Grid;
use super::line::Line;
use crate::product::{Epilogue, finish};

/// `B^T d B` of some rows of tiles for each channel.
pub(super) struct Inputs<'a, const PY: usize, const OY: usize, const PX: usize, const OX: usize> {
    pub(super) grid: Grid,
    pub(super) maps: &'a [f32],
    /// Rows of tiles, counted through all images.
    pub(super) rows: std::ops::Range<usize>,
    /// For each point `stride` values, of them the channels of one tile after the other.
    pub(super) points: &'a mut [f32],
    pub(super) stride: usize,
}

impl<const PY: usize, const OY: usize, const PX: usize, const OX: usize> WithSimd
    for Inputs<'_, PY, OY, PX, OX>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { grid, maps, rows, points, stride } = self;
        let channels = grid.frame.input.channels;
        let (zeros, down) = (vec![0.0; channels], grid.tiles_down());
        let tiles = rows.flat_map(
            #[inline(always)]
            |row| (0..grid.tiles_across()).map(move |column| (row, column)),
        );
        for (tile, (row, column)) in tiles.enumerate() {
            let pixels: [[&[S::f32s]; PX]; PY] = std::array::from_fn(
                #[inline(always)]
                |y| {
                    std::array::from_fn(
                        #[inline(always)]
                        |x| {
                            let place = (row % down * OY + y, column * OX + x);
                            let pixel = grid.pixel(maps, row / down, place).unwrap_or(&zeros);
                            &S::as_simd_f32s(pixel).0[..channels / S::F32_LANES]
                        },
                    )
                },
            );
            for vector in 0..channels / S::F32_LANES {
                let at = tile * channels + vector * S::F32_LANES;
                transform_pixels::<S, PY, OY, PX, OX>(
                    simd,
                    &pixels,
                    vector,
                    &mut points[at..],
                    stride,
                );
            }
        }
    }
}

#[inline(always)]
fn transform_pixels<S: Simd, const PY: usize, const OY: usize, const PX: usize, const OX: usize>(
    simd: S,
    pixels: &[[&[S::f32s]; PX]; PY],
    vector: usize,
    points: &mut [f32],
    stride: usize,
) {
    let mut lines = Aligned([[simd.splat_f32s(0.0); PX]; PY]);
    for (line, pixels) in lines.0.iter_mut().zip(pixels) {
        for (value, pixel) in line.iter_mut().zip(pixels) {
            *value = pixel[vector];
        }
        *line = Line::<PX, OX>::inputs(simd, *line);
    }
    for x in 0..PX {
        let mut column = [simd.splat_f32s(0.0); PY];
        for (value, line) in column.iter_mut().zip(&lines.0) {
            *value = line[x];
        }
        for (y, &value) in Line::<PY, OY>::inputs(simd, column).iter().enumerate() {
            let place = &mut points[(y * PX + x) * stride..][..S::F32_LANES];
            S::as_mut_simd_f32s(place).0[0] = value;
        }
    }
}

/// `A^T m A` of some rows of tiles for each channel, then bias, residual and activation.
pub(super) struct Outputs<'a, const PY: usize, const OY: usize, const PX: usize, const OX: usize> {
    pub(super) grid: Grid,
    /// Rows of tiles, counted through all images.
    pub(super) rows: std::ops::Range<usize>,
    /// As in [`Inputs`].
    pub(super) points: &'a [f32],
    pub(super) stride: usize,
    /// The outputs of these rows of tiles, and as many of the residual.
    pub(super) out: &'a mut [f32],
    pub(super) epilogue: Epilogue<'a>,
}

impl<const PY: usize, const OY: usize, const PX: usize, const OX: usize> WithSimd
    for Outputs<'_, PY, OY, PX, OX>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { grid, rows, points, stride, out, epilogue } = self;
        let (width, channels) = (grid.frame.output.width, grid.frame.output.channels);
        let (across, top) = (grid.tiles_across(), grid.line_of(rows.start));
        let tiles = rows.flat_map(
            #[inline(always)]
            |row| (0..across).map(move |column| (row, column)),
        );
        for (tile, (row, column)) in tiles.enumerate() {
            let lines = grid.lines(row);
            let columns = (width - column * OX).min(OX);
            let corner = ((grid.line_of(row) - top) * width + column * OX) * channels;
            for channel in (0..channels).step_by(S::F32_LANES) {
                let points = &points[tile * channels + channel..];
                let values = transform_columns::<S, PY, OY, PX>(simd, points, stride);
                let bias = epilogue.bias.get(channel..channel + S::F32_LANES).unwrap_or_default();
                for (y, line) in values.0.iter().enumerate().take(lines) {
                    let line = Line::<PX, OX>::outputs(simd, *line);
                    for (x, &value) in line.iter().enumerate() {
                        if x >= columns {
                            break;
                        }
                        let at = corner + (y * width + x) * channels + channel;
                        let residual = epilogue.residual.map(|all| &all[at..][..S::F32_LANES]);
                        let [value] = finish(simd, [value], bias, residual, epilogue.activation);
                        S::as_mut_simd_f32s(&mut out[at..][..S::F32_LANES]).0[0] = value;
                    }
                }
            }
        }
    }
}

/// Keeps vectors that do not stay in registers from lying across two cache lines.
#[repr(align(64))]
struct Aligned<T>(T);

/// `A^T m`.
#[inline(always)]
fn transform_columns<S: Simd, const PY: usize, const OY: usize, const PX: usize>(
    simd: S,
    points: &[f32],
    stride: usize,
) -> Aligned<[[S::f32s; PX]; OY]> {
    let mut lines = Aligned([[simd.splat_f32s(0.0); PX]; OY]);
    for x in 0..PX {
        let mut column = [simd.splat_f32s(0.0); PY];
        for (y, value) in column.iter_mut().enumerate() {
            *value = S::as_simd_f32s(&points[(y * PX + x) * stride..][..S::F32_LANES]).0[0];
        }
        for (line, &value) in lines.0.iter_mut().zip(&Line::<PY, OY>::outputs(simd, column)) {
            line[x] = value;
        }
    }
    lines
}
