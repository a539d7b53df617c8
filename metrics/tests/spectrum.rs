//! Spectra of latents and the Prism paper's figure against SciPy, numpy and PyTorch in f64
//! (`tests/oracle/filters.py`).

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../tests/oracle/uniforms.rs"]
mod uniforms;

use prismbench_metrics::{
    Accumulator, BandCurves, GridLayout, LatentGrid, LatentSpectrum, prism_figure,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    spectra: Vec<Case>,
    figure: Figure,
}

#[derive(Deserialize)]
struct Case {
    samples: usize,
    channels: usize,
    height: usize,
    width: usize,
    seed: u64,
    shares: Vec<f64>,
    below: Vec<f64>,
    centroid: f64,
    slope: Option<f64>,
    pooled: Vec<f64>,
}

#[derive(Deserialize)]
struct Figure {
    energy: Vec<Vec<f64>>,
    response: Vec<Vec<f64>>,
    figure: Vec<Vec<f64>>,
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/filters/spectrum.json");
    let all: Vec<Golden> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    all.into_iter().next().unwrap()
}

impl Case {
    /// The latents of every sample, as `latents` of the oracle makes them.
    fn latents(&self) -> Vec<Vec<f32>> {
        let area = self.height * self.width;
        let noise = uniforms::uniforms(self.samples * self.channels * area, self.seed);
        let latent = |(sample, noise): (usize, &[f32])| {
            let wave = |at: usize| {
                ((at / self.width % self.height % 5) as f64 - 2.0) * (1 + sample) as f64
            };
            let value = |(at, &x): (usize, &f32)| (f64::from(x) - 0.5 + wave(at)) as f32;
            noise.iter().enumerate().map(value).collect()
        };
        noise.chunks(self.channels * area).enumerate().map(latent).collect()
    }

    fn spectrum(&self, grid: &LatentGrid) -> prismbench_metrics::Spectrum {
        let mut all = LatentSpectrum::new(grid);
        for (index, latent) in (0..).zip(self.latents()).collect::<Vec<_>>().into_iter().rev() {
            all.update((index, grid.energy(&latent, GridLayout::Channels).unwrap())).unwrap();
        }
        all.finish().unwrap()
    }
}

fn largest_gap(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// 1e-12: f64 on both sides, other orders of sums.
#[test]
fn spectra_are_those_of_scipy() {
    let cases = golden().spectra;
    assert_eq!(cases.len(), 5);
    for case in cases {
        let name = format!("{}x{}", case.height, case.width);
        let found = case.spectrum(&LatentGrid::new(case.height, case.width).unwrap());
        assert_eq!(found.n, case.samples as u64);
        assert!(largest_gap(&found.shares, &case.shares) < 1e-12, "{name}");
        assert!(largest_gap(&found.below, &case.below) < 1e-12, "{name}");
        assert!((found.centroid - case.centroid).abs() < 1e-12, "{name}");
        match (found.slope, case.slope) {
            (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-9, "{name}"),
            (found, expected) => assert_eq!(found, expected, "{name}"),
        }
    }
}

/// 1e-6: PyTorch pools in f32, and in another order.
#[test]
fn a_pooled_grid_is_pytorchs() {
    for case in golden().spectra {
        let grid = LatentGrid::pooled(case.height, case.width, (16, 16)).unwrap();
        let found = case.spectrum(&grid).shares;
        assert!(largest_gap(&found, &case.pooled) < 1e-6, "{}x{}", case.height, case.width);
    }
}

#[test]
fn the_figure_is_that_of_the_released_script() {
    let Figure { energy, response, figure } = golden().figure;
    let curves: Vec<BandCurves> = energy
        .into_iter()
        .zip(response)
        .map(|(energy, response)| BandCurves { energy, response })
        .collect();
    for (found, expected) in prism_figure(&curves).unwrap().iter().zip(&figure) {
        assert!(largest_gap(found, expected) < 1e-12);
    }
}
