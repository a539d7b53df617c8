//! Published numbers on a page: rows below the measured ones, or tables of their own.

use std::fmt::Write as _;

use prismbench_core::{Better, unversioned};

use super::cells::Notes;
use super::escape::text;
use crate::leaderboard::Leaderboard;
use crate::published::{PublishedColumn, PublishedRow, PublishedTable};
use crate::sheet::{CONTRADICTED, cited, source_line};

/// A body of its own below the rows of a board, which the script never sorts among them.
pub(super) fn rows(board: &Leaderboard, published: &[PublishedRow], notes: &mut Notes) -> String {
    let tables = cited(board, published);
    if tables.is_empty() {
        return String::new();
    }
    let columns = 2 + board.columns.len();
    let mut rows = format!(
        "<tbody class=\"published\">\n<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"{columns}\">\
         <span>† published, not ranked</span></th></tr>\n"
    );
    for table in &tables {
        for row in &table.rows {
            let name = text(&[row.tokenizer, row.variant].join(" "));
            let note = notes.mark(source_line(table));
            // Writing to a string cannot fail.
            let _ = write!(rows, "<tr><th scope=\"row\">† {name}{note}</th><td></td>");
            for column in &board.columns {
                rows += &cell(row.of_metric(unversioned(&column.metric)), notes);
            }
            rows += "</tr>\n";
        }
    }
    rows + "</tbody>\n"
}

fn cell(cell: Option<&PublishedRow>, notes: &mut Notes) -> String {
    let Some(row) = cell else { return "<td></td>".to_owned() };
    let note = match row.contradicted {
        true => notes.mark(CONTRADICTED.to_owned()),
        false => String::new(),
    };
    format!("<td>{}{note}</td>", text(&row.text()))
}

/// A published table, in the order of its source.
pub(super) fn section(at: usize, table: &PublishedTable<'_>) -> String {
    let mut notes = Notes::new(format!("source-{at}"));
    let mut head =
        "<th scope=\"col\">tokenizer</th><th scope=\"col\" class=\"words\">variant</th>".to_owned();
    for column in &table.columns {
        let _ = write!(head, "<th scope=\"col\">{}</th>", title(column));
    }
    let mut body = String::new();
    for row in &table.rows {
        let (name, variant) = (text(row.tokenizer), text(row.variant));
        let _ = write!(body, "<tr><th scope=\"row\">{name}</th><td class=\"words\">{variant}</td>");
        for number in &row.cells {
            body += &cell(*number, &mut notes);
        }
        body += "</tr>\n";
    }
    let heading = text(&source_line(table));
    let notes = notes.written();
    format!(
        "<section class=\"board\" aria-labelledby=\"source-{at}-title\">\n<h2 id=\"source-{at}-title\">† {heading}</h2>\n\
         <div class=\"scroll\" role=\"region\" aria-labelledby=\"source-{at}-title\" tabindex=\"0\">\n\
         <table class=\"values\">\n<caption>In the order of the source, not ranked</caption>\n<thead>\n<tr>{head}</tr>\n</thead>\n<tbody class=\"published\">\n{body}</tbody>\n\
         </table>\n</div>\n{notes}</section>\n"
    )
}

fn title(column: &PublishedColumn<'_>) -> String {
    let words = [column.metric.id, column.dialect, column.setting];
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let arrow = match column.metric.better {
        Better::Higher => " ↑",
        Better::Lower => " ↓",
        Better::Neither => "",
    };
    let (name, unit) = (text(&words.join(" ")), text(column.metric.unit.symbol()));
    format!("<span class=\"h\">{name}{arrow}</span><span class=\"unit\">{unit}</span>")
}
