mod marks;
#[cfg(test)]
mod tests;

pub use marks::Place;

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use prismbench_core::{Better, Outcome, Record, Unit};

use crate::ranked_n::{ranked_n, row_key};
use crate::standing::compare;
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    /// Where it stands in its column.
    pub place: Place,
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
    let mut known: HashMap<Option<String>, usize> = HashMap::new();
    for position in group {
        let at = *known.entry(curve(&records[position])).or_insert_with_key(|curve| {
            parts.push((curve.clone(), Vec::new()));
            parts.len() - 1
        });
        parts[at].1.push(position);
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
        let mut places = Places::default();
        for record in records {
            board.place(record, &mut places);
        }
        for row in &mut board.rows {
            row.cells.resize(board.columns.len(), None);
        }
        for (at, column) in board.columns.iter().enumerate() {
            let cells = board.rows.iter_mut().filter_map(|row| row.cells[at].as_mut());
            marks::mark(column.better, &mut cells.collect::<Vec<_>>());
        }
        let columns = std::mem::take(&mut board.columns);
        board.rows.sort_by(|a, b| a.compare(b, &columns));
        board.columns = columns;
        board
    }

    /// Puts a record into its row and column, and into a row of its own where the cell is taken.
    fn place<'r>(&mut self, record: &'r Record, places: &mut Places<'r>) {
        let column = Column {
            metric: record.metric.clone(),
            dialect: record.dialect.clone(),
            setting: record.setting.clone(),
            unit: record.unit,
            better: record.better,
        };
        let at = *places.columns.entry(column).or_insert_with_key(|column| {
            self.columns.push(column.clone());
            self.columns.len() - 1
        });
        let namesakes = places.rows.entry(row_key(record)).or_default();
        let free = |&&row: &&usize| !matches!(self.rows[row].cells.get(at), Some(Some(_)));
        let row = namesakes.iter().find(free).copied().unwrap_or_else(|| {
            let subject = Subject::of(record);
            self.rows.push(Row { subject, latent: String::new(), cells: Vec::new() });
            namesakes.push(self.rows.len() - 1);
            self.rows.len() - 1
        });
        let row = &mut self.rows[row];
        if row.latent.is_empty() {
            row.latent.clone_from(&record.latent);
        }
        row.cells.resize(row.cells.len().max(at + 1), None);
        row.cells[at] = Some(Cell { outcome: record.outcome.clone(), place: Place::Other });
    }
}

/// Where the columns and rows of a board are while it is filled: tables may have 100,000 records.
#[derive(Default)]
struct Places<'r> {
    columns: HashMap<Column, usize>,
    /// Several rows of one key where a cell was taken.
    rows: HashMap<[&'r str; 7], Vec<usize>>,
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

fn distinct<'r>(records: &[&'r Record], field: impl Fn(&'r Record) -> &'r String) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    let mut known: HashSet<&str> = HashSet::new();
    for &record in records {
        if known.insert(field(record)) {
            seen.push(field(record).clone());
        }
    }
    seen
}
