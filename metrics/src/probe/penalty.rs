//! Logistic regression whose penalty a held-out tenth chooses.

use super::Labelled;
use super::blocks::IN_MEMORY;
use super::held_out::HeldOut;
use super::lbfgs::{Minimum, Stop};
use super::logistic::{LogisticFit, Part, Problem};
use crate::MetricError;

/// Inverse penalties that may be chosen: `10^(-6 + i / 4)`, up to 1e5.
const GRID: usize = 45;
/// Steps of the first pass: a decade.
const DECADE: usize = 4;
/// Rises of the held-out loss in a row that end the first pass.
const RISES: usize = 2;
/// What every fit of a probe reaches.
pub(super) const ENOUGH: Stop = Stop::Gap(1e-9);

fn inverse_penalty(number: usize) -> f64 {
    libm::exp10(-6.0 + number as f64 / DECADE as f64)
}

/// The best penalty so far.
struct Best {
    number: usize,
    right: usize,
    minimum: Minimum,
}

/// Fits nine tenths at the penalties of the grid, each from the last one's minimum, and all samples
/// at the one that has most of the held-out tenth right (the stronger of equals).
///
/// # Errors
/// [`MetricError::SmallClass`] for a class of fewer than two samples; those of
/// [`fit_logistic`](super::fit_logistic).
pub(super) fn fit_at_best_penalty(train: &Labelled<'_>) -> Result<LogisticFit, MetricError> {
    let HeldOut { fit, held } = HeldOut::of(train)?;
    let problem = Problem::new(train, &[&fit, &held], IN_MEMORY)?;
    let best = fine(&problem, coarse(&problem)?)?;
    let c = inverse_penalty(best.number);
    let minimum = problem.fit(Part::All, c, ENOUGH, &best.minimum.at)?;
    Ok(problem.classifier(c, &minimum))
}

/// Decades, from the strongest penalty on, until a weaker one only makes things worse.
fn coarse(problem: &Problem) -> Result<Best, MetricError> {
    let fit =
        |number, start: &[f64]| problem.fit(Part::First, inverse_penalty(number), ENOUGH, start);
    let minimum = fit(0, &problem.start())?;
    let (mut last_loss, right) = problem.judge(&minimum)?;
    let (mut start, mut rises) = (minimum.at.clone(), 0);
    let mut best = Best { number: 0, right, minimum };
    for number in (DECADE..GRID).step_by(DECADE) {
        let minimum = fit(number, &start)?;
        let (loss, right) = problem.judge(&minimum)?;
        start.clone_from(&minimum.at);
        if right > best.right {
            (best, rises) = (Best { number, right, minimum }, 0);
        } else if loss > last_loss {
            rises += 1;
        } else {
            rises = 0;
        }
        last_loss = loss;
        if rises == RISES {
            break;
        }
    }
    Ok(best)
}

/// The other steps within a decade of the best.
fn fine(problem: &Problem, coarse: Best) -> Result<Best, MetricError> {
    let near = coarse.number.saturating_sub(DECADE - 1)..GRID.min(coarse.number + DECADE);
    let (middle, mut start) = (coarse.number, coarse.minimum.at.clone());
    let mut best = coarse;
    for number in near.filter(|&number| number != middle) {
        let minimum = problem.fit(Part::First, inverse_penalty(number), ENOUGH, &start)?;
        let (_, right) = problem.judge(&minimum)?;
        start.clone_from(&minimum.at);
        if right > best.right || (right == best.right && number < best.number) {
            best = Best { number, right, minimum };
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_that_of_dinov2() {
        // 10 ** np.linspace(-6, 5, 45)
        for (number, expected) in [(0, 1e-6), (1, 1.778_279_410_038_923e-6), (24, 1.0), (44, 1e5)] {
            assert!((inverse_penalty(number) / expected - 1.0).abs() < 1e-12);
        }
    }
}
