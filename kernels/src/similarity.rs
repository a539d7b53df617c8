//! The structural similarity map of two pictures, summed as it is made.
//!
//! Of s = x + y and d = x - y the local means of s, d, s^2 and d^2 are all that the terms need:
//! 4 mx my = ms^2 - md^2, 2 (mx^2 + my^2) = ms^2 + md^2, and the same with variances. The map and
//! the moments are never stored: one pass goes down the picture in strips that stay in the fastest
//! cache.

mod scan;

use crate::Size;
#[cfg(feature = "cuda")]
pub(crate) use scan::Constants;
use scan::Scan;

/// Weights of the local moments: separable, symmetric, 1 in sum over the square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// 11 x 11 values of a Gaussian whose standard deviation is 1.5 (Wang et al. 2004).
    Gaussian,
    /// The mean of 7 x 7 values (scikit-image's default).
    Uniform,
}

impl Window {
    /// Distance from the centre to the outermost weight.
    #[must_use]
    pub const fn radius(self) -> usize {
        match self {
            Self::Gaussian => 5,
            Self::Uniform => 3,
        }
    }

    /// Weight at a distance along one side, over that of the centre: saves a product for each
    /// sum, and keeps the sums of a uniform window whole numbers.
    pub(crate) fn weight(self, distance: usize) -> f64 {
        match self {
            Self::Gaussian => libm::exp(-((distance * distance) as f64) / (2.0 * 1.5 * 1.5)),
            Self::Uniform => 1.0,
        }
    }

    /// Sum of these weights over the square.
    pub(crate) fn mass(self) -> f64 {
        let side = 1.0 + 2.0 * (1..=self.radius()).map(|d| self.weight(d)).sum::<f64>();
        side * side
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

/// How a similarity is computed, apart from the two pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similarity {
    /// Weights of the local moments.
    pub window: Window,
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

    /// [`mean`](Self::mean) of each of some pictures of one size, one after the other in `x` and `y`.
    ///
    /// `None` as there; where the pictures are not whole; no value for no picture.
    #[must_use]
    pub fn means<T>(&self, [x, y]: [&[T]; 2], size: Size, channels: usize) -> Option<Vec<f64>>
    where
        T: Copy + Into<f64>,
    {
        let values = size.area() * channels;
        let fits = values > 0 && x.len() == y.len() && x.len().is_multiple_of(values);
        let pairs = x.chunks_exact(values.max(1)).zip(y.chunks_exact(values.max(1)));
        fits.then(|| pairs.map(|(x, y)| self.mean(x, y, size, channels)).collect())?
    }

    /// Mean of the term over the map and the channels of two pictures, each row by row and the
    /// `channels` values of a pixel together.
    ///
    /// `None` when a side is shorter than [`smallest_side`](Self::smallest_side), there is no
    /// channel, or a picture does not hold `size.area()` pixels.
    #[must_use]
    pub fn mean<T>(&self, x: &[T], y: &[T], size: Size, channels: usize) -> Option<f64>
    where
        T: Copy + Into<f64>,
    {
        let values = size.area() * channels;
        let fits = values > 0 && x.len() == values && y.len() == values;
        if !fits || size.shorter() < self.smallest_side() {
            return None;
        }
        let arch = pulp::Arch::new();
        // The radius is a constant of the inner loops.
        Some(match self.window {
            Window::Gaussian => arch.dispatch(Scan::<5, T>::new(self, [x, y], size, channels)),
            Window::Uniform => arch.dispatch(Scan::<3, T>::new(self, [x, y], size, channels)),
        })
    }
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
        let window = similarity.window;
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
                        let weight = window.weight(dy.unsigned_abs())
                            * window.weight(dx.unsigned_abs())
                            / window.mass();
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

    const STABILISERS: Stabilisers = Stabilisers { c1: 6.5025, c2: 58.5225, moment_factor: 1.25 };

    fn every_similarity() -> Vec<Similarity> {
        let mut all = Vec::new();
        for window in [Window::Gaussian, Window::Uniform] {
            for border in [Border::Valid, Border::Reflect] {
                for term in [Term::Similarity, Term::Contrast, Term::SimilarityOfPositiveContrast] {
                    all.push(Similarity { window, border, stabilisers: STABILISERS, term });
                }
            }
        }
        all
    }

    #[test]
    fn the_single_pass_agrees_with_the_definition() {
        // Sizes below, at and beyond the width of a strip, whole multiples of it and not.
        let sizes = [(11, 11), (12, 31), (29, 13), (64, 16), (67, 12), (74, 11), (131, 14)];
        for size in sizes.map(|(width, height)| Size::new(width, height)) {
            let (x, y) = (hashed(size.area(), 1), hashed(size.area(), 99));
            for similarity in every_similarity() {
                let found = similarity.mean(&x, &y, size, 1).unwrap();
                let expected = plain(&similarity, &x, &y, size);
                // Different order of f64 sums over values up to 260,100.
                assert!((found - expected).abs() < 1e-11, "{found} {expected} {size:?}");
            }
        }
    }

    #[test]
    fn interleaved_bytes_have_the_mean_of_their_planes() {
        for size in [Size::new(11, 12), Size::new(21, 13), Size::new(22, 11), Size::new(50, 17)] {
            let planes = [1, 2, 3, 4, 5, 6].map(|seed| hashed(size.area(), seed));
            let interleaved = |planes: &[Vec<f64>]| -> Vec<u8> {
                (0..size.area() * 3).map(|i| planes[i % 3][i / 3] as u8).collect()
            };
            let (x, y) = (interleaved(&planes[..3]), interleaved(&planes[3..]));
            for similarity in every_similarity() {
                let of_plane =
                    |c: usize| similarity.mean(&planes[c], &planes[c + 3], size, 1).unwrap();
                let expected = (of_plane(0) + of_plane(1) + of_plane(2)) / 3.0;
                let found = similarity.mean(&x, &y, size, 3).unwrap();
                assert!((found - expected).abs() < 1e-13, "{found} {expected} {size:?}");
            }
        }
    }

    #[test]
    fn a_picture_is_exactly_similar_to_itself() {
        let size = Size::new(70, 20);
        let x = hashed(size.area(), 3);
        for similarity in every_similarity() {
            assert_eq!(similarity.mean(&x, &x, size, 1), Some(1.0), "{similarity:?}");
        }
    }

    #[test]
    fn a_plane_too_small_for_the_window_has_no_value() {
        let (window, term) = (Window::Gaussian, Term::Similarity);
        let border = Border::Valid;
        let mut similarity = Similarity { window, border, stabilisers: STABILISERS, term };
        assert_eq!(similarity.mean(&[0.0; 110], &[0.0; 110], Size::new(10, 11), 1), None);
        similarity.border = Border::Reflect;
        assert_eq!(similarity.mean(&[0.0; 55], &[0.0; 55], Size::new(5, 11), 1), None);
        assert_eq!(similarity.mean(&[0.0; 60], &[0.0; 59], Size::new(10, 6), 1), None);
        assert_eq!(similarity.mean(&[0.0; 60], &[0.0; 60], Size::new(10, 6), 0), None);
        assert_eq!(similarity.mean(&[3.0; 60], &[3.0; 60], Size::new(10, 6), 1), Some(1.0));
    }
}
