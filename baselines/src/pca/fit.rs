use candle_core::Device;
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, MatRef, Par};
use prismbench_core::{ImageBatch, Tokenizer, TokenizerError, TokenizerSpec, Weights};
use prismbench_kernels::Size;
use prismbench_kernels::gram::Gram;
use prismbench_weights::sha256;

use super::Pca;
use crate::Fit;
use crate::grid::OnHost;
use crate::patches;

/// Collects the moments of training patches, then takes the leading eigenvectors of their
/// covariance.
///
/// The fit has the same bits for any number of threads and any division into batches: [`Gram`]
/// sums patch after patch, and the eigendecomposition runs on one thread.
pub(crate) struct PcaFit {
    id: String,
    side: usize,
    components: usize,
    device: Device,
    gram: Gram,
}

impl PcaFit {
    /// For patches of `side x side` pixels; `device` is where latents and pictures are put.
    pub(crate) fn new(id: String, side: usize, components: usize, device: Device) -> Self {
        Self { id, side, components, device, gram: Gram::new(3 * side * side) }
    }

    fn spec(&self, weights: Vec<Weights>) -> TokenizerSpec {
        let length = 3 * self.side * self.side;
        TokenizerSpec {
            id: self.id.clone(),
            stride: self.side,
            parameters: (length * (self.components + 1)) as u64,
            weights,
            source: "Karhunen-Loeve transform of RGB patches, fitted in this run".to_owned(),
        }
    }
}

impl Fit for PcaFit {
    fn id(&self) -> &str {
        &self.id
    }

    fn observe(&mut self, images: &ImageBatch) -> Result<(), TokenizerError> {
        self.spec(Vec::new()).check_sides(images)?;
        let (_, height, width) = images.dims();
        let grid = Size::new(width / self.side, height / self.side);
        let length = 3 * self.side * self.side;
        let mut rows = vec![0.0; length * grid.area()];
        for planes in images.to_planes()? {
            if let Some(value) = planes.iter().find(|value| !value.is_finite()) {
                let expected = "finite pixels in training pictures".to_owned();
                return Err(TokenizerError::Shape { expected, found: value.to_string() });
            }
            for (row, at) in rows.chunks_exact_mut(length).zip(patches::positions(grid)) {
                patches::read(&planes, grid, self.side, at, row);
            }
            self.gram.add(&rows);
        }
        Ok(())
    }

    fn seen(&self) -> Vec<u8> {
        self.gram.to_bytes()
    }

    fn go_on(&mut self, seen: &[u8]) -> Result<(), TokenizerError> {
        let length = 3 * self.side * self.side;
        self.gram = Gram::from_bytes(length, seen).ok_or_else(|| TokenizerError::Shape {
            expected: format!("finite sums over patches of {length} numbers for `{}`", self.id),
            found: format!("{} bytes", seen.len()),
        })?;
        Ok(())
    }

    /// The number of patches, then in f32 the mean and the basis.
    fn learnt(&self) -> Result<Vec<u8>, TokenizerError> {
        let (length, count) = (3 * self.side * self.side, self.gram.rows());
        let enough = (count > length as u64).then_some(());
        let moments = enough.and_then(|()| self.gram.mean().zip(self.gram.covariance()));
        let Some((mean, covariance)) = moments else {
            let (id, side) = (&self.id, self.side);
            return Err(TokenizerError::Shape {
                expected: format!(
                    "at least {} training patches of {side}x{side} pixels to fit `{id}` (more or \
                     larger training pictures give more)",
                    length + 1
                ),
                found: count.to_string(),
            });
        };
        let mean: Vec<f32> = mean.iter().map(|&value| value as f32).collect();
        let basis = leading_eigenvectors(&covariance, length, self.components)?;
        let numbers = mean.iter().chain(&basis).flat_map(|value| value.to_le_bytes());
        Ok(count.to_le_bytes().into_iter().chain(numbers).collect())
    }

    fn of_learnt(&self, learnt: &[u8]) -> Result<Box<dyn Tokenizer>, TokenizerError> {
        let length = 3 * self.side * self.side;
        let expected = length * (self.components + 1);
        let read = learnt.split_first_chunk::<8>().and_then(|(count, numbers)| {
            let (values, rest) = numbers.as_chunks::<4>();
            let values: Vec<f32> = values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
            let is_whole = rest.is_empty() && values.len() == expected;
            let is_whole = is_whole && values.iter().all(|value| value.is_finite());
            is_whole.then(|| (u64::from_le_bytes(*count), sha256(numbers), values))
        });
        let Some((count, sha256, values)) = read else {
            return Err(TokenizerError::Shape {
                expected: format!(
                    "{expected} finite numbers that a fit of `{}` has learnt",
                    self.id
                ),
                found: format!("{} bytes", learnt.len()),
            });
        };
        let (mean, basis) = values.split_at(length);
        let name = format!("fitted on {count} patches");
        let spec = self.spec(vec![Weights { name, sha256 }]);
        Ok(Box::new(OnHost::tokenizer(Pca::new(spec, mean, basis), self.device.clone())))
    }
}

/// The first `count` eigenvectors of a symmetric matrix as rows, largest eigenvalue first.
///
/// Each is scaled to length 1 and signed so that its largest component in absolute value (the first
/// of equals) is positive. Simple eigenvalues then have one answer; in the space of a repeated one
/// any orthonormal basis is right, and the solver's is taken.
fn leading_eigenvectors(
    symmetric: &[f64],
    side: usize,
    count: usize,
) -> Result<Vec<f32>, TokenizerError> {
    let matrix = MatRef::from_row_major_slice(symmetric, side, side);
    let (mut values, mut vectors) = (Diag::<f64>::zeros(side), Mat::<f64>::zeros(side, side));
    // One thread: the order of the sums, and with it the last bits, depend on the number.
    let (compute, par) = (ComputeEigenvectors::Yes, Par::Seq);
    let mut memory =
        MemBuffer::new(self_adjoint_evd_scratch::<f64>(side, compute, par, Default::default()));
    let stack = MemStack::new(&mut memory);
    let found = Some(vectors.as_mut());
    self_adjoint_evd(matrix, values.as_mut(), found, par, stack, Default::default())
        .map_err(|_| TokenizerError::Codec("the eigendecomposition did not converge".into()))?;
    // The solver sorts eigenvalues upwards.
    let mut basis = Vec::with_capacity(count * side);
    for column in (0..side).rev().take(count) {
        let vector: Vec<f64> = vectors.col(column).iter().copied().collect();
        let largest = vector.iter().fold(0.0_f64, |l, v| if v.abs() > l.abs() { *v } else { l });
        basis.extend(vector.iter().map(|v| (v * largest.signum()) as f32));
    }
    Ok(basis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvectors_come_largest_first_and_with_their_largest_component_positive() {
        // 3 u u^T + v v^T with u = (0.8, -0.6), v = (0.6, 0.8).
        let basis = leading_eigenvectors(&[2.28, -0.96, -0.96, 1.72], 2, 2).unwrap();
        for (found, expected) in basis.iter().zip([0.8, -0.6, 0.6, 0.8]) {
            assert!((found - expected).abs() < 1e-7, "{basis:?}");
        }

        let side = 7;
        let entry = |i: usize, j: usize| ((i.min(j) * 5 + i.max(j) * 3) % 11) as f64 - 4.0;
        let matrix: Vec<f64> = (0..side * side).map(|at| entry(at / side, at % side)).collect();
        let basis = leading_eigenvectors(&matrix, side, side).unwrap();
        let mut last = f64::INFINITY;
        for vector in basis.chunks_exact(side) {
            let vector: Vec<f64> = vector.iter().map(|&v| f64::from(v)).collect();
            let dot = |a: &[f64]| a.iter().zip(&vector).map(|(a, v)| a * v).sum::<f64>();
            let image: Vec<f64> = matrix.chunks_exact(side).map(dot).collect();
            let eigenvalue = dot(&image);
            for (image, v) in image.iter().zip(&vector) {
                assert!((image - eigenvalue * v).abs() < 1e-5);
            }
            assert!((dot(&vector) - 1.0).abs() < 1e-6 && eigenvalue <= last);
            last = eigenvalue;
            let largest = vector.iter().copied().fold(0.0, |l: f64, v| l.max(v.abs()));
            assert!(vector.contains(&largest), "{vector:?}");
        }
    }
}
