//! Sums of outer products: the mean and covariance of many rows, in f64.

use crate::dots::{Part, Vectors, add_products};

/// Rows that are widened to f64 at a time.
const BLOCK: usize = 256;

/// Running sums over the rows `x` of a matrix, taken about a fixed point `p`: how many,
/// `sum (x - p)` and `sum (x - p) (x - p)^T`.
///
/// Every element is one chain of fused multiply-adds, row after row, so that the sums have the same
/// bits for any number of threads, any vector width and any division of the rows into calls of
/// [`Gram::add`]. About zero the products of two f32 are exact in f64.
#[derive(Clone, Debug)]
pub struct Gram {
    point: Vec<f64>,
    rows: u64,
    sums: Vec<f64>,
    /// `columns x columns`; only the diagonal and what is to its right.
    products: Vec<f64>,
}

impl Gram {
    /// No rows yet; sums about zero.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self::about(vec![0.0; columns])
    }

    /// No rows yet; sums about a point.
    ///
    /// The nearer it is to the mean, the fewer digits of the covariance cancel: with the mean itself
    /// this is the corrected two-pass algorithm (Chan, Golub and LeVeque 1983).
    #[must_use]
    pub fn about(point: Vec<f64>) -> Self {
        let columns = point.len();
        Self { point, rows: 0, sums: vec![0.0; columns], products: vec![0.0; columns * columns] }
    }

    /// Adds rows, one after the other in `rows`.
    ///
    /// # Panics
    /// When the length is not a multiple of the number of columns.
    pub fn add(&mut self, rows: &[f32]) {
        let columns = self.point.len();
        if columns == 0 || rows.is_empty() {
            return;
        }
        assert!(rows.len().is_multiple_of(columns), "rows must be whole");
        self.rows += (rows.len() / columns) as u64;
        for row in rows.chunks_exact(columns) {
            for ((sum, &value), point) in self.sums.iter_mut().zip(row).zip(&self.point) {
                *sum += f64::from(value) - point;
            }
        }
        for block in rows.chunks(BLOCK * columns) {
            let vectors = Vectors::of_columns(block, &self.point);
            add_products(&vectors, &vectors, Part::Upper, &mut self.products);
        }
    }

    /// Sums over the rows that are not in `some`, which are some of these, about the same point.
    ///
    /// What is left is computed as a difference, which costs digits only where little is left.
    ///
    /// # Panics
    /// When the points differ.
    #[must_use]
    pub fn without(&self, some: &Self) -> Self {
        assert_eq!(self.point, some.point, "sums must be about one point");
        let difference = |all: &[f64], some: &[f64]| {
            all.iter().zip(some).map(|(all, some)| all - some).collect()
        };
        Self {
            point: self.point.clone(),
            rows: self.rows.saturating_sub(some.rows),
            sums: difference(&self.sums, &some.sums),
            products: difference(&self.products, &some.products),
        }
    }

    /// Sums that were computed elsewhere: `rows`, and what the fields are.
    #[cfg(feature = "cuda")]
    pub(crate) fn from_sums(
        point: Vec<f64>,
        rows: u64,
        sums: Vec<f64>,
        products: Vec<f64>,
    ) -> Self {
        Self { point, rows, sums, products }
    }

    /// Everything it knows, little-endian: rows, point, sums, products.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let numbers = self.point.iter().chain(&self.sums).chain(&self.products);
        let numbers = numbers.flat_map(|value| value.to_le_bytes());
        self.rows.to_le_bytes().into_iter().chain(numbers).collect()
    }

    /// What [`to_bytes`](Self::to_bytes) gave of so many columns; `None` for another length, or a number that is not
    /// finite.
    #[must_use]
    pub fn from_bytes(columns: usize, bytes: &[u8]) -> Option<Self> {
        let (rows, numbers) = bytes.split_first_chunk::<8>()?;
        let (numbers, rest) = numbers.as_chunks::<8>();
        let mut numbers: Vec<f64> =
            numbers.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect();
        let is_whole = rest.is_empty() && numbers.len() == columns * (columns + 2);
        if !is_whole || !numbers.iter().all(|value| value.is_finite()) {
            return None;
        }
        let products = numbers.split_off(2 * columns);
        let sums = numbers.split_off(columns);
        Some(Self { point: numbers, rows: u64::from_le_bytes(*rows), sums, products })
    }

    /// How many rows were added.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The mean row; `None` before the first row.
    #[must_use]
    pub fn mean(&self) -> Option<Vec<f64>> {
        let mean = |(sum, point): (&f64, &f64)| point + sum / self.rows as f64;
        (self.rows > 0).then(|| self.sums.iter().zip(&self.point).map(mean).collect())
    }

    /// The unbiased covariance, `columns x columns`, symmetric; `None` with fewer than two rows.
    ///
    /// `(sum (x - p) (x - p)^T - n m m^T) / (n - 1)` with `m` the mean of `x - p`: the difference
    /// costs digits when `m` is large against the spread. For pixels in `[0, 1]` about zero what is
    /// left is good to about 1e-15.
    #[must_use]
    pub fn covariance(&self) -> Option<Vec<f64>> {
        if self.rows < 2 {
            return None;
        }
        let (n, columns) = (self.rows as f64, self.point.len());
        let mut covariance = vec![0.0; columns * columns];
        for i in 0..columns {
            for j in i..columns {
                let centred = self.products[i * columns + j] - self.sums[i] * self.sums[j] / n;
                covariance[i * columns + j] = centred / (n - 1.0);
                covariance[j * columns + i] = centred / (n - 1.0);
            }
        }
        Some(covariance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of small integers, whose sums are exact in any order.
    fn integers(rows: usize, columns: usize) -> Vec<f32> {
        (0..rows * columns).map(|i| ((i * 7919 + i / 5) % 41) as f32 - 20.0).collect()
    }

    #[test]
    fn what_is_written_goes_on_with_the_same_bits() {
        let (columns, rows) = (5, fractions(90, 5));
        let mut whole = Gram::about(vec![0.25; columns]);
        whole.add(&rows);
        let mut first = Gram::about(vec![0.25; columns]);
        first.add(&rows[..37 * columns]);
        let bytes = first.to_bytes();
        let mut again = Gram::from_bytes(columns, &bytes).unwrap();
        again.add(&rows[37 * columns..]);
        assert_eq!(again.to_bytes(), whole.to_bytes());
        assert!(Gram::from_bytes(columns, &bytes[1..]).is_none());
        assert!(Gram::from_bytes(columns + 1, &bytes).is_none());
        let mut broken = bytes;
        broken[8..16].copy_from_slice(&f64::NAN.to_le_bytes());
        assert!(Gram::from_bytes(columns, &broken).is_none());
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
    fn rows_that_are_taken_away_are_as_if_they_had_not_come() {
        let (columns, values) = (7, integers(90, 7));
        let (first, rest) = values.split_at(20 * columns);
        let of = |rows: &[f32]| {
            let mut gram = Gram::about(vec![0.25; columns]);
            gram.add(rows);
            gram
        };
        let (left, expected) = (of(&values).without(&of(first)), of(rest));
        assert_eq!((left.rows(), left.mean()), (70, expected.mean()));
        assert_eq!(left.covariance(), expected.covariance());
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

    #[test]
    fn a_large_mean_costs_no_digits_when_the_point_is_near_it() {
        // Values near 2^23, where f32 still tells halves apart: the shift is exact.
        let (rows, columns) = (300, 5);
        let small: Vec<f32> = integers(rows, columns).iter().map(|v| v * 0.5).collect();
        let large: Vec<f32> = small.iter().map(|v| v + 8_388_000.0).collect();
        let expected = sums(columns, &[&small]).1;
        let worst = |mut gram: Gram| {
            gram.add(&large);
            let found = gram.covariance().unwrap();
            found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        let near = worst(Gram::about(vec![8_388_001.25; columns]));
        assert!(near < 1e-12, "{near}");
        // And the input can tell: about zero, 2^46 x 300 rows cancels down to tens.
        let far = worst(Gram::new(columns));
        assert!(far > 1e-6, "{far}");
    }
}
