//! Which inputs PyTorch's resizes weigh for an output, in its f32 arithmetic.

/// Factor of the cubics of `interpolate(mode="bicubic")`, without and with antialiasing.
const CUBIC: f32 = -0.75;
const ANTIALIASED_CUBIC: f32 = -0.5;

/// Which inputs make one output along one axis, and with which weights.
pub(crate) struct TorchTaps {
    pub(crate) first: usize,
    pub(crate) weights: Vec<f32>,
}

/// The function that antialiasing stretches to the step between outputs.
#[derive(Clone, Copy)]
pub(crate) enum Kernel {
    Triangle,
    Cubic,
}

impl Kernel {
    /// Half its width.
    fn support(self) -> f32 {
        match self {
            Self::Triangle => 1.0,
            Self::Cubic => 2.0,
        }
    }

    fn at(self, distance: f32) -> f32 {
        match self {
            Self::Triangle => (1.0 - distance.abs()).max(0.0),
            Self::Cubic => cubic(distance.abs(), ANTIALIASED_CUBIC),
        }
    }
}

/// With antialiasing. Source: `UpSampleKernel.cpp`, `_compute_weights_aa`.
pub(crate) fn antialiased(from: usize, to: usize, kernel: Kernel) -> Vec<TorchTaps> {
    let scale = from as f32 / to as f32;
    let support = kernel.support() * scale.max(1.0);
    let inverse = if scale >= 1.0 { 1.0 / scale } else { 1.0 };
    (0..to)
        .map(|output| {
            // The constants 0.5 are doubles there: products are rounded to f32 once.
            let centre = (f64::from(scale) * (output as f64 + 0.5)) as f32;
            let first = (f64::from(centre - support) + 0.5) as usize;
            let end = ((f64::from(centre + support) + 0.5) as usize).min(from);
            let weight = |i: usize| {
                let distance = f64::from(i as f32 - centre) + 0.5;
                kernel.at((distance * f64::from(inverse)) as f32)
            };
            let mut weights: Vec<f32> = (first..end).map(weight).collect();
            let sum = weights.iter().fold(0.0, |sum: f32, weight| sum + weight);
            if sum > 0.0 {
                weights.iter_mut().for_each(|weight| *weight /= sum);
            }
            TorchTaps { first, weights }
        })
        .collect()
}

/// The cubic through the four nearest inputs; beyond the ends, the last input goes on. Source:
/// `UpSample.h`, `get_cubic_upsample_coefficients`.
pub(crate) fn bicubic(from: usize, to: usize) -> Vec<TorchTaps> {
    bicubic_by(from, to, from as f32 / to as f32)
}

/// The same with so many inputs from one output to the next, whatever the ratio of the sides.
pub(crate) fn bicubic_by(from: usize, to: usize, scale: f32) -> Vec<TorchTaps> {
    let last = from.saturating_sub(1) as isize;
    (0..to)
        .map(|output| {
            let centre = scale * (output as f32 + 0.5) - 0.5;
            let floor = libm::floorf(centre);
            let part = centre - floor;
            let [before, after] = [part, 1.0 - part];
            let four = [before + 1.0, before, after, after + 1.0].map(|x| cubic(x, CUBIC));
            let place = |tap: isize| (floor as isize + tap).clamp(0, last) as usize;
            let first = place(-1);
            let mut weights = vec![0.0; place(2) - first + 1];
            for (weight, tap) in four.into_iter().zip(-1..) {
                weights[place(tap) - first] += weight;
            }
            TorchTaps { first, weights }
        })
        .collect()
}

/// Keys' cubic (1981) of a distance that is not negative.
fn cubic(x: f32, factor: f32) -> f32 {
    if x < 1.0 {
        ((factor + 2.0) * x - (factor + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((factor * x - 5.0 * factor) * x + 8.0 * factor) * x - 4.0 * factor
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_to_one_for_any_sides() {
        for (from, to) in [(1, 1), (1, 9), (2, 1), (37, 16), (16, 37), (256, 224), (3, 100)] {
            let kinds = [
                bicubic(from, to),
                antialiased(from, to, Kernel::Cubic),
                antialiased(from, to, Kernel::Triangle),
                bicubic_by(from, to, 2.3),
            ];
            for taps in kinds.into_iter().flatten() {
                assert!(taps.first + taps.weights.len() <= from);
                assert!((taps.weights.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{from} to {to}");
            }
        }
    }
}
