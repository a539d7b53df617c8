//! A leaderboard as a table: readable as it stands, with what the script needs to sort and filter it.

use std::fmt::Write as _;

use prismbench_core::{Better, Outcome, Record, unversioned};

use super::cells::{Notes, cell, keys};
use super::cited;
use super::escape::text;
use crate::Contents;
use crate::leaderboard::{Column, Leaderboard, Place};
use crate::row_names::{row_names, short};
use crate::sheet::{column_title, definitions};

/// `reconstruction@1 · filtered-r5@1 low`: what was measured.
pub(super) fn heading(board: &Leaderboard) -> String {
    let curve = board.curve.as_ref().map_or(String::new(), |curve| format!(" · {curve}"));
    format!("{}{curve}", board.suite)
}

/// On which pictures, how many, under which protocol.
pub(super) fn facts(board: &Leaderboard) -> String {
    let Leaderboard { dataset, split, resolution, n, .. } = board;
    let protocol = board.protocols.join(" = ");
    let hash = short(&board.protocol_sha256);
    format!("{dataset} ({split}) · {resolution} · n = {n} · protocol {protocol} {hash}")
}

/// Heading, table, notes, and what was measured in full.
pub(super) fn table(at: usize, board: &Leaderboard, contents: Contents<'_>) -> String {
    let mut notes = Notes::new(format!("board-{at}"));
    let mut body = rows(board, &mut notes);
    let published = cited::rows(board, contents.published, &mut notes);
    body += &published;
    let (heading, facts) = (text(&heading(board)), text(&facts(board)));
    let (head, legend) = (head(board), legend(board, !published.is_empty()));
    let (notes, provenance) = (notes.written(), provenance(board, contents.records));
    let caption = text(&caption(board));
    // Out of its place, in a list of tables, one ranking is told from another by what stands above it.
    let of = told_apart(board);
    format!(
        "<h2 id=\"board-{at}-title\">{heading}</h2>\n<p class=\"facts\">{facts}</p>\n\
         <div class=\"scroll\" role=\"region\" aria-labelledby=\"board-{at}-title\" tabindex=\"0\">\n\
         <table class=\"values\" id=\"board-{at}-table\">\n<caption>{caption}{of}</caption>\n{head}{body}</table>\n</div>\n\
         {legend}{notes}{provenance}"
    )
}

/// What tells the tables of a board from those of others, for those who do not see where they stand.
pub(super) fn told_apart(board: &Leaderboard) -> String {
    format!("<span class=\"sr\">: {}, {}</span>", text(&heading(board)), text(&facts(board)))
}

fn caption(board: &Leaderboard) -> String {
    let rows = board.rows.len();
    let of = if rows == 1 { "row" } else { "rows" };
    let mut directed = board.columns.iter().filter(|column| column.better != Better::Neither);
    match directed.next() {
        Some(column) => format!("{rows} {of}, ranked by {}", column_title(column, &board.columns)),
        None => format!("{rows} {of}, not ranked"),
    }
}

fn head(board: &Leaderboard) -> String {
    let ranking = board.columns.iter().position(|column| column.better != Better::Neither);
    let mut head = "<thead>\n<tr><th scope=\"col\" data-kind=\"words\" data-first=\"ascending\">\
                    <span class=\"h\">tokenizer</span></th><th scope=\"col\" data-kind=\"words\" \
                    data-first=\"ascending\"><span class=\"h\">latent</span></th>"
        .to_owned();
    for (at, column) in board.columns.iter().enumerate() {
        let title = text(&column_title(column, &board.columns));
        let (first, direction) = direction(column.better);
        let sorted = match ranking == Some(at) {
            true => format!(" aria-sort=\"{first}\""),
            false => String::new(),
        };
        let metric = match board.curve {
            None => format!(" data-metric=\"{title}\""),
            Some(_) => String::new(),
        };
        let unit = text(column.unit.symbol());
        // Writing to a string cannot fail.
        let _ = write!(
            head,
            "<th scope=\"col\" data-first=\"{first}\"{metric}{sorted}><span class=\"h\">{title}{direction}</span>\
             <span class=\"unit\">{unit}</span></th>"
        );
    }
    head + "</tr>\n</thead>\n"
}

/// The order that puts the best first, and the arrow of tables with its meaning.
fn direction(better: Better) -> (&'static str, String) {
    let arrow = |arrow: char, words: &str| {
        format!(
            " <span aria-hidden=\"true\">{arrow}</span><span class=\"sr\">, {words} is better</span>"
        )
    };
    match better {
        Better::Higher => ("descending", arrow('↑', "higher")),
        Better::Lower => ("ascending", arrow('↓', "lower")),
        Better::Neither => ("ascending", String::new()),
    }
}

fn rows(board: &Leaderboard, notes: &mut Notes) -> String {
    let keys: Vec<Vec<Option<usize>>> =
        (0..board.columns.len()).map(|column| keys(board, column)).collect();
    let mut rows = "<tbody>\n".to_owned();
    for (at, (row, name)) in board.rows.iter().zip(row_names(&board.rows)).enumerate() {
        let (name, latent) = (text(&name), text(&row.latent));
        let _ = write!(rows, "<tr><th scope=\"row\">{name}</th><td class=\"words\">{latent}</td>");
        for (column, outcome) in row.cells.iter().enumerate() {
            rows += &cell(outcome.as_ref(), keys[column][at], board.columns[column].unit, notes);
        }
        rows += "</tr>\n";
    }
    rows + "</tbody>\n"
}

fn legend(board: &Leaderboard, cited: bool) -> String {
    let cells = || board.rows.iter().flat_map(|row| row.cells.iter().flatten());
    let mut parts = Vec::new();
    if cells().any(|cell| cell.place == Place::Best) {
        parts.push("<span class=\"best\">best</span> of its column");
    }
    if cells().any(|cell| cell.place == Place::Second) {
        parts.push("<span class=\"second\">second</span>");
    }
    if cells().any(|cell| matches!(cell.outcome, Outcome::Ok { low: Some(_), high: Some(_), .. })) {
        parts.push(
            "below a value its 95 % interval; what intervals do not tell apart shares a mark",
        );
    }
    if cells().any(|cell| matches!(cell.outcome, Outcome::Skipped { .. })) {
        parts.push("– not applicable");
    }
    if cells().any(|cell| matches!(cell.outcome, Outcome::Failed { .. })) {
        parts.push("! failed");
    }
    if board.rows.iter().any(|row| row.cells.contains(&None)) {
        parts.push("empty: not measured");
    }
    if cited {
        parts.push("† published, by a protocol that nobody stated: not ranked");
    }
    match parts.is_empty() {
        true => String::new(),
        false => format!("<p class=\"legend\">{}</p>\n", parts.join(" · ")),
    }
}

/// Definitions, hashes in full, runs and warnings.
fn provenance(board: &Leaderboard, records: &[Record]) -> String {
    let mut facts = String::new();
    let mut fact = |name: &str, value: &str, class: &str| {
        let (name, value) = (text(name), text(value));
        let _ = writeln!(facts, "<div><dt>{name}</dt><dd{class}>{value}</dd></div>");
    };
    let hash = " class=\"hash\"";
    fact("metrics", &definitions(board), "");
    fact(&format!("protocol {}", board.protocols.join(" = ")), &board.protocol_sha256, hash);
    fact("pictures", &board.reference_sha256, hash);
    fact(if board.runs.len() == 1 { "run" } else { "runs" }, &board.runs.join(", "), "");
    for (tokenizer, sha256) in weights(board) {
        fact(&format!("weights of {tokenizer}"), sha256, hash);
    }
    let warnings = warnings(board, records);
    for warning in &warnings {
        fact("warning", warning, "");
    }
    let open = if warnings.is_empty() { "" } else { " open" };
    format!(
        "<details class=\"provenance\"{open}>\n<summary>Definitions and provenance</summary>\n<dl class=\"hashes\">\n\
         {facts}</dl>\n</details>\n"
    )
}

fn weights(board: &Leaderboard) -> Vec<(&str, &str)> {
    let mut all: Vec<(&str, &str)> = Vec::new();
    for row in &board.rows {
        let one = (row.subject.tokenizer.as_str(), row.subject.weights_sha256.as_str());
        if !one.1.is_empty() && !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

/// What the records of a board warn of: `gfid of a, b: ...`.
fn warnings(board: &Leaderboard, records: &[Record]) -> Vec<String> {
    let mut all: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for record in records.iter().filter(|record| is_of(board, record)) {
        for warning in &record.warnings {
            let metric = unversioned(&record.metric);
            match all.iter_mut().find(|known| (known.0, known.1) == (warning, metric)) {
                Some((_, _, names)) if names.contains(&record.tokenizer.as_str()) => {}
                Some((_, _, names)) => names.push(&record.tokenizer),
                None => all.push((warning, metric, vec![&record.tokenizer])),
            }
        }
    }
    let lines = all
        .iter()
        .map(|(warning, metric, names)| format!("{metric} of {}: {warning}", names.join(", ")));
    lines.collect()
}

fn is_of(board: &Leaderboard, record: &Record) -> bool {
    let column = |column: &Column| {
        (&column.metric, &column.dialect, &column.setting)
            == (&record.metric, &record.dialect, &record.setting)
    };
    [&record.suite, &record.dataset, &record.split, &record.resolution]
        == [&board.suite, &board.dataset, &board.split, &board.resolution]
        && record.protocol_sha256 == board.protocol_sha256
        && record.reference_sha256 == board.reference_sha256
        && board.columns.iter().any(column)
}
