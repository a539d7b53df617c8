use std::cmp::Ordering;

use prismbench_core::{Better, Outcome};

use super::Cell;
use crate::standing::{compare, is_valued};

/// Where a value stands in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// No value is better beyond its interval: the best, what ties with it, and what the two intervals do
    /// not tell apart from it.
    Best,
    /// The best of the others, in the same sense.
    Second,
    /// Neither, or no value.
    Other,
}

/// Marks the cells of one column. A column without a direction has no best, one without anything behind
/// the best no second.
pub(super) fn mark(better: Better, cells: &mut [&mut Cell]) {
    if better == Better::Neither {
        return;
    }
    for place in [Place::Best, Place::Second] {
        let open =
            cells.iter().filter(|cell| cell.place == Place::Other && is_valued(&cell.outcome));
        let best = open.map(|cell| &cell.outcome).min_by(|a, b| order(better, a, b)).cloned();
        let Some(best) = best else { return };
        for cell in cells.iter_mut().filter(|cell| cell.place == Place::Other) {
            let as_good =
                order(better, &cell.outcome, &best).is_eq() || overlap(&cell.outcome, &best);
            if is_valued(&cell.outcome) && as_good {
                cell.place = place;
            }
        }
    }
}

fn order(better: Better, a: &Outcome, b: &Outcome) -> Ordering {
    compare(better, Some(a), Some(b))
}

/// Whether two intervals share a value. A value without one is its own.
fn overlap(a: &Outcome, b: &Outcome) -> bool {
    let ends = |outcome: &Outcome| match *outcome {
        Outcome::Ok { value, low, high } => Some((low.unwrap_or(value), high.unwrap_or(value))),
        _ => None,
    };
    matches!((ends(a), ends(b)), (Some(a), Some(b)) if a.0 <= b.1 && b.0 <= a.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(better: Better, outcomes: &[Outcome]) -> String {
        let cell = |outcome: &Outcome| Cell { outcome: outcome.clone(), place: Place::Other };
        let mut cells: Vec<Cell> = outcomes.iter().map(cell).collect();
        mark(better, &mut cells.iter_mut().collect::<Vec<_>>());
        let letter = |cell: &Cell| match cell.place {
            Place::Best => 'b',
            Place::Second => 's',
            Place::Other => '.',
        };
        cells.iter().map(letter).collect()
    }

    fn within(low: f64, value: f64, high: f64) -> Outcome {
        Outcome::Ok { value, low: Some(low), high: Some(high) }
    }

    fn plain(value: f64) -> Outcome {
        Outcome::Ok { value, low: None, high: None }
    }

    #[test]
    fn values_that_intervals_do_not_tell_apart_share_a_mark() {
        let near = [within(30.0, 31.0, 32.0), within(29.5, 30.2, 31.0), within(27.0, 28.0, 29.0)];
        assert_eq!(places(Better::Higher, &near), "bbs");
        assert_eq!(places(Better::Lower, &near), "ssb");
        // The second reaches into the best's interval, the third into the second's alone.
        let chain = [within(30.0, 31.0, 32.0), within(29.0, 29.5, 30.5), within(28.0, 28.5, 29.2)];
        assert_eq!(places(Better::Higher, &chain), "bbs");
    }

    #[test]
    fn plain_values_are_told_apart_by_any_difference() {
        let plain: Vec<Outcome> = [3.0, 1.0, 2.0, 1.0].into_iter().map(plain).collect();
        assert_eq!(places(Better::Lower, &plain), ".bsb");
        assert_eq!(places(Better::Neither, &plain), "....");
    }

    #[test]
    fn what_has_no_value_is_never_marked_and_infinity_is_beyond_every_interval() {
        let outcomes = [
            Outcome::Infinite { infinite: 3, finite_mean: None },
            within(30.0, 31.0, 32.0),
            Outcome::Skipped { reason: String::new() },
            Outcome::Failed { reason: String::new() },
        ];
        assert_eq!(places(Better::Higher, &outcomes), "bs..");
        assert_eq!(places(Better::Higher, &outcomes[2..]), "..");
    }
}
