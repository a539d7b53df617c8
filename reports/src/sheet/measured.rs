//! A leaderboard as text, Markdown or LaTeX.

use prismbench_core::{Better, Outcome, Unit, unversioned};

use super::Sheet;
use super::published::beside;
use crate::format::Style;
use crate::leaderboard::{Cell, Column, Leaderboard, Place};
use crate::markup::Markup;
use crate::numbers::number;
use crate::published::PublishedRow;
use crate::row_names::{row_names, short};

/// The leaderboard for a terminal. Where it would be wider than `style` allows, intervals move
/// below their values.
pub(crate) fn text(board: &Leaderboard, published: &[PublishedRow], style: Style) -> String {
    let line = sheet(board, published, Markup::Line);
    if line.width() <= style.width || !has_intervals(board) {
        return line.written();
    }
    sheet(board, published, Markup::Stacked).written()
}

/// The leaderboard in GitHub's Markdown.
pub(crate) fn markdown(board: &Leaderboard, published: &[PublishedRow]) -> String {
    sheet(board, published, Markup::Markdown).written()
}

/// The leaderboard in LaTeX.
pub(crate) fn latex(board: &Leaderboard, published: &[PublishedRow]) -> String {
    sheet(board, published, Markup::Latex).written()
}

fn sheet(board: &Leaderboard, published: &[PublishedRow], markup: Markup) -> Sheet {
    let mut header = vec!["tokenizer".to_owned(), "latent".to_owned()];
    header.extend(board.columns.iter().map(|column| head(column, &board.columns, markup)));
    let mut sheet = Sheet {
        markup,
        heading: heading(board),
        header,
        rows: Vec::new(),
        words: 2,
        footnotes: Vec::new(),
        closing: Vec::new(),
    };
    for (row, name) in board.rows.iter().zip(row_names(&board.rows)) {
        let mut cells = vec![markup.plain(&name), markup.plain(&row.latent)];
        for (column, cell) in board.columns.iter().zip(&row.cells) {
            cells.push(shown(&mut sheet, cell.as_ref(), column.unit));
        }
        sheet.rows.push(cells);
    }
    let cited = beside(board, published, &mut sheet);
    sheet.closing = vec![
        legend(board, markup, cited),
        markup.plain(&definitions(board)),
        markup.plain(&protocol(board)),
        markup.plain(&provenance(board)),
    ];
    sheet
}

fn shown(sheet: &mut Sheet, cell: Option<&Cell>, unit: Unit) -> String {
    let Some(Cell { outcome, place }) = cell else { return String::new() };
    let markup = sheet.markup;
    let marked = |value: &str| match place {
        Place::Best => markup.best(value),
        Place::Second => markup.second(value),
        Place::Other => value.to_owned(),
    };
    match outcome {
        Outcome::Ok { value, low: Some(low), high: Some(high) } => {
            let value = marked(&number(unit, *value));
            markup.with_interval(&value, &number(unit, *low), &number(unit, *high))
        }
        Outcome::Ok { value, .. } => marked(&number(unit, *value)),
        Outcome::Infinite { infinite, finite_mean } => {
            let note = infinite_note(*infinite, *finite_mean, unit);
            marked(markup.infinity()) + &sheet.footnote(note)
        }
        Outcome::Skipped { reason } => markup.dash().to_owned() + &sheet.footnote(reason.clone()),
        Outcome::Failed { reason } => "!".to_owned() + &sheet.footnote(reason.clone()),
    }
}

fn cells(board: &Leaderboard) -> impl Iterator<Item = &Cell> {
    board.rows.iter().flat_map(|row| row.cells.iter().flatten())
}

fn has_intervals(board: &Leaderboard) -> bool {
    cells(board).any(|cell| matches!(cell.outcome, Outcome::Ok { low: Some(_), high: Some(_), .. }))
}

fn legend(board: &Leaderboard, markup: Markup, cited: bool) -> String {
    let mut parts = Vec::new();
    let mut directed = board.columns.iter().filter(|column| column.better != Better::Neither);
    if let Some(column) = directed.next() {
        let title = column_title(column, &board.columns);
        parts.push(format!("ranked by {}", markup.plain(&title)));
    }
    if cells(board).any(|cell| cell.place == Place::Best) {
        parts.push(markup.best_legend().to_owned());
    }
    if cells(board).any(|cell| cell.place == Place::Second) {
        parts.push(markup.second_legend().to_owned());
    }
    if has_intervals(board) {
        parts.push(markup.interval_legend().to_owned());
    }
    if cells(board).any(|cell| matches!(cell.outcome, Outcome::Skipped { .. })) {
        parts.push(format!("{} not applicable", markup.dash()));
    }
    if cells(board).any(|cell| matches!(cell.outcome, Outcome::Failed { .. })) {
        parts.push("! failed".to_owned());
    }
    if board.rows.iter().any(|row| row.cells.contains(&None)) {
        parts.push("empty: not measured".to_owned());
    }
    if cited {
        let dagger = markup.dagger();
        parts.push(format!("{dagger} published, by a protocol that nobody stated: not ranked"));
    }
    parts.join(markup.dot())
}

/// `psnr ↑` and the unit.
fn head(column: &Column, columns: &[Column], markup: Markup) -> String {
    let name = markup.plain(&column_title(column, columns));
    let arrow = markup.arrow(column.better);
    markup.with_unit(&format!("{name}{arrow}"), column.unit.symbol())
}

/// The metric's name; one that heads two columns adds version and dialect. In a sweep what varies:
/// its last word.
pub(crate) fn column_title(column: &Column, columns: &[Column]) -> String {
    if let Some(varied) = column.setting.split(' ').next_back().filter(|word| !word.is_empty()) {
        return varied.to_owned();
    }
    let alike =
        columns.iter().filter(|other| unversioned(&other.metric) == unversioned(&column.metric));
    match (alike.count(), column.dialect.as_str()) {
        (0 | 1, _) => unversioned(&column.metric).to_owned(),
        (_, "") => column.metric.clone(),
        (_, dialect) => format!("{} {dialect}", column.metric),
    }
}

fn heading(board: &Leaderboard) -> String {
    let curve = board.curve.as_ref().map_or(String::new(), |curve| format!(" · {curve}"));
    format!(
        "{}{curve} · {} ({}) · {} · n = {} · protocol {} {}",
        board.suite,
        board.dataset,
        board.split,
        board.resolution,
        board.n,
        board.protocols.join(" = "),
        short(&board.protocol_sha256),
    )
}

/// Each metric with its version and dialect.
pub(crate) fn definitions(board: &Leaderboard) -> String {
    let columns = board.columns.iter().map(|column| match column.dialect.as_str() {
        "" => column.metric.clone(),
        dialect => format!("{}: {dialect}", column.metric),
    });
    let mut columns: Vec<String> = columns.collect();
    columns.dedup();
    columns.join("; ")
}

/// The protocol with its whole hash: the heading has its first digits alone.
fn protocol(board: &Leaderboard) -> String {
    format!("protocol {} {}", board.protocols.join(" = "), board.protocol_sha256)
}

/// Pictures and runs.
fn provenance(board: &Leaderboard) -> String {
    let runs = if board.runs.len() == 1 { "run" } else { "runs" };
    let pictures = short(&board.reference_sha256);
    format!("pictures {pictures} · {runs} {}", board.runs.join(", "))
}

/// What an infinite outcome means.
pub(crate) fn infinite_note(infinite: u64, finite_mean: Option<f64>, unit: Unit) -> String {
    let without_error = match infinite {
        1 => "1 image is reproduced without error".to_owned(),
        _ => format!("{infinite} images are reproduced without error"),
    };
    match finite_mean {
        None => format!("all {without_error}"),
        Some(mean) => {
            let mean = format!("{} {}", number(unit, mean), unit.symbol());
            format!("{without_error}; the mean over the others is {}", mean.trim_end())
        }
    }
}
