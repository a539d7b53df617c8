use prismbench_core::{Outcome, Record};

use crate::ReportError;
use crate::frame::check;

/// A named curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<Point>,
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

/// Curves through the values of one metric: a curve for each name that `place` gives, in order of
/// appearance, its points from left to right.
///
/// `place` says which curve a record is on and where; `None` for one that is on none. Records of
/// other metrics, and those without a value, are left out.
///
/// # Errors
/// [`ReportError::Record`] for a record that contradicts itself.
pub fn curves(
    records: &[Record],
    metric: &str,
    place: impl Fn(&Record) -> Option<(String, f64)>,
) -> Result<Vec<Series>, ReportError> {
    let mut curves: Vec<Series> = Vec::new();
    for (index, record) in records.iter().enumerate().filter(|(_, record)| record.metric == metric)
    {
        check(record).map_err(|reason| ReportError::Record {
            index,
            tokenizer: record.tokenizer.clone(),
            metric: record.metric.clone(),
            reason,
        })?;
        let Outcome::Ok { value: y, low, high } = record.outcome else { continue };
        let Some((name, x)) = place(record) else { continue };
        let point = Point { x, y, interval: low.zip(high) };
        match curves.iter_mut().find(|curve| curve.name == name) {
            Some(curve) => curve.points.push(point),
            None => curves.push(Series { name, points: vec![point] }),
        }
    }
    curves.iter_mut().for_each(|curve| curve.points.sort_by(|a, b| a.x.total_cmp(&b.x)));
    Ok(curves)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::record;

    #[test]
    fn records_become_curves_from_left_to_right() {
        let ok =
            |value: f64| Outcome::Ok { value, low: Some(value - 0.1), high: Some(value + 0.1) };
        let at = |tokenizer: &str, setting: &str, outcome: Outcome| {
            let mut made = record(tokenizer, "ssim@1", outcome);
            setting.clone_into(&mut made.setting);
            made
        };
        let skipped = Outcome::Skipped { reason: "no text tower".to_owned() };
        let records = [
            at("taef2", "low:0.4", ok(0.8)),
            at("jpeg:75", "low:0.1", ok(0.5)),
            at("taef2", "low:0.1", ok(0.6)),
            at("taef2", "high:0.1", ok(0.2)),
            at("jpeg:75", "low:0.4", skipped),
            at("taef2", "", ok(0.9)),
            record("taef2", "psnr@1", ok(30.0)),
        ];
        let place = |record: &Record| {
            let (kind, cutoff) = record.setting.split_once(':')?;
            Some((format!("{}, {kind}-pass", record.tokenizer), cutoff.parse().ok()?))
        };
        let found = curves(&records, "ssim@1", place).unwrap();
        let names: Vec<_> = found.iter().map(|curve| curve.name.as_str()).collect();
        assert_eq!(names, ["taef2, low-pass", "jpeg:75, low-pass", "taef2, high-pass"]);
        let points: Vec<_> = found[0].points.iter().map(|point| (point.x, point.y)).collect();
        assert_eq!(points, [(0.1, 0.6), (0.4, 0.8)]);
        assert_eq!(found[0].points[0].interval, Some((0.6 - 0.1, 0.6 + 0.1)));
        assert_eq!(found[1].points.len(), 1);
        let broken =
            [at("taef2", "low:0.1", Outcome::Ok { value: f64::NAN, low: None, high: None })];
        assert!(curves(&broken, "ssim@1", place).is_err());
    }
}
