use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::{Pairs, Points, TINY, any_below, any_below_each};

/// Whether a ball has its surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ball {
    /// A point at exactly the radius is in.
    Closed,
    /// It is not.
    Open,
}

impl Ball {
    fn holds(self, distance: f64, radius: f64) -> bool {
        match self {
            Self::Closed => distance <= radius,
            Self::Open => distance < radius,
        }
    }

    /// Decides by the bounds of a distance where they do, by the distance itself where not.
    fn decide(self, pairs: &Pairs<'_>, row: usize, column: usize, radius: f64) -> bool {
        let twice = 2.0 * f64::from(pairs.line(row)[column]);
        let bound =
            |down: &[f32], across: &[f32]| f64::from(down[row]) + f64::from(across[column]) - twice;
        let (tiny, lower) = (f64::from(TINY), bound(&pairs.down.lower, &pairs.across.lower));
        if lower - tiny > radius {
            return false;
        }
        if bound(&pairs.down.upper, &pairs.across.upper) + tiny < radius {
            return true;
        }
        self.holds(pairs.exact(row, column), radius)
    }
}

/// Columns that are looked at together.
const STEP: usize = 64;

/// Which points of each of two sets lie in some ball around a point of the other.
#[derive(Debug)]
pub struct Manifolds<'a> {
    ball: Ball,
    radii: [&'a [f64]; 2],
    inside: [Vec<AtomicBool>; 2],
}

impl<'a> Manifolds<'a> {
    /// Balls with the given squared radii around the points of the first and the second set.
    #[must_use]
    pub fn new(ball: Ball, first: &'a [f64], second: &'a [f64]) -> Self {
        let none = |radii: &[f64]| radii.iter().map(|_| AtomicBool::new(false)).collect();
        Self { ball, radii: [first, second], inside: [none(first), none(second)] }
    }

    /// Takes in the pairs of a block of the first set and one of the second, with the number of
    /// their first points.
    pub fn add(&mut self, (block, first): (&Points, usize), (other, start): (&Points, usize)) {
        let pairs = Pairs::new(block, other);
        let radii = [&self.radii[0][first..], &self.radii[1][start..]];
        let inside = [&self.inside[0][first..], &self.inside[1][start..]];
        let limits: Vec<f32> = other
            .lower
            .iter()
            .zip(radii[1])
            .map(|(lower, &radius)| (radius as f32).next_up() - lower + TINY)
            .collect();
        // A flag is only ever raised: in which order does not matter.
        (0..block.count()).into_par_iter().for_each(|row| {
            let limit = (radii[0][row] as f32).next_up() - block.lower[row] + TINY;
            for from in (0..other.count()).step_by(STEP) {
                let here = from..other.count().min(from + STEP);
                let line = &pairs.line(row)[here.clone()];
                if any_below(line, &other.lower[here.clone()], limit) {
                    for column in here.clone().filter(|&column| !is_set(&inside[1][column])) {
                        if self.ball.decide(&pairs, row, column, radii[0][row]) {
                            inside[1][column].store(true, Ordering::Relaxed);
                        }
                    }
                }
                let lower = block.lower[row];
                if !is_set(&inside[0][row]) && any_below_each(line, lower, &limits[here.clone()]) {
                    let mut columns = here;
                    if columns.any(|column| self.ball.decide(&pairs, row, column, radii[1][column]))
                    {
                        inside[0][row].store(true, Ordering::Relaxed);
                    }
                }
            }
        });
    }

    /// For each point of the first set and of the second, whether some ball of the other has it.
    #[must_use]
    pub fn inside(self) -> [Vec<bool>; 2] {
        self.inside.map(|flags| flags.into_iter().map(AtomicBool::into_inner).collect())
    }
}

fn is_set(flag: &AtomicBool) -> bool {
    flag.load(Ordering::Relaxed)
}

/// How many points of another set lie in each ball of a set.
#[derive(Debug)]
pub struct Coverage<'a> {
    ball: Ball,
    radii: &'a [f64],
    counts: Vec<u64>,
}

impl<'a> Coverage<'a> {
    /// Balls with the given squared radii.
    #[must_use]
    pub fn new(ball: Ball, radii: &'a [f64]) -> Self {
        Self { ball, radii, counts: vec![0; radii.len()] }
    }

    /// Takes in the pairs of a block of centres, with the number of the first, and other points.
    pub fn add(&mut self, (block, first): (&Points, usize), points: &Points) {
        let pairs = Pairs::new(block, points);
        let counts = &mut self.counts[first..first + block.count()];
        counts.par_iter_mut().enumerate().for_each(|(row, count)| {
            let radius = self.radii[first + row];
            let limit = (radius as f32).next_up() - block.lower[row] + TINY;
            for from in (0..points.count()).step_by(STEP) {
                let here = from..points.count().min(from + STEP);
                if any_below(&pairs.line(row)[here.clone()], &points.lower[here.clone()], limit) {
                    let hit = |&column: &usize| self.ball.decide(&pairs, row, column, radius);
                    *count += here.filter(hit).count() as u64;
                }
            }
        });
    }

    /// The points in each ball.
    #[must_use]
    pub fn counts(self) -> Vec<u64> {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::points;
    use super::super::{Nearest, squared_distance};
    use super::*;

    struct World {
        columns: usize,
        rows: [Vec<f32>; 2],
        radii: [Vec<f64>; 2],
    }

    /// Two sets that overlap, share points, and have ties at the radius.
    fn world(centre: f32) -> World {
        let columns = 6;
        let mut first = points(90, columns, 1, centre);
        let second = points(70, columns, 40, centre);
        first.extend_from_slice(&second[..12 * columns]);
        let radii = [&first, &second].map(|rows| {
            let mut nearest = Nearest::new(rows.len() / columns, 3);
            nearest.within(&Points::new(columns, rows.clone()), 0);
            nearest.radii()
        });
        World { columns, rows: [first, second], radii }
    }

    impl World {
        fn blocks(&self, side: usize, block: usize) -> Vec<(Points, usize)> {
            let parts = self.rows[side].chunks(block * self.columns).enumerate();
            parts.map(|(at, rows)| (Points::new(self.columns, rows.to_vec()), at * block)).collect()
        }

        fn distance(&self, i: usize, j: usize) -> f64 {
            let row =
                |side: usize, at: usize| &self.rows[side][at * self.columns..][..self.columns];
            squared_distance(row(0, i), row(1, j))
        }
    }

    #[test]
    fn memberships_are_those_of_f64_distances() {
        // A centre of 3,000 leaves every pair to them.
        for (centre, ball) in [(0.0, Ball::Closed), (0.0, Ball::Open), (3e3, Ball::Closed)] {
            let world = world(centre);
            let (n, m) = (world.radii[0].len(), world.radii[1].len());
            let hit = |i, j, radius| ball.holds(world.distance(i, j), radius);
            let of_first: Vec<bool> =
                (0..n).map(|i| (0..m).any(|j| hit(i, j, world.radii[1][j]))).collect();
            let of_second: Vec<bool> =
                (0..m).map(|j| (0..n).any(|i| hit(i, j, world.radii[0][i]))).collect();
            let counts: Vec<u64> = (0..n)
                .map(|i| (0..m).filter(|&j| hit(i, j, world.radii[0][i])).count() as u64)
                .collect();
            assert!(of_first.contains(&true) && of_first.contains(&false));
            assert!(of_second.contains(&true) && counts.contains(&0));
            for block in [200, 31] {
                let mut manifolds = Manifolds::new(ball, &world.radii[0], &world.radii[1]);
                let mut coverage = Coverage::new(ball, &world.radii[0]);
                for (down, first) in world.blocks(0, block) {
                    for (across, start) in world.blocks(1, block) {
                        manifolds.add((&down, first), (&across, start));
                        coverage.add((&down, first), &across);
                    }
                }
                assert_eq!(manifolds.inside(), [of_first.clone(), of_second.clone()]);
                assert_eq!(coverage.counts(), counts);
            }
        }
    }

    #[test]
    fn a_point_at_the_radius_is_in_a_closed_ball_only() {
        let (centre, point) = (Points::new(2, vec![0.0, 0.0]), Points::new(2, vec![3.0, 4.0]));
        for (ball, expected) in [(Ball::Closed, 1), (Ball::Open, 0)] {
            let mut coverage = Coverage::new(ball, &[25.0]);
            coverage.add((&centre, 0), &point);
            assert_eq!(coverage.counts(), [expected]);
        }
    }
}
