//! From a table of settings to a picture.

use prismbench_core::Outcome;

use super::{Plot, Point, Series};
use crate::leaderboard::{Cell, Leaderboard, Row};
use crate::row_names::row_names;

impl Plot {
    /// The curves of a table whose columns are settings that end in numbers; `None` for any other.
    pub(crate) fn of(board: &Leaderboard) -> Option<Self> {
        let metric = board.curve.as_deref()?;
        let places: Vec<f64> =
            board.columns.iter().map(|column| number(&column.setting)).collect::<Option<_>>()?;
        let names = row_names(&board.rows).into_iter();
        let curves = names.zip(&board.rows).map(|(name, row)| series(name, row, &places));
        let series: Vec<Series> = curves.filter(|curve| !curve.points.is_empty()).collect();
        let x = match board.columns.first().map_or("", |column| words(&column.setting)) {
            "low" => "cutoff of the low-pass filter (share of the highest frequency)",
            "high" => "cutoff of the high-pass filter (share of the highest frequency)",
            "band" => "band, from low to high frequencies",
            "k" => "neighbours that vote",
            other => other,
        };
        let Leaderboard { suite, dataset, split, .. } = board;
        let title = format!("{suite} · {metric} · {dataset} ({split})");
        let y = metric.split('@').next().unwrap_or(metric).to_owned();
        (!series.is_empty()).then(|| Self { title, x: x.to_owned(), y, series })
    }
}

fn series(name: String, row: &Row, places: &[f64]) -> Series {
    let point = |(cell, &x): (&Option<Cell>, &f64)| match cell.as_ref()?.outcome {
        Outcome::Ok { value: y, low, high } => Some(Point { x, y, interval: low.zip(high) }),
        _ => None,
    };
    let mut points: Vec<Point> = row.cells.iter().zip(places).filter_map(point).collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    Series { name, points, steps: Vec::new() }
}

/// The number that a setting ends in: 0.05 of `low 0.05`, 20 of `k=20`.
fn number(setting: &str) -> Option<f64> {
    let number: f64 = setting.rsplit([' ', '=']).next()?.parse().ok()?;
    number.is_finite().then_some(number)
}

/// What stands before it.
fn words(setting: &str) -> &str {
    setting.rsplit_once([' ', '=']).map_or("", |(words, _)| words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::record;
    use crate::leaderboards;

    #[test]
    fn the_settings_of_a_table_become_places_from_left_to_right() {
        let ok =
            |value: f64| Outcome::Ok { value, low: Some(value - 0.1), high: Some(value + 0.1) };
        let made = |tokenizer, setting: &str, outcome| {
            let mut made = record(tokenizer, "ssim@1", outcome);
            setting.clone_into(&mut made.setting);
            made
        };
        let skipped = Outcome::Skipped { reason: "no text tower".to_owned() };
        let records = [
            made("taef2", "low 0.4", ok(0.8)),
            made("jpeg:75", "low 0.1", ok(0.5)),
            made("taef2", "low 0.1", ok(0.6)),
            made("jpeg:75", "low 0.4", skipped),
            record("taef2", "psnr@1", ok(30.0)),
        ];
        let boards = leaderboards(&records).unwrap();
        assert_eq!(Plot::of(&boards[0]), None, "metrics are no settings");
        let plot = Plot::of(&boards[1]).unwrap();
        assert!(plot.x.starts_with("cutoff of the low-pass filter") && plot.y == "ssim");
        let mut found: Vec<_> = plot
            .series
            .iter()
            .map(|curve| {
                let points: Vec<_> = curve.points.iter().map(|point| (point.x, point.y)).collect();
                (curve.name.as_str(), points)
            })
            .collect();
        found.sort_by_key(|curve| curve.0);
        let expected = [("jpeg:75", vec![(0.1, 0.5)]), ("taef2", vec![(0.1, 0.6), (0.4, 0.8)])];
        assert_eq!(found, expected);
        assert_eq!((number("k=20"), words("k=20"), number("plain")), (Some(20.0), "k", None));
    }
}
