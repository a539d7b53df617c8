//! Which of two outcomes stands higher in its column.

use std::cmp::Ordering;

use prismbench_core::{Better, Outcome};

/// Orders the outcomes of one column, the better one first; `Equal` is a tie.
///
/// An infinite outcome stands above every finite one, whatever the direction: it says that
/// pictures came back without error. Of two, the one with more such pictures stands higher, then
/// the one with the better mean over the others. Below the values come skipped, failed and, last,
/// not measured at all. Values are compared unrounded.
pub(crate) fn compare(better: Better, a: Option<&Outcome>, b: Option<&Outcome>) -> Ordering {
    let by_value = |a: f64, b: f64| {
        // Not `total_cmp`, which tells 0 from -0. Records with NaN do not get here.
        let rising = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
        match better {
            Better::Lower => rising,
            Better::Higher => rising.reverse(),
            Better::Neither => Ordering::Equal,
        }
    };
    match (a, b) {
        (
            Some(&Outcome::Infinite { infinite: a, finite_mean: mean_a }),
            Some(&Outcome::Infinite { infinite: b, finite_mean: mean_b }),
        ) => b.cmp(&a).then_with(|| match (mean_a, mean_b) {
            (Some(a), Some(b)) => by_value(a, b),
            // No mean means that there are no other pictures.
            (a, b) => a.is_some().cmp(&b.is_some()),
        }),
        (Some(&Outcome::Ok { value: a, .. }), Some(&Outcome::Ok { value: b, .. })) => {
            by_value(a, b)
        }
        (a, b) => tier(a).cmp(&tier(b)),
    }
}

/// Whether an outcome has a value that could be the best of its column.
pub(crate) fn is_valued(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Ok { .. } | Outcome::Infinite { .. })
}

fn tier(outcome: Option<&Outcome>) -> u8 {
    match outcome {
        Some(Outcome::Infinite { .. }) => 0,
        Some(Outcome::Ok { .. }) => 1,
        Some(Outcome::Skipped { .. }) => 2,
        Some(Outcome::Failed { .. }) => 3,
        None => 4,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ok(value: f64) -> Outcome {
        Outcome::Ok { value, low: None, high: None }
    }

    #[test]
    fn outcomes_descend_from_infinite_to_unmeasured() {
        let reason = String::new;
        let all = Outcome::Infinite { infinite: 24, finite_mean: None };
        let most = Outcome::Infinite { infinite: 23, finite_mean: Some(60.0) };
        let some = Outcome::Infinite { infinite: 2, finite_mean: Some(41.0) };
        let fewer = Outcome::Infinite { infinite: 2, finite_mean: Some(40.0) };
        let skipped = Outcome::Skipped { reason: reason() };
        let failed = Outcome::Failed { reason: reason() };
        let high = ok(1e9);
        let low = ok(-1e9);
        let descending = [
            Some(&all),
            Some(&most),
            Some(&some),
            Some(&fewer),
            Some(&high),
            Some(&low),
            Some(&skipped),
            Some(&failed),
            None,
        ];
        for (i, &a) in descending.iter().enumerate() {
            for (j, &b) in descending.iter().enumerate() {
                assert_eq!(compare(Better::Higher, a, b), i.cmp(&j), "{a:?} and {b:?}");
            }
        }
    }

    #[test]
    fn zero_ties_with_minus_zero() {
        assert_eq!(compare(Better::Lower, Some(&ok(0.0)), Some(&ok(-0.0))), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn the_order_follows_the_sign_of_the_gain(a in -1e3..1e3, b in -1e3..1e3) {
            for better in [Better::Higher, Better::Lower, Better::Neither] {
                let order = compare(better, Some(&ok(a)), Some(&ok(b)));
                // `a` comes first exactly when going from `b` to `a` is an improvement.
                prop_assert_eq!(order == Ordering::Less, better.gain(b, a) > 0.0);
                prop_assert_eq!(order.reverse(), compare(better, Some(&ok(b)), Some(&ok(a))));
            }
        }
    }
}
