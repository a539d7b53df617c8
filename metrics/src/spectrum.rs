mod figure;
mod grid;

use prismbench_core::{Better, MetricDef, Unit};
use serde::{Deserialize, Serialize};

use crate::{Accumulator, MetricError, SampleMeans};
pub use figure::{BandCurves, prism_figure};
pub use grid::{GridEnergy, GridLayout, LatentGrid, mean_square};

/// Bands that the coefficients of a spectrum are divided into, in zigzag order.
pub const BANDS: usize = 10;

/// Share of the energy of latents in one band.
pub const BAND_ENERGY: MetricDef = MetricDef {
    id: "band-energy",
    title: "energy",
    unit: Unit::One,
    better: Better::Neither,
    version: 1,
    definition: "share of a latent's energy in one of 10 bands (the setting, 1 the lowest): squared \
        coefficients of the orthonormal DCT-II of each channel over its own grid, mean over \
        channels and samples, in zigzag order, in as even parts as numpy's array_split makes; the \
        shares add up to 1. Describes; no direction is better. Source: WeichenFan/UAE main, \
        prelim_analysis/energy_exp.py, without its pooling and post-processing",
};

/// Share of the response of features to one band of pictures.
pub const BAND_RESPONSE: MetricDef = MetricDef {
    id: "band-response",
    title: "response",
    unit: Unit::One,
    better: Better::Neither,
    version: 1,
    definition: "mean square of the features of pictures of which one of 10 bands (the setting, 1 \
        the lowest) of DCT coefficients in zigzag order is left, clamped to [0, 1], mean over \
        samples; over the sum of all bands. Describes; no direction is better. Source: \
        WeichenFan/UAE main, prelim_analysis/energy_exp.py",
};

/// Share of the energy of latents up to the end of a band.
pub const ENERGY_BELOW: MetricDef = MetricDef {
    id: "energy-below",
    title: "below",
    unit: Unit::One,
    better: Better::Neither,
    version: 1,
    definition: "sum of band-energy from the lowest band to this one (the setting). Describes; no \
        direction is better",
};

/// Mean frequency of the energy of latents.
pub const SPECTRAL_CENTROID: MetricDef = MetricDef {
    id: "spectral-centroid",
    title: "centroid",
    unit: Unit::One,
    better: Better::Neither,
    version: 1,
    definition: "mean frequency of a latent's DCT coefficients, weighed by their mean energy over \
        channels and samples; sqrt((y / h)^2 + (x / w)^2), in shares of Nyquist's, the constant \
        one with 0. Describes; no direction is better",
};

/// How the energy of latents falls with frequency.
pub const SPECTRAL_SLOPE: MetricDef = MetricDef {
    id: "spectral-slope",
    title: "slope",
    unit: Unit::One,
    better: Better::Neither,
    version: 1,
    definition: "least-squares slope of ln(power) over ln(r), power the mean energy of a latent's \
        DCT coefficients with round(radius) = r, 1 <= r < the shorter side of the grid; -2 or so \
        for photographs, 0 for white noise. Describes; no direction is better",
};

/// The curve of the Prism paper's figure.
pub const PRISM_FIGURE: MetricDef = MetricDef {
    id: "prism-figure",
    title: "figure",
    unit: Unit::One,
    better: Better::Neither,
    version: 1,
    definition: "the curve that build_expected_like_curves of WeichenFan/UAE main, \
        prelim_analysis/energy_exp.py, makes of band-energy over a 16x16 grid and band-response: \
        energy^entropy x response^power with boosts of the lowest band, scaled to a mean of 0.1. \
        It depends on which tokenizers are measured together, and is no energy; no direction is \
        better",
};

/// The energy of latents by frequency, under construction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatentSpectrum {
    /// Rows and columns of coefficients.
    size: (usize, usize),
    samples: SampleMeans,
}

/// Where the energy of a set of latents lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// Samples.
    pub n: u64,
    /// [`BAND_ENERGY`] of each band; they add up to 1.
    pub shares: Vec<f64>,
    /// [`ENERGY_BELOW`] of each band; the last is 1.
    pub below: Vec<f64>,
    /// [`SPECTRAL_CENTROID`].
    pub centroid: f64,
    /// [`SPECTRAL_SLOPE`]; `None` for grids with a side below 3 and where a ring has no energy.
    pub slope: Option<f64>,
}

impl LatentSpectrum {
    /// Nothing yet, for latents on this grid.
    #[must_use]
    pub fn new(grid: &LatentGrid) -> Self {
        Self { size: grid.size(), samples: SampleMeans::default() }
    }
}

impl Accumulator for LatentSpectrum {
    /// Index of the sample within its data set, and [`LatentGrid::energy`] of its latent.
    type Item = (u64, GridEnergy);
    type Output = Spectrum;

    fn update(&mut self, (index, energy): (u64, GridEnergy)) -> Result<(), MetricError> {
        same_grid(self.size, energy.size)?;
        self.samples.update((index, energy.numbers))
    }

    fn merge(&mut self, other: Self) -> Result<(), MetricError> {
        same_grid(self.size, other.size)?;
        self.samples.merge(other.samples)
    }

    /// [`MetricError::NoEnergy`] where every latent is zero.
    fn finish(self) -> Result<Spectrum, MetricError> {
        let mean = self.samples.finish()?;
        let (bands, rest) = mean.means.split_at(BANDS.min(mean.means.len()));
        let shares = shares(bands)?;
        let total: f64 = bands.iter().sum();
        let sums = bands.iter().scan(0.0, |sum, energy| {
            *sum += energy;
            Some(*sum)
        });
        let below = sums.map(|sum| sum / total).collect();
        let (moment, rings) = rest.split_first().unwrap_or((&0.0, &[]));
        Ok(Spectrum { n: mean.n, shares, below, centroid: moment / total, slope: slope(rings) })
    }
}

/// Non-negative numbers over their sum: what makes a curve of energies or responses comparable.
///
/// # Errors
/// [`MetricError::NoEnergy`] where the sum is 0.
pub fn shares(curve: &[f64]) -> Result<Vec<f64>, MetricError> {
    let total: f64 = curve.iter().sum();
    if total > 0.0 {
        return Ok(curve.iter().map(|value| value / total).collect());
    }
    Err(MetricError::NoEnergy)
}

/// Slope of ln(power) over ln(ring), rings from 1.
fn slope(rings: &[f64]) -> Option<f64> {
    if rings.len() < 2 || rings.iter().any(|&power| power <= 0.0) {
        return None;
    }
    let points: Vec<(f64, f64)> =
        (1..).zip(rings).map(|(r, &power)| (libm::log(f64::from(r)), libm::log(power))).collect();
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (x, y) = (x / n, y / n);
    let (up, down) = points.iter().fold((0.0, 0.0), |(up, down), point| {
        (up + (point.0 - x) * (point.1 - y), down + (point.0 - x) * (point.0 - x))
    });
    Some(up / down)
}

fn same_grid(first: (usize, usize), second: (usize, usize)) -> Result<(), MetricError> {
    if first == second {
        return Ok(());
    }
    let expected = format!("a {}x{} grid of coefficients, as for the first", first.0, first.1);
    Err(MetricError::Shape { expected, found: second.0 * second.1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(side: usize, row: usize, column: usize, height: f32) -> Vec<f32> {
        let cos = |k: usize, i: usize| {
            libm::cos(std::f64::consts::PI * k as f64 * (i as f64 + 0.5) / side as f64)
        };
        let at = |i: usize| cos(row, i / side) * cos(column, i % side);
        (0..side * side).map(|i| height * at(i) as f32).collect()
    }

    fn spectrum(latents: &[Vec<f32>]) -> Spectrum {
        let grid = LatentGrid::new(16, 16).unwrap();
        let mut all = LatentSpectrum::new(&grid);
        for (index, latent) in (0..).zip(latents) {
            all.update((index, grid.energy(latent, GridLayout::Channels).unwrap())).unwrap();
        }
        all.finish().unwrap()
    }

    #[test]
    fn one_wave_has_all_its_energy_in_its_band_at_its_frequency() {
        // (3, 4) is coefficient 31 of the zigzag: the second of bands of 26.
        let found = spectrum(&[wave(16, 3, 4, 2.0), wave(16, 3, 4, -0.5)]);
        assert!((found.shares[1] - 1.0).abs() < 1e-9, "{found:?}");
        assert!(found.below[0] < 1e-9 && found.below[1] > 1.0 - 1e-9);
        assert!((found.below[9] - 1.0).abs() < 1e-15);
        assert!((found.centroid - 5.0 / 16.0).abs() < 1e-9, "{found:?}");
        assert_eq!(found.n, 2);
    }

    #[test]
    fn a_constant_latent_is_all_below_the_first_edge_and_has_no_slope() {
        let found = spectrum(&[vec![3.0; 512]]);
        assert!((found.shares[0] - 1.0).abs() < 1e-12 && found.centroid < 1e-6);
        let error = LatentGrid::new(2, 2).map(|grid| {
            let mut all = LatentSpectrum::new(&grid);
            all.update((0, grid.energy(&[0.0; 8], GridLayout::Channels).unwrap())).unwrap();
            all.finish().unwrap_err()
        });
        assert!(matches!(error, Ok(MetricError::NoEnergy)));
    }

    #[test]
    fn a_power_law_has_its_exponent_for_a_slope() {
        let rings: Vec<f64> = (1..16).map(|r| 5.0 * f64::from(r).powf(-2.5)).collect();
        assert!((slope(&rings).unwrap() + 2.5).abs() < 1e-12);
        assert_eq!((slope(&rings[..1]), slope(&[1.0, 0.0, 1.0])), (None, None));
    }

    #[test]
    fn latents_of_another_grid_are_refused() {
        let (small, large) = (LatentGrid::new(4, 4).unwrap(), LatentGrid::new(8, 2).unwrap());
        let mut all = LatentSpectrum::new(&small);
        let energy = large.energy(&[1.0; 16], GridLayout::Channels).unwrap();
        assert!(matches!(all.update((0, energy)), Err(MetricError::Shape { found: 16, .. })));
        assert!(all.merge(LatentSpectrum::new(&large)).is_err());
    }
}
