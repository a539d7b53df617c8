use std::cmp::Ordering;

use prismbench_core::{Better, Outcome, Record, Unit};

use crate::ranked_n::{ranked_n, row_key};
use crate::standing::{compare, is_valued};
use crate::{ReportError, frame};

/// One ranking: rows that agree in every column of [`COMPARABLE`](crate::COMPARABLE).
#[derive(Clone, Debug, PartialEq)]
pub struct Leaderboard {
    /// Suite with its version.
    pub suite: String,
    /// Data set as it was asked for.
    pub dataset: String,
    /// The part of it that was measured.
    pub split: String,
    /// Side or sides of the pictures.
    pub resolution: String,
    /// Samples behind every value.
    pub n: u64,
    /// What the protocol was called; several names where runs called the same one differently.
    pub protocols: Vec<String>,
    /// sha256 of the protocol.
    pub protocol_sha256: String,
    /// sha256 of the pictures.
    pub reference_sha256: String,
    /// The runs that the records came from, in order of appearance.
    pub runs: Vec<String>,
    /// The metric whose settings are the columns, and what the settings have in common:
    /// `filtered-r5@1 low`. `None` where the columns are metrics.
    pub curve: Option<String>,
    /// The metrics in the order of the records; the first that has a direction decides the ranking.
    pub columns: Vec<Column>,
    /// Best first.
    pub rows: Vec<Row>,
}

/// A metric of a leaderboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Metric with its version: `psnr@1`.
    pub metric: String,
    /// Variant of its definition; empty where there is one only.
    pub dialect: String,
    /// The setting of a sweep; empty where the metric has none.
    pub setting: String,
    /// Unit of the values.
    pub unit: Unit,
    /// Direction.
    pub better: Better,
}

/// One tokenizer as one run measured it. Two runs of a tokenizer are two rows, never an average.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What was measured.
    pub subject: Subject,
    /// Shape of the latent; empty for a bit stream.
    pub latent: String,
    /// A cell per column; `None` where there is no record of it.
    pub cells: Vec<Option<Cell>>,
}

/// What tells the rows of a leaderboard apart; each field is that of a [`Record`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Tokenizer reference.
    pub tokenizer: String,
    /// Checkpoint or setting within a family.
    pub variant: String,
    /// Id of the run.
    pub run: String,
    /// sha256 over the weights.
    pub weights_sha256: String,
    /// Device that ran the tokenizer.
    pub device: String,
    /// Arithmetic of the tokenizer.
    pub dtype: String,
    /// `measured`, or where a published value stands.
    pub source: String,
}

/// One outcome of a leaderboard.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The value, or why there is none.
    pub outcome: Outcome,
    /// Whether no value of the column is better; ties are all best.
    pub best: bool,
}

/// Sorts records into rankings, in order of first appearance.
///
/// # Errors
/// [`ReportError::Empty`] without records; [`ReportError::Record`] for a number that is none.
pub fn leaderboards(records: &[Record]) -> Result<Vec<Leaderboard>, ReportError> {
    if records.is_empty() {
        return Err(ReportError::Empty);
    }
    let n = ranked_n(records);
    let groups = frame::comparable(records, &n)?;
    let groups = groups.into_iter().flat_map(|group| by_curve(group, records));
    let boards = groups.filter_map(|(curve, group)| {
        let first = *group.first()?;
        let members: Vec<_> = group.iter().map(|&position| &records[position]).collect();
        let board = Leaderboard::new(&members, &records[first], n[first]);
        Some(Leaderboard { curve, ..board })
    });
    Ok(boards.collect())
}

/// Takes the sweeps of a group apart: a table for each would be as wide as all of them together.
fn by_curve(group: Vec<usize>, records: &[Record]) -> Vec<(Option<String>, Vec<usize>)> {
    let mut parts: Vec<(Option<String>, Vec<usize>)> = Vec::new();
    for position in group {
        let curve = curve(&records[position]);
        match parts.iter_mut().find(|(known, _)| *known == curve) {
            Some((_, members)) => members.push(position),
            None => parts.push((curve, vec![position])),
        }
    }
    // Plain metrics first.
    parts.sort_by_key(|(curve, _)| curve.is_some());
    parts
}

fn curve(record: &Record) -> Option<String> {
    let family = match record.setting.rsplit_once(' ') {
        Some((family, _)) => format!(" {family}"),
        None => String::new(),
    };
    let dialect = match record.dialect.as_str() {
        "" => String::new(),
        dialect => format!(" ({dialect})"),
    };
    (!record.setting.is_empty()).then(|| format!("{}{dialect}{family}", record.metric))
}

impl Leaderboard {
    fn new(records: &[&Record], first: &Record, n: u64) -> Self {
        let mut board = Self {
            suite: first.suite.clone(),
            dataset: first.dataset.clone(),
            split: first.split.clone(),
            resolution: first.resolution.clone(),
            n,
            protocols: distinct(records, |record| &record.protocol),
            protocol_sha256: first.protocol_sha256.clone(),
            reference_sha256: first.reference_sha256.clone(),
            runs: distinct(records, |record| &record.run),
            curve: None,
            columns: Vec::new(),
            rows: Vec::new(),
        };
        for record in records {
            board.place(record);
        }
        for row in &mut board.rows {
            row.cells.resize(board.columns.len(), None);
        }
        board.mark_best();
        let columns = std::mem::take(&mut board.columns);
        board.rows.sort_by(|a, b| a.compare(b, &columns));
        board.columns = columns;
        board
    }

    /// Puts a record into its row and column, and into a row of its own where the cell is taken.
    fn place(&mut self, record: &Record) {
        let column = Column {
            metric: record.metric.clone(),
            dialect: record.dialect.clone(),
            setting: record.setting.clone(),
            unit: record.unit,
            better: record.better,
        };
        let at = self.columns.iter().position(|known| *known == column).unwrap_or_else(|| {
            self.columns.push(column);
            self.columns.len() - 1
        });
        let subject = Subject::of(record);
        let free =
            |row: &Row| row.subject == subject && !matches!(row.cells.get(at), Some(Some(_)));
        let row = self.rows.iter().position(free).unwrap_or_else(|| {
            self.rows.push(Row { subject, latent: String::new(), cells: Vec::new() });
            self.rows.len() - 1
        });
        let row = &mut self.rows[row];
        if row.latent.is_empty() {
            row.latent.clone_from(&record.latent);
        }
        row.cells.resize(row.cells.len().max(at + 1), None);
        row.cells[at] = Some(Cell { outcome: record.outcome.clone(), best: false });
    }

    fn mark_best(&mut self) {
        let directed = |column: &Column| column.better != Better::Neither;
        for (at, column) in self.columns.iter().enumerate().filter(|(_, column)| directed(column)) {
            let outcomes = self.rows.iter().filter_map(|row| row.outcome(at));
            let best = outcomes
                .filter(|outcome| is_valued(outcome))
                .min_by(|a, b| compare(column.better, Some(a), Some(b)))
                .cloned();
            let Some(best) = best else { continue };
            for cell in self.rows.iter_mut().filter_map(|row| row.cells[at].as_mut()) {
                cell.best = compare(column.better, Some(&cell.outcome), Some(&best)).is_eq();
            }
        }
    }
}

impl Row {
    fn outcome(&self, column: usize) -> Option<&Outcome> {
        self.cells.get(column)?.as_ref().map(|cell| &cell.outcome)
    }

    /// The first column decides; the others break ties. Full ties keep the order of the records.
    fn compare(&self, other: &Self, columns: &[Column]) -> Ordering {
        let each = columns.iter().enumerate();
        each.map(|(at, column)| compare(column.better, self.outcome(at), other.outcome(at)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl Subject {
    fn of(record: &Record) -> Self {
        let [tokenizer, variant, run, weights_sha256, device, dtype, source] =
            row_key(record).map(str::to_owned);
        Self { tokenizer, variant, run, weights_sha256, device, dtype, source }
    }
}

fn distinct(records: &[&Record], field: impl Fn(&Record) -> &String) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for record in records {
        if !seen.contains(field(record)) {
            seen.push(field(record).clone());
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{self, record};

    fn ok(value: f64) -> Outcome {
        Outcome::Ok { value, low: None, high: None }
    }

    fn names(board: &Leaderboard) -> Vec<&str> {
        board.rows.iter().map(|row| row.subject.tokenizer.as_str()).collect()
    }

    fn best(board: &Leaderboard, column: usize) -> Vec<&str> {
        let marked = |row: &&Row| row.cells[column].as_ref().is_some_and(|cell| cell.best);
        board.rows.iter().filter(marked).map(|row| row.subject.tokenizer.as_str()).collect()
    }

    proptest! {
        /// Whatever records are thrown together, a ranking holds one protocol, one set of pictures
        /// and one n, and every record appears in exactly one cell.
        #[test]
        fn no_ranking_mixes_what_is_not_comparable(
            picks in prop::collection::vec(
                (0..3usize, 0..3usize, 0..2usize, 0..2u64, 0..4usize, 0..3usize, 0..4usize), 1..60),
        ) {
            let records: Vec<Record> = picks
                .iter()
                .enumerate()
                .map(|(i, &(protocol, picture, set, n, tokenizer, metric, outcome))| {
                    let outcomes = [
                        ok(i as f64),
                        Outcome::Infinite { infinite: 1, finite_mean: None },
                        Outcome::Skipped { reason: "no".to_owned() },
                        Outcome::Failed { reason: "no".to_owned() },
                    ];
                    let metric = ["psnr@1", "ssim@1", "bpp@1"][metric];
                    let mut made =
                        record(["a", "b", "c", "d"][tokenizer], metric, outcomes[outcome].clone());
                    // Neither the name of a protocol nor that of a data set is its identity.
                    made.protocol_sha256 = format!("{protocol}");
                    made.reference_sha256 = format!("{picture}");
                    made.dataset = format!("set{set}");
                    made.n = n;
                    made
                })
                .collect();
            let boards = leaderboards(&records).unwrap();
            let mut cells = 0;
            for board in &boards {
                for row in &board.rows {
                    for (column, cell) in board.columns.iter().zip(&row.cells) {
                        let Some(cell) = cell else { continue };
                        cells += 1;
                        let found = records.iter().any(|r| {
                            r.protocol_sha256 == board.protocol_sha256
                                && r.reference_sha256 == board.reference_sha256
                                && r.dataset == board.dataset
                                && (r.n == board.n || !is_valued(&r.outcome))
                                && r.metric == column.metric
                                && r.tokenizer == row.subject.tokenizer
                                && r.outcome == cell.outcome
                        });
                        prop_assert!(found, "{cell:?} of {row:?} is in the wrong ranking");
                    }
                }
            }
            prop_assert_eq!(cells, records.len());
        }
    }

    #[test]
    fn the_first_metric_ranks_and_the_next_break_ties() {
        let records = [
            record("worse", "psnr@1", ok(30.0)),
            record("tied", "psnr@1", ok(31.0)),
            record("better", "psnr@1", ok(31.0)),
            record("worse", "bpp@1", ok(0.1)),
            record("tied", "bpp@1", ok(0.9)),
            record("better", "bpp@1", ok(0.3)),
        ];
        let boards = leaderboards(&records).unwrap();
        assert_eq!(boards.len(), 1);
        assert_eq!(names(&boards[0]), ["better", "tied", "worse"]);
        assert_eq!(best(&boards[0], 0), ["better", "tied"], "a tie shares the mark");
        assert_eq!(best(&boards[0], 1), ["worse"], "fewer bits are better");
    }

    #[test]
    fn the_mark_goes_by_the_unrounded_value() {
        let records = [record("a", "psnr@1", ok(31.421)), record("b", "psnr@1", ok(31.422))];
        let boards = leaderboards(&records).unwrap();
        assert_eq!(best(&boards[0], 0), ["b"]);
    }

    #[test]
    fn without_a_value_there_is_no_best() {
        let skipped = Outcome::Skipped { reason: "no bit stream".to_owned() };
        let boards = leaderboards(&[record("a", "bpp@1", skipped)]).unwrap();
        assert!(best(&boards[0], 0).is_empty());
    }

    #[test]
    fn two_runs_of_a_tokenizer_are_two_rows() {
        let mut records =
            vec![record("jpeg:75", "psnr@1", ok(30.0)), record("jpeg:75", "psnr@1", ok(32.0))];
        records[1].run = "second".to_owned();
        let boards = leaderboards(&records).unwrap();
        let runs: Vec<_> = boards[0].rows.iter().map(|row| row.subject.run.as_str()).collect();
        assert_eq!(runs, ["second", "quick-3f9c1e"]);
        assert_eq!(boards[0].runs, ["quick-3f9c1e", "second"]);
        // The same run given twice: nothing tells the rows apart, and still none is lost.
        records[1].run = records[0].run.clone();
        assert_eq!(leaderboards(&records).unwrap()[0].rows.len(), 2);
    }

    #[test]
    fn the_settings_of_a_sweep_are_the_columns_of_a_table_of_its_own() {
        let made = |tokenizer, metric, setting: &str, value| {
            let mut made = record(tokenizer, metric, ok(value));
            made.setting = setting.to_owned();
            made
        };
        let records = [
            made("a", "psnr@1", "low 0.1", 1.0),
            made("a", "psnr@1", "high 0.1", 2.0),
            made("a", "psnr@1", "low 0.2", 3.0),
            made("b", "psnr@1", "low 0.1", 4.0),
            made("a", "bpp@1", "", 5.0),
        ];
        let boards = leaderboards(&records).unwrap();
        let found: Vec<_> = boards
            .iter()
            .map(|board| {
                let columns: Vec<_> = board.columns.iter().map(|c| c.setting.as_str()).collect();
                (board.curve.as_deref(), columns, names(board))
            })
            .collect();
        let (low, high) = ("psnr@1 (per-image) low", "psnr@1 (per-image) high");
        assert_eq!(
            found,
            [
                (None, vec![""], vec!["a"]),
                (Some(low), vec!["low 0.1", "low 0.2"], vec!["b", "a"]),
                (Some(high), vec!["high 0.1"], vec!["a"]),
            ]
        );
    }

    #[test]
    fn what_only_describes_has_no_best_and_ranks_nothing() {
        let mut records = [
            record("a", "psnr@1", ok(1.0)),
            record("b", "psnr@1", ok(2.0)),
            record("c", "psnr@1", ok(0.0)),
        ];
        for record in &mut records {
            record.better = Better::Neither;
        }
        let boards = leaderboards(&records).unwrap();
        assert_eq!(names(&boards[0]), ["a", "b", "c"]);
        assert!(best(&boards[0], 0).is_empty());
    }

    #[test]
    fn no_records_are_an_error_that_says_so() {
        let error = leaderboards(&[]).unwrap_err().to_string();
        assert_eq!(error, "no records, so there is no table; give a run folder that holds some");
    }

    #[test]
    fn the_made_up_records_give_a_ranking_per_protocol() {
        let boards = leaderboards(&fixtures::everything()).unwrap();
        let names: Vec<_> = boards.iter().map(|board| board.protocols.clone()).collect();
        assert_eq!(names, [["default"], ["rae"]]);
    }
}
