use std::f64::consts::PI;
use std::ops::Range;

use crate::Size;

/// A resampling filter with Pillow's support and constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Support 0.5: 1 for `-0.5 < t <= 0.5`.
    Box,
    /// Support 1: the triangle.
    Bilinear,
    /// Support 2: cubic convolution with a = -0.5.
    Bicubic,
    /// Support 3: sinc windowed by `sinc(t / 3)`.
    Lanczos,
}

/// Which pass of a two-pass resize comes first. Each pass rounds, so the order moves single levels.
/// Both rules were found by probing the releases they are named after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Passes {
    /// Pillow up to 12.3, hence every reference pipeline so far: across, then down, unless the
    /// picture is over 100 times as tall as wide and loses rows.
    #[default]
    Pillow12,
    /// Pillow 13: down first when that removes rows, and more than twice as many as the other pass
    /// removes columns (python-pillow/Pillow#9549).
    Pillow13,
}

impl Passes {
    pub(crate) fn vertical_first(self, from: Size, to: Size) -> bool {
        let removed = |from: usize, to: usize| from as i128 - to as i128;
        let rows = removed(from.height, to.height);
        rows > 0
            && match self {
                Self::Pillow12 => from.height > from.width.saturating_mul(100),
                Self::Pillow13 => rows > 2 * removed(from.width, to.width),
            }
    }
}

/// A filter and the order of its passes. A bare [`Filter`] means [`Passes::Pillow12`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Weights.
    pub filter: Filter,
    /// Order.
    pub passes: Passes,
}

impl From<Filter> for Method {
    fn from(filter: Filter) -> Self {
        Self { filter, passes: Passes::default() }
    }
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Self::Box => 0.5,
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, t: f64) -> f64 {
        match self {
            Self::Box => f64::from(t > -0.5 && t <= 0.5),
            Self::Bilinear => (1.0 - t.abs()).max(0.0),
            Self::Bicubic => cubic(t.abs()),
            Self::Lanczos if (-3.0..3.0).contains(&t) => sinc(t) * sinc(t / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

fn cubic(t: f64) -> f64 {
    const A: f64 = -0.5;
    if t < 1.0 {
        ((A + 2.0) * t - (A + 3.0)) * t * t + 1.0
    } else if t < 2.0 {
        (((t - 5.0) * t + 8.0) * t - 4.0) * A
    } else {
        0.0
    }
}

fn sinc(t: f64) -> f64 {
    let t = t * PI;
    if t.abs() > 0.0 { libm::sin(t) / t } else { 1.0 }
}

/// Which inputs make one output along one axis, and with which weights (they sum to 1).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Taps {
    pub(crate) first: usize,
    pub(crate) weights: Vec<f64>,
}

/// Taps for the outputs `wanted` of an axis resized from `from` to `to` samples.
///
/// The operations and their order are Pillow's (`precompute_coeffs` in `Resample.c`): equality to
/// the last bit depends on both.
pub(crate) fn taps(from: usize, to: usize, filter: Filter, wanted: Range<usize>) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    // Shrinking widens the filter, which is what antialiases.
    let widening = scale.max(1.0);
    let support = filter.support() * widening;
    wanted
        .map(|output| {
            let centre = (output as f64 + 0.5) * scale;
            // `as` truncates towards zero and stops at 0, as C's cast and Pillow's check do.
            let first = (centre - support + 0.5) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let step = 1.0 / widening;
            let mut weights: Vec<f64> = (0..end.saturating_sub(first))
                .map(|i| filter.weight((i as f64 + first as f64 - centre + 0.5) * step))
                .collect();
            let sum: f64 = weights.iter().sum();
            if sum.abs() > 0.0 {
                weights.iter_mut().for_each(|weight| *weight /= sum);
            }
            Taps { first, weights }
        })
        .collect()
}
