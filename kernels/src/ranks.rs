//! How many items come before a query's own, by inner product, without ever storing all products.
//!
//! Items are in descending order of their product with the query; of equal products the item with
//! the lower index comes first, as a stable sort has it. Where the first of a query's own items
//! stands is then a count: of the items with a larger product, and of those before it with the same.
//! A block of products serves the queries of its rows and those of its columns.

use std::ops::Range;

use rayon::prelude::*;

use crate::matrix::{Packed, multiply};

/// Columns that are looked at together: their counts are registers while rows pass by.
const STEP: usize = 64;

/// The first of a query's own items: the largest product, and of several such the lowest index.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct First {
    /// Inner product with the query, as [`multiply`] makes it.
    pub product: f32,
    /// Index of the item.
    pub item: usize,
}

impl First {
    /// The one that comes first.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        let before = match self.product.partial_cmp(&other.product) {
            Some(std::cmp::Ordering::Equal) => self.item < other.item,
            order => order == Some(std::cmp::Ordering::Greater),
        };
        if before { self } else { other }
    }
}

/// Inner products of some rows with some columns: those of two sets of vectors, in blocks.
#[derive(Debug)]
pub struct Tile<'a> {
    products: &'a [f32],
    rows: Range<usize>,
    columns: Range<usize>,
}

impl<'a> Tile<'a> {
    /// Multiplies the vectors `down`, the first of which is number `top` of its set, with those of
    /// `across`, the first of which is number `left`. The products lie in `memory`, of which nothing
    /// else is kept.
    ///
    /// # Panics
    /// When the vectors differ in length.
    #[must_use]
    pub fn new(
        (down, top): (&[f32], usize),
        (across, left): (&Packed, usize),
        memory: &'a mut Vec<f32>,
    ) -> Self {
        let count = down.len().checked_div(across.columns()).unwrap_or(0);
        memory.resize(count * across.rows(), 0.0);
        multiply(down, across, memory);
        let (rows, columns) = (top..top + count, left..left + across.rows());
        Self { products: memory, rows, columns }
    }

    /// The products of each row with all columns; the first row is number [`top`](Self::new).
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.products.chunks_exact(self.columns.len().max(1))
    }

    fn line(&self, row: usize) -> &[f32] {
        &self.products[row * self.columns.len()..][..self.columns.len()]
    }
}

/// For each query of a set, how many items come before the first of its own.
#[derive(Clone, Debug)]
pub struct Ranks {
    first: Vec<Option<First>>,
    before: Vec<u64>,
}

impl Ranks {
    /// Queries by the first of their own items; `None` for one that has none.
    #[must_use]
    pub fn new(first: Vec<Option<First>>) -> Self {
        let before = vec![0; first.len()];
        Self { first, before }
    }

    /// Takes in products whose rows are queries and whose columns are items.
    ///
    /// # Panics
    /// When there is no such query.
    pub fn add_rows(&mut self, tile: &Tile<'_>) {
        let queries = self.first[tile.rows.clone()].par_iter();
        let counts = self.before[tile.rows.clone()].par_iter_mut().enumerate().with_min_len(16);
        counts.zip(queries.with_min_len(16)).for_each(|((row, count), first)| {
            let Some(first) = first else { return };
            let split = first.item.clamp(tile.columns.start, tile.columns.end);
            let (front, back) = tile.line(row).split_at(split - tile.columns.start);
            // Before the item a product that is equal is enough.
            *count += above(front, first.product.next_down()) + above(back, first.product);
        });
    }

    /// Takes in products whose columns are queries and whose rows are items.
    ///
    /// # Panics
    /// When there is no such query.
    pub fn add_columns(&mut self, tile: &Tile<'_>) {
        let queries = self.first[tile.columns.clone()].par_chunks(STEP);
        let counts = self.before[tile.columns.clone()].par_chunks_mut(STEP).enumerate();
        counts.zip(queries).for_each(|((step, counts), queries)| {
            let left = step * STEP;
            let limits = Limits::new(queries, tile.rows.clone());
            let found = pulp::Arch::new().dispatch(Columns { tile, left, limits });
            counts.iter_mut().zip(found).for_each(|(count, more)| *count += u64::from(more));
        });
    }

    /// The counts; `None` for a query without items of its own.
    #[must_use]
    pub fn before(self) -> Vec<Option<u64>> {
        let known = self.first.into_iter().zip(self.before);
        known.map(|(first, before)| first.map(|_| before)).collect()
    }
}

/// How many values are larger than a limit: without a branch, for the vector units.
fn above(values: &[f32], limit: f32) -> u64 {
    pulp::Arch::new().dispatch(Above { values, limit })
}

struct Above<'a> {
    values: &'a [f32],
    limit: f32,
}

impl pulp::NullaryFnOnce for Above<'_> {
    type Output = u64;

    #[inline(always)]
    fn call(self) -> u64 {
        // A block of columns has fewer than 2^32 of them.
        let is_above = |&value: &f32| u32::from(value > self.limit);
        u64::from(self.values.iter().map(is_above).sum::<u32>())
    }
}

/// What the products of a few columns must exceed, row after row.
struct Limits {
    limits: [f32; STEP],
    /// Rows at which the limit of a column rises, because the query's own item is reached; in order.
    rises: Vec<(usize, usize)>,
    queries: usize,
}

impl Limits {
    fn new(queries: &[Option<First>], rows: Range<usize>) -> Self {
        let (mut limits, mut rises) = ([f32::INFINITY; STEP], Vec::new());
        for (column, first) in queries.iter().enumerate() {
            let Some(first) = first else { continue };
            limits[column] = if first.item < rows.start {
                first.product
            } else {
                if rows.contains(&first.item) {
                    rises.push((first.item - rows.start, column));
                }
                first.product.next_down()
            };
        }
        rises.sort_unstable();
        Self { limits, rises, queries: queries.len() }
    }
}

/// Counts of a few columns of a tile.
struct Columns<'a> {
    tile: &'a Tile<'a>,
    left: usize,
    limits: Limits,
}

impl pulp::NullaryFnOnce for Columns<'_> {
    type Output = [u32; STEP];

    #[inline(always)]
    fn call(self) -> [u32; STEP] {
        let Self { tile, left, limits: Limits { mut limits, rises, queries } } = self;
        let (mut counts, mut from) = ([0; STEP], 0);
        let rises = rises.into_iter().map(|(row, column)| (row, Some(column)));
        for (to, column) in rises.chain([(tile.rows.len(), None)]) {
            for row in from..to {
                let line = &tile.line(row)[left..left + queries];
                match line.first_chunk::<STEP>() {
                    Some(line) => count(&mut counts, line, &limits),
                    None => count(&mut counts, line, &limits),
                }
            }
            from = to;
            if let Some(limit) = column.and_then(|column| limits.get_mut(column)) {
                *limit = limit.next_up();
            }
        }
        counts
    }
}

/// Adds 1 to the counts of the products that are above their limits.
#[inline(always)]
fn count(counts: &mut [u32; STEP], line: &[f32], limits: &[f32; STEP]) {
    for ((count, product), limit) in counts.iter_mut().zip(line).zip(limits) {
        *count += u32::from(product > limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPTH: usize = 5;

    /// Vectors of few small integers: products are exact, and many are equal.
    fn vectors(count: usize, seed: usize) -> Vec<f32> {
        let hash = |i: usize| (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        (0..count * DEPTH).map(|i| (hash(i + seed * 100_003) % 3) as f32 - 1.0).collect()
    }

    fn product(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    /// The definition: sort, and look.
    fn plain(query: &[f32], items: &[f32], own: impl Fn(usize) -> bool) -> Option<u64> {
        let products: Vec<f32> = items.chunks(DEPTH).map(|item| product(query, item)).collect();
        let mut order: Vec<usize> = (0..products.len()).collect();
        order.sort_by(|&a, &b| products[b].total_cmp(&products[a]));
        order.into_iter().position(own).map(|place| place as u64)
    }

    fn first(query: &[f32], items: &[f32], own: impl Fn(usize) -> bool) -> Option<First> {
        let of = |(item, vector): (usize, &[f32])| First { product: product(query, vector), item };
        let own = items.chunks(DEPTH).enumerate().filter(|&(item, _)| own(item));
        own.map(of).reduce(First::min)
    }

    /// Both directions at once, in tiles of the given sizes.
    fn ranks(
        (rows, columns): (&[f32], &[f32]),
        own: impl Fn(usize, usize) -> bool,
        (height, width): (usize, usize),
    ) -> [Vec<Option<u64>>; 2] {
        let of_rows = rows.chunks(DEPTH).enumerate();
        let of_rows = of_rows.map(|(row, query)| first(query, columns, |item| own(row, item)));
        let of_columns = columns.chunks(DEPTH).enumerate();
        let of_columns =
            of_columns.map(|(column, query)| first(query, rows, |item| own(item, column)));
        let mut found = [Ranks::new(of_rows.collect()), Ranks::new(of_columns.collect())];
        let mut memory = Vec::new();
        for (left, across) in columns.chunks(width * DEPTH).enumerate() {
            let packed = Packed::new(across, DEPTH);
            for (top, down) in rows.chunks(height * DEPTH).enumerate() {
                let tile = Tile::new((down, top * height), (&packed, left * width), &mut memory);
                found[0].add_rows(&tile);
                found[1].add_columns(&tile);
            }
        }
        found.map(Ranks::before)
    }

    #[test]
    fn ranks_are_those_of_a_stable_sort_whatever_the_tiles() {
        for (m, n) in [(1, 1), (7, 150), (150, 7), (130, 131)] {
            let (rows, columns) = (vectors(m, 1), vectors(n, 2));
            // Some queries have several items, some have none.
            let own = |row: usize, column: usize| row % 11 == column % 13;
            let down = rows.chunks(DEPTH).enumerate();
            let down = down.map(|(row, query)| plain(query, &columns, |item| own(row, item)));
            let across = columns.chunks(DEPTH).enumerate();
            let across = across.map(|(at, query)| plain(query, &rows, |item| own(item, at)));
            let expected = [down.collect::<Vec<_>>(), across.collect()];
            for tile in [(m, n), (1, n), (m, 1), (64, 64), (50, 70), (33, 5)] {
                assert_eq!(ranks((&rows, &columns), own, tile), expected, "{m} {n} {tile:?}");
            }
        }
    }

    #[test]
    fn of_equal_items_the_first_in_the_set_is_the_first() {
        // All products are 0, of either sign.
        let rows = [0.0, -0.0, 0.0].map(|zero| [zero; DEPTH]).concat();
        let columns = [1.0_f32; 4 * DEPTH];
        let [down, across] = ranks((&rows, &columns), |row, column| column == row + 1, (2, 3));
        assert_eq!(down, [Some(1), Some(2), Some(3)]);
        assert_eq!(across, [None, Some(0), Some(1), Some(2)]);
    }

    #[test]
    fn the_number_of_threads_does_not_move_a_rank() {
        let (rows, columns) = (vectors(400, 3), vectors(300, 4));
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let own = |row: usize, column: usize| row % 300 == column;
            pool.install(|| ranks((&rows, &columns), own, (126, 128)))
        };
        assert_eq!(with(1), with(3));
    }
}
