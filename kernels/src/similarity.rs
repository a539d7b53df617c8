//! The structural similarity map of two planes, summed as it is made.
//!
//! One pass over the rows: each row is filtered across once, the last `2 radius + 1` filtered rows
//! are kept, and each output row is filtered down and turned into the similarity terms at once. The
//! map and the moments are never stored. Per output value and moment this costs 32 operations for
//! an 11-tap window; four moments suffice, because only the sum of the two variances is used.

use crate::Size;

/// Values that are filtered and summed together; a multiple of every vector width in use.
const LANES: usize = 8;
/// Local means of x, y, x^2 + y^2 and x y.
const MOMENTS: usize = 4;

/// A separable, symmetric window of odd length: weights sum to 1 over the square.
#[derive(Clone, Debug, PartialEq)]
pub struct SymmetricWindow {
    /// Weight of the centre, then of the neighbours at distance 1, 2, ...
    half: Vec<f64>,
    /// Factor on the weighted sum over the square. Keeps a uniform window's sums whole numbers.
    scale: f64,
}

impl SymmetricWindow {
    /// Gaussian of standard deviation `sigma` cut off at `radius`, normalised.
    #[must_use]
    pub fn gaussian(sigma: f64, radius: usize) -> Self {
        let bell: Vec<f64> =
            (0..=radius).map(|d| libm::exp(-((d * d) as f64) / (2.0 * sigma * sigma))).collect();
        let sum = bell[0] + 2.0 * bell[1..].iter().sum::<f64>();
        Self { half: bell.iter().map(|value| value / sum).collect(), scale: 1.0 }
    }

    /// Mean over a square of side `2 radius + 1`.
    #[must_use]
    pub fn uniform(radius: usize) -> Self {
        let side = 2 * radius + 1;
        Self { half: vec![1.0; radius + 1], scale: 1.0 / (side * side) as f64 }
    }

    /// Distance from the centre to the outermost weight.
    #[must_use]
    pub fn radius(&self) -> usize {
        self.half.len() - 1
    }
}

/// What happens at the borders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// Only windows that lie within the plane: the map is smaller by the radius on each side.
    Valid,
    /// The plane is mirrored about its outermost rows and columns: the map has the plane's size.
    Reflect,
}

/// Which quantity is averaged over the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// Luminance times contrast: SSIM.
    Similarity,
    /// The contrast-structure term alone.
    Contrast,
    /// Luminance times the contrast term where that is positive, else 0.
    SimilarityOfPositiveContrast,
}

/// The constants of the similarity terms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stabilisers {
    /// Added to both sides of the luminance term.
    pub c1: f64,
    /// Added to both sides of the contrast term.
    pub c2: f64,
    /// Factor on variances and covariance: 1 for population moments, `n / (n - 1)` for sample ones.
    pub moment_factor: f64,
}

/// How a similarity is computed, apart from the two planes.
#[derive(Clone, Debug, PartialEq)]
pub struct Similarity {
    /// Weights of the local moments.
    pub window: SymmetricWindow,
    /// Treatment of the borders.
    pub border: Border,
    /// Constants of the terms.
    pub stabilisers: Stabilisers,
    /// The averaged quantity.
    pub term: Term,
}

impl Similarity {
    /// The shortest side that has a map.
    #[must_use]
    pub fn smallest_side(&self) -> usize {
        match self.border {
            Border::Valid => 2 * self.window.radius() + 1,
            Border::Reflect => self.window.radius() + 1,
        }
    }

    /// Mean of the term over the map of two planes of `size.area()` values each, row by row.
    ///
    /// `None` when a side is shorter than [`smallest_side`](Self::smallest_side) or a plane does
    /// not hold `size.area()` values.
    #[must_use]
    pub fn mean(&self, x: &[f64], y: &[f64], size: Size) -> Option<f64> {
        let fits = x.len() == size.area() && y.len() == size.area();
        if !fits || size.shorter() < self.smallest_side() {
            return None;
        }
        let Stabilisers { c1, c2, moment_factor } = self.stabilisers;
        let scan = Scan::new(self, size);
        let terms = move |moments: [f64; MOMENTS]| -> [f64; 4] {
            let [x, y, squares, product] = moments;
            let (xy, energy) = (x * y, x * x + y * y);
            [
                2.0 * xy + c1,
                energy + c1,
                2.0 * moment_factor * (product - xy) + c2,
                moment_factor * (squares - energy) + c2,
            ]
        };
        let arch = pulp::Arch::new();
        Some(match self.term {
            Term::Similarity => arch.dispatch(|| {
                scan.mean(x, y, |moments| {
                    let [light, dark, structure, spread] = terms(moments);
                    (light * structure) / (dark * spread)
                })
            }),
            Term::Contrast => arch.dispatch(|| {
                scan.mean(x, y, |moments| {
                    let [_, _, structure, spread] = terms(moments);
                    structure / spread
                })
            }),
            Term::SimilarityOfPositiveContrast => arch.dispatch(|| {
                scan.mean(x, y, |moments| {
                    let [light, dark, structure, spread] = terms(moments);
                    light / dark * (structure / spread).max(0.0)
                })
            }),
        })
    }
}

/// The geometry of one pass.
struct Scan<'a> {
    half: &'a [f64],
    scale: f64,
    size: Size,
    /// Rows and columns added on each side by reflection.
    margin: usize,
    /// Columns and rows of the map.
    map: Size,
    /// Columns of the map, rounded up to whole lanes.
    stride: usize,
}

impl<'a> Scan<'a> {
    fn new(similarity: &'a Similarity, size: Size) -> Self {
        let radius = similarity.window.radius();
        let (margin, map) = match similarity.border {
            Border::Reflect => (radius, size),
            Border::Valid => (0, Size::new(size.width - 2 * radius, size.height - 2 * radius)),
        };
        let stride = map.width.next_multiple_of(LANES);
        let window = &similarity.window;
        Self { half: &window.half, scale: window.scale, size, margin, map, stride }
    }

    #[inline(always)]
    fn mean(&self, x: &[f64], y: &[f64], term: impl Fn([f64; MOMENTS]) -> f64) -> f64 {
        let radius = self.half.len() - 1;
        let slots = 2 * radius + 1;
        let mut ring = vec![0.0; slots * MOMENTS * self.stride];
        let mut products = vec![0.0; MOMENTS * (self.stride + 2 * radius)];
        let mut total = 0.0;
        for padded in 0..self.map.height + 2 * radius {
            let row = reflect(padded, self.margin, self.size.height) * self.size.width;
            let slot =
                &mut ring[(padded % slots) * MOMENTS * self.stride..][..MOMENTS * self.stride];
            self.products(
                &x[row..][..self.size.width],
                &y[row..][..self.size.width],
                &mut products,
            );
            self.filter_across(&products, slot);
            if padded + 1 >= slots {
                total += self.row_sum(&ring, padded + 1 - slots, &term);
            }
        }
        total / self.map.area() as f64
    }

    /// The four products whose local means are the moments, with the margins mirrored.
    #[inline(always)]
    fn products(&self, x: &[f64], y: &[f64], products: &mut [f64]) {
        let width = self.size.width;
        let length = products.len() / MOMENTS;
        let (means, seconds) = products.split_at_mut(2 * length);
        let (px, py) = means.split_at_mut(length);
        let (squares, cross) = seconds.split_at_mut(length);
        for i in 0..width {
            let (x, y, at) = (x[i], y[i], i + self.margin);
            (px[at], py[at]) = (x, y);
            (squares[at], cross[at]) = (x * x + y * y, x * y);
        }
        for plane in [px, py, squares, cross] {
            for i in 0..self.margin {
                plane[i] = plane[2 * self.margin - i];
                plane[self.margin + width + i] = plane[self.margin + width - 2 - i];
            }
        }
    }

    #[inline(always)]
    fn filter_across(&self, products: &[f64], slot: &mut [f64]) {
        let radius = self.half.len() - 1;
        let length = products.len() / MOMENTS;
        for (input, output) in products.chunks_exact(length).zip(slot.chunks_exact_mut(self.stride))
        {
            for (block, output) in output.chunks_exact_mut(LANES).enumerate() {
                let at = block * LANES + radius;
                let mut sums = [0.0; LANES];
                for lane in 0..LANES {
                    sums[lane] = self.half[0] * input[at + lane];
                }
                for (distance, &weight) in self.half.iter().enumerate().skip(1) {
                    let left = &input[at - distance..][..LANES];
                    let right = &input[at + distance..][..LANES];
                    for lane in 0..LANES {
                        sums[lane] += weight * (left[lane] + right[lane]);
                    }
                }
                output.copy_from_slice(&sums);
            }
        }
    }

    /// Filters down around the row that stands `radius` below `oldest` and sums the term over it.
    #[inline(always)]
    fn row_sum(&self, ring: &[f64], oldest: usize, term: &impl Fn([f64; MOMENTS]) -> f64) -> f64 {
        let radius = self.half.len() - 1;
        let slots = 2 * radius + 1;
        let row = |offset: usize| &ring[((oldest + offset) % slots) * MOMENTS * self.stride..];
        let mut sums = [0.0; LANES];
        for start in (0..self.map.width).step_by(LANES) {
            let mut moments = [[0.0; LANES]; MOMENTS];
            for (moment, values) in moments.iter_mut().enumerate() {
                let at = moment * self.stride + start;
                let centre = &row(radius)[at..][..LANES];
                for lane in 0..LANES {
                    values[lane] = self.half[0] * centre[lane];
                }
                for (distance, &weight) in self.half.iter().enumerate().skip(1) {
                    let above = &row(radius - distance)[at..][..LANES];
                    let below = &row(radius + distance)[at..][..LANES];
                    for lane in 0..LANES {
                        values[lane] += weight * (above[lane] + below[lane]);
                    }
                }
                for value in values.iter_mut() {
                    *value *= self.scale;
                }
            }
            let mut terms = [0.0; LANES];
            for lane in 0..LANES {
                terms[lane] = term(moments.map(|values| values[lane]));
            }
            // Lanes beyond the map hold leftovers: a 0/0 there must not reach the sum.
            for lane in 0..LANES.min(self.map.width - start) {
                sums[lane] += terms[lane];
            }
        }
        sums.iter().sum()
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

    fn hashed(n: usize, seed: u64) -> Vec<f64> {
        (0..n as u64)
            .map(|i| ((i + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as f64)
            .collect()
    }

    /// The definition, straight: two-dimensional windows, one position at a time.
    fn plain(similarity: &Similarity, x: &[f64], y: &[f64], size: Size) -> f64 {
        let r = similarity.window.radius() as isize;
        let window = &similarity.window;
        let mirror = |i: isize, n: usize| {
            let i = i.unsigned_abs();
            if i >= n { 2 * (n - 1) - i } else { i }
        };
        let inset = if similarity.border == Border::Valid { r } else { 0 };
        let (mut sum, mut count) = (0.0, 0.0);
        for row in inset..size.height as isize - inset {
            for column in inset..size.width as isize - inset {
                let mut m = [0.0; 5];
                for dy in -r..=r {
                    for dx in -r..=r {
                        let weight = window.half[dy.unsigned_abs()]
                            * window.half[dx.unsigned_abs()]
                            * window.scale;
                        let at = mirror(row + dy, size.height) * size.width
                            + mirror(column + dx, size.width);
                        let (a, b) = (x[at], y[at]);
                        for (m, value) in m.iter_mut().zip([a, b, a * a, b * b, a * b]) {
                            *m += weight * value;
                        }
                    }
                }
                let s = &similarity.stabilisers;
                let vx = s.moment_factor * (m[2] - m[0] * m[0]);
                let vy = s.moment_factor * (m[3] - m[1] * m[1]);
                let cov = s.moment_factor * (m[4] - m[0] * m[1]);
                let light = (2.0 * m[0] * m[1] + s.c1) / (m[0] * m[0] + m[1] * m[1] + s.c1);
                let contrast = (2.0 * cov + s.c2) / (vx + vy + s.c2);
                sum += match similarity.term {
                    Term::Similarity => light * contrast,
                    Term::Contrast => contrast,
                    Term::SimilarityOfPositiveContrast => light * contrast.max(0.0),
                };
                count += 1.0;
            }
        }
        sum / count
    }

    #[test]
    fn the_single_pass_agrees_with_the_definition() {
        let windows = [SymmetricWindow::gaussian(1.5, 5), SymmetricWindow::uniform(3)];
        let terms = [Term::Similarity, Term::Contrast, Term::SimilarityOfPositiveContrast];
        for size in [Size::new(11, 11), Size::new(12, 31), Size::new(29, 13), Size::new(17, 16)] {
            let (x, y) = (hashed(size.area(), 1), hashed(size.area(), 99));
            for window in &windows {
                for border in [Border::Valid, Border::Reflect] {
                    for term in terms {
                        let stabilisers =
                            Stabilisers { c1: 6.5025, c2: 58.5225, moment_factor: 1.25 };
                        let window = window.clone();
                        let similarity = Similarity { window, border, stabilisers, term };
                        let found = similarity.mean(&x, &y, size).unwrap();
                        let expected = plain(&similarity, &x, &y, size);
                        // Different order of f64 sums over values up to 65,025.
                        assert!((found - expected).abs() < 1e-11, "{found} {expected} {size:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_plane_too_small_for_the_window_has_no_value() {
        let stabilisers = Stabilisers { c1: 1.0, c2: 1.0, moment_factor: 1.0 };
        let window = SymmetricWindow::gaussian(1.5, 5);
        let mut similarity =
            Similarity { window, border: Border::Valid, stabilisers, term: Term::Similarity };
        assert_eq!(similarity.mean(&[0.0; 110], &[0.0; 110], Size::new(10, 11)), None);
        similarity.border = Border::Reflect;
        assert_eq!(similarity.mean(&[0.0; 55], &[0.0; 55], Size::new(5, 11)), None);
        assert_eq!(similarity.mean(&[0.0; 60], &[0.0; 59], Size::new(10, 6)), None);
        assert_eq!(similarity.mean(&[3.0; 60], &[3.0; 60], Size::new(10, 6)), Some(1.0));
    }
}
