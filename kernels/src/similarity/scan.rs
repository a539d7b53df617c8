//! One pass over two pictures, strip by strip.
//!
//! A strip is [`STRIP`] neighbouring values of the map's rows. Going down it, each row is filtered
//! across once, the last `2 R + 1` filtered rows are kept, and each output row is filtered down and
//! turned into the term at once. Channels stay interleaved: the neighbour across is `channels`
//! values away.
//!
//! Every loop is over the values of a strip and none sums across it, so that neither the width of a
//! vector nor the width of a strip decides a bit.

use super::{Border, Similarity, Stabilisers, Term};
use crate::Size;

/// Values computed together. 64 keep the filtered rows in 23 KB; 32 to 96 are as fast, 128 is 1.3
/// and 192 is 1.5 times as slow.
const STRIP: usize = 64;
/// Local means of s, d, s^2 and d^2.
const MOMENTS: usize = 4;

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Row([f64; STRIP]);

const ZERO: [Row; MOMENTS] = [Row([0.0; STRIP]); MOMENTS];

/// The two pictures and the geometry of the pass, for a window of radius `R`.
pub(super) struct Scan<'a, const R: usize, T> {
    pictures: [&'a [T]; 2],
    size: Size,
    channels: usize,
    /// Weights at distance 1 to R, over that of the centre.
    weights: [f64; R],
    /// Rows and columns added on each side by reflection.
    margin: usize,
    /// Columns and rows of the map.
    map: Size,
    term: Term,
    constants: Constants,
}

impl<'a, const R: usize, T: Copy + Into<f64>> Scan<'a, R, T> {
    /// `R` is the window's radius; both pictures fit the size and the map is not empty.
    pub(super) fn new(
        similarity: &Similarity,
        pictures: [&'a [T]; 2],
        size: Size,
        channels: usize,
    ) -> Self {
        let (margin, map) = match similarity.border {
            Border::Reflect => (R, size),
            Border::Valid => (0, Size::new(size.width - 2 * R, size.height - 2 * R)),
        };
        let weights = std::array::from_fn(|i| similarity.window.weight(i + 1));
        let constants = Constants::new(similarity.stabilisers, similarity.window.mass());
        let term = similarity.term;
        Self { pictures, size, channels, weights, margin, map, term, constants }
    }

    #[inline(always)]
    fn mean(&self) -> f64 {
        let row = self.map.width * self.channels;
        let mut products = vec![0.0; MOMENTS * (STRIP + 2 * R * self.channels)];
        let mut ring = vec![ZERO; 2 * R + 1];
        let mut total = 0.0;
        for start in (0..row).step_by(STRIP) {
            let sums = self.strip(start, &mut products, &mut ring);
            // What a strip holds beyond the row is left over from the strip before.
            total += sums.0[..STRIP.min(row - start)].iter().sum::<f64>();
        }
        total / (row * self.map.height) as f64
    }

    /// Sums of the term down the columns of the strip.
    #[inline(always)]
    fn strip(&self, start: usize, products: &mut [f64], ring: &mut [[Row; MOMENTS]]) -> Row {
        let slots = 2 * R + 1;
        let length = products.len() / MOMENTS;
        let mut sums = Row([0.0; STRIP]);
        for padded in 0..self.map.height + 2 * R {
            self.multiply(reflect(padded, self.margin, self.size.height), start, products);
            for (input, output) in
                products.chunks_exact(length).zip(ring[padded % slots].iter_mut())
            {
                let across = |tap: usize| &input[tap * self.channels..].as_chunks().0[0];
                self.weigh(across, output);
            }
            if padded >= 2 * R {
                let mut moments = ZERO;
                for (moment, output) in moments.iter_mut().enumerate() {
                    // The oldest row is in the slot that is written next.
                    self.weigh(|tap| &ring[(padded + 1 + tap) % slots][moment].0, output);
                }
                self.add_terms(&moments, &mut sums);
            }
        }
        sums
    }

    /// The values whose local means are the moments, with the margins mirrored.
    #[inline(always)]
    fn multiply(&self, row: usize, start: usize, products: &mut [f64]) {
        let values = self.size.width * self.channels;
        let [x, y] = self.pictures.map(|picture| &picture[row * values..][..values]);
        let length = products.len() / MOMENTS;
        let (first, second) = products.split_at_mut(2 * length);
        let (sum, difference) = first.split_at_mut(length);
        let (sum_squared, difference_squared) = second.split_at_mut(length);
        let mut put = |at: usize, x: T, y: T| {
            let (x, y): (f64, f64) = (x.into(), y.into());
            let (s, d) = (x + y, x - y);
            (sum[at], difference[at]) = (s, d);
            (sum_squared[at], difference_squared[at]) = (s * s, d * d);
        };
        let margin = self.margin * self.channels;
        let end = (start + length).min(values + 2 * margin);
        let inner = start.max(margin)..end.min(values + margin);
        let offset = inner.start - start;
        let [xs, ys] = [x, y].map(|row| &row[inner.start - margin..][..inner.len()]);
        for (at, (&x, &y)) in xs.iter().zip(ys).enumerate() {
            put(offset + at, x, y);
        }
        for padded in (start..inner.start).chain(inner.end..end) {
            let column = reflect(padded / self.channels, self.margin, self.size.width);
            let from = column * self.channels + padded % self.channels;
            put(padded - start, x[from], y[from]);
        }
    }

    /// Weighted sum of the `2 R + 1` inputs that `tap` names from first to last.
    #[inline(always)]
    fn weigh<'r>(&self, tap: impl Fn(usize) -> &'r [f64; STRIP], output: &mut Row) {
        let centre = tap(R);
        let before: [_; R] = std::array::from_fn(|i| tap(R - 1 - i));
        let after: [_; R] = std::array::from_fn(|i| tap(R + 1 + i));
        for at in 0..STRIP {
            let mut sum = centre[at];
            for i in 0..R {
                sum += self.weights[i] * (before[i][at] + after[i][at]);
            }
            output.0[at] = sum;
        }
    }

    #[inline(always)]
    fn add_terms(&self, moments: &[Row; MOMENTS], sums: &mut Row) {
        let constants = self.constants;
        let at = |i: usize| [moments[0].0[i], moments[1].0[i], moments[2].0[i], moments[3].0[i]];
        match self.term {
            Term::Similarity => {
                for i in 0..STRIP {
                    let [light, dark, structure, spread] = constants.terms(at(i));
                    sums.0[i] += (light * structure) / (dark * spread);
                }
            }
            Term::Contrast => {
                for i in 0..STRIP {
                    let [_, _, structure, spread] = constants.terms(at(i));
                    sums.0[i] += structure / spread;
                }
            }
            Term::SimilarityOfPositiveContrast => {
                for i in 0..STRIP {
                    let [light, dark, structure, spread] = constants.terms(at(i));
                    sums.0[i] += (light * structure.max(0.0)) / (dark * spread);
                }
            }
        }
    }
}

/// A closure would be compiled for the oldest machine: only what is inlined into `dispatch` gets
/// the wide instructions, and a closure of this size is not.
impl<const R: usize, T: Copy + Into<f64>> pulp::WithSimd for Scan<'_, R, T> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _simd: S) -> f64 {
        self.mean()
    }
}

/// The stabilisers on the scale of the moments, which are too large by the window's mass.
#[derive(Clone, Copy)]
pub(crate) struct Constants {
    pub(crate) mass: f64,
    pub(crate) c1: f64,
    pub(crate) c2: f64,
}

impl Constants {
    pub(crate) fn new(Stabilisers { c1, c2, moment_factor }: Stabilisers, mass: f64) -> Self {
        let scale = 2.0 * mass * mass;
        // A factor on all variances is the inverse factor on the constant beside them.
        Self { mass, c1: c1 * scale, c2: c2 / moment_factor * scale }
    }

    /// Numerator and denominator of the luminance term, then those of the contrast term.
    #[inline(always)]
    fn terms(self, [s, d, ss, dd]: [f64; MOMENTS]) -> [f64; 4] {
        let (s_squared, d_squared) = (s * s, d * d);
        let (s_variance, d_variance) = (self.mass * ss - s_squared, self.mass * dd - d_squared);
        let (light, spread) = (s_squared + self.c1, s_variance + self.c2);
        [light - d_squared, light + d_squared, spread - d_variance, spread + d_variance]
    }
}

/// The row of the plane that stands at `padded`, mirrored without repeating the edge.
fn reflect(padded: usize, margin: usize, height: usize) -> usize {
    let row = padded.abs_diff(margin);
    if padded > margin && row >= height { 2 * (height - 1) - row } else { row }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::similarity::Window;

    #[test]
    fn wide_and_narrow_vectors_give_the_same_bits() {
        let size = Size::new(83, 37);
        let bytes = |seed: u64| -> Vec<u8> {
            let hash = |i: u64| ((i + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8;
            (0..size.area() as u64 * 3).map(hash).collect()
        };
        let (x, y) = (bytes(1), bytes(7_000));
        let stabilisers = Stabilisers { c1: 6.5025, c2: 58.5225, moment_factor: 1.0 };
        for term in [Term::Similarity, Term::Contrast, Term::SimilarityOfPositiveContrast] {
            let (window, border) = (Window::Gaussian, Border::Reflect);
            let similarity = Similarity { window, border, stabilisers, term };
            // Outside of `dispatch` the same code has the instructions of the oldest machine.
            let narrow = Scan::<5, u8>::new(&similarity, [&x, &y], size, 3).mean();
            let wide = similarity.mean(&x, &y, size, 3).unwrap();
            assert_eq!(narrow.to_bits(), wide.to_bits(), "{term:?}");
        }
    }
}
