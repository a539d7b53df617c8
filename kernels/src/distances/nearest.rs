use rayon::prelude::*;

use super::{Pairs, Points, TINY, any_below, any_below_each, squared_distance};

/// The smallest squared distances of each point of a set to the others of the same set.
#[derive(Clone, Debug)]
pub struct Nearest {
    neighbours: usize,
    /// For each point the smallest distances so far in ascending order, filled up with infinity.
    smallest: Vec<f64>,
}

/// Points of one task.
const TASK: usize = 64;

impl Nearest {
    /// Of `points` points, the `neighbours` nearest of each are asked for.
    ///
    /// # Panics
    /// When no neighbour is asked for.
    #[must_use]
    pub fn new(points: usize, neighbours: usize) -> Self {
        assert!(neighbours > 0, "at least one neighbour");
        Self { neighbours, smallest: vec![f64::INFINITY; points * neighbours] }
    }

    /// Takes in the pairs within a block of the set that starts at point `first`; no point is its
    /// own neighbour.
    pub fn within(&mut self, block: &Points, first: usize) {
        let pairs = Pairs::new(block, block);
        let k = self.neighbours;
        let here = &mut self.smallest[first * k..][..block.count() * k];
        here.par_chunks_mut(k).enumerate().for_each(|(row, nearest)| {
            scan(&pairs, row, 0..row, nearest);
            scan(&pairs, row, row + 1..block.count(), nearest);
        });
    }

    /// Takes in the pairs of two blocks of the set, which start at the given points; each pair
    /// counts for both of its points.
    pub fn between(&mut self, (block, first): (&Points, usize), (other, start): (&Points, usize)) {
        let pairs = Pairs::new(block, other);
        let k = self.neighbours;
        let here = &mut self.smallest[first * k..][..block.count() * k];
        here.par_chunks_mut(k)
            .enumerate()
            .for_each(|(row, nearest)| scan(&pairs, row, 0..other.count(), nearest));
        let there = &mut self.smallest[start * k..][..other.count() * k];
        there.par_chunks_mut(TASK * k).enumerate().for_each(|(task, nearest)| {
            scan_columns(&pairs, task * TASK, k, nearest);
        });
    }

    /// The squared distance of each point to the last of its nearest; infinite where there are
    /// fewer.
    #[must_use]
    pub fn radii(&self) -> Vec<f64> {
        self.smallest
            .chunks_exact(self.neighbours)
            .map(|nearest| nearest[nearest.len() - 1])
            .collect()
    }
}

/// Looks for nearer neighbours of the point of a row among some columns.
fn scan(pairs: &Pairs<'_>, row: usize, columns: std::ops::Range<usize>, nearest: &mut [f64]) {
    const STEP: usize = 64;
    let (line, across) = (pairs.line(row), &pairs.across.lower);
    let limit_of = |nearest: &[f64]| {
        (nearest[nearest.len() - 1] as f32).next_up() - pairs.down.lower[row] + TINY
    };
    for from in columns.clone().step_by(STEP) {
        let here = from..columns.end.min(from + STEP);
        let mut limit = limit_of(nearest);
        if !any_below(&line[here.clone()], &across[here.clone()], limit) {
            continue;
        }
        for column in here {
            // Written so that NaN, of infinities, is not far.
            let far = across[column] - 2.0 * line[column] >= limit;
            if !far {
                insert(nearest, pairs.exact(row, column));
                limit = limit_of(nearest);
            }
        }
    }
}

/// The same for the points of some columns, row after row: memory is read in order.
fn scan_columns(pairs: &Pairs<'_>, left: usize, k: usize, nearest: &mut [f64]) {
    let width = nearest.len() / k;
    let mut limits = [0.0_f32; TASK];
    let limit = |nearest: &[f64], column: usize| {
        (nearest[k - 1] as f32).next_up() - pairs.across.lower[left + column] + TINY
    };
    for (column, nearest) in nearest.chunks_exact(k).enumerate() {
        limits[column] = limit(nearest, column);
    }
    for (row, &lower) in pairs.down.lower.iter().enumerate() {
        let line = &pairs.line(row)[left..left + width];
        if !any_below_each(line, lower, &limits[..width]) {
            continue;
        }
        for column in 0..width {
            let far = lower - 2.0 * line[column] >= limits[column];
            if !far {
                let nearest = &mut nearest[column * k..][..k];
                let across = pairs.across.row(left + column);
                insert(nearest, squared_distance(pairs.down.row(row), across));
                limits[column] = limit(nearest, column);
            }
        }
    }
}

/// Puts a distance in its place among the smallest.
fn insert(nearest: &mut [f64], distance: f64) {
    let at = nearest.partition_point(|&other| other <= distance);
    if at < nearest.len() {
        nearest[at..].rotate_right(1);
        nearest[at] = distance;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::points;
    use super::*;

    /// The definition: every distance in f64, sorted.
    fn plain(rows: &[f32], columns: usize, k: usize) -> Vec<f64> {
        let row = |i: usize| &rows[i * columns..][..columns];
        let count = rows.len() / columns;
        let radius = |i: usize| {
            let others = (0..count).filter(|&j| j != i);
            let mut all: Vec<f64> = others.map(|j| squared_distance(row(i), row(j))).collect();
            all.sort_by(f64::total_cmp);
            all.get(k - 1).copied().unwrap_or(f64::INFINITY)
        };
        (0..count).map(radius).collect()
    }

    fn in_blocks(rows: &[f32], columns: usize, k: usize, block: usize) -> Vec<f64> {
        let count = rows.len() / columns;
        let part = |first: usize| {
            let end = count.min(first + block);
            (Points::new(columns, rows[first * columns..end * columns].to_vec()), first)
        };
        let blocks: Vec<_> = (0..count).step_by(block).map(part).collect();
        let mut nearest = Nearest::new(count, k);
        for (at, (block, first)) in blocks.iter().enumerate() {
            nearest.within(block, *first);
            for (other, start) in &blocks[at + 1..] {
                nearest.between((block, *first), (other, *start));
            }
        }
        nearest.radii()
    }

    #[test]
    fn radii_are_those_of_f64_distances_to_the_last_bit() {
        // A centre of 1,000 drowns the distances in f32: all is left to the f64 ones.
        for (count, columns, centre) in [(1, 3, 0.0), (4, 1, 0.0), (150, 19, 0.0), (90, 40, 1e3)] {
            let rows = points(count, columns, 3, centre);
            for k in [1, 3, 5] {
                let expected = plain(&rows, columns, k);
                for block in [count, 7, 70] {
                    assert_eq!(
                        in_blocks(&rows, columns, k, block),
                        expected,
                        "{count} {k} {block}"
                    );
                }
            }
        }
    }

    #[test]
    fn duplicates_are_neighbours_at_distance_zero() {
        let mut rows = points(40, 8, 1, 0.0);
        let copy = rows[..16].to_vec();
        rows.extend(copy);
        let radii = in_blocks(&rows, 8, 1, 16);
        assert_eq!((radii[0].to_bits(), radii[41].to_bits()), (0, 0));
        assert!(radii[2..40].iter().all(|&radius| radius > 0.0));
    }

    #[test]
    fn values_near_the_ends_of_f32_are_no_exception() {
        for scale in [1e-25_f32, 1e25] {
            let rows: Vec<f32> = points(60, 5, 2, 0.0).iter().map(|v| v * scale).collect();
            assert_eq!(in_blocks(&rows, 5, 3, 25), plain(&rows, 5, 3));
        }
    }
}
