//! Leaderboards as one page for a browser, which needs nothing but the file.
//!
//! Tables, notes and pictures are written here and are read without a script; the page's script
//! (`html/*.js`) sorts, filters and draws what `#data` holds. Equal contents give equal bytes.

mod axes;
mod board;
mod cells;
mod cited;
mod document;
mod escape;
mod images;
mod sheets;
mod summary;

use std::fmt::Write as _;

use serde::Serialize;

use crate::plot::Plot;
use crate::{Contents, Leaderboard, ReportError, leaderboards, published_tables};
use axes::Axis;
use escape::text;
use images::Images;

/// What the script draws.
#[derive(Serialize)]
struct Data {
    /// Values of single images, by leaderboard.
    images: Vec<Option<Images>>,
    /// What tokenizers can be plotted by.
    axes: Vec<Axis>,
}

/// The page.
///
/// # Errors
/// Those of [`leaderboards`] and of [`Plot::svg`].
pub(crate) fn page(contents: Contents<'_>) -> Result<String, ReportError> {
    let boards = match contents.records {
        [] => Vec::new(),
        records => leaderboards(records)?,
    };
    let mut main = String::new();
    let mut data = Data { images: Vec::new(), axes: axes::of(&boards, contents.published) };
    for (at, board) in boards.iter().enumerate() {
        let known = images::of_board(board, contents.samples);
        main += &format!(
            "<section class=\"board\" id=\"board-{at}\" aria-labelledby=\"board-{at}-title\">\n"
        );
        main += &board::table(at, board, contents);
        main += &curves(at, board)?;
        main += &summary::section(at, board, &known);
        main += &sheets::section(at, board, contents.sheets);
        main += "</section>\n";
        data.images.push(Images::new(board, &known));
    }
    if boards.is_empty() {
        for (at, table) in published_tables(contents.published).iter().enumerate() {
            main += &cited::section(at, table);
        }
    }
    main += &axes::section(&data.axes);
    let header = header(&boards, contents);
    let page = document::Page {
        title: title(&boards),
        header,
        main,
        footer: footer(&boards),
        data: escape::json(&data)?,
    };
    Ok(page.written())
}

/// The curves of a sweep or a spectrum, where the board is one.
fn curves(at: usize, board: &Leaderboard) -> Result<String, ReportError> {
    let Some(plot) = Plot::of(board) else { return Ok(String::new()) };
    let svg = plot.svg()?;
    let label = text(&format!("{}: {} by {}", plot.title, plot.y, plot.x));
    Ok(format!(
        "<figure class=\"curves\" id=\"board-{at}-curves\">\n<div class=\"scroll\" role=\"region\" tabindex=\"0\" \
         aria-label=\"{label}\">\n<div role=\"img\" aria-label=\"{label}; the table above has the values\">\n\
         {svg}</div>\n</div>\n</figure>\n"
    ))
}

fn title(boards: &[Leaderboard]) -> String {
    match boards {
        [] => "Published numbers".to_owned(),
        [board] => board::heading(board),
        [first, ..] => format!("{} and {} more", board::heading(first), boards.len() - 1),
    }
}

fn header(boards: &[Leaderboard], contents: Contents<'_>) -> String {
    let (heading, lead) = match boards {
        [] => {
            let numbers = contents.published.len();
            let lead = format!(
                "{numbers} numbers as their sources print them. Nothing here was measured or is ranked."
            );
            ("Published numbers", lead)
        }
        boards => {
            let mut runs: Vec<&str> = Vec::new();
            for run in boards.iter().flat_map(|board| &board.runs) {
                if !runs.contains(&run.as_str()) {
                    runs.push(run);
                }
            }
            let count =
                |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
            let tables = count(boards.len(), "leaderboard");
            let of = if runs.len() == 1 { "run" } else { "runs" };
            ("Leaderboards", format!("{tables} from {of} {}.", runs.join(", ")))
        }
    };
    let mut header = format!("<h1>{heading}</h1>\n<p class=\"lead\">{}</p>\n", text(&lead));
    if boards.len() > 1 {
        header += "<nav aria-label=\"Leaderboards\">\n<ol>\n";
        for (at, board) in boards.iter().enumerate() {
            let (heading, of) = (text(&board::heading(board)), text(&board::facts(board)));
            // Writing to a string cannot fail.
            let _ = writeln!(
                header,
                "<li><a href=\"#board-{at}\">{heading} <span class=\"soft\">{of}</span></a></li>"
            );
        }
        header += "</ol>\n</nav>\n";
    }
    header
}

/// Every protocol with its whole hash: what decides whether two numbers are comparable.
fn footer(boards: &[Leaderboard]) -> String {
    let mut seen: Vec<(&str, String)> = Vec::new();
    for board in boards {
        let named = (board.protocol_sha256.as_str(), board.protocols.join(" = "));
        if !seen.contains(&named) {
            seen.push(named);
        }
    }
    if seen.is_empty() {
        return String::new();
    }
    let mut footer = "<h2>Protocols</h2>\n<p class=\"soft\">Values are comparable where these hashes agree; \
                      <code>prismbench explain NAME</code> says what a protocol does.</p>\n<dl class=\"hashes\">\n"
        .to_owned();
    for (sha256, names) in seen {
        let (names, sha256) = (text(&names), text(sha256));
        let _ = writeln!(footer, "<div><dt>{names}</dt><dd><code>{sha256}</code></dd></div>");
    }
    footer + "</dl>\n"
}

#[cfg(test)]
mod tests;
