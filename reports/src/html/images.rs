//! Values of single images for the plots of a page.

use std::collections::HashMap;

use prismbench_core::Better;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::escape::plain;
use crate::compare::setting_column;
use crate::leaderboard::{Column, Leaderboard, Subject};
use crate::row_names::row_names;
use crate::samples::{RunSamples, SampleColumns};
use crate::sheet::column_title;

/// Images of a leaderboard whose values a page holds: more would be a cloud without points.
const MOST_IMAGES: usize = 2_000;
/// Values of a leaderboard that a page holds, about 7 bytes each; but no fewer images than [`FEWEST_IMAGES`].
const MOST_VALUES: usize = 400_000;
const FEWEST_IMAGES: usize = 100;

/// The per-image values of a leaderboard's rows.
pub(super) struct Known<'a> {
    /// Name and values of each row that has some, in the order of the rows.
    pub(super) rows: Vec<(String, &'a SampleColumns)>,
    /// Columns of the board that some row has values of, with the name of their column in the samples.
    pub(super) columns: Vec<(&'a Column, String)>,
    /// Rows whose values cannot be told from those of another run of the same name.
    pub(super) ambiguous: Vec<String>,
}

/// Finds the values of each row by run, tokenizer, data set and protocol.
pub(super) fn of_board<'a>(board: &'a Leaderboard, samples: &'a [RunSamples]) -> Known<'a> {
    let mut known = Known { rows: Vec::new(), columns: Vec::new(), ambiguous: Vec::new() };
    for (row, name) in board.rows.iter().zip(row_names(&board.rows)) {
        let tables = of_subject(board, &row.subject, samples);
        match tables.as_slice() {
            [] => {}
            [first, others @ ..] if others.iter().all(|other| other == first) => {
                known.rows.push((name, first));
            }
            _ => known.ambiguous.push(name),
        }
    }
    let columns = board.columns.iter().map(|column| (column, column_name(column)));
    let has = |name: &str| known.rows.iter().any(|(_, table)| values(table, name).is_some());
    known.columns = columns.filter(|(_, name)| has(name)).collect();
    if known.columns.is_empty() {
        known.rows.clear();
    }
    known
}

fn of_subject<'a>(
    board: &Leaderboard,
    subject: &Subject,
    samples: &'a [RunSamples],
) -> Vec<&'a SampleColumns> {
    let runs = samples.iter().filter(|run| run.run == subject.run);
    let tables = runs.flat_map(|run| &run.tables).filter(|table| {
        table.tokenizer == subject.tokenizer
            && table.dataset == board.dataset
            && table.protocol_sha256 == board.protocol_sha256
    });
    tables.collect()
}

fn column_name(column: &Column) -> String {
    setting_column(&column.metric, &column.setting)
}

/// One column of a table of samples.
pub(super) fn values<'a>(table: &'a SampleColumns, column: &str) -> Option<&'a [f64]> {
    let known = table.metrics.iter().find(|(name, _)| name == column);
    known.map(|(_, values)| values.as_slice())
}

/// What the script draws single images from.
#[derive(Serialize)]
pub(super) struct Images {
    /// Images there are; more than ids where only some are shown.
    n: usize,
    ids: Vec<String>,
    tokenizers: Vec<String>,
    metrics: Vec<Metric>,
    /// By metric, tokenizer and image: a number, `"inf"`, or null; null for a tokenizer without any.
    values: Vec<Vec<Option<Vec<Value>>>>,
}

#[derive(Serialize)]
struct Metric {
    name: String,
    unit: &'static str,
    better: Better,
}

impl Images {
    /// `None` where no row has values of single images.
    pub(super) fn new(board: &Leaderboard, known: &Known<'_>) -> Option<Self> {
        let (_, first) = known.rows.first()?;
        let most = most(known.rows.len() * known.columns.len());
        let chosen = chosen(&first.ids, most);
        let ids: Vec<&String> = chosen.iter().map(|&at| &first.ids[at]).collect();
        let metrics = known.columns.iter().map(|(column, _)| Metric {
            name: plain(&column_title(column, &board.columns)),
            unit: column.unit.symbol(),
            better: column.better,
        });
        let places: Vec<Vec<Option<usize>>> =
            known.rows.iter().map(|(_, table)| places(&table.ids, &ids)).collect();
        let of_metric = |name: &str| {
            let rows = known.rows.iter().zip(&places);
            let rows = rows.map(|((_, table), places)| {
                let values = values(table, name)?;
                Some(
                    places
                        .iter()
                        .map(|place| place.map_or(Value::Null, |at| shown(values[at])))
                        .collect(),
                )
            });
            rows.collect()
        };
        Some(Self {
            n: first.ids.len(),
            tokenizers: known.rows.iter().map(|(name, _)| plain(name)).collect(),
            metrics: metrics.collect(),
            values: known.columns.iter().map(|(_, name)| of_metric(name)).collect(),
            ids: ids.into_iter().map(|id| plain(id)).collect(),
        })
    }
}

fn most(series: usize) -> usize {
    (MOST_VALUES / series.max(1)).clamp(FEWEST_IMAGES, MOST_IMAGES)
}

/// Positions of at most so many ids, in their order: those whose sha256 is least, so that the choice hangs on
/// neither order nor number and is the same for every run over the set.
fn chosen(ids: &[String], most: usize) -> Vec<usize> {
    if ids.len() <= most {
        return (0..ids.len()).collect();
    }
    let mut order: Vec<_> =
        ids.iter().enumerate().map(|(at, id)| (Sha256::digest(id), at)).collect();
    order.sort_unstable();
    let mut chosen: Vec<usize> = order[..most].iter().map(|&(_, at)| at).collect();
    chosen.sort_unstable();
    chosen
}

/// Where these ids are in a table.
fn places(table: &[String], ids: &[&String]) -> Vec<Option<usize>> {
    let known: HashMap<&String, usize> = table.iter().zip(0..).collect();
    ids.iter().map(|id| known.get(id).copied()).collect()
}

/// Six digits: a plot has no use for more.
fn shown(value: f64) -> Value {
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    match value.is_infinite() {
        true => Value::from("inf"),
        false => Value::from(rounded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_images_the_same_are_shown_whatever_their_order() {
        let ids: Vec<String> = (0..5_000).map(|at| format!("{at:06}.png")).collect();
        let names = |ids: &[String], most| -> Vec<String> {
            chosen(ids, most).into_iter().map(|at| ids[at].clone()).collect()
        };
        let first = names(&ids, 300);
        assert_eq!(first.len(), 300);
        assert!(first.is_sorted(), "in the order of the set");
        let turned: Vec<String> = ids.iter().rev().cloned().collect();
        let mut again = names(&turned, 300);
        again.reverse();
        assert_eq!(again, first);
        // Spread over the set, not from one end of it.
        let early = first.iter().filter(|id| id.as_str() < "002500.png").count();
        assert!((120..180).contains(&early), "{early}");
        assert_eq!(chosen(&ids[..7], 7), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn the_number_of_values_is_bounded() {
        assert_eq!(most(1), MOST_IMAGES);
        assert_eq!(most(1_000), 400);
        assert_eq!(most(1_000_000), FEWEST_IMAGES);
    }

    #[test]
    fn values_have_six_digits_and_infinity_is_a_word() {
        assert_eq!(shown(31.123_456_789), Value::from(31.1235));
        assert_eq!(shown(f64::INFINITY), Value::from("inf"));
        assert_eq!(shown(0.0), Value::from(0.0));
    }
}
