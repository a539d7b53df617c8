use std::f64::consts::TAU;

use super::transposed;
use crate::Size;

/// Rings of the centred two-dimensional Fourier spectrum of planes of one size, as the first
/// generation of UAE has them (WeichenFan/UAE old_uae, unified_ae/uae_frequency.py).
///
/// Frequencies run from `-(n / 2)` on each axis. Ring `k` holds the bins with
/// `radii[k] <= r <= radii[k + 1]`, both ends included; bins beyond the last radius, in the corners,
/// are in no ring.
#[derive(Clone, Debug)]
pub struct Rings {
    size: Size,
    radii: Vec<f64>,
    /// Cosines and sines of whole turns over each side.
    across: Turns,
    down: Turns,
}

impl Rings {
    /// The rings of an increasing `schedule`: radii are 0 and the schedule, scaled so that its last
    /// is half the shorter side.
    #[must_use]
    pub fn new(size: Size, schedule: &[f64]) -> Self {
        // The reference's guard against a schedule of zeros.
        let last = schedule.last().copied().unwrap_or_default().max(1e-6);
        let largest = (size.shorter() / 2) as f64;
        let radii = schedule.iter().map(|radius| radius / last * largest);
        Self {
            size,
            radii: std::iter::once(0.0).chain(radii).collect(),
            across: Turns::new(size.width),
            down: Turns::new(size.height),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.radii.len() - 1
    }

    /// Bins of a ring.
    #[must_use]
    pub fn bins(&self, ring: usize) -> usize {
        (0..self.size.area()).filter(|&at| self.holds(ring, at)).count()
    }

    /// Takes a plane apart, ring after ring, each from what the rings before it left:
    /// `r_0 = x, b_k = P_k(r_k), r_(k+1) = r_k - b_k`.
    ///
    /// Their sum is the plane without the bins that are in no ring.
    #[must_use]
    pub fn split(&self, plane: &[f32]) -> Vec<Vec<f32>> {
        let mut rest = self.spectrum(plane);
        let mut bands = Vec::with_capacity(self.count());
        for ring in 0..self.count() {
            let mut kept = vec![(0.0, 0.0); rest.len()];
            for (at, (kept, rest)) in kept.iter_mut().zip(&mut rest).enumerate() {
                if self.holds(ring, at) {
                    // The rest has nothing of a ring that was taken: a bin on two rings' edge goes
                    // to the first.
                    *kept = std::mem::take(rest);
                }
            }
            bands.push(self.plane(&kept));
        }
        bands
    }

    /// Whether the bin of this raster index (unshifted, as an FFT gives it) lies in a ring.
    fn holds(&self, ring: usize, at: usize) -> bool {
        let centred = |index: usize, side: usize| {
            let shifted = (index + side / 2) % side;
            shifted as f64 - (side / 2) as f64
        };
        let x = centred(at % self.size.width, self.size.width);
        let y = centred(at / self.size.width, self.size.height);
        let radius = (y * y + x * x).sqrt();
        self.radii[ring] <= radius && radius <= self.radii[ring + 1]
    }

    /// The Fourier transform, real and imaginary part, row by row.
    fn spectrum(&self, plane: &[f32]) -> Vec<(f64, f64)> {
        let values: Vec<(f64, f64)> = plane.iter().map(|&value| (f64::from(value), 0.0)).collect();
        let rows = self.across.transform(&values, -1.0);
        transposed(
            &self.down.transform(&transposed(&rows, self.size.width), -1.0),
            self.size.height,
        )
    }

    /// The real part of the inverse transform.
    fn plane(&self, spectrum: &[(f64, f64)]) -> Vec<f32> {
        let rows = self.across.transform(spectrum, 1.0);
        let columns = self.down.transform(&transposed(&rows, self.size.width), 1.0);
        let scale = 1.0 / self.size.area() as f64;
        let plane = transposed(&columns, self.size.height);
        plane.into_iter().map(|(real, _)| (real * scale) as f32).collect()
    }
}

/// `cos` and `sin` of `i` turns by one `n`th.
#[derive(Clone, Debug)]
struct Turns(Vec<(f64, f64)>);

impl Turns {
    fn new(n: usize) -> Self {
        let turn = |i: usize| {
            let angle = TAU * i as f64 / n as f64;
            (libm::cos(angle), libm::sin(angle))
        };
        Self((0..n).map(turn).collect())
    }

    /// Each row times `exp(sign 2 pi i k j / n)`: sides are too short for anything faster to pay.
    fn transform(&self, rows: &[(f64, f64)], sign: f64) -> Vec<(f64, f64)> {
        let n = self.0.len();
        let value = |row: &[(f64, f64)], k: usize| {
            row.iter().enumerate().fold((0.0, 0.0), |(real, imaginary), (j, &(x, y))| {
                let (cos, sin) = self.0[k * j % n];
                let sin = sign * sin;
                (real + x * cos - y * sin, imaginary + x * sin + y * cos)
            })
        };
        rows.chunks_exact(n.max(1)).flat_map(|row| (0..n).map(move |k| value(row, k))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::plane;
    use super::*;

    const SCHEDULE: [f64; 2] = [0.32, 16.0];

    #[test]
    fn the_two_rings_of_uae_hold_1_and_194_bins_and_leave_61_out() {
        let rings = Rings::new(Size::new(16, 16), &SCHEDULE);
        assert_eq!((rings.count(), rings.bins(0), rings.bins(1)), (2, 1, 194));
        let in_none = |&at: &usize| !(0..2).any(|ring| rings.holds(ring, at));
        assert_eq!((0..16 * 16).filter(in_none).count(), 61);
    }

    #[test]
    fn the_first_ring_is_the_mean() {
        let size = Size::new(16, 16);
        let plane = plane(size);
        let bands = Rings::new(size, &SCHEDULE).split(&plane);
        let mean = plane.iter().map(|&x| f64::from(x)).sum::<f64>() / size.area() as f64;
        for value in &bands[0] {
            assert!((f64::from(*value) - mean).abs() < 1e-7, "{value} {mean}");
        }
    }

    #[test]
    fn rings_keep_slow_waves_and_drop_the_corners() {
        let size = Size::new(16, 16);
        let wave = |down: usize, across: usize| -> Vec<f32> {
            let value = |at: usize| {
                libm::cos(TAU * (down * (at / 16) + across * (at % 16)) as f64 / 16.0) as f32
            };
            (0..size.area()).map(value).collect()
        };
        let largest = |plane: &[f32]| plane.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
        let rings = Rings::new(size, &SCHEDULE);
        let slow = wave(3, 2);
        let kept = &rings.split(&slow)[1];
        let difference: Vec<f32> = kept.iter().zip(&slow).map(|(a, b)| a - b).collect();
        assert!(largest(&difference) < 1e-6);
        assert!(largest(&rings.split(&wave(7, 7))[1]) < 1e-6);
    }

    #[test]
    fn rings_add_up_to_a_plane_without_corners() {
        for size in [Size::new(16, 16), Size::new(9, 12), Size::new(8, 5)] {
            let rings = Rings::new(size, &[1.0, 2.0, 3.0]);
            let add = |bands: Vec<Vec<f32>>| -> Vec<f32> {
                let sum = |at: usize| bands.iter().map(|band| band[at]).sum();
                (0..size.area()).map(sum).collect()
            };
            let once = add(rings.split(&plane(size)));
            let twice = add(rings.split(&once));
            for (once, twice) in once.iter().zip(twice) {
                assert!((once - twice).abs() < 1e-6, "{size:?}");
            }
        }
    }
}
