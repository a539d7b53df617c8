//! Squared Euclidean distances of many points to many others, without ever storing all of them.
//!
//! A block of pairs gets its inner products in f32, one fused chain each. From them and the squared
//! lengths follow bounds of the distance that hold whatever the rounding; only pairs that the
//! bounds leave undecided are computed from their differences in f64 ([`squared_distance`]). So
//! every decision is the one that plain f64 distances lead to, at the price of one f32 product.

mod half;
mod hits;
mod nearest;
mod whole;

use rayon::prelude::*;

use crate::matrix::{Packed, multiply};

pub use half::{HalfPoints, Precision};
pub use hits::{Ball, Coverage, Manifolds};
pub use nearest::Nearest;
pub use whole::{inside, radii};

/// Some points, prepared for distances to others.
#[derive(Clone, Debug)]
pub struct Points {
    columns: usize,
    rows: Vec<f32>,
    packed: Packed,
    /// Squared lengths, times 1 less what rounding can do to twice the product.
    lower: Vec<f32>,
    /// The same, times 1 more.
    upper: Vec<f32>,
}

impl Points {
    /// Rows of `columns` values, one after the other.
    ///
    /// # Panics
    /// When there are no columns or the rows are not whole.
    #[must_use]
    pub fn new(columns: usize, rows: Vec<f32>) -> Self {
        assert!(columns > 0 && rows.len().is_multiple_of(columns), "rows must be whole");
        let slack = slack(columns);
        let squares: Vec<f64> = rows.par_chunks_exact(columns).map(square).collect();
        let bound = |factor: f64| squares.iter().map(|square| (square * factor) as f32).collect();
        Self {
            columns,
            packed: Packed::new(&rows, columns),
            lower: bound(1.0 - slack),
            upper: bound(1.0 + slack),
            rows,
        }
    }

    /// How many points there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rows.len() / self.columns
    }

    fn row(&self, number: usize) -> &[f32] {
        &self.rows[number * self.columns..][..self.columns]
    }
}

/// What rounding can do to twice a product, as a share of the squared lengths.
pub(crate) fn slack(columns: usize) -> f64 {
    // A chain of k fused operations on f32 is off by at most k u / (1 - k u) of
    // sum |a b| <= (|a|^2 + |b|^2) / 2; half of that is doubled again. The few roundings that
    // follow in f32 are each below u (|a|^2 + |b|^2); 16 allow for all of them.
    let slack = (columns as f64 + 16.0) * f64::from(f32::EPSILON / 2.0) * 1.01;
    if slack < 0.5 { slack / (1.0 - slack) } else { f64::INFINITY }
}

/// Products of all pairs of two sets of points.
struct Pairs<'a> {
    down: &'a Points,
    across: &'a Points,
    products: Vec<f32>,
}

/// What underflow can hide in products and sums.
const TINY: f32 = 1e-30;

impl<'a> Pairs<'a> {
    /// Uses the memory of `products`, of which nothing else is kept.
    fn new(down: &'a Points, across: &'a Points, mut products: Vec<f32>) -> Self {
        assert_eq!(down.columns, across.columns, "points of one space");
        products.resize(down.count() * across.count(), 0.0);
        multiply(&down.rows, &across.packed, &mut products);
        Self { down, across, products }
    }

    fn line(&self, row: usize) -> &[f32] {
        &self.products[row * self.across.count()..][..self.across.count()]
    }

    fn exact(&self, row: usize, column: usize) -> f64 {
        squared_distance(self.down.row(row), self.across.row(column))
    }
}

/// The squared distance of two points, `sum (a - b)^2` in f64: 8 sums of every eighth column, then
/// their sum in order.
///
/// It has the same bits for (a, b) and (b, a), and is 0 for equal points and no others, but for
/// underflow.
#[must_use]
pub fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    pulp::Arch::new().dispatch(Difference { a, b })
}

struct Difference<'a> {
    a: &'a [f32],
    b: &'a [f32],
}

impl pulp::NullaryFnOnce for Difference<'_> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let mut sums = [0.0; 8];
        let (a, a_rest) = self.a.as_chunks::<8>();
        let (b, b_rest) = self.b.as_chunks::<8>();
        for (a, b) in a.iter().zip(b) {
            for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
                let difference = f64::from(a) - f64::from(b);
                *sum += difference * difference;
            }
        }
        for ((sum, &a), &b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
            let difference = f64::from(a) - f64::from(b);
            *sum += difference * difference;
        }
        sums.iter().sum()
    }
}

/// Whether some pair of a row may be nearer than the limit: without a branch, for the vector units.
/// NaN, of infinities, may be.
#[inline]
fn any_below(products: &[f32], lower: &[f32], limit: f32) -> bool {
    pulp::Arch::new().dispatch(AnyBelow { products, lower, limit })
}

struct AnyBelow<'a> {
    products: &'a [f32],
    lower: &'a [f32],
    limit: f32,
}

impl pulp::NullaryFnOnce for AnyBelow<'_> {
    type Output = bool;

    #[inline(always)]
    fn call(self) -> bool {
        let far = |(product, lower): (&f32, &f32)| lower - 2.0 * product >= self.limit;
        // Counted and not searched: a search would stop, and with it the vectors.
        self.products.iter().zip(self.lower).map(|pair| u32::from(!far(pair))).sum::<u32>() > 0
    }
}

/// The same with a limit for each column and one bound for the row.
#[inline]
fn any_below_each(products: &[f32], lower: f32, limits: &[f32]) -> bool {
    pulp::Arch::new().dispatch(AnyBelowEach { products, lower, limits })
}

struct AnyBelowEach<'a> {
    products: &'a [f32],
    lower: f32,
    limits: &'a [f32],
}

impl pulp::NullaryFnOnce for AnyBelowEach<'_> {
    type Output = bool;

    #[inline(always)]
    fn call(self) -> bool {
        let far = |(product, limit): (&f32, &f32)| self.lower - 2.0 * product >= *limit;
        self.products.iter().zip(self.limits).map(|pair| u32::from(!far(pair))).sum::<u32>() > 0
    }
}

fn square(row: &[f32]) -> f64 {
    row.iter().map(|&value| f64::from(value) * f64::from(value)).sum()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// `count` points that lie together, far from the origin for a `centre` that is large.
    pub(crate) fn points(count: usize, columns: usize, seed: usize, centre: f32) -> Vec<f32> {
        (0..count * columns)
            .map(|i| centre + (((i + seed * 10_007) * 7919) % 1009) as f32 / 1009.0)
            .collect()
    }

    #[test]
    fn equal_points_have_no_distance_and_order_does_not_matter() {
        let a = points(2, 37, 1, 5.0);
        let (x, y) = a.split_at(37);
        assert_eq!(squared_distance(x, x).to_bits(), 0);
        assert_eq!(squared_distance(x, y).to_bits(), squared_distance(y, x).to_bits());
        let plain: f64 =
            x.iter().zip(y).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
        assert!((squared_distance(x, y) - plain).abs() < 1e-12);
        assert!(squared_distance(x, y) > 0.0);
    }
}
