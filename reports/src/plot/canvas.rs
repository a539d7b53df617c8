//! Where lines, marks and words of a picture go.

use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Text};
use plotters::style::{BLACK, Color, IntoFont, RGBColor, WHITE};

use super::{Plot, Point};
use crate::markup::Markup;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'b, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
pub(super) type DrawError = DrawingAreaErrorKind<std::io::Error>;

pub(super) const SIZE: (u32, u32) = (960, 540);
/// Columns that the legend takes.
const LEGEND: i32 = 250;
/// Letters of a name that the legend has room for.
const LETTERS: usize = 28;
/// Height of a line of the legend; less where there are too many for the picture.
const LINE: i32 = 22;
/// Where the legend begins.
const TOP: i32 = 48;

/// How a curve is told from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    colour: RGBColor,
    /// Pixels drawn and left out in turn; an unbroken line when empty.
    dashes: &'static [u32],
    mark: Mark,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Disc,
    Square,
    Triangle,
    Diamond,
    Ring,
    Cross,
    Wedge,
}

const MARKS: [Mark; 7] =
    [Mark::Disc, Mark::Square, Mark::Triangle, Mark::Diamond, Mark::Ring, Mark::Cross, Mark::Wedge];

const DASHES: [&[u32]; 5] = [&[], &[8, 4], &[2, 3], &[10, 3, 2, 3], &[16, 5]];

/// Colours that stay apart for the colour-blind, without the yellow, which paper swallows; in print
/// their greys differ. Okabe and Ito, "Color universal design" (2008).
const COLOURS: [RGBColor; 6] = [
    BLACK,
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
];

/// The style of curve number `number`: dashes and marks together repeat after 35.
pub(super) fn style(number: usize) -> Style {
    Style {
        colour: COLOURS[number % COLOURS.len()],
        dashes: DASHES[number % DASHES.len()],
        mark: MARKS[number % MARKS.len()],
    }
}

pub(super) fn draw(plot: &Plot) -> Result<String, DrawError> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (left, legend) = root.split_horizontally(SIZE.0 as i32 - LEGEND);
        let chart = axes(plot, &left)?;
        for (number, series) in plot.series.iter().enumerate() {
            let place = |point: &Point| chart.backend_coord(&(point.x, point.y));
            let points: Vec<_> = series.points.iter().map(place).collect();
            for point in &series.points {
                if let Some((low, high)) = point.interval {
                    let [low, high] = [low, high].map(|y| chart.backend_coord(&(point.x, y)));
                    bar(&root, low, high, style(number).colour)?;
                }
            }
            line(&root, &points, style(number))?;
            for &step in &series.steps {
                let heights = chart.y_range();
                let ends = [heights.start, heights.end].map(|y| chart.backend_coord(&(step, y)));
                line(&root, &ends, Style { dashes: &[2, 3], ..style(number) })?;
                word(&root, "◆", (ends[1].0 - 6, ends[1].1))?;
            }
            points.iter().try_for_each(|&at| mark(&root, at, style(number)))?;
        }
        key(plot, &legend)?;
        root.present()?;
    }
    Ok(svg)
}

/// The axes with their names, ticks and the title.
fn axes<'a, 'b>(plot: &Plot, area: &'b Area<'a>) -> Result<Chart<'a, 'b>, DrawError> {
    let points = || plot.series.iter().flat_map(|series| &series.points);
    let ends = |point: &Point| {
        let (low, high) = point.interval.unwrap_or((point.y, point.y));
        [point.y, low, high]
    };
    let x = range(points().map(|point| point.x));
    let y = range(std::iter::once(0.0).chain(points().flat_map(ends)));
    let mut chart = ChartBuilder::on(area)
        .caption(shown(&plot.title, 80), ("sans-serif", 17).into_font())
        .margin(12)
        .x_label_area_size(46)
        .y_label_area_size(64)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(BLACK.mix(0.12))
        .x_desc(shown(&plot.x, 80))
        .y_desc(shown(&plot.y, 50))
        .axis_desc_style(("sans-serif", 15))
        .label_style(("sans-serif", 13))
        .x_label_formatter(&|value| tick(*value))
        .y_label_formatter(&|value| tick(*value))
        .draw()?;
    Ok(chart)
}

/// The names beside their lines and marks.
fn key(plot: &Plot, area: &Area<'_>) -> Result<(), DrawError> {
    // As many as there are styles fit, and a line for the interval.
    let lines = i32::try_from(plot.series.len()).unwrap_or(i32::MAX).saturating_add(1);
    let line_height = LINE.min((SIZE.1 as i32 - TOP) / lines).max(1);
    let mut at = TOP;
    for (number, series) in plot.series.iter().enumerate() {
        line(area, &[(8, at), (56, at)], style(number))?;
        mark(area, (32, at), style(number))?;
        word(area, &shown(&series.name, LETTERS), (64, at))?;
        at += line_height;
    }
    let points = plot.series.iter().flat_map(|series| &series.points);
    if points.into_iter().any(|point| point.interval.is_some()) {
        bar(area, (32, at + 7), (32, at - 7), BLACK)?;
        word(area, "95 % interval", (64, at))?;
    }
    Ok(())
}

/// From the least to the largest value, and a little further on both sides.
fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    // Ticks of a range without extent do not exist.
    let extent = (high - low).max(1e-3 * low.abs().max(high.abs())).max(1e-6);
    low - 0.04 * extent..high + 0.04 * extent
}

/// A number at a tick, without zeros at its end.
fn tick(value: f64) -> String {
    let size = value.abs();
    if size >= 1e5 || (size > 1e-12 && size < 1e-3) {
        return format!("{value:.2e}");
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Text that means nothing but itself, of at most so many letters.
fn shown(text: &str, letters: usize) -> String {
    let plain = Markup::Line.plain(text);
    match plain.char_indices().nth(letters) {
        Some(_) => plain.chars().take(letters - 1).chain(['…']).collect(),
        None => plain,
    }
}

fn word(area: &Area<'_>, text: &str, (x, y): (i32, i32)) -> Result<(), DrawError> {
    let font = ("sans-serif", 14).into_font().color(&BLACK);
    area.draw(&Text::new(text.to_owned(), (x, y - 6), font))
}

/// An interval: a line with a foot at either end.
fn bar(
    area: &Area<'_>,
    low: (i32, i32),
    high: (i32, i32),
    colour: RGBColor,
) -> Result<(), DrawError> {
    let foot = |(x, y): (i32, i32)| vec![(x - 4, y), (x + 4, y)];
    for path in [vec![low, high], foot(low), foot(high)] {
        area.draw(&PathElement::new(path, colour.stroke_width(1)))?;
    }
    Ok(())
}

/// A line through some points, in dashes where the style has them.
fn line(area: &Area<'_>, points: &[(i32, i32)], style: Style) -> Result<(), DrawError> {
    let stroke = style.colour.stroke_width(2);
    if style.dashes.is_empty() {
        return area.draw(&PathElement::new(points.to_vec(), stroke));
    }
    for dash in dashes(points, style.dashes) {
        area.draw(&PathElement::new(dash, stroke))?;
    }
    Ok(())
}

/// Cuts a line into its dashes, which go on around its corners.
fn dashes(points: &[(i32, i32)], pattern: &[u32]) -> Vec<Vec<(i32, i32)>> {
    let (mut all, mut dash) = (Vec::new(), Vec::new());
    let mut lengths = pattern.iter().enumerate().cycle();
    let Some((mut part, mut left)) = next(&mut lengths) else { return all };
    for pair in points.windows(2) {
        let [from, to] = [pair[0], pair[1]].map(|(x, y)| (f64::from(x), f64::from(y)));
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let at = |along: f64| {
            let share = if length > 0.0 { along / length } else { 0.0 };
            let place = |from: f64, to: f64| (from + share * (to - from)).round() as i32;
            (place(from.0, to.0), place(from.1, to.1))
        };
        let mut along = 0.0;
        if part % 2 == 0 {
            dash.push(pair[0]);
        }
        while length - along > left {
            along += left;
            if part % 2 == 0 {
                dash.push(at(along));
                all.push(std::mem::take(&mut dash));
            } else {
                dash.push(at(along));
            }
            let Some(following) = next(&mut lengths) else { return all };
            (part, left) = following;
        }
        left -= length - along;
        if part % 2 == 0 {
            dash.push(pair[1]);
        }
    }
    all.extend((dash.len() > 1).then_some(dash));
    all
}

fn next<'a>(lengths: &mut impl Iterator<Item = (usize, &'a u32)>) -> Option<(usize, f64)> {
    lengths.next().map(|(part, &length)| (part, f64::from(length)))
}

fn mark(area: &Area<'_>, (x, y): (i32, i32), style: Style) -> Result<(), DrawError> {
    let filled = style.colour.filled();
    let shape = |corners: &[(i32, i32)]| {
        let corners: Vec<_> = corners.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
        area.draw(&Polygon::new(corners, filled))
    };
    match style.mark {
        Mark::Disc => area.draw(&Circle::new((x, y), 4, filled)),
        Mark::Square => shape(&[(-4, -4), (4, -4), (4, 4), (-4, 4)]),
        Mark::Triangle => shape(&[(0, -6), (6, 5), (-6, 5)]),
        Mark::Wedge => shape(&[(0, 6), (6, -5), (-6, -5)]),
        Mark::Diamond => shape(&[(0, -6), (6, 0), (0, 6), (-6, 0)]),
        Mark::Ring => {
            area.draw(&Circle::new((x, y), 5, WHITE.filled()))?;
            area.draw(&Circle::new((x, y), 5, style.colour.stroke_width(2)))
        }
        Mark::Cross => {
            for (dx, dy) in [(5, 5), (5, -5)] {
                let ends = vec![(x - dx, y - dy), (x + dx, y + dy)];
                area.draw(&PathElement::new(ends, style.colour.stroke_width(2)))?;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_go_on_around_corners() {
        let found = dashes(&[(0, 0), (10, 0), (10, 10)], &[8, 4]);
        assert_eq!(found, [vec![(0, 0), (8, 0)], vec![(10, 2), (10, 10)]]);
        let found = dashes(&[(0, 0), (5, 0), (5, 5)], &[8, 4]);
        assert_eq!(found, [vec![(0, 0), (5, 0), (5, 0), (5, 3)]]);
        assert!(dashes(&[(3, 3)], &[2, 2]).is_empty());
        assert!(dashes(&[(3, 3), (3, 3)], &[2, 2]).len() <= 1);
    }

    #[test]
    fn ticks_are_short() {
        let all = [0.1 + 0.2, 1.0, -0.0, -0.25, 1234.5, 1e6, 2.5e-5].map(tick);
        assert_eq!(all, ["0.3", "1", "0", "-0.25", "1234.5", "1.00e6", "2.50e-5"]);
    }
}
