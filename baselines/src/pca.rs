mod fit;

pub(crate) use fit::PcaFit;

use prismbench_core::{StageCost, TokenizerSpec};
use prismbench_kernels::Size;

use crate::cost::matrix;
use crate::grid::GridCodec;
use crate::patches;

/// The Karhunen-Loeve transform: coordinates of each patch along the directions in which training
/// patches vary most.
///
/// Among all linear maps to so many numbers it has the smallest mean squared error on the training
/// patches. Sums run in f64 over f32 weights.
pub(crate) struct Pca {
    spec: TokenizerSpec,
    mean: Vec<f64>,
    /// `components x (3 side^2)`, orthonormal rows, largest variance first.
    basis: Vec<f64>,
    /// The transpose of `basis`, so that both directions run over contiguous numbers.
    transposed: Vec<f64>,
}

impl Pca {
    /// From f32 weights: the mean patch and `components` orthonormal rows.
    fn new(spec: TokenizerSpec, mean: &[f32], basis: &[f32]) -> Self {
        let (length, components) = (mean.len(), basis.len() / mean.len());
        let at = |i: usize| f64::from(basis[(i % components) * length + i / components]);
        Self {
            spec,
            mean: mean.iter().map(|&value| f64::from(value)).collect(),
            basis: basis.iter().map(|&value| f64::from(value)).collect(),
            transposed: (0..basis.len()).map(at).collect(),
        }
    }
}

impl GridCodec for Pca {
    fn spec(&self) -> &TokenizerSpec {
        &self.spec
    }

    fn channels(&self) -> usize {
        self.basis.len() / self.mean.len()
    }

    /// The basis serves both ways; the mean is the encoder's.
    fn cost(&self, grid: Size) -> Option<[StageCost; 2]> {
        let (positions, length) = (grid.area(), self.mean.len());
        let encoder = matrix(positions, length, self.channels());
        let parameters = self.spec.parameters;
        let decoder = matrix(positions, self.channels(), length);
        Some([StageCost { parameters, ..encoder }, decoder])
    }

    fn encode(&self, planes: &[f32], grid: Size) -> Vec<f32> {
        let components = self.channels();
        let mut latent = vec![0.0; components * grid.area()];
        let mut patch = vec![0.0; self.mean.len()];
        let mut coordinates = vec![0.0; components];
        for (position, at) in patches::positions(grid).enumerate() {
            patches::read(planes, grid, self.spec.stride, at, &mut patch);
            coordinates.fill(0.0);
            let rows = self.transposed.chunks_exact(components);
            for ((value, mean), row) in patch.iter().zip(&self.mean).zip(rows) {
                add_scaled(&mut coordinates, value - mean, row);
            }
            for (channel, &coordinate) in coordinates.iter().enumerate() {
                latent[channel * grid.area() + position] = coordinate as f32;
            }
        }
        latent
    }

    fn decode(&self, latent: &[f32], grid: Size) -> Vec<f32> {
        let mut planes = vec![0.0; self.mean.len() * grid.area()];
        let mut patch = vec![0.0; self.mean.len()];
        for (position, at) in patches::positions(grid).enumerate() {
            patch.copy_from_slice(&self.mean);
            for (channel, row) in self.basis.chunks_exact(self.mean.len()).enumerate() {
                let coordinate = latent[channel * grid.area() + position];
                add_scaled(&mut patch, f64::from(coordinate), row);
            }
            patches::write(&mut planes, grid, self.spec.stride, at, &patch);
        }
        planes
    }
}

fn add_scaled(sums: &mut [f64], factor: f64, row: &[f64]) {
    for (sum, value) in sums.iter_mut().zip(row) {
        *sum += factor * value;
    }
}
