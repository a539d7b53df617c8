//! One occluder of the background.

use prismbench_core::Stream;

use super::outline::{Outline, Point};

/// Smallest radius of a leaf, in pixels. Smaller ones cost time and make the picture grainy without
/// bringing its spectrum nearer to `1/f`.
const RADIUS_MIN: f64 = 1.2;

/// Largest radius of a leaf, in pixels: a quarter of the shorter side and more, 80 of 288.
pub(super) fn radius_max(shorter: usize) -> f64 {
    80.0 * shorter as f64 / 288.0
}

/// A radius with density proportional to `r^-3` up to `max`, by inversion of the distribution function
/// `(a^-2 - r^-2) / (a^-2 - b^-2)`.
pub(super) fn radius(max: f64, stream: &mut Stream) -> f64 {
    let low = 1.0 / (RADIUS_MIN * RADIUS_MIN);
    let high = 1.0 / (max * max);
    1.0 / (low - stream.uniform() * (low - high)).sqrt()
}

/// A leaf: a pebble (an ellipse with a three-lobed dent) or a plank (a rectangle).
///
/// Lee, Mumford and Huang paint discs. Other forms of equal area leave the statistics of order two
/// nearly alone, and they keep the background from being full of things that look like the class
/// `circle`.
#[derive(Debug)]
pub(super) struct Leaf {
    centre: Point,
    axis: Point,
    radii: Point,
    /// One over the radii.
    inverse: Point,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Pebble { lobe: f64, phase: Point },
    Plank,
}

impl Leaf {
    /// No leaf reaches farther from its centre than this many radii, bumps included.
    pub(super) const STRETCH: f64 = 1.9;

    /// A leaf with about the area of a disc of `radius`.
    pub(super) fn draw(centre: Point, radius: f64, stream: &mut Stream) -> Self {
        let plank = stream.below(4) == 0;
        let aspect = stream.between(if plank { 0.3 } else { 0.4 }, 0.9).sqrt();
        // A rectangle of half sides s and t has the area of a disc when s t = (pi / 4) r^2.
        let side = if plank { 0.886 } else { 1.0 };
        let radii = Point::new(side * radius / aspect, side * radius * aspect);
        Self {
            centre,
            axis: Point::direction(stream),
            radii,
            inverse: Point::new(1.0 / radii.x, 1.0 / radii.y),
            form: if plank {
                Form::Plank
            } else {
                Form::Pebble { lobe: stream.between(0.0, 0.2), phase: Point::direction(stream) }
            },
        }
    }
}

impl Outline for Leaf {
    fn centre(&self) -> Point {
        self.centre
    }

    fn extent(&self) -> Point {
        let along = Point::new(self.axis.x * self.radii.x, self.axis.y * self.radii.x);
        let across = Point::new(self.axis.y * self.radii.y, self.axis.x * self.radii.y);
        match self.form {
            Form::Pebble { lobe, .. } => Point::new(
                Point::new(along.x, across.x).length(),
                Point::new(along.y, across.y).length(),
            )
            .scaled(1.0 + lobe),
            Form::Plank => {
                Point::new(along.x.abs() + across.x.abs(), along.y.abs() + across.y.abs())
            }
        }
    }

    fn distance(&self, at: Point) -> f64 {
        let local = at.minus(self.centre).in_frame(self.axis);
        match self.form {
            Form::Plank => (local.x.abs() - self.radii.x).max(local.y.abs() - self.radii.y),
            Form::Pebble { lobe, phase } => {
                let unit = Point::new(local.x * self.inverse.x, local.y * self.inverse.y);
                let (xx, yy) = (unit.x * unit.x, unit.y * unit.y);
                let square = xx + yy;
                if square < 0.25 {
                    // Well inside, and away from the pole of what follows.
                    return -0.3 * self.radii.y - 1.0;
                }
                // The curve is r = 1 + lobe cos(3 t - phase) around the unit circle. What follows is
                // (r - 1 - lobe cos(3 t - phase)) over the length of the gradient of r, in pixels:
                // the distance to first order, but for the slow change of the lobe with the angle.
                // Multiplied out by r^3, so that one division is left.
                let cubic = unit.x * (xx - 3.0 * yy) * phase.x + unit.y * (3.0 * xx - yy) * phase.y;
                let slope = Point::new(unit.x * self.inverse.x, unit.y * self.inverse.y).length();
                (square * (square - square.sqrt()) - lobe * cubic) / (square * slope)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RADIUS_MAX: f64 = 80.0;

    #[test]
    fn radii_follow_the_inverse_cube_law() {
        let mut stream = Stream::new("test", 1, 0);
        let n = 200_000;
        let above = |limit: f64, radii: &[f64]| {
            radii.iter().filter(|&&r| r > limit).count() as f64 / f64::from(n)
        };
        let radii: Vec<f64> = (0..n).map(|_| radius(RADIUS_MAX, &mut stream)).collect();
        assert!(radii.iter().all(|r| (RADIUS_MIN..=RADIUS_MAX).contains(r)));
        // P(R > t) = (t^-2 - b^-2) / (a^-2 - b^-2); five standard errors of a share of n.
        for limit in [1.5_f64, 3.0, 10.0, 40.0] {
            let (a, b, t) = (RADIUS_MIN.powi(-2), RADIUS_MAX.powi(-2), limit.powi(-2));
            let expected = (t - b) / (a - b);
            let error = (expected * (1.0 - expected) / f64::from(n)).sqrt();
            let found = above(limit, &radii);
            assert!((found - expected).abs() < 5.0 * error, "{limit}: {found} against {expected}");
        }
    }

    #[test]
    fn leaves_lie_within_their_extent_and_have_the_area_of_their_disc() {
        let mut stream = Stream::new("test", 2, 0);
        for _ in 0..40 {
            let leaf = Leaf::draw(Point::new(100.0, 100.0), 20.0, &mut stream);
            let extent = leaf.extent();
            assert!(extent.x.max(extent.y) <= 20.0 * Leaf::STRETCH, "{leaf:?}");
            let mut area = 0.0;
            for i in 0..200 * 200 {
                let at = Point::new(f64::from(i % 200), f64::from(i / 200));
                if leaf.distance(at) < 0.0 {
                    area += 1.0;
                    let offset = at.minus(leaf.centre);
                    let held = offset.x.abs() <= extent.x && offset.y.abs() <= extent.y;
                    assert!(held, "{leaf:?} at {at:?}");
                }
            }
            // The dents add lobe^2 / 2 = 2 % at most; counting pixels costs about 1 % at this size.
            let disc = std::f64::consts::PI * 400.0;
            assert!((area / disc - 1.0).abs() < 0.035, "{leaf:?}: {area}");
        }
    }
}
