//! Every column of every leaderboard as an axis along which tokenizers can be plotted.

use prismbench_core::{Better, Outcome};
use serde::Serialize;

use super::board::{facts, heading};
use super::escape::plain;
use crate::leaderboard::{Column, Leaderboard};
use crate::numbers::number;
use crate::row_names::row_names;
use crate::sheet::{bare, column_title};

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
}

/// The columns that have a finite value.
pub(super) fn of(boards: &[Leaderboard]) -> Vec<Axis> {
    let mut axes = Vec::new();
    for (at, board) in boards.iter().enumerate() {
        let names = row_names(&board.rows);
        for (place, column) in board.columns.iter().enumerate() {
            let points = points(board, &names, place);
            if points.is_empty() {
                continue;
            }
            axes.push(Axis {
                board: at,
                of: plain(&format!("{} · {}", heading(board), facts(board))),
                metric: bare(&column.metric).to_owned(),
                name: plain(&name(board, column)),
                unit: column.unit.symbol(),
                better: column.better,
                points,
            });
        }
    }
    axes
}

fn name(board: &Leaderboard, column: &Column) -> String {
    match column.setting.as_str() {
        "" => column_title(column, &board.columns),
        setting => format!("{} {setting}", bare(&column.metric)),
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
     what nothing beats in both.</p>\n<div id=\"tradeoff\" role=\"group\" aria-labelledby=\"trade-offs-title\" hidden></div>\n\
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
        let axes = of(&boards);
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
}
