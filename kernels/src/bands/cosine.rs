use std::f64::consts::PI;

use super::transposed;
use crate::Size;

/// The orthonormal two-dimensional DCT-II of planes of one size, and its inverse.
///
/// `F = M_h X M_w^T` with `M_n[k][i] = c_k cos(pi k (i + 1/2) / n)`, `c_0 = sqrt(1/n)` and
/// `c_k = sqrt(2/n)` otherwise.
#[derive(Clone, Debug)]
pub struct CosineTransform {
    size: Size,
    /// `M_w` and `M_h`, row by row.
    across: Vec<f64>,
    down: Vec<f64>,
}

impl CosineTransform {
    /// For planes of this size.
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self { size, across: basis(size.width), down: basis(size.height) }
    }

    /// Coefficients of a plane of `height x width` values, row by row; row = vertical frequency.
    #[must_use]
    pub fn forward(&self, plane: &[f32]) -> Vec<f64> {
        let Size { width, height } = self.size;
        let plane: Vec<f64> = plane.iter().map(|&value| f64::from(value)).collect();
        let rows = product(&plane, width, |k, i| self.across[k * width + i], width);
        transposed(
            &product(&transposed(&rows, width), height, |k, i| self.down[k * height + i], height),
            height,
        )
    }

    /// The plane that has these coefficients.
    #[must_use]
    pub fn inverse(&self, coefficients: &[f64]) -> Vec<f32> {
        let Size { width, height } = self.size;
        let rows = product(coefficients, width, |k, i| self.across[i * width + k], width);
        let plane = transposed(
            &product(&transposed(&rows, width), height, |k, i| self.down[i * height + k], height),
            height,
        );
        plane.into_iter().map(|value| value as f32).collect()
    }
}

/// Each row of `columns` values times a matrix: `out[row][k] = sum_i at(k, i) in[row][i]`.
fn product(
    rows: &[f64],
    columns: usize,
    at: impl Fn(usize, usize) -> f64,
    outputs: usize,
) -> Vec<f64> {
    let row = |row: &[f64]| -> Vec<f64> {
        (0..outputs).map(|k| row.iter().enumerate().map(|(i, x)| at(k, i) * x).sum()).collect()
    };
    rows.chunks_exact(columns.max(1)).flat_map(row).collect()
}

fn basis(n: usize) -> Vec<f64> {
    let value = |k: usize, i: usize| {
        let scale = if k == 0 { (1.0 / n as f64).sqrt() } else { (2.0 / n as f64).sqrt() };
        scale * libm::cos(PI / n as f64 * (i as f64 + 0.5) * k as f64)
    };
    (0..n).flat_map(|k| (0..n).map(move |i| value(k, i))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::plane;
    use super::*;
    use crate::dct;

    #[test]
    fn a_block_of_eight_has_jpegs_coefficients() {
        let block = plane(Size::new(8, 8));
        let exact: Vec<f64> = block.iter().map(|&value| f64::from(value)).collect();
        let expected = dct::forward(exact.as_slice().try_into().unwrap());
        let found = CosineTransform::new(Size::new(8, 8)).forward(&block);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        }
    }

    #[test]
    fn the_inverse_gives_the_plane_back_and_the_sum_of_squares_is_kept() {
        for size in [Size::new(16, 16), Size::new(5, 9), Size::new(1, 3), Size::new(32, 8)] {
            let (plane, transform) = (plane(size), CosineTransform::new(size));
            let coefficients = transform.forward(&plane);
            assert_eq!(transform.inverse(&coefficients), plane, "{size:?}");
            let energy: f64 = plane.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            let kept: f64 = coefficients.iter().map(|x| x * x).sum();
            assert!((energy - kept).abs() < 1e-12 * energy, "{size:?}");
        }
    }

    #[test]
    fn a_wave_down_the_rows_is_one_coefficient_of_the_first_column() {
        let size = Size::new(4, 6);
        let wave = |at: usize| libm::cos(PI / 6.0 * ((at / 4) as f64 + 0.5) * 2.0) as f32;
        let plane: Vec<f32> = (0..size.area()).map(wave).collect();
        let coefficients = CosineTransform::new(size).forward(&plane);
        let largest = |&(_, x): &(usize, &f64)| x.abs() > 1e-6;
        let found: Vec<usize> =
            coefficients.iter().enumerate().filter(largest).map(|(at, _)| at).collect();
        assert_eq!(found, [2 * 4]);
    }
}
