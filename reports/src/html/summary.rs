//! Values of single images in words and numbers: the place of the plots, and what they show for those who do
//! not see them.

use std::fmt::Write as _;

use prismbench_core::Unit;

use super::board::told_apart;
use super::escape::text;
use super::images::{Known, values};
use crate::leaderboard::Leaderboard;
use crate::numbers::number;
use crate::sheet::column_title;

/// Shares of the images that lie at or below a shown value.
const SHARES: [(&str, f64); 7] = [
    ("least", 0.0),
    ("5 %", 0.05),
    ("25 %", 0.25),
    ("median", 0.5),
    ("75 %", 0.75),
    ("95 %", 0.95),
    ("greatest", 1.0),
];

/// The section of single images; empty where nothing is known of them.
pub(super) fn section(at: usize, board: &Leaderboard, known: &Known<'_>) -> String {
    let mut section = String::new();
    if !known.rows.is_empty() {
        section = format!(
            "<h3 id=\"board-{at}-images\">Single images</h3>\n<div class=\"explorer\" data-board=\"{at}\" role=\"group\" \
             aria-labelledby=\"board-{at}-images\" hidden></div>\n<noscript><p class=\"soft\">Plots of single images are \
             drawn by the page's script; the table below sums them up.</p></noscript>\n{}",
            table(at, board, known)
        );
    }
    if !known.ambiguous.is_empty() {
        let names = text(&known.ambiguous.join(", "));
        section += &format!(
            "<p class=\"soft\">Two runs of one name: values of single images of {names} cannot be told apart. \
             Rename one of the run folders and measure again.</p>\n"
        );
    }
    section
}

fn table(at: usize, board: &Leaderboard, known: &Known<'_>) -> String {
    let mut bodies = String::new();
    for (column, name) in &known.columns {
        let title = text(&column_title(column, &board.columns));
        let unit = match column.unit.symbol() {
            "" => String::new(),
            unit => format!(" ({})", text(unit)),
        };
        let columns = SHARES.len() + 1;
        // Writing to a string cannot fail.
        let _ = writeln!(
            bodies,
            "<tbody>\n<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"{columns}\"><span>{title}{unit}</span></th></tr>"
        );
        for (row, table) in &known.rows {
            let Some(values) = values(table, name) else { continue };
            let cells: String =
                quantiles(values, column.unit).map(|text| format!("<td>{text}</td>")).collect();
            let _ = writeln!(bodies, "<tr><th scope=\"row\">{}</th>{cells}</tr>", text(row));
        }
        bodies += "</tbody>\n";
    }
    let heads: String =
        SHARES.iter().map(|(name, _)| format!("<th scope=\"col\">{name}</th>")).collect();
    let of = told_apart(board);
    format!(
        "<details class=\"summary\">\n<summary>Distribution of the values in numbers</summary>\n\
         <div class=\"scroll\" role=\"region\" aria-label=\"Distribution of the values\" tabindex=\"0\">\n\
         <table class=\"values\" id=\"board-{at}-summary\">\n<caption>Values of single images: the share of images at or \
         below each{of}</caption>\n<thead>\n<tr><th scope=\"col\">tokenizer</th>{heads}</tr>\n</thead>\n{bodies}</table>\n\
         </div>\n</details>\n"
    )
}

/// Values that images have, none in between: the least with at least that share at or below it.
fn quantiles(values: &[f64], unit: Unit) -> impl Iterator<Item = String> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    SHARES.iter().map(move |(_, share)| {
        let rank = (share * sorted.len() as f64).ceil() as usize;
        match sorted.get(rank.saturating_sub(1)) {
            Some(value) if value.is_finite() => number(unit, *value),
            Some(_) => "∞".to_owned(),
            None => String::new(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_of_images() {
        let of = |values: &[f64]| quantiles(values, Unit::Decibel).collect::<Vec<_>>().join(" ");
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(of(&hundred), "1.00 5.00 25.00 50.00 75.00 95.00 100.00");
        assert_eq!(of(&[f64::INFINITY, 2.0, 1.0]), "1.00 1.00 1.00 2.00 ∞ ∞ ∞");
        assert_eq!(of(&[3.0]), "3.00 3.00 3.00 3.00 3.00 3.00 3.00");
        assert_eq!(of(&[]).trim(), "");
    }
}
