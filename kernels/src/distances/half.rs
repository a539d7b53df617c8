use rayon::prelude::*;

use super::square;
use crate::matrix::{Packed, multiply};

/// In which precision distances are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// IEEE binary16: points, squared lengths, products and each step of
    /// `max((|u|^2 - 2 u.v) + |v|^2, 0)`; products are summed in f32.
    Half,
    /// The same in f32.
    Single,
}

/// Points for distances that are rounded as guided-diffusion's evaluator rounds them.
#[derive(Clone, Debug)]
pub struct HalfPoints {
    precision: Precision,
    rows: Vec<f32>,
    packed: Packed,
    squares: Vec<f32>,
}

impl HalfPoints {
    /// Rows of `columns` values, one after the other.
    ///
    /// # Panics
    /// When there are no columns or the rows are not whole.
    #[must_use]
    pub fn new(precision: Precision, columns: usize, mut rows: Vec<f32>) -> Self {
        assert!(columns > 0 && rows.len().is_multiple_of(columns), "rows must be whole");
        if precision == Precision::Half {
            rows.iter_mut().for_each(|value| *value = to_half(*value));
        }
        let square = |row| precision.round(square(row) as f32);
        let squares = rows.par_chunks_exact(columns).map(square).collect();
        Self { precision, packed: Packed::new(&rows, columns), squares, rows }
    }

    /// How many points there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.squares.len()
    }

    /// Rounded squared distances to other points, `self.count()` rows of `other.count()`: infinite
    /// or NaN where something is beyond the range of the precision.
    ///
    /// Not symmetric, and not 0 for equal points: the rounding is part of the definition.
    ///
    /// # Panics
    /// When the points have different numbers of columns.
    #[must_use]
    pub fn distances(&self, other: &Self) -> Vec<f32> {
        let mut out = vec![0.0; self.count() * other.count()];
        multiply(&self.rows, &other.packed, &mut out);
        let lines = out.par_chunks_mut(other.count().max(1)).zip(&self.squares);
        lines.for_each(|(line, &square)| {
            let (precision, others) = (self.precision, &other.squares);
            pulp::Arch::new().dispatch(Finish { precision, line, square, others });
        });
        out
    }
}

struct Finish<'a> {
    precision: Precision,
    line: &'a mut [f32],
    square: f32,
    others: &'a [f32],
}

impl pulp::NullaryFnOnce for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { precision, line, square, others } = self;
        // NaN goes through: `max` would hide it.
        let positive = |value: f32| if value < 0.0 { 0.0 } else { value };
        match precision {
            Precision::Half => {
                for (value, &other) in line.iter_mut().zip(others) {
                    let sum = to_half(square - to_half(2.0 * to_half(*value)));
                    *value = positive(to_half(sum + other));
                }
            }
            Precision::Single => {
                for (value, &other) in line.iter_mut().zip(others) {
                    *value = positive((square - 2.0 * *value) + other);
                }
            }
        }
    }
}

impl Precision {
    fn round(self, value: f32) -> f32 {
        match self {
            Self::Half => to_half(value),
            Self::Single => value,
        }
    }
}

/// The nearest IEEE binary16, ties to even, as f32.
#[inline(always)]
fn to_half(value: f32) -> f32 {
    let bits = value.to_bits();
    let magnitude = bits & 0x7FFF_FFFF;
    // 13 of the 23 digits go; those that remain are rounded to even at a tie.
    let rounded = (magnitude.wrapping_add(0xFFF + ((magnitude >> 13) & 1))) & !0x1FFF;
    // Below 2^-14 the spacing stays at 2^-24, which is f32's own between 0.5 and 1.
    let small = (f32::from_bits(magnitude) + 0.5) - 0.5;
    let normal = f32::from_bits(rounded);
    let finite = if magnitude < 0x3880_0000 { small } else { normal };
    let held = if finite > 65_504.0 { f32::INFINITY } else { finite };
    let kept = if magnitude > 0x7F80_0000 { f32::NAN } else { held };
    f32::from_bits(kept.to_bits() | (bits & 0x8000_0000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_to_nearest_even_at_every_scale() {
        for (value, expected) in [
            (1.0 + 1.0 / 2048.0, 1.0),
            (1.0 + 3.0 / 2048.0, 1.0 + 2.0 / 1024.0),
            (2049.0, 2048.0),
            (2051.0, 2052.0),
            (-2051.0, -2052.0),
            (65_519.9, 65_504.0),
            (65_520.0, f32::INFINITY),
            (f32::NEG_INFINITY, f32::NEG_INFINITY),
            (2.0_f32.powi(-25), 0.0),
            (2.0_f32.powi(-25) * 1.01, 2.0_f32.powi(-24)),
            (2.0_f32.powi(-24) * 2.5, 2.0_f32.powi(-23)),
            (2.0_f32.powi(-14) * (1.0 - 2.0_f32.powi(-12)), 2.0_f32.powi(-14)),
            (0.1, 0.099_975_586),
        ] {
            assert_eq!(to_half(value).to_bits(), f32::to_bits(expected), "{value}");
        }
        assert!(to_half(f32::NAN).is_nan());
    }

    #[test]
    fn every_half_is_its_own_rounding() {
        for exponent in -24..16 {
            for digits in 0..1024_u16 {
                let value = match exponent {
                    -24 => f32::from(digits) * 2.0_f32.powi(-24),
                    _ if exponent < -14 => continue,
                    _ => (1.0 + f32::from(digits) / 1024.0) * 2.0_f32.powi(exponent),
                };
                assert_eq!(to_half(value).to_bits(), value.to_bits());
                assert_eq!(to_half(-value).to_bits(), (-value).to_bits());
            }
        }
    }

    #[test]
    fn distances_round_step_by_step() {
        let u = HalfPoints::new(Precision::Half, 2, vec![45.0, 5.0]);
        let v = HalfPoints::new(Precision::Half, 2, vec![1.0, 0.0]);
        // 2025 + 25 = 2050; 2050 - 90 = 1960; 1960 + 1 = 1961: all are halves.
        assert_eq!(u.distances(&v), [1961.0]);
        let w = HalfPoints::new(Precision::Half, 2, vec![45.0, 32.0]);
        // 2025 + 1024 = 3049 -> 3048 (even of 3048, 3050); product 2025 + 160 = 2185 -> 2184, twice
        // 4368; 2050 - 4368 = -2318; -2318 + 3048 = 730, where it is (32 - 5)^2 = 729.
        assert_eq!(u.distances(&w), [730.0]);
        let single = |row: [f32; 2]| HalfPoints::new(Precision::Single, 2, row.to_vec());
        assert_eq!(single([45.0, 5.0]).distances(&single([45.0, 32.0])), [729.0]);
        let large = HalfPoints::new(Precision::Half, 2, vec![300.0, 0.0]);
        assert!(!large.distances(&v)[0].is_finite());
    }
}
