//! Pictures as square patches.

use prismbench_kernels::Size;

/// Copies the patch at column `x` and row `y` of the grid out of `3 x H x W` planes.
///
/// The order within a patch is channel, row, column: that of a convolution kernel.
pub(crate) fn read<T: From<f32>>(
    planes: &[f32],
    grid: Size,
    side: usize,
    (x, y): (usize, usize),
    patch: &mut [T],
) {
    for (line, start) in patch.chunks_exact_mut(side).zip(line_starts(grid, side, (x, y))) {
        for (to, &from) in line.iter_mut().zip(&planes[start..start + side]) {
            *to = T::from(from);
        }
    }
}

/// Puts a patch where [`read`] takes it from, rounded to f32.
pub(crate) fn write(
    planes: &mut [f32],
    grid: Size,
    side: usize,
    (x, y): (usize, usize),
    patch: &[f64],
) {
    for (line, start) in patch.chunks_exact(side).zip(line_starts(grid, side, (x, y))) {
        for (to, &from) in planes[start..start + side].iter_mut().zip(line) {
            *to = from as f32;
        }
    }
}

/// Where in the planes each line of a patch starts, channel after channel.
fn line_starts(grid: Size, side: usize, (x, y): (usize, usize)) -> impl Iterator<Item = usize> {
    let (width, height) = (grid.width * side, grid.height * side);
    (0..3 * side).map(move |line| {
        let (channel, row) = (line / side, line % side);
        (channel * height + y * side + row) * width + x * side
    })
}

/// Every position of a grid, row by row, as `(x, y)`.
pub(crate) fn positions(grid: Size) -> impl Iterator<Item = (usize, usize)> {
    (0..grid.height).flat_map(move |y| (0..grid.width).map(move |x| (x, y)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_tile_the_picture_in_channel_row_column_order() {
        let grid = Size::new(3, 2);
        let planes: Vec<f32> = (0..3 * 4 * 6).map(|i| i as f32).collect();
        let mut patch = [0.0_f64; 12];
        read(&planes, grid, 2, (1, 1), &mut patch);
        // Column 2, row 2 of a 6x4 picture is number 14; a channel has 24 pixels.
        let square = [14.0, 15.0, 20.0, 21.0];
        let expected: Vec<f64> =
            (0..3).flat_map(|c| square.map(|value| value + f64::from(24 * c))).collect();
        assert_eq!(patch.as_slice(), expected);

        let mut copy = vec![-1.0; planes.len()];
        for at in positions(grid) {
            read(&planes, grid, 2, at, &mut patch);
            write(&mut copy, grid, 2, at, &patch);
        }
        assert_eq!(copy, planes);
    }
}
