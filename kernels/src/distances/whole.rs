//! What [`Nearest`] and [`Coverage`] give for sets that are in memory.

use super::{Ball, Manifolds, Nearest, Points};

/// Points of a block: its products with another are 16 MB.
const BLOCK: usize = 2048;

/// The squared distance of each of the points, rows of `columns` values, to the last of its
/// `neighbours` nearest others; infinite where there are fewer.
///
/// # Panics
/// When there are no columns, the rows are not whole or no neighbour is asked for.
#[must_use]
pub fn radii(points: &[f32], columns: usize, neighbours: usize) -> Vec<f64> {
    let blocks = blocks(points, columns);
    let mut nearest = Nearest::new(points.len() / columns.max(1), neighbours);
    for (at, (block, first)) in blocks.iter().enumerate() {
        nearest.within(block, *first);
        for (other, start) in &blocks[at + 1..] {
            nearest.between((block, *first), (other, *start));
        }
    }
    nearest.radii()
}

/// Which of the points, rows of `columns` values, lie in a ball around some centre; each centre has its
/// squared radius.
///
/// # Panics
/// When there are no columns or the rows are not whole.
#[must_use]
pub fn inside(
    points: &[f32],
    (centres, radii): (&[f32], &[f64]),
    columns: usize,
    ball: Ball,
) -> Vec<bool> {
    // The balls of the points hold nothing: only one side is asked for.
    let none = vec![f64::NEG_INFINITY; points.len() / columns.max(1)];
    let mut manifolds = Manifolds::new(ball, &none, radii);
    let others = blocks(centres, columns);
    for (block, first) in blocks(points, columns) {
        for (other, start) in &others {
            manifolds.add((&block, first), (other, *start));
        }
    }
    let [inside, _] = manifolds.inside();
    inside
}

fn blocks(rows: &[f32], columns: usize) -> Vec<(Points, usize)> {
    let parts = rows.chunks(BLOCK * columns.max(1)).enumerate();
    parts.map(|(at, rows)| (Points::new(columns, rows.to_vec()), at * BLOCK)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::squared_distance;
    use super::super::tests::points;
    use super::*;

    #[test]
    fn radii_and_memberships_are_those_of_all_distances() {
        let (columns, a, b) = (7, points(90, 7, 1, 0.0), points(60, 7, 5, 0.1));
        let found = radii(&a, columns, 3);
        let distance = |x: &[f32], i: usize, y: &[f32], j: usize| {
            squared_distance(&x[i * columns..][..columns], &y[j * columns..][..columns])
        };
        for (i, radius) in found.iter().enumerate() {
            let others = (0..90).filter(|&j| j != i);
            let nearer = others.filter(|&j| distance(&a, i, &a, j) < *radius).count();
            assert_eq!(nearer, 2, "{i}");
        }
        let members = inside(&b, (&a, &found), columns, Ball::Closed);
        for (j, is_inside) in members.iter().enumerate() {
            let expected = (0..90).any(|i| distance(&a, i, &b, j) <= found[i]);
            assert_eq!(*is_inside, expected, "{j}");
        }
        assert!(members.contains(&true) && members.contains(&false));
    }
}
