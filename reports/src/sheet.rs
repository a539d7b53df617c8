//! A table with everything written out: heading, cells, footnotes, closing lines.

mod measured;
mod published;

pub(crate) use measured::{column_title, definitions, infinite_note, latex, markdown, text};
pub(crate) use published::{CONTRADICTED, cited, family, published, source_line};

use comfy_table::{CellAlignment, Table, TableComponent, presets};

use crate::markup::Markup;

/// A table whose cells are texts of one form of output.
pub(crate) struct Sheet {
    pub(crate) markup: Markup,
    /// As plain text; escaped when it is written.
    pub(crate) heading: String,
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
    /// Columns of words at the left; the others are numbers, which are read by their ends.
    pub(crate) words: usize,
    /// As plain text, in the order of their marks.
    pub(crate) footnotes: Vec<String>,
    /// Lines below the footnotes, in the form of the output.
    pub(crate) closing: Vec<String>,
}

impl Sheet {
    /// The mark of a footnote; equal notes share one.
    pub(crate) fn footnote(&mut self, note: String) -> String {
        let known = self.footnotes.iter().position(|known| *known == note);
        let at = known.unwrap_or_else(|| {
            self.footnotes.push(note);
            self.footnotes.len() - 1
        });
        self.markup.mark(at + 1)
    }

    /// The widest line of the table itself.
    pub(crate) fn width(&self) -> usize {
        self.body().lines().map(|line| line.chars().count()).max().unwrap_or(0)
    }

    pub(crate) fn written(&self) -> String {
        if self.markup == Markup::Latex {
            return self.latex();
        }
        let closing: Vec<_> =
            self.closing.iter().filter(|line| !line.is_empty()).cloned().collect();
        let paragraphs = [
            self.markup.heading(&self.heading),
            self.body(),
            self.markup.footnotes(&self.footnotes),
            self.markup.lines(&closing),
        ];
        let paragraphs: Vec<_> = paragraphs.into_iter().filter(|text| !text.is_empty()).collect();
        paragraphs.join("\n\n") + "\n"
    }

    fn body(&self) -> String {
        match self.markup {
            Markup::Line | Markup::Stacked => self.text_table(),
            Markup::Markdown => self.markdown_table(),
            Markup::Latex => self.latex(),
        }
    }

    fn table(&self, preset: &str) -> Table {
        let mut table = Table::new();
        table.load_preset(preset).force_no_tty();
        table.set_header(&self.header).add_rows(&self.rows);
        for column in table.column_iter_mut().skip(self.words) {
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
                if at < self.words { dashes.to_owned() } else { format!("{}:", &dashes[1..]) }
            });
            *rule = format!("|{}|", columns.collect::<Vec<_>>().join("|"));
        }
        lines.join("\n")
    }

    /// A float with the rules of booktabs; it needs `\usepackage{booktabs}` and nothing else.
    fn latex(&self) -> String {
        let numbers = self.header.len().saturating_sub(self.words);
        let layout = "l".repeat(self.words) + &"r".repeat(numbers);
        let row = |cells: &Vec<String>| format!("{} \\\\\n", cells.join(" & "));
        let rows: String = self.rows.iter().map(row).collect();
        let mut notes = self.closing.clone();
        notes.insert(0, self.markup.footnotes(&self.footnotes));
        notes.retain(|line| !line.is_empty());
        format!(
            "\\begin{{table}}\n\\centering\n{}\n\\begin{{tabular}}{{{layout}}}\n\\toprule\n{}\\midrule\n\
             {rows}\\bottomrule\n\\end{{tabular}}\n\n\\footnotesize\n{}\n\\end{{table}}\n",
            self.markup.heading(&self.heading),
            row(&self.header),
            self.markup.lines(&notes),
        )
    }
}
