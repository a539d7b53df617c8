use crate::Size;

/// Raster index (`width * row + column`) of each coefficient in UAE's zigzag order, lowest
/// frequency first: `(0,0), (1,0), (0,1), (0,2), (1,1), (2,0), (3,0), ...` by (row, column).
///
/// The transpose of JPEG's order on a square (WeichenFan/UAE main, src/stage1/uae.py).
#[must_use]
pub fn zigzag(size: Size) -> Vec<usize> {
    let Size { width, height } = size;
    let mut order = Vec::with_capacity(size.area());
    if size.area() == 0 {
        return order;
    }
    for sum in 0..width + height - 1 {
        let rows = sum.saturating_sub(width - 1)..=sum.min(height - 1);
        let raster = |row: usize| width * row + sum - row;
        // Even diagonals run down and left, odd ones up and right.
        if sum % 2 == 0 {
            order.extend(rows.map(raster));
        } else {
            order.extend(rows.rev().map(raster));
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dct;

    #[test]
    fn the_order_is_uaes() {
        let first: Vec<(usize, usize)> =
            zigzag(Size::new(16, 16)).iter().take(7).map(|at| (at / 16, at % 16)).collect();
        assert_eq!(first, [(0, 0), (1, 0), (0, 1), (0, 2), (1, 1), (2, 0), (3, 0)]);
    }

    #[test]
    fn on_a_square_it_is_the_transpose_of_jpegs() {
        let transposed = dct::ZIGZAG.map(|at| 8 * (at % 8) + at / 8);
        assert_eq!(zigzag(Size::new(8, 8)), transposed);
    }

    #[test]
    fn every_coefficient_comes_once_and_sums_of_indices_never_fall() {
        for (width, height) in [(0, 0), (0, 3), (3, 0), (1, 1), (5, 3), (3, 5), (1, 7), (16, 9)] {
            let order = zigzag(Size::new(width, height));
            let sums: Vec<usize> = order.iter().map(|at| at / width + at % width).collect();
            assert!(sums.is_sorted(), "{width}x{height}");
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..width * height), "{width}x{height}");
        }
    }
}
