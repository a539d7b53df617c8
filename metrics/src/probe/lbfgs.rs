//! Minimising a smooth convex function of many variables: L-BFGS (Liu and Nocedal, Mathematical
//! Programming 45, 1989) about a diagonal that the function itself provides.

use std::collections::VecDeque;

use super::parallel::{add, dot};
use crate::MetricError;

/// Steps that are remembered.
const MEMORY: usize = 10;
/// Steps along one direction.
const TRIALS: usize = 30;
/// Share of the initial slope that may be left, falling.
const FALLING: f64 = 0.9;
/// The same, rising: that of a quadratic whose decrease is a tenth of the tangent's.
const RISING: f64 = 0.8;
/// Rise of the function that may be rounding.
const NOISE: f64 = 1e-7;
/// The least cosine between a step and the change of the gradient that is remembered.
const CURVED: f64 = 1e-10;

/// A function to minimise.
pub(super) trait Objective {
    /// The value and the gradient. Called with numbers that are exact in f32.
    ///
    /// # Errors
    /// Those of the function.
    fn evaluate(&mut self, at: &[f64]) -> Result<Evaluation, MetricError>;

    /// Multiplies a vector by an approximate inverse of the second derivatives: positive, diagonal.
    fn precondition(&self, here: &Evaluation, vector: &mut [f64]);

    /// The largest derivative that [`Stop::Gradient`] looks at.
    fn largest_derivative(&self, here: &Evaluation) -> f64;
}

/// A function near a point.
pub(super) struct Evaluation {
    /// Value.
    pub(super) loss: f64,
    /// First derivatives.
    pub(super) gradient: Vec<f64>,
    /// What the function knows of its second derivatives.
    pub(super) curvatures: Vec<f64>,
}

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stop {
    /// When the loss is estimated to be at most this much above its minimum: half the product of
    /// gradient and step, what a quadratic would still lose. Blind to the scale of the features.
    Gap(f64),
    /// When no derivative, by the weights of the features themselves, is larger: scikit-learn's
    /// `tol`.
    Gradient(f64),
}

/// Where an iteration ended.
pub(super) struct Minimum {
    pub(super) at: Vec<f64>,
    pub(super) loss: f64,
    /// The estimate of [`Stop::Gap`].
    pub(super) gap: f64,
    pub(super) evaluations: usize,
}

/// Minimises from `start` on, for at most `iterations` directions.
///
/// Points are rounded to f32, of which the function is made: so it is the rounded points' own value
/// and gradient that the method sees. Ends early where rounding leaves no way down.
///
/// # Errors
/// Those of the function.
pub(super) fn minimise(
    objective: &mut impl Objective,
    start: &[f64],
    stop: Stop,
    iterations: usize,
) -> Result<Minimum, MetricError> {
    let mut at: Vec<f64> = start.iter().map(|&value| rounded(value)).collect();
    let mut here = objective.evaluate(&at)?;
    let mut memory = Memory::default();
    let (mut evaluations, mut gap) = (1, f64::INFINITY);
    for _ in 0..iterations {
        let mut direction = memory.direction(objective, &here);
        let mut slope = dot(&direction, &here.gradient);
        if slope >= 0.0 {
            memory = Memory::default();
            direction = memory.direction(objective, &here);
            slope = dot(&direction, &here.gradient);
        }
        gap = -0.5 * slope;
        let done = match stop {
            Stop::Gap(enough) => gap <= enough,
            Stop::Gradient(enough) => objective.largest_derivative(&here) <= enough,
        };
        if done || slope >= 0.0 {
            break;
        }
        let (found, trials) = search(objective, (&at, &here), &direction, slope)?;
        evaluations += trials;
        let Some((to, there)) = found else { break };
        memory.remember((&at, &here), (&to, &there));
        (at, here) = (to, there);
    }
    Ok(Minimum { at, loss: here.loss, gap, evaluations })
}

fn rounded(value: f64) -> f64 {
    f64::from(value as f32)
}

/// A point, and what the function is there.
type Found = (Vec<f64>, Evaluation);

/// A point along the direction where the slope is a good deal smaller, and how many were tried.
///
/// The function is convex: it falls up to where its slope along the direction changes sign, which
/// decides even where differences of its value are rounding (the approximate conditions of Hager and
/// Zhang, SIAM Journal on Optimization 16, 2005).
fn search(
    objective: &mut impl Objective,
    (at, here): (&[f64], &Evaluation),
    direction: &[f64],
    slope: f64,
) -> Result<(Option<Found>, usize), MetricError> {
    let (mut low, mut high) = ((0.0, slope), None);
    let mut step = 1.0;
    for trial in 1..=TRIALS {
        let to: Vec<f64> =
            at.iter().zip(direction).map(|(at, along)| rounded(at + step * along)).collect();
        let there = objective.evaluate(&to)?;
        let left = dot(&there.gradient, direction);
        let finite = there.loss.is_finite() && left.is_finite();
        let risen = !finite || there.loss > here.loss + NOISE * here.loss.abs();
        if !risen && left >= FALLING * slope && left <= -RISING * slope {
            return Ok((Some((to, there)), trial));
        }
        if risen || left > 0.0 {
            high = Some((step, if finite { left } else { f64::INFINITY }));
        } else {
            low = (step, left);
        }
        step = next_step(low, high);
    }
    Ok((None, TRIALS))
}

/// Where the slope would be 0 if it were linear between or beyond two steps, within bounds.
fn next_step(low: (f64, f64), high: Option<(f64, f64)>) -> f64 {
    match high {
        // A slope that has hardly changed says little about how far to go.
        None => 4.0 * low.0,
        Some(high) => {
            let width = high.0 - low.0;
            let share = low.1 / (low.1 - high.1);
            low.0 + width * if share.is_finite() { share.clamp(0.1, 0.9) } else { 0.1 }
        }
    }
}

/// The latest steps and how the gradient changed along them.
#[derive(Default)]
struct Memory(VecDeque<Step>);

struct Step {
    moved: Vec<f64>,
    changed: Vec<f64>,
    /// The product of the two.
    curvature: f64,
}

impl Memory {
    fn remember(&mut self, from: (&[f64], &Evaluation), to: (&[f64], &Evaluation)) {
        let difference = |to: &[f64], from: &[f64]| -> Vec<f64> {
            to.iter().zip(from).map(|(to, from)| to - from).collect()
        };
        let moved = difference(to.0, from.0);
        let changed = difference(&to.1.gradient, &from.1.gradient);
        let curvature = dot(&moved, &changed);
        if curvature > CURVED * (dot(&moved, &moved) * dot(&changed, &changed)).sqrt() {
            if self.0.len() == MEMORY {
                self.0.pop_front();
            }
            self.0.push_back(Step { moved, changed, curvature });
        }
    }

    /// The gradient times minus the inverse that the steps make of the function's diagonal.
    fn direction(&self, objective: &impl Objective, here: &Evaluation) -> Vec<f64> {
        let mut vector = here.gradient.clone();
        let mut shares = vec![];
        for step in self.0.iter().rev() {
            let share = dot(&step.moved, &vector) / step.curvature;
            add(&mut vector, -share, &step.changed);
            shares.push(share);
        }
        objective.precondition(here, &mut vector);
        if let Some(last) = self.0.back() {
            // The diagonal is given the scale that the latest step saw.
            let mut changed = last.changed.clone();
            objective.precondition(here, &mut changed);
            let scale = last.curvature / dot(&last.changed, &changed);
            vector.iter_mut().for_each(|value| *value *= scale);
        }
        for (step, share) in self.0.iter().zip(shares.into_iter().rev()) {
            let other = dot(&step.changed, &vector) / step.curvature;
            add(&mut vector, share - other, &step.moved);
        }
        vector.iter_mut().for_each(|value| *value = -*value);
        vector
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sum w (cosh(x - c) - 1)`, whose second derivatives differ by 1e3, without a diagonal.
    struct Bowls {
        centres: Vec<f64>,
    }

    impl Objective for Bowls {
        fn evaluate(&mut self, at: &[f64]) -> Result<Evaluation, MetricError> {
            let weight = |i: usize| 10_f64.powi((i % 4) as i32 - 2);
            let all = || at.iter().zip(&self.centres).enumerate();
            let gradient = all().map(|(i, (x, c))| weight(i) * libm::sinh(x - c)).collect();
            let loss = all().map(|(i, (x, c))| weight(i) * (libm::cosh(x - c) - 1.0)).sum();
            Ok(Evaluation { loss, gradient, curvatures: vec![] })
        }

        fn precondition(&self, _: &Evaluation, _: &mut [f64]) {}

        fn largest_derivative(&self, here: &Evaluation) -> f64 {
            here.gradient.iter().fold(0.0, |largest, value| largest.max(value.abs()))
        }
    }

    #[test]
    fn the_minimum_of_a_convex_function_is_found() {
        let centres: Vec<f64> = (0..50).map(|i| f64::from(i % 11) * 0.5 - 2.0).collect();
        let mut bowls = Bowls { centres: centres.clone() };
        let found = minimise(&mut bowls, &vec![0.0; 50], Stop::Gradient(1e-9), 500).unwrap();
        assert!(found.loss < 1e-10, "{} after {}", found.loss, found.evaluations);
        for (x, c) in found.at.iter().zip(&centres) {
            assert!((x - c).abs() < 1e-5, "{x} {c}");
        }
        let rough = minimise(&mut bowls, &vec![0.0; 50], Stop::Gap(1e-3), 500).unwrap();
        assert!(rough.gap <= 1e-3 && rough.loss < 1e-2, "{} {}", rough.gap, rough.loss);
        assert!(rough.evaluations < found.evaluations);
    }

    #[test]
    fn a_start_at_the_minimum_is_left_where_it_is() {
        let mut bowls = Bowls { centres: vec![0.5; 3] };
        let found = minimise(&mut bowls, &[0.5; 3], Stop::Gap(0.0), 10).unwrap();
        assert_eq!((found.evaluations, found.at), (1, vec![0.5; 3]));
    }
}
