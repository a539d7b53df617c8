//! Matrix factorisations in f64, on one thread: their last bits depend on how the work is divided.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::{Mat, MatRef, Par};

use crate::MetricError;

/// Eigenvalues of a symmetric matrix, `side x side`, from small to large.
pub(crate) fn eigenvalues(symmetric: &[f64], side: usize) -> Result<Vec<f64>, MetricError> {
    by_faer(symmetric, side)
}

/// [`eigenvalues`] without a system library.
pub(crate) fn by_faer(symmetric: &[f64], side: usize) -> Result<Vec<f64>, MetricError> {
    let mut values = Diag::<f64>::zeros(side);
    let (compute, par) = (ComputeEigenvectors::No, Par::Seq);
    let mut memory =
        MemBuffer::new(self_adjoint_evd_scratch::<f64>(side, compute, par, Default::default()));
    let stack = MemStack::new(&mut memory);
    let matrix = MatRef::from_row_major_slice(symmetric, side, side);
    self_adjoint_evd(matrix, values.as_mut(), None, par, stack, Default::default())
        .map_err(|_| MetricError::NoConvergence { side })?;
    Ok(values.column_vector().iter().copied().collect())
}

/// `F` with `F F^T` the given positive semidefinite matrix; by rows.
///
/// The Cholesky factor where there is one, otherwise `V L^(1/2)` of the eigenvectors `V`, with
/// eigenvalues that rounding made negative taken as 0.
pub(crate) fn square_root(matrix: &[f64], side: usize) -> Result<Vec<f64>, MetricError> {
    if let Some(factor) = cholesky(matrix, side) {
        return Ok(factor);
    }
    let (mut values, mut vectors) = (Diag::<f64>::zeros(side), Mat::<f64>::zeros(side, side));
    let (compute, par) = (ComputeEigenvectors::Yes, Par::Seq);
    let mut memory =
        MemBuffer::new(self_adjoint_evd_scratch::<f64>(side, compute, par, Default::default()));
    let stack = MemStack::new(&mut memory);
    let matrix = MatRef::from_row_major_slice(matrix, side, side);
    let found = Some(vectors.as_mut());
    self_adjoint_evd(matrix, values.as_mut(), found, par, stack, Default::default())
        .map_err(|_| MetricError::NoConvergence { side })?;
    let roots: Vec<f64> =
        values.column_vector().iter().map(|value| value.max(0.0).sqrt()).collect();
    let mut factor = Vec::with_capacity(side * side);
    for row in 0..side {
        factor.extend(vectors.row(row).iter().zip(&roots).map(|(entry, root)| entry * root));
    }
    Ok(factor)
}

/// The lower triangular factor by rows; `None` when the matrix is not positive definite.
fn cholesky(matrix: &[f64], side: usize) -> Option<Vec<f64>> {
    let mut factor = MatRef::from_row_major_slice(matrix, side, side).to_owned();
    let mut memory =
        MemBuffer::new(cholesky_in_place_scratch::<f64>(side, Par::Seq, Default::default()));
    let stack = MemStack::new(&mut memory);
    let regular = Default::default();
    cholesky_in_place(factor.as_mut(), regular, Par::Seq, stack, Default::default()).ok()?;
    let mut rows = vec![0.0; side * side];
    for (i, row) in rows.chunks_exact_mut(side).enumerate() {
        for (j, value) in row[..=i].iter_mut().enumerate() {
            *value = factor[(i, j)];
        }
    }
    Some(rows)
}

/// The sum of the singular values of a matrix given by rows.
pub(crate) fn nuclear_norm(
    matrix: &[f64],
    rows: usize,
    columns: usize,
) -> Result<f64, MetricError> {
    let (side, par, none) = (rows.min(columns), Par::Seq, ComputeSvdVectors::No);
    let mut values = Diag::<f64>::zeros(side);
    let mut memory =
        MemBuffer::new(svd_scratch::<f64>(rows, columns, none, none, par, Default::default()));
    let stack = MemStack::new(&mut memory);
    let matrix = MatRef::from_row_major_slice(matrix, rows, columns);
    svd(matrix, values.as_mut(), None, None, par, stack, Default::default())
        .map_err(|_| MetricError::NoConvergence { side })?;
    Ok(values.column_vector().iter().sum())
}
