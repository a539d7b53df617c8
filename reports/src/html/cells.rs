//! One cell of a table, and where it stands when its column is sorted.

use std::fmt::Write as _;

use prismbench_core::{Better, Outcome, Unit};

use super::escape::text;
use crate::leaderboard::{Cell, Leaderboard, Place};
use crate::numbers::number;
use crate::sheet::infinite_note;
use crate::standing::{compare, is_valued};

/// The footnotes of one table; equal ones are one.
pub(super) struct Notes {
    id: String,
    notes: Vec<String>,
}

impl Notes {
    pub(super) fn new(id: String) -> Self {
        Self { id, notes: Vec::new() }
    }

    /// A link to the note, to stand behind a value.
    pub(super) fn mark(&mut self, note: String) -> String {
        let known = self.notes.iter().position(|known| *known == note);
        let at = known.unwrap_or_else(|| {
            self.notes.push(note);
            self.notes.len() - 1
        });
        let (id, number) = (&self.id, at + 1);
        format!(
            "<sup><a href=\"#{id}-note-{number}\" aria-label=\"note {number}\">{number}</a></sup>"
        )
    }

    pub(super) fn written(&self) -> String {
        if self.notes.is_empty() {
            return String::new();
        }
        let mut list = "<ol class=\"notes\">\n".to_owned();
        for (at, note) in self.notes.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = writeln!(list, "<li id=\"{}-note-{}\">{}</li>", self.id, at + 1, text(note));
        }
        list + "</ol>\n"
    }
}

/// A cell; `key` is its place among the values of its column.
pub(super) fn cell(
    cell: Option<&Cell>,
    key: Option<usize>,
    unit: Unit,
    notes: &mut Notes,
) -> String {
    let Some(Cell { outcome, place }) = cell else {
        return "<td><span class=\"sr\">not measured</span></td>".to_owned();
    };
    let key = key.map_or(String::new(), |key| format!(" data-key=\"{key}\""));
    let marked = |value: &str| match place {
        Place::Best => {
            format!("<span class=\"best\">{value}<span class=\"sr\"> best</span></span>")
        }
        Place::Second => {
            format!("<span class=\"second\">{value}<span class=\"sr\"> second</span></span>")
        }
        Place::Other => value.to_owned(),
    };
    let inner = match outcome {
        Outcome::Ok { value, low, high } => {
            let interval = low.zip(*high).map_or(String::new(), |(low, high)| {
                let (low, high) = (number(unit, low), number(unit, high));
                format!(" <span class=\"interval\">{low}–{high}</span>")
            });
            marked(&number(unit, *value)) + &interval
        }
        Outcome::Infinite { infinite, finite_mean } => {
            marked("∞") + &notes.mark(infinite_note(*infinite, *finite_mean, unit))
        }
        Outcome::Skipped { reason } => {
            "<span aria-hidden=\"true\">–</span><span class=\"sr\">not applicable</span>".to_owned()
                + &notes.mark(reason.clone())
        }
        Outcome::Failed { reason } => {
            "<span class=\"failed\"><span aria-hidden=\"true\">!</span><span class=\"sr\">failed</span></span>"
                .to_owned()
                + &notes.mark(reason.clone())
        }
    };
    format!("<td{key}>{inner}</td>")
}

/// Where each row stands when a column is sorted by rising values, equal ones alike; `None` for what has no
/// value, which stays below either way.
///
/// Infinity is the good end of a column, whatever the direction, as in the ranking itself.
pub(super) fn keys(board: &Leaderboard, column: usize) -> Vec<Option<usize>> {
    let better = match board.columns[column].better {
        Better::Neither => Better::Lower,
        better => better,
    };
    let outcome = |row: usize| {
        let cell = board.rows[row].cells[column].as_ref();
        cell.map(|cell| &cell.outcome).filter(|outcome| is_valued(outcome))
    };
    let order = |a: &Outcome, b: &Outcome| compare(better, Some(a), Some(b));
    let mut values: Vec<&Outcome> = (0..board.rows.len()).filter_map(outcome).collect();
    values.sort_by(|a, b| order(a, b));
    values.dedup_by(|a, b| order(a, b).is_eq());
    let key = |outcome: &Outcome| {
        let from_the_best = values.partition_point(|known| order(known, outcome).is_lt());
        match better {
            Better::Higher => values.len() - 1 - from_the_best,
            _ => from_the_best,
        }
    };
    (0..board.rows.len()).map(|row| outcome(row).map(key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::leaderboards;

    #[test]
    fn keys_rise_with_the_values_and_infinity_is_the_good_end() {
        let board = &leaderboards(&fixtures::everything()).unwrap()[0];
        // identity, jpeg:99, jpeg:75, dct:16, taef2, then what has no value.
        assert_eq!(keys(board, 0), [Some(3), Some(2), Some(1), Some(1), Some(0), None, None]);
        // Lower is better: 4.5 above 1.234.
        let bits: Vec<_> = keys(board, 4);
        assert_eq!(bits, [None, Some(1), Some(0), None, None, None, None]);
    }

    #[test]
    fn equal_notes_are_one_and_none_can_break_the_page() {
        let mut notes = Notes::new("b".to_owned());
        let first = notes.mark("<script>".to_owned());
        assert_eq!(notes.mark("<script>".to_owned()), first);
        assert!(notes.mark("other".to_owned()).contains("#b-note-2"));
        let list = notes.written();
        assert!(list.contains("<li id=\"b-note-1\">&lt;script&gt;</li>"), "{list}");
    }
}
