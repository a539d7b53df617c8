//! Plane geometry: points, and outlines given by their distance.

use prismbench_core::Stream;

/// A point or a vector, in pixels; x to the right, y down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

impl Point {
    pub(super) const fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self::new(self.x + other.x, self.y + other.y)
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self::new(self.x - other.x, self.y - other.y)
    }

    pub(super) fn scaled(self, factor: f64) -> Self {
        Self::new(self.x * factor, self.y * factor)
    }

    pub(super) fn dot(self, other: Self) -> f64 {
        self.x * other.x + self.y * other.y
    }

    pub(super) fn length(self) -> f64 {
        self.dot(self).sqrt()
    }

    /// The smaller of each coordinate.
    pub(super) fn lower(self, other: Self) -> Self {
        Self::new(self.x.min(other.x), self.y.min(other.y))
    }

    /// The larger of each coordinate.
    pub(super) fn upper(self, other: Self) -> Self {
        Self::new(self.x.max(other.x), self.y.max(other.y))
    }

    /// Coordinates in the frame whose first axis is the unit vector `axis`.
    pub(super) fn in_frame(self, axis: Self) -> Self {
        Self::new(self.dot(axis), axis.x * self.y - axis.y * self.x)
    }

    /// A unit vector, uniform over directions. Rejection in the disc needs no sine.
    pub(super) fn direction(stream: &mut Stream) -> Self {
        loop {
            let point = Self::new(stream.between(-1.0, 1.0), stream.between(-1.0, 1.0));
            let square = point.dot(point);
            if (0.01..=1.0).contains(&square) {
                return point.scaled(1.0 / square.sqrt());
            }
        }
    }
}

/// A closed curve that knows how far away a point is.
pub(super) trait Outline {
    fn centre(&self) -> Point;

    /// Half the sides of a box around the centre that holds the shape.
    fn extent(&self) -> Point;

    /// Distance to the curve in pixels, negative inside.
    ///
    /// It has to be right within a pixel of the curve only, where it becomes coverage, and in its
    /// sign everywhere.
    fn distance(&self, at: Point) -> f64;
}
