//! A leaderboard as text or Markdown: heading, table, footnotes, provenance.

use comfy_table::{CellAlignment, Table, TableComponent, presets};
use prismbench_core::{Better, Outcome, Unit};

use crate::format::Style;
use crate::leaderboard::{Cell, Column, Leaderboard};
use crate::markup::Markup;
use crate::numbers::{number, superscript};
use crate::row_names::{row_names, short};

/// The leaderboard for a terminal. Where it would be wider than `style` allows, intervals move
/// below their values.
pub(crate) fn text(board: &Leaderboard, style: Style) -> String {
    let line = Sheet::new(board, Markup::Line);
    let table = line.text_table();
    let fits = table.lines().all(|line| line.chars().count() <= style.width);
    if fits || !line.intervals {
        return line.finish(board, &table);
    }
    let stacked = Sheet::new(board, Markup::Stacked);
    stacked.finish(board, &stacked.text_table())
}

/// The leaderboard in GitHub's Markdown.
pub(crate) fn markdown(board: &Leaderboard) -> String {
    let sheet = Sheet::new(board, Markup::Markdown);
    sheet.finish(board, &sheet.markdown_table())
}

/// A leaderboard with every cell written out.
struct Sheet {
    markup: Markup,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    footnotes: Vec<String>,
    /// Whether any cell has an interval.
    intervals: bool,
    /// Whether a cell is empty because no record says anything about it.
    unmeasured: bool,
}

impl Sheet {
    fn new(board: &Leaderboard, markup: Markup) -> Self {
        let mut header = vec!["tokenizer".to_owned(), "latent".to_owned()];
        header.extend(board.columns.iter().map(|column| head(column, &board.columns, markup)));
        let mut sheet = Self {
            markup,
            header,
            rows: Vec::new(),
            footnotes: Vec::new(),
            intervals: false,
            unmeasured: false,
        };
        for (row, name) in board.rows.iter().zip(row_names(&board.rows)) {
            let mut cells = vec![markup.plain(&name), markup.plain(&row.latent)];
            for (column, cell) in board.columns.iter().zip(&row.cells) {
                cells.push(sheet.cell(cell.as_ref(), column.unit));
            }
            sheet.rows.push(cells);
        }
        sheet
    }

    fn cell(&mut self, cell: Option<&Cell>, unit: Unit) -> String {
        let Some(Cell { outcome, best }) = cell else {
            self.unmeasured = true;
            return String::new();
        };
        let marked = |value: &str| {
            if *best { self.markup.best(value) } else { value.to_owned() }
        };
        match outcome {
            Outcome::Ok { value, low: Some(low), high: Some(high) } => {
                self.intervals = true;
                let value = marked(&number(unit, *value));
                self.markup.with_interval(&value, &number(unit, *low), &number(unit, *high))
            }
            Outcome::Ok { value, .. } => marked(&number(unit, *value)),
            Outcome::Infinite { infinite, finite_mean } => {
                let note = infinite_note(*infinite, *finite_mean, unit);
                marked("∞") + &self.footnote(note)
            }
            Outcome::Skipped { reason } => "–".to_owned() + &self.footnote(reason.clone()),
            Outcome::Failed { reason } => "!".to_owned() + &self.footnote(reason.clone()),
        }
    }

    /// The mark of a footnote; equal notes share one.
    fn footnote(&mut self, note: String) -> String {
        let known = self.footnotes.iter().position(|known| *known == note);
        superscript(
            1 + known.unwrap_or_else(|| {
                self.footnotes.push(note);
                self.footnotes.len() - 1
            }),
        )
    }

    fn table(&self, preset: &str) -> Table {
        let mut table = Table::new();
        table.load_preset(preset).force_no_tty();
        table.set_header(&self.header).add_rows(&self.rows);
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    fn text_table(&self) -> String {
        let mut table = self.table(presets::NOTHING);
        table.set_style(TableComponent::HeaderLines, '─');
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_padding((if at == 0 { 0 } else { 2 }, 0));
        }
        table.trim_fmt()
    }

    fn markdown_table(&self) -> String {
        let table = self.table(presets::ASCII_MARKDOWN).trim_fmt();
        let mut lines: Vec<String> = table.lines().map(str::to_owned).collect();
        // Numbers are read by their ends; the table library pads them but does not say so in
        // Markdown's own way, a colon at the right end of the rule.
        if let Some(rule) = lines.get_mut(1) {
            let columns = rule.trim_matches('|').split('|').enumerate().map(|(at, dashes)| {
                if at < 2 { dashes.to_owned() } else { format!("{}:", &dashes[1..]) }
            });
            *rule = format!("|{}|", columns.collect::<Vec<_>>().join("|"));
        }
        lines.join("\n")
    }

    fn finish(&self, board: &Leaderboard, table: &str) -> String {
        let mut lines = vec![
            self.legend(board),
            self.markup.plain(&definitions(board)),
            self.markup.plain(&provenance(board)),
        ];
        lines.retain(|line| !line.is_empty());
        let paragraphs = [
            self.markup.heading(&heading(board)),
            table.to_owned(),
            self.markup.footnotes(&self.footnotes),
            self.markup.lines(&lines),
        ];
        let paragraphs: Vec<_> = paragraphs.into_iter().filter(|text| !text.is_empty()).collect();
        paragraphs.join("\n\n") + "\n"
    }

    fn legend(&self, board: &Leaderboard) -> String {
        let mut parts = Vec::new();
        let mut directed = board.columns.iter().filter(|column| column.better != Better::Neither);
        if let Some(column) = directed.next() {
            let title = title(column, &board.columns);
            parts.push(format!("ranked by {}", self.markup.plain(&title)));
        }
        let cells = || board.rows.iter().flat_map(|row| row.cells.iter().flatten());
        if cells().any(|cell| cell.best) {
            parts.push(self.markup.best_legend().to_owned());
        }
        if self.intervals {
            parts.push(self.markup.interval_legend().to_owned());
        }
        if cells().any(|cell| matches!(cell.outcome, Outcome::Skipped { .. })) {
            parts.push("– not applicable".to_owned());
        }
        if cells().any(|cell| matches!(cell.outcome, Outcome::Failed { .. })) {
            parts.push("! failed".to_owned());
        }
        if self.unmeasured {
            parts.push("empty: not measured".to_owned());
        }
        parts.join(" · ")
    }
}

/// `psnr ↑` and the unit.
fn head(column: &Column, columns: &[Column], markup: Markup) -> String {
    let name = markup.plain(&title(column, columns));
    let arrow = match column.better {
        Better::Higher => " ↑",
        Better::Lower => " ↓",
        Better::Neither => "",
    };
    markup.with_unit(&format!("{name}{arrow}"), column.unit.symbol())
}

/// The metric's name; one that heads two columns adds version and dialect. In a sweep what varies:
/// its last word.
fn title(column: &Column, columns: &[Column]) -> String {
    if let Some(varied) = column.setting.split(' ').next_back().filter(|word| !word.is_empty()) {
        return varied.to_owned();
    }
    let alike = columns.iter().filter(|other| bare(&other.metric) == bare(&column.metric));
    match (alike.count(), column.dialect.as_str()) {
        (0 | 1, _) => bare(&column.metric).to_owned(),
        (_, "") => column.metric.clone(),
        (_, dialect) => format!("{} {dialect}", column.metric),
    }
}

/// The metric without its version.
fn bare(metric: &str) -> &str {
    metric.split_once('@').map_or(metric, |(name, _)| name)
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

fn definitions(board: &Leaderboard) -> String {
    let columns = board.columns.iter().map(|column| match column.dialect.as_str() {
        "" => column.metric.clone(),
        dialect => format!("{}: {dialect}", column.metric),
    });
    let mut columns: Vec<String> = columns.collect();
    columns.dedup();
    columns.join("; ")
}

fn provenance(board: &Leaderboard) -> String {
    let runs = if board.runs.len() == 1 { "run" } else { "runs" };
    format!("pictures {} · {runs} {}", short(&board.reference_sha256), board.runs.join(", "))
}

fn infinite_note(infinite: u64, finite_mean: Option<f64>, unit: Unit) -> String {
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
