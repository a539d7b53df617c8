/// A named curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<Point>,
    /// Where from left to right its level changes, which is marked.
    pub steps: Vec<f64>,
}

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// From left to right.
    pub x: f64,
    /// Upwards.
    pub y: f64,
    /// 95 % interval of `y`, where there is one.
    pub interval: Option<(f64, f64)>,
}

impl Series {
    /// Says what is wrong with the points, if anything is.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(step) = self.steps.iter().find(|step| !step.is_finite()) {
            return Err(format!("a step is at {step}, expected a finite number"));
        }
        for (at, point) in self.points.iter().enumerate() {
            let (low, high) = point.interval.unwrap_or((point.y, point.y));
            if ![point.x, point.y].iter().all(|number| number.is_finite()) {
                let (x, y) = (point.x, point.y);
                return Err(format!("point {at} is at ({x}, {y}), expected finite numbers"));
            }
            // Beyond this, ticks have no digits that differ.
            if [point.x, point.y, low, high].iter().any(|number| number.abs() > 1e15) {
                return Err(format!("point {at} is too far out to be drawn, beyond 1e15"));
            }
            if !(low.is_finite() && high.is_finite()) {
                return Err(format!("the interval of point {at} is not finite"));
            }
            if low > high {
                let reason =
                    format!("the interval of point {at}, from {low} to {high}, is upside down");
                return Err(reason);
            }
        }
        Ok(())
    }
}
