//! Curves as a picture that can be read in black and white.

mod board;
mod canvas;
mod series;

pub use series::{Point, Series};

use std::fmt::Write as _;

use crate::{Leaderboard, ReportError};

/// The curves of some leaderboards as one SVG, one below the other.
///
/// # Errors
/// [`ReportError::NoCurves`] where no metric has settings that are numbers; those of [`Plot::svg`].
pub(crate) fn svg(boards: &[Leaderboard]) -> Result<String, ReportError> {
    let plots: Vec<Plot> = boards.iter().filter_map(Plot::of).collect();
    if plots.is_empty() {
        return Err(ReportError::NoCurves);
    }
    stacked(&plots)
}

/// Plots as one SVG, one below the other.
pub(crate) fn stacked(plots: &[Plot]) -> Result<String, ReportError> {
    let (width, each) = canvas::SIZE;
    let height = each as usize * plots.len();
    let mut all = format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         xmlns=\"http://www.w3.org/2000/svg\">\n"
    );
    for (number, plot) in plots.iter().enumerate() {
        let (top, picture) = (each as usize * number, plot.svg()?);
        // Writing to a string cannot fail.
        let _ = write!(all, "<g transform=\"translate(0, {top})\">\n{picture}</g>\n");
    }
    Ok(all + "</svg>\n")
}

/// A picture of some curves with a legend, a title and names of the axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// What runs from left to right, with its unit: `cutoff (share of the Nyquist frequency)`.
    pub x: String,
    /// What runs upwards: `t2i R@5`.
    pub y: String,
    /// The curves, in the order of the legend.
    pub series: Vec<Series>,
}

impl Plot {
    /// The picture as SVG: 960 x 540, from 0 or below upwards, every curve with dashes and marks of its
    /// own, intervals as bars. Equal plots give equal bytes on every machine.
    ///
    /// Names are shown without control characters, long ones are cut in the legend.
    ///
    /// # Errors
    /// [`ReportError::Empty`] without a point, [`ReportError::Plot`] for one that is not finite or an
    /// interval that is none.
    pub fn svg(&self) -> Result<String, ReportError> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        if points().next().is_none() {
            return Err(ReportError::Empty);
        }
        for series in &self.series {
            series
                .check()
                .map_err(|reason| ReportError::Plot { series: series.name.clone(), reason })?;
        }
        canvas::draw(self).map_err(|error| ReportError::Draw(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(curves: usize) -> Plot {
        let value = |curve: usize, at: usize| {
            0.9 - 0.85 * (-(at as f64) * 0.5 - 0.1).exp() - 0.07 * curve as f64
        };
        let point = |curve: usize, at: usize| {
            let (x, y) = ([0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0][at], value(curve, at));
            Point { x, y, interval: (curve == 0).then_some((y - 0.03, y + 0.02)) }
        };
        let series = |curve: usize| Series {
            name: format!("tokenizer-{curve}"),
            points: (0..9).map(|at| point(curve, at)).collect(),
            steps: Vec::new(),
        };
        Plot {
            title: "retrieval@1 · synthetic:7:64 (test) · low-pass".to_owned(),
            x: "cutoff (share of the Nyquist frequency)".to_owned(),
            y: "t2i R@5".to_owned(),
            series: (0..curves).map(series).collect(),
        }
    }

    /// To be looked at: `PRISMBENCH_PLOT=file.svg cargo test -p prismbench-reports`.
    #[test]
    fn a_picture_has_its_title_axes_and_every_curve_in_the_legend() {
        let svg = plot(9).svg().unwrap();
        if let Ok(path) = std::env::var("PRISMBENCH_PLOT") {
            std::fs::write(path, &svg).unwrap();
        }
        let shows = |text: &str| assert!(svg.contains(text), "{text}");
        shows("retrieval@1 · synthetic:7:64 (test) · low-pass");
        shows("cutoff (share of the Nyquist frequency)");
        shows("t2i R@5");
        (0..9).for_each(|curve| shows(&format!("tokenizer-{curve}")));
        shows("95 % interval");
        assert_eq!(plot(9).svg().unwrap(), svg);
        assert!(!plot(1).series.is_empty() && !svg.contains("NaN"));
    }

    #[test]
    fn every_curve_has_dashes_and_marks_of_its_own() {
        // As many as anyone could tell apart.
        let styles: Vec<_> = (0..35).map(canvas::style).collect();
        for (at, style) in styles.iter().enumerate() {
            assert!(!styles[..at].contains(style), "{at}");
        }
    }

    #[test]
    fn the_legend_of_many_curves_stays_in_the_picture() {
        let (svg, height) = (plot(35).svg().unwrap(), f64::from(canvas::SIZE.1));
        let last = svg.split("<text ").find(|text| text.contains("tokenizer-34")).unwrap();
        let y = last.split("y=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let y: f64 = y.parse().unwrap();
        assert!(y > 400.0 && y < height - 10.0, "{y}");
    }

    #[test]
    fn names_cannot_break_the_picture() {
        let mut hostile = plot(1);
        hostile.series[0].name = "</text><script>&\"'\u{1b}[31m\n".to_owned() + &"long".repeat(50);
        hostile.title.clone_from(&hostile.series[0].name);
        let svg = hostile.svg().unwrap();
        assert!(!svg.contains("<script") && !svg.contains('\u{1b}'), "{svg}");
        assert!(svg.contains("&lt;script&gt;"));
    }

    #[test]
    fn a_single_point_and_curves_without_height_are_drawn() {
        let one = |y: f64| Series {
            name: "x".to_owned(),
            points: vec![Point { x: 0.5, y, interval: None }],
            steps: Vec::new(),
        };
        for y in [0.0, 1.0, -2.0, 1e-300, 1e15] {
            let plot = Plot { series: vec![one(y)], ..plot(0) };
            let svg = plot.svg().unwrap();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{y}");
        }
    }

    #[test]
    fn what_is_no_curve_is_refused() {
        assert!(matches!(plot(0).svg(), Err(ReportError::Empty)));
        let refused = |change: fn(&mut Point)| {
            let mut plot = plot(2);
            change(&mut plot.series[1].points[3]);
            plot.svg().unwrap_err().to_string()
        };
        assert_eq!(
            refused(|point| point.y = f64::NAN),
            "draw the curve `tokenizer-1`: point 3 is at (0.2, NaN), expected finite numbers"
        );
        assert!(refused(|point| point.x = f64::INFINITY).contains("point 3"));
        assert!(refused(|point| point.interval = Some((0.5, 0.1))).contains("upside down"));
        assert!(refused(|point| point.interval = Some((0.5, f64::NAN))).contains("finite"));
    }
}
