use super::{PublishedMetric, PublishedRow};

/// The numbers of one source on one data set, as a table again: rows and columns in the order of the source.
///
/// Nothing is ranked and nothing is marked: what a table's protocol was is seldom said, and rows that a
/// paper cites from elsewhere had another one.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedTable<'r> {
    /// Suite without version.
    pub suite: &'r str,
    /// Data set and part of it.
    pub dataset: &'r str,
    /// The part of it; may be empty.
    pub split: &'r str,
    /// Side of the pictures.
    pub resolution: &'r str,
    /// Paper, table, file or thread.
    pub source: &'r str,
    /// In order of appearance.
    pub columns: Vec<PublishedColumn<'r>>,
    /// In order of appearance. Two numbers for one cell are two rows.
    pub rows: Vec<PublishedSubject<'r>>,
}

/// A column of a published table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PublishedColumn<'r> {
    /// What the numbers are.
    pub metric: &'static PublishedMetric,
    /// A definition other than the usual; may be empty.
    pub dialect: &'r str,
    /// `unguided`, say; may be empty.
    pub setting: &'r str,
}

/// A row of a published table.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedSubject<'r> {
    /// Tokenizer.
    pub tokenizer: &'r str,
    /// Checkpoint or generator; may be empty.
    pub variant: &'r str,
    /// A cell per column.
    pub cells: Vec<Option<&'r PublishedRow>>,
}

/// Sorts rows into the tables they are from, in order of appearance.
pub fn published_tables<'r>(
    rows: impl IntoIterator<Item = &'r PublishedRow>,
) -> Vec<PublishedTable<'r>> {
    let mut tables: Vec<PublishedTable<'r>> = Vec::new();
    for row in rows {
        let at = tables.iter().position(|table| table.holds(row)).unwrap_or_else(|| {
            tables.push(PublishedTable::of(row));
            tables.len() - 1
        });
        tables[at].place(row);
    }
    for table in &mut tables {
        let columns = table.columns.len();
        table.rows.iter_mut().for_each(|row| row.cells.resize(columns, None));
    }
    tables
}

impl<'r> PublishedSubject<'r> {
    /// The first number of this row that is of a metric.
    pub(crate) fn of_metric(&self, id: &str) -> Option<&'r PublishedRow> {
        self.cells.iter().flatten().copied().find(|cell| cell.metric.id == id)
    }
}

impl<'r> PublishedTable<'r> {
    fn of(row: &'r PublishedRow) -> Self {
        let PublishedRow { suite, dataset, split, resolution, source, .. } = row;
        let (columns, rows) = (Vec::new(), Vec::new());
        Self { suite, dataset, split, resolution, source, columns, rows }
    }

    fn holds(&self, row: &PublishedRow) -> bool {
        [self.suite, self.dataset, self.split, self.resolution, self.source]
            == [&row.suite, &row.dataset, &row.split, &row.resolution, &row.source]
                .map(String::as_str)
    }

    fn place(&mut self, row: &'r PublishedRow) {
        let column =
            PublishedColumn { metric: row.metric, dialect: &row.dialect, setting: &row.setting };
        let at = self.columns.iter().position(|known| *known == column).unwrap_or_else(|| {
            self.columns.push(column);
            self.columns.len() - 1
        });
        let free = |subject: &PublishedSubject<'_>| {
            (subject.tokenizer, subject.variant) == (row.tokenizer.as_str(), row.variant.as_str())
                && !matches!(subject.cells.get(at), Some(Some(_)))
        };
        let line = self.rows.iter().position(free).unwrap_or_else(|| {
            let (tokenizer, variant) = (row.tokenizer.as_str(), row.variant.as_str());
            self.rows.push(PublishedSubject { tokenizer, variant, cells: Vec::new() });
            self.rows.len() - 1
        });
        let cells = &mut self.rows[line].cells;
        cells.resize(cells.len().max(at + 1), None);
        cells[at] = Some(row);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::published;

    /// Table, row, column: the values as they were printed, pivoted by the oracle from the raw file.
    type Printed = BTreeMap<String, BTreeMap<String, BTreeMap<String, Vec<String>>>>;

    fn number(text: &str) -> f64 {
        text.parse().unwrap()
    }

    /// The cells of this table that stand in this row and column of the oracle's.
    fn cells(table: &PublishedTable<'_>, row: &str, column: &str) -> Vec<f64> {
        let is = |known: &PublishedColumn<'_>| {
            format!("{}|{}|{}", known.metric.id, known.dialect, known.setting) == column
        };
        let at = table.columns.iter().position(is).unwrap();
        let rows = table
            .rows
            .iter()
            .filter(|subject| format!("{}|{}", subject.tokenizer, subject.variant) == row);
        rows.filter_map(|subject| subject.cells[at]).map(|cell| number(&cell.text())).collect()
    }

    #[test]
    fn the_tables_of_three_papers_come_back_cell_by_cell() {
        let rows = published().unwrap();
        let tables = published_tables(&rows);
        let mut compared = 0;
        for golden in [
            include_str!("../../../tests/golden/published/rae.json"),
            include_str!("../../../tests/golden/published/uae.json"),
            include_str!("../../../tests/golden/published/openvision3.json"),
        ] {
            let printed: Printed = serde_json::from_str(golden).unwrap();
            for (name, lines) in printed {
                let named = |table: &&PublishedTable<'_>| {
                    let PublishedTable { suite, dataset, resolution, source, .. } = table;
                    format!("{suite}|{dataset}|{resolution}|{source}") == name
                };
                let table = tables.iter().find(named).unwrap_or_else(|| panic!("no table {name}"));
                for (line, columns) in lines {
                    for (column, texts) in columns {
                        // A share is printed as a percentage.
                        let scale = if column.starts_with("top1|") { 0.01 } else { 1.0 };
                        let mut found = cells(table, &line, &column);
                        let mut expected: Vec<f64> =
                            texts.iter().map(|text| number(text) * scale).collect();
                        found.sort_by(f64::total_cmp);
                        expected.sort_by(f64::total_cmp);
                        assert_eq!(found.len(), expected.len(), "{name}: {line} {column}");
                        for (found, expected) in found.iter().zip(&expected) {
                            let off = (found - expected).abs();
                            assert!(off < 1e-12, "{name}: {line} {column}: {found} {expected}");
                            compared += 1;
                        }
                    }
                }
            }
        }
        // Every number of the three papers, and none besides.
        let of_papers = |row: &&crate::PublishedRow| {
            ["rae-dit.github.io", "arXiv 2512.19693v5", "arXiv 2601.15369v2"]
                .iter()
                .any(|start| row.source.starts_with(start))
        };
        assert_eq!(compared, rows.iter().filter(of_papers).count());
        assert!(compared > 480, "{compared}");
    }

    #[test]
    fn guidance_is_a_column_and_a_generator_a_row() {
        let rows = published().unwrap();
        let tables = published_tables(&rows);
        let table = tables
            .iter()
            .find(|table| table.suite == "generation" && table.source.starts_with("rae-dit"))
            .unwrap();
        let columns: Vec<_> =
            table.columns.iter().map(|column| (column.metric.id, column.setting)).collect();
        for pair in [("gfid", "unguided"), ("gfid", "guided"), ("is", "guided")] {
            assert!(columns.contains(&pair), "{pair:?} of {columns:?}");
        }
        let row = table.rows.iter().find(|row| row.variant == "ditdh-xl-800ep").unwrap();
        assert_eq!(row.tokenizer, "rae-dinov2-b");
    }
}
