//! Matrix factorisations in f64, on one thread: their last bits depend on how the work is divided.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::cholesky::llt::solve::{solve_in_place, solve_in_place_scratch};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::{Mat, MatRef, Par};
use rayon::prelude::*;

use crate::MetricError;

#[cfg(not(feature = "lapack"))]
pub(crate) use self::by_faer as eigenvalues;

#[cfg(feature = "lapack")]
pub(crate) use crate::lapack::eigenvalues;

/// Eigenvalues of a symmetric matrix, `side x side`, from small to large.
#[cfg(any(test, not(feature = "lapack")))]
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

/// Eigenvalues of a symmetric matrix, `side x side`, from small to large, and their eigenvectors, one
/// after the other.
pub(crate) fn eigenvectors(
    symmetric: &[f64],
    side: usize,
) -> Result<(Vec<f64>, Vec<f64>), MetricError> {
    let (values, vectors) = decompose(symmetric, side)?;
    Ok((values, vectors.col_iter().flat_map(|vector| vector.iter().copied()).collect()))
}

fn decompose(symmetric: &[f64], side: usize) -> Result<(Vec<f64>, Mat<f64>), MetricError> {
    let (mut values, mut vectors) = (Diag::<f64>::zeros(side), Mat::<f64>::zeros(side, side));
    let (compute, par) = (ComputeEigenvectors::Yes, Par::Seq);
    let mut memory =
        MemBuffer::new(self_adjoint_evd_scratch::<f64>(side, compute, par, Default::default()));
    let stack = MemStack::new(&mut memory);
    let matrix = MatRef::from_row_major_slice(symmetric, side, side);
    let found = Some(vectors.as_mut());
    self_adjoint_evd(matrix, values.as_mut(), found, par, stack, Default::default())
        .map_err(|_| MetricError::NoConvergence { side })?;
    Ok((values.column_vector().iter().copied().collect(), vectors))
}

/// `F` with `F F^T` the given positive semidefinite matrix; by rows.
///
/// The Cholesky factor where there is one, otherwise `V L^(1/2)` of the eigenvectors `V`, with
/// eigenvalues that rounding made negative taken as 0.
pub(crate) fn square_root(matrix: &[f64], side: usize) -> Result<Vec<f64>, MetricError> {
    if let Some(factor) = cholesky(matrix, side) {
        return Ok(factor);
    }
    let (values, vectors) = decompose(matrix, side)?;
    let roots: Vec<f64> = values.iter().map(|value| value.max(0.0).sqrt()).collect();
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

/// Columns of the right side that are solved for together, so that threads decide nothing.
const COLUMNS: usize = 64;

/// `X` with `M X = R` for a positive definite `M`, `side x side`, and a right side of `side` rows; by
/// rows. `None` when the matrix is not positive definite.
pub(crate) fn solve_definite(matrix: &[f64], side: usize, right: &[f64]) -> Option<Vec<f64>> {
    let factor = cholesky(matrix, side)?;
    let factor = MatRef::from_row_major_slice(&factor, side, side).to_owned();
    let columns = right.len().checked_div(side).unwrap_or(0);
    let right = MatRef::from_row_major_slice(right, side, columns);
    let solve = |first: usize| {
        let count = COLUMNS.min(columns - first);
        let mut part = right.subcols(first, count).to_owned();
        let scratch = solve_in_place_scratch::<f64>(side, count, Par::Seq);
        let mut memory = MemBuffer::new(scratch);
        solve_in_place(factor.as_ref(), part.as_mut(), Par::Seq, MemStack::new(&mut memory));
        part
    };
    let firsts: Vec<usize> = (0..columns).step_by(COLUMNS).collect();
    let parts: Vec<Mat<f64>> = firsts.into_par_iter().map(solve).collect();
    let mut solution = Vec::with_capacity(side * columns);
    for row in 0..side {
        solution.extend(parts.iter().flat_map(|part| part.row(row).iter().copied()));
    }
    Some(solution)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// `A A^T` of a generated `side x rank` matrix.
    pub(crate) fn semidefinite(side: usize, rank: usize) -> Vec<f64> {
        let entry = |i: usize, k: usize| ((i * 7919 + k * 104_729) % 1009) as f64 / 1009.0 - 0.5;
        let product =
            |at: usize| (0..rank).map(|k| entry(at / side, k) * entry(at % side, k)).sum();
        (0..side * side).map(product).collect()
    }

    #[test]
    fn eigenvalues_ascend_and_have_the_trace_and_the_squares_of_the_matrix() {
        for (side, rank) in [(1, 1), (2, 2), (33, 40), (90, 20)] {
            let matrix = semidefinite(side, rank);
            let values = by_faer(&matrix, side).unwrap();
            assert!(values.is_sorted() && values.len() == side);
            let trace: f64 = matrix.iter().step_by(side + 1).sum();
            let squares: f64 = matrix.iter().map(|v| v * v).sum();
            assert!((values.iter().sum::<f64>() - trace).abs() < 1e-12 * trace);
            assert!((values.iter().map(|v| v * v).sum::<f64>() - squares).abs() < 1e-12 * squares);
        }
    }

    #[test]
    fn eigenvectors_are_orthonormal_and_give_the_matrix_back() {
        for (side, rank) in [(1, 1), (30, 40), (50, 9)] {
            let matrix = semidefinite(side, rank);
            let (values, vectors) = eigenvectors(&matrix, side).unwrap();
            for i in 0..side {
                for j in 0..side {
                    let (mut product, mut found) = (0.0, 0.0);
                    for k in 0..side {
                        product += vectors[i * side + k] * vectors[j * side + k];
                        found += values[k] * vectors[k * side + i] * vectors[k * side + j];
                    }
                    assert!((product - f64::from(u8::from(i == j))).abs() < 1e-12);
                    assert!((found - matrix[i * side + j]).abs() < 1e-12, "{side} {rank}");
                }
            }
        }
    }

    #[test]
    fn a_square_root_is_one_with_and_without_full_rank() {
        for (side, rank) in [(3, 3), (40, 60), (40, 7), (2, 0)] {
            let matrix = semidefinite(side, rank);
            let factor = square_root(&matrix, side).unwrap();
            for (at, expected) in matrix.iter().enumerate() {
                let (i, j) = (at / side * side, at % side * side);
                let found: f64 = (0..side).map(|k| factor[i + k] * factor[j + k]).sum();
                assert!((found - expected).abs() < 1e-12, "{side} {rank}: {found} {expected}");
            }
        }
    }

    #[test]
    fn a_solution_solves_and_a_matrix_without_full_rank_has_none() {
        for (side, columns) in [(1, 1), (7, 3), (40, 150)] {
            let mut matrix = semidefinite(side, side + 5);
            matrix.iter_mut().step_by(side + 1).for_each(|value| *value += 0.5);
            let right: Vec<f64> = (0..side * columns).map(|at| (at % 97) as f64 - 48.0).collect();
            let found = solve_definite(&matrix, side, &right).unwrap();
            for (at, expected) in right.iter().enumerate() {
                let (i, j) = (at / columns, at % columns);
                let product: f64 =
                    (0..side).map(|k| matrix[i * side + k] * found[k * columns + j]).sum();
                // Residuals are of rounding alone; right sides reach 48, solutions 1e2.
                assert!((product - expected).abs() < 1e-11, "{side}: {product} {expected}");
            }
        }
        assert_eq!(solve_definite(&[1.0, 2.0, 2.0, 1.0], 2, &[1.0, 1.0]), None);
    }

    #[test]
    fn singular_values_sum_to_the_nuclear_norm() {
        // diag(3, 4) turned: singular values 3 and 4; and a rectangle with one of 5.
        let (c, s) = (0.6, 0.8);
        let turned = [3.0 * c, -4.0 * s, 3.0 * s, 4.0 * c];
        assert!((nuclear_norm(&turned, 2, 2).unwrap() - 7.0).abs() < 1e-12);
        assert!((nuclear_norm(&[3.0, 0.0, 4.0], 1, 3).unwrap() - 5.0).abs() < 1e-12);
        assert!((nuclear_norm(&[3.0, 0.0, 4.0], 3, 1).unwrap() - 5.0).abs() < 1e-12);
    }

    #[cfg(feature = "lapack")]
    #[test]
    fn lapack_and_faer_find_the_same_eigenvalues() {
        for (side, rank) in [(1, 1), (2, 1), (50, 80), (150, 30), (300, 400)] {
            let matrix = semidefinite(side, rank);
            let (faer, lapack) =
                (by_faer(&matrix, side).unwrap(), eigenvalues(&matrix, side).unwrap());
            let largest = faer[side - 1];
            for (a, b) in faer.iter().zip(&lapack) {
                // Both are backward stable: some units of the largest eigenvalue, side by side.
                assert!((a - b).abs() < 1e-12 * largest, "{side}: {a} {b}");
            }
        }
    }
}
