//! The ten kinds of figures: the classes of the set.

use std::f64::consts::PI;

use super::outline::{Outline, Point};

/// Kind of a figure. The order is the order of the labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Arrow,
    Circle,
    Crescent,
    Cross,
    Heart,
    Hexagon,
    Ring,
    Square,
    Star,
    Triangle,
}

impl Kind {
    pub(super) const ALL: [Self; 10] = [
        Self::Arrow,
        Self::Circle,
        Self::Crescent,
        Self::Cross,
        Self::Heart,
        Self::Hexagon,
        Self::Ring,
        Self::Square,
        Self::Star,
        Self::Triangle,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Arrow => "arrow",
            Self::Circle => "circle",
            Self::Crescent => "crescent",
            Self::Cross => "cross",
            Self::Heart => "heart",
            Self::Hexagon => "hexagon",
            Self::Ring => "ring",
            Self::Square => "square",
            Self::Star => "star",
            Self::Triangle => "triangle",
        }
    }

    /// The form for a figure of radius 1, upright.
    fn form(self) -> Form {
        match self {
            Self::Arrow => {
                Form::Polygon(mirrored(&[(0.0, -1.0), (0.85, -0.1), (0.36, -0.1), (0.36, 0.95)]))
            }
            Self::Circle => Form::Circle,
            Self::Crescent => Form::Crescent,
            Self::Cross => Form::Polygon(mirrored(&[
                (0.33, -0.95),
                (0.33, -0.33),
                (0.95, -0.33),
                (0.95, 0.33),
                (0.33, 0.33),
                (0.33, 0.95),
            ])),
            Self::Heart => Form::Heart(mirrored(&[
                (0.0, HEART_TIP - 2.0 * HEART_HALF),
                (HEART_HALF, HEART_TIP - HEART_HALF),
                (0.0, HEART_TIP),
            ])),
            Self::Hexagon => Form::Polygon(spikes(6, &[1.0])),
            Self::Ring => Form::Ring,
            Self::Square => Form::Polygon(mirrored(&[(0.8, -0.8), (0.8, 0.8)])),
            Self::Star => Form::Polygon(spikes(10, &[1.05, 0.46])),
            Self::Triangle => Form::Polygon(spikes(3, &[1.1])),
        }
    }
}

/// Half diagonal of the square that a heart is built on, and how far its lower corner lies below
/// the centre.
const HEART_HALF: f64 = 0.82;
const HEART_TIP: f64 = 0.92;

/// Signed distances around the origin, for a figure of radius 1.
#[derive(Debug)]
enum Form {
    Circle,
    Ring,
    Crescent,
    /// A square on its corner with a half disc on each of its two upper edges.
    Heart(Vec<Point>),
    Polygon(Vec<Point>),
}

impl Form {
    fn distance(&self, at: Point) -> f64 {
        match self {
            Self::Circle => at.length() - 0.95,
            Self::Ring => (at.length() - 0.73).abs() - 0.24,
            Self::Crescent => {
                let bite = 0.82 - Point::new(at.x - 0.5, at.y).length();
                (at.length() - 1.0).max(bite)
            }
            Self::Heart(square) => {
                let half = HEART_HALF;
                let lobe = Point::new(at.x.abs() - half / 2.0, at.y - (HEART_TIP - 1.5 * half));
                let disc = lobe.length() - half / std::f64::consts::SQRT_2;
                polygon_distance(square, at).min(disc)
            }
            Self::Polygon(corners) => polygon_distance(corners, at),
        }
    }
}

/// A closed polygon from its right half, from the top to the bottom.
fn mirrored(right: &[(f64, f64)]) -> Vec<Point> {
    let left = right.iter().rev().filter(|corner| corner.0 > 0.0).map(|&(x, y)| (-x, y));
    right.iter().copied().chain(left).map(|(x, y)| Point::new(x, y)).collect()
}

/// Corners at equal angles from the top, at the given distances in turn.
fn spikes(corners: usize, radii: &[f64]) -> Vec<Point> {
    (0..corners)
        .zip(radii.iter().cycle())
        .map(|(i, radius)| {
            let (sine, cosine) = libm::sincos(2.0 * PI * i as f64 / corners as f64);
            Point::new(radius * sine, -radius * cosine)
        })
        .collect()
}

/// Distance to the nearest edge, negative where a ray to the right crosses an odd number of edges.
fn polygon_distance(corners: &[Point], at: Point) -> f64 {
    let mut nearest = f64::INFINITY;
    let mut inside = false;
    let next = corners.iter().cycle().skip(1);
    for (&from, &to) in corners.iter().zip(next) {
        let (edge, offset) = (to.minus(from), at.minus(from));
        let along = (offset.dot(edge) / edge.dot(edge)).clamp(0.0, 1.0);
        let gap = offset.minus(edge.scaled(along));
        nearest = nearest.min(gap.dot(gap));
        if (from.y > at.y) != (to.y > at.y) {
            inside ^= offset.x < edge.x * offset.y / edge.y;
        }
    }
    if inside { -nearest.sqrt() } else { nearest.sqrt() }
}

/// A figure in place.
#[derive(Debug)]
pub(super) struct Figure {
    form: Form,
    centre: Point,
    radius: f64,
    upright: Point,
}

impl Figure {
    /// Farthest point of any kind from its centre, in radii.
    pub(super) const REACH: f64 = 1.15;

    /// A figure of some `radius` in pixels, turned so that its x axis is the unit vector `upright`.
    pub(super) fn new(kind: Kind, centre: Point, radius: f64, upright: Point) -> Self {
        Self { form: kind.form(), centre, radius, upright }
    }
}

impl Outline for Figure {
    fn centre(&self) -> Point {
        self.centre
    }

    fn extent(&self) -> Point {
        let reach = Self::REACH * self.radius;
        Point::new(reach, reach)
    }

    fn distance(&self, at: Point) -> f64 {
        let local = at.minus(self.centre).in_frame(self.upright).scaled(1.0 / self.radius);
        self.radius * self.form.distance(local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPRIGHT: Point = Point::new(1.0, 0.0);

    /// Area by counting the cells of a grid of step 0.0113 whose centre lies inside.
    fn area(figure: &Figure) -> f64 {
        let cells = (0..260 * 260).filter(|i| {
            let cell = |k: i32| (f64::from(k) - 129.5) * 0.0113;
            figure.distance(Point::new(cell(i % 260), cell(i / 260))) < 0.0
        });
        cells.count() as f64 * 0.0113 * 0.0113
    }

    #[test]
    fn areas_are_those_of_plane_geometry() {
        let half = HEART_HALF;
        // Two circles of radius R = 1 and r = 0.82 at distance d = 0.5 share this lens.
        let (big, small, d) = (1.0_f64, 0.82_f64, 0.5_f64);
        let lens = {
            let a = (d * d + small * small - big * big) / (2.0 * d * small);
            let b = (d * d + big * big - small * small) / (2.0 * d * big);
            let root =
                (-d + small + big) * (d + small - big) * (d - small + big) * (d + small + big);
            small * small * a.acos() + big * big * b.acos() - 0.5 * root.sqrt()
        };
        let expected = [
            (Kind::Arrow, 0.85 * 0.9 + 0.72 * 1.05),
            (Kind::Circle, PI * 0.95 * 0.95),
            (Kind::Crescent, PI - lens),
            (Kind::Cross, 4.0 * 0.33 * 0.95 * 2.0 - 4.0 * 0.33 * 0.33),
            (Kind::Heart, 2.0 * half * half + PI * half * half / 2.0),
            (Kind::Hexagon, 1.5 * 3.0_f64.sqrt()),
            (Kind::Ring, PI * (0.97 * 0.97 - 0.49 * 0.49)),
            (Kind::Square, 1.6 * 1.6),
            (Kind::Star, 5.0 * 1.05 * 0.46 * (PI / 5.0).sin()),
            (Kind::Triangle, 0.75 * 3.0_f64.sqrt() * 1.1 * 1.1),
        ];
        for (kind, expected) in expected {
            let found = area(&Figure::new(kind, Point::new(0.0, 0.0), 1.0, UPRIGHT));
            // Counting errs by a few cells per edge: below 2 % at this step.
            assert!((found / expected - 1.0).abs() < 0.02, "{kind:?}: {found} against {expected}");
        }
    }

    #[test]
    fn figures_lie_within_their_reach_and_turn_about_their_centre() {
        let tilt = Point::new(0.96, 0.28);
        for kind in Kind::ALL {
            let figure = Figure::new(kind, Point::new(40.0, 50.0), 20.0, tilt);
            let upright = Figure::new(kind, Point::new(0.0, 0.0), 1.0, UPRIGHT);
            for i in 0..100 * 100 {
                let at = Point::new(f64::from(i % 100), f64::from(i / 100));
                let offset = at.minus(figure.centre);
                let inside = figure.distance(at) < 0.0;
                assert!(!inside || offset.length() <= 20.0 * Figure::REACH, "{kind:?}");
                // The point (1, 0) of the upright figure is found along the tilt.
                let back = Point::new(
                    (offset.x * tilt.x + offset.y * tilt.y) / 20.0,
                    (offset.y * tilt.x - offset.x * tilt.y) / 20.0,
                );
                assert_eq!(inside, upright.distance(back) < 0.0, "{kind:?} at {at:?}");
            }
        }
    }

    #[test]
    fn distances_near_a_straight_edge_are_exact() {
        let square = Figure::new(Kind::Square, Point::new(0.0, 0.0), 10.0, UPRIGHT);
        for (x, expected) in [(7.5, -0.5), (8.0, 0.0), (8.25, 0.25), (11.0, 3.0)] {
            let found = square.distance(Point::new(x, 1.0));
            assert!((found - expected).abs() < 1e-12, "{x}: {found}");
        }
    }
}
