//! Published numbers: as tables of their own, and below the rows that were measured.

use super::Sheet;
use crate::leaderboard::Leaderboard;
use crate::markup::Markup;
use crate::published::{PublishedColumn, PublishedRow, PublishedTable, published_tables};
use prismbench_core::unversioned;

/// What is said of a number beside which another source prints another.
pub(crate) const CONTRADICTED: &str =
    "another source prints another value (`contradicted` in the CSV)";

/// A published table in this form of output.
pub(crate) fn published(table: &PublishedTable<'_>, markup: Markup) -> String {
    let head = |column: &PublishedColumn<'_>| {
        let words = [column.metric.id, column.dialect, column.setting];
        let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let name = markup.plain(&words.join(" ")) + markup.arrow(column.metric.better);
        markup.with_unit(&name, column.metric.unit.symbol())
    };
    let mut header = vec!["tokenizer".to_owned(), "variant".to_owned()];
    header.extend(table.columns.iter().map(head));
    let mut sheet = Sheet {
        markup,
        heading: heading(table),
        header,
        rows: Vec::new(),
        words: 2,
        footnotes: Vec::new(),
        closing: Vec::new(),
    };
    for row in &table.rows {
        let mut cells = vec![markup.plain(row.tokenizer), markup.plain(row.variant)];
        for cell in &row.cells {
            cells.push(cell.map_or_else(String::new, |cell| shown(&mut sheet, cell)));
        }
        sheet.rows.push(cells);
    }
    sheet.closing = vec![format!(
        "{} published, not measured here: the order is the source's, nothing is ranked",
        markup.dagger()
    )];
    sheet.written()
}

fn heading(table: &PublishedTable<'_>) -> String {
    format!("† {}", source_line(table))
}

/// Where a table is from and what of.
pub(crate) fn source_line(table: &PublishedTable<'_>) -> String {
    let PublishedTable { suite, dataset, split, resolution, source, .. } = table;
    let data = match (*dataset, *split) {
        ("", _) => String::new(),
        (dataset, "") => format!(" · {dataset}"),
        (dataset, split) => format!(" · {dataset} ({split})"),
    };
    let resolution =
        if resolution.is_empty() { String::new() } else { format!(" · {resolution}") };
    format!("published · {source} · {suite}{data}{resolution} · protocol not stated")
}

fn shown(sheet: &mut Sheet, row: &PublishedRow) -> String {
    match row.contradicted {
        true => row.text() + &sheet.footnote(CONTRADICTED.to_owned()),
        false => row.text(),
    }
}

/// Adds the published values of the measured tokenizers and metrics below a board's rows: one row for
/// each source and data set, marked and unranked. Says whether there are any.
pub(super) fn beside(board: &Leaderboard, published: &[PublishedRow], sheet: &mut Sheet) -> bool {
    let tables = cited(board, published);
    for table in &tables {
        for row in &table.rows {
            let words = [row.tokenizer, row.variant].map(|word| sheet.markup.plain(word));
            let name = format!("{} {}", sheet.markup.dagger(), words.join(" "));
            let note = source_line(table);
            let mut cells = vec![name.trim_end().to_owned() + &sheet.footnote(note), String::new()];
            for column in &board.columns {
                let cell = row.of_metric(unversioned(&column.metric));
                cells.push(cell.map_or_else(String::new, |cell| shown(sheet, cell)));
            }
            sheet.rows.push(cells);
        }
    }
    !tables.is_empty()
}

/// What is published of the tokenizers and metrics of a board, by source.
pub(crate) fn cited<'r>(
    board: &Leaderboard,
    published: &'r [PublishedRow],
) -> Vec<PublishedTable<'r>> {
    let measured = |row: &&PublishedRow| {
        board.curve.is_none()
            && unversioned(&board.suite) == row.suite
            && board.rows.iter().any(|known| family(&known.subject.tokenizer) == row.tokenizer)
            && board.columns.iter().any(|column| unversioned(&column.metric) == row.metric.id)
    };
    published_tables(published.iter().filter(measured))
}

/// A tokenizer without the revision or path of its weights.
pub(crate) fn family(tokenizer: &str) -> &str {
    tokenizer.split(['@', '=', ':']).next().unwrap_or(tokenizer)
}
