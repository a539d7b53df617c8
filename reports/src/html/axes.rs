//! Every column of every leaderboard as an axis along which tokenizers can be plotted.

use prismbench_core::{Better, Outcome, unversioned};
use serde::Serialize;

use super::board::{facts, heading};
use super::escape::plain;
use crate::leaderboard::{Column, Leaderboard};
use crate::numbers::number;
use crate::published::{PublishedRow, PublishedSubject, PublishedTable, published_tables};
use crate::row_names::row_names;
use crate::sheet::{cited, column_title, family, source_line};

/// A column: where each row stands.
#[derive(Serialize)]
pub(super) struct Axis {
    /// Position of the leaderboard: rows of one are matched by row, of two by tokenizer.
    board: usize,
    /// What the leaderboard is called.
    of: String,
    /// Metric without version, by which the script knows what to show first.
    metric: String,
    name: String,
    unit: &'static str,
    better: Better,
    points: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    row: usize,
    name: String,
    tokenizer: String,
    weights: String,
    run: String,
    value: f64,
    /// As tables print it.
    text: String,
    /// Of a number that somebody has published: paper and version, within which points are joined, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    paper: Option<String>,
    /// ... and pictures; empty for a cost, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    /// ... and the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

/// The columns that have a finite value, those of leaderboards with what is published of them, and then
/// those of published tables: of the measured tokenizers', or all where nothing was measured.
pub(super) fn of(boards: &[Leaderboard], published: &[PublishedRow]) -> Vec<Axis> {
    let mut axes = Vec::new();
    for (at, board) in boards.iter().enumerate() {
        let names = row_names(&board.rows);
        let tables = cited(board, published);
        for (place, column) in board.columns.iter().enumerate() {
            let mut points = points(board, &names, place);
            if column.setting.is_empty() {
                points.extend(cited_points(board, &tables, column));
            }
            if points.is_empty() {
                continue;
            }
            axes.push(Axis {
                board: at,
                of: plain(&format!("{} · {}", heading(board), facts(board))),
                metric: unversioned(&column.metric).to_owned(),
                name: plain(&name(board, column)),
                unit: column.unit.symbol(),
                better: column.better,
                points,
            });
        }
    }
    let measured = |row: &&PublishedRow| {
        let of_board = |board: &Leaderboard| {
            board.rows.iter().any(|known| family(&known.subject.tokenizer) == row.tokenizer)
        };
        boards.is_empty() || boards.iter().any(of_board)
    };
    let tables = published_tables(published.iter().filter(measured));
    for (at, table) in tables.iter().enumerate() {
        axes.extend(of_table(boards.len() + at, table));
    }
    axes
}

/// What is published of a board's column. Rows are counted on behind the board's own.
fn cited_points(board: &Leaderboard, tables: &[PublishedTable<'_>], column: &Column) -> Vec<Point> {
    let subjects = tables.iter().flat_map(|table| table.rows.iter().map(move |row| (table, row)));
    let point = |(at, (table, subject)): (usize, (&PublishedTable<'_>, &PublishedSubject<'_>))| {
        let row = subject.of_metric(unversioned(&column.metric))?;
        Some(published_point(board.rows.len() + at, table, row))
    };
    subjects.enumerate().filter_map(point).collect()
}

fn of_table(board: usize, table: &PublishedTable<'_>) -> Vec<Axis> {
    let axis = |(place, column): (usize, &crate::published::PublishedColumn<'_>)| {
        let points: Vec<Point> = (table.rows.iter().enumerate())
            .filter_map(|(at, row)| Some(published_point(at, table, row.cells[place]?)))
            .collect();
        let words = [column.metric.id, column.dialect, column.setting];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        Axis {
            board,
            of: plain(&format!("† {}", source_line(table))),
            metric: column.metric.id.to_owned(),
            name: plain(&format!("† {}", words.join(" "))),
            unit: column.metric.unit.symbol(),
            better: column.metric.better,
            points,
        }
    };
    table.columns.iter().enumerate().map(axis).collect()
}

fn published_point(at: usize, table: &PublishedTable<'_>, row: &PublishedRow) -> Point {
    let name = [row.tokenizer.as_str(), row.variant.as_str()].join(" ");
    let name = plain(&format!("† {}", name.trim_end()));
    // What a number is of besides its metric, which the axis of another table does not say.
    let said = [row.dialect.as_str(), &row.setting];
    let said: Vec<&str> = said.into_iter().filter(|word| !word.is_empty()).collect();
    let text = match said.as_slice() {
        [] => row.text(),
        said => format!("{} ({})", row.text(), plain(&said.join(", "))),
    };
    let pictures = [row.dataset.as_str(), &row.split, &row.resolution].join(" ");
    Point {
        row: at,
        tokenizer: name.clone(),
        name,
        weights: String::new(),
        run: String::new(),
        value: row.value,
        text,
        paper: Some(format!("{}@{}", row.paper, row.paper_version)),
        data: Some(if row.dataset.is_empty() { String::new() } else { plain(&pictures) }),
        source: Some(plain(&source_line(table))),
    }
}

fn name(board: &Leaderboard, column: &Column) -> String {
    match column.setting.as_str() {
        "" => column_title(column, &board.columns),
        setting => format!("{} {setting}", unversioned(&column.metric)),
    }
}

fn points(board: &Leaderboard, names: &[String], column: usize) -> Vec<Point> {
    let unit = board.columns[column].unit;
    let rows = board.rows.iter().zip(names).enumerate();
    let points = rows.filter_map(|(at, (row, name))| {
        let Some(Outcome::Ok { value, .. }) = row.cells[column].as_ref().map(|cell| &cell.outcome)
        else {
            return None;
        };
        Some(Point {
            row: at,
            name: plain(name),
            tokenizer: row.subject.tokenizer.clone(),
            weights: row.subject.weights_sha256.clone(),
            run: row.subject.run.clone(),
            value: *value,
            text: number(unit, *value),
            paper: None,
            data: None,
            source: None,
        })
    });
    points.collect()
}

/// The place of the plot; empty where there are no two axes.
pub(super) fn section(axes: &[Axis]) -> String {
    if axes.len() < 2 {
        return String::new();
    }
    "<section class=\"board\" id=\"trade-offs\" aria-labelledby=\"trade-offs-title\">\n<h2 id=\"trade-offs-title\">Trade-offs\
     </h2>\n<p class=\"facts\">One metric against another, of any two leaderboards, joined by tokenizer. The front joins \
     what nothing measured beats in both. What is published is a triangle with a †, joined within its paper and pictures, and on no front.</p>\n<div id=\"tradeoff\" role=\"group\" aria-labelledby=\"trade-offs-title\" hidden></div>\n\
     <noscript><p class=\"soft\">This plot is drawn by the page's script; the tables above hold its values.</p></noscript>\n\
     </section>\n"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::leaderboards;

    #[test]
    fn every_column_with_a_finite_value_is_an_axis() {
        let boards = leaderboards(&fixtures::everything()).unwrap();
        let axes = of(&boards, &[]);
        let names: Vec<_> = axes.iter().map(|axis| (axis.board, axis.name.as_str())).collect();
        assert_eq!(
            names,
            [
                (0, "psnr"),
                (0, "ssim"),
                (0, "ms-ssim"),
                (0, "latent-floats"),
                (0, "bpp"),
                (1, "psnr")
            ]
        );
        // Infinite, skipped and failed ones are no points.
        let rows: Vec<_> = axes[0].points.iter().map(|point| point.name.as_str()).collect();
        assert_eq!(rows, ["jpeg:75", "dct:16", "taef2"]);
        assert_eq!(axes[0].points[0].text, "31.42");
    }

    #[test]
    fn published_numbers_are_points_beside_measured_ones_and_axes_of_their_own() {
        let boards = leaderboards(&fixtures::everything()).unwrap();
        let mut published = crate::published().unwrap();
        published.truncate(1);
        let row = |metric: &str, value: f64, suite: &str| {
            let known = crate::published().unwrap();
            let metric = known.iter().find(|row| row.metric.id == metric).unwrap().metric;
            let (tokenizer, variant) = ("taef2".to_owned(), "large".to_owned());
            let (suite, resolution) = (suite.to_owned(), "256".to_owned());
            PublishedRow {
                tokenizer,
                variant,
                suite,
                resolution,
                metric,
                value,
                ..published[0].clone()
            }
        };
        let rows = [
            row("psnr", 27.5, "reconstruction"),
            row("ssim", 0.5, "reconstruction"),
            row("gflops", 9.0, "efficiency"),
        ];
        let axes = of(&boards, &rows);
        let cited = |axis: &Axis| -> Vec<(usize, String, f64)> {
            let points = axis.points.iter().filter(|point| point.paper.is_some());
            points.map(|point| (point.row, point.name.clone(), point.value)).collect()
        };
        // Behind the rows of the board, the same row for both metrics.
        let behind = boards[0].rows.len();
        assert_eq!(cited(&axes[0]), [(behind, "† taef2 large".to_owned(), 27.5)]);
        assert_eq!(cited(&axes[1]), [(behind, "† taef2 large".to_owned(), 0.5)]);
        assert_eq!(axes[0].points.len(), 4);
        let own: Vec<_> = axes.iter().filter(|axis| axis.board >= boards.len()).collect();
        let names: Vec<_> =
            own.iter().map(|axis| (axis.metric.as_str(), axis.points.len())).collect();
        assert_eq!(names, [("psnr", 1), ("ssim", 1), ("gflops", 1)]);
        // A number of another definition says so.
        let other = PublishedRow { dialect: "adm-train-reference".to_owned(), ..rows[0].clone() };
        let axes = of(&boards, &[other]);
        let point = axes[0].points.iter().find(|point| point.paper.is_some()).unwrap();
        assert!(point.text.ends_with(" (adm-train-reference)"), "{}", point.text);
        // Of a tokenizer that nobody has measured here there is nothing, unless nothing was measured.
        let foreign = PublishedRow { tokenizer: "other".to_owned(), ..rows[0].clone() };
        let foreign = [foreign];
        assert_eq!(of(&boards, &foreign).len(), of(&boards, &[]).len());
        assert_eq!(of(&[], &foreign).len(), 1);
    }
}
