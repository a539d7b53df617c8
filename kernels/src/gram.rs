//! Sums of outer products: the mean and covariance of many rows, in f64.

use rayon::prelude::*;

/// Rows that are widened to f64 at a time: with 768 columns they fill 400 KB of cache.
const BLOCK: usize = 64;

/// Height and width of the piece of the product that stays in registers.
const TILE: (usize, usize) = (4, 8);

/// Running sums over the rows `x` of a matrix: how many, `sum x` and `sum x x^T`.
///
/// The product of two f32 is exact in f64, and every element is summed row after row, so that the
/// sums have the same bits for any number of threads, any vector width and any division of the
/// rows into calls of [`Gram::add`].
#[derive(Clone, Debug)]
pub struct Gram {
    columns: usize,
    /// `columns`, rounded up to whole tiles; the padding stays zero.
    stride: usize,
    rows: u64,
    sums: Vec<f64>,
    /// `columns x stride`; tiles wholly below the diagonal are not computed.
    products: Vec<f64>,
}

impl Gram {
    /// No rows yet.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        let stride = columns.next_multiple_of(TILE.1);
        Self {
            columns,
            stride,
            rows: 0,
            sums: vec![0.0; columns],
            products: vec![0.0; columns * stride],
        }
    }

    /// Adds rows, one after the other in `rows`.
    ///
    /// # Panics
    /// When the length is not a multiple of the number of columns.
    pub fn add(&mut self, rows: &[f32]) {
        if self.columns == 0 || rows.is_empty() {
            return;
        }
        assert_eq!(rows.len() % self.columns, 0, "rows must be whole");
        self.rows += (rows.len() / self.columns) as u64;
        for row in rows.chunks_exact(self.columns) {
            for (sum, &value) in self.sums.iter_mut().zip(row) {
                *sum += f64::from(value);
            }
        }
        let stride = self.stride;
        let mut wide = Vec::with_capacity(BLOCK * stride);
        for block in rows.chunks(BLOCK * self.columns) {
            wide.clear();
            for row in block.chunks_exact(self.columns) {
                wide.extend(row.iter().map(|&value| f64::from(value)));
                wide.resize(wide.len().next_multiple_of(stride), 0.0);
            }
            let bands = self.products.par_chunks_mut(TILE.0 * stride).enumerate();
            bands.for_each(|(band, products)| {
                let arch = pulp::Arch::new();
                arch.dispatch(Band { wide: &wide, stride, top: band * TILE.0, products });
            });
        }
    }

    /// How many rows were added.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The mean row; `None` before the first row.
    #[must_use]
    pub fn mean(&self) -> Option<Vec<f64>> {
        (self.rows > 0).then(|| self.sums.iter().map(|sum| sum / self.rows as f64).collect())
    }

    /// The unbiased covariance, `columns x columns`, symmetric; `None` with fewer than two rows.
    ///
    /// `(sum x x^T - n m m^T) / (n - 1)`: the difference costs digits when the mean is large
    /// against the spread. For pixels in `[0, 1]` what is left is good to about 1e-15.
    #[must_use]
    pub fn covariance(&self) -> Option<Vec<f64>> {
        if self.rows < 2 {
            return None;
        }
        let n = self.rows as f64;
        let mut covariance = vec![0.0; self.columns * self.columns];
        for i in 0..self.columns {
            for j in i..self.columns {
                let centred = self.products[i * self.stride + j] - self.sums[i] * self.sums[j] / n;
                covariance[i * self.columns + j] = centred / (n - 1.0);
                covariance[j * self.columns + i] = centred / (n - 1.0);
            }
        }
        Some(covariance)
    }
}

/// A few rows of the product, from the diagonal to the right.
struct Band<'a> {
    wide: &'a [f64],
    stride: usize,
    top: usize,
    products: &'a mut [f64],
}

impl pulp::NullaryFnOnce for Band<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { wide, stride, top, products } = self;
        let (height, width) = TILE;
        // A band at the lower edge may be cut; its missing rows are computed and dropped.
        for left in ((top - top % width)..stride).step_by(width) {
            let mut tile = [[0.0; TILE.1]; TILE.0];
            for (sums, line) in tile.iter_mut().zip(products.chunks_exact(stride)) {
                sums.copy_from_slice(&line[left..left + width]);
            }
            for row in wide.chunks_exact(stride) {
                let across = &row[left..left + width];
                let down = &row[top..top + height];
                for (sums, &a) in tile.iter_mut().zip(down) {
                    for (sum, &b) in sums.iter_mut().zip(across) {
                        *sum += a * b;
                    }
                }
            }
            for (sums, line) in tile.iter().zip(products.chunks_exact_mut(stride)) {
                line[left..left + width].copy_from_slice(sums);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of small integers, whose sums are exact in any order.
    fn integers(rows: usize, columns: usize) -> Vec<f32> {
        (0..rows * columns).map(|i| ((i * 7919 + i / 5) % 41) as f32 - 20.0).collect()
    }

    /// Rows whose sums depend on the order of the additions.
    fn fractions(rows: usize, columns: usize) -> Vec<f32> {
        (0..rows * columns).map(|i| 1.0 / (1.0 + ((i * 7919) % 1009) as f32)).collect()
    }

    fn sums(columns: usize, pieces: &[&[f32]]) -> (Vec<f64>, Vec<f64>) {
        let mut gram = Gram::new(columns);
        pieces.iter().for_each(|piece| gram.add(piece));
        (gram.mean().unwrap(), gram.covariance().unwrap())
    }

    #[test]
    fn integer_rows_give_the_exact_moments() {
        for (rows, columns) in [(2, 1), (70, 3), (130, 13), (65, 40)] {
            let values = integers(rows, columns);
            let (mean, covariance) = sums(columns, &[&values]);
            let at = |row: usize, column: usize| values[row * columns + column] as i64;
            for i in 0..columns {
                let sum_i: i64 = (0..rows).map(|row| at(row, i)).sum();
                assert!((mean[i] - sum_i as f64 / rows as f64).abs() < 1e-14);
                for j in 0..columns {
                    let sum_j: i64 = (0..rows).map(|row| at(row, j)).sum();
                    let product: i64 = (0..rows).map(|row| at(row, i) * at(row, j)).sum();
                    // One division of exact integers against two: a relative 1e-15 or so.
                    let numerator = (rows as i64 * product - sum_i * sum_j) as f64;
                    let expected = numerator / (rows * (rows - 1)) as f64;
                    let found = covariance[i * columns + j];
                    assert!((found - expected).abs() < 1e-12, "{rows} {i} {j}: {found}");
                }
            }
        }
    }

    #[test]
    fn the_sums_do_not_depend_on_how_the_rows_are_divided() {
        let values = fractions(150, 21);
        let whole = sums(21, &[&values]);
        for cut in [21, 21 * 63, 21 * 64, 21 * 149] {
            assert_eq!(whole, sums(21, &[&values[..cut], &values[cut..]]));
        }
        // And the inputs can tell: summed in two halves, the bits are others.
        let halves = [&values[..21 * 75], &values[21 * 75..]].map(|half| {
            let mut gram = Gram::new(21);
            gram.add(half);
            gram.products
        });
        let mut gram = Gram::new(21);
        gram.add(&values);
        let merged: Vec<f64> = halves[0].iter().zip(&halves[1]).map(|(a, b)| a + b).collect();
        assert_ne!(merged, gram.products);
    }

    #[test]
    fn the_sums_do_not_depend_on_the_number_of_threads() {
        let values = fractions(200, 50);
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| sums(50, &[&values]))
        };
        assert_eq!(with(1), with(4));
    }

    #[test]
    fn too_few_rows_have_no_moments() {
        let mut gram = Gram::new(2);
        assert_eq!((gram.mean(), gram.covariance()), (None, None));
        gram.add(&[0.5, 0.25]);
        assert_eq!((gram.mean(), gram.covariance()), (Some(vec![0.5, 0.25]), None));
    }
}
