use ndarray::ArrayView2;
use ndarray_linalg::{EigValsh, UPLO};

use crate::MetricError;

/// Eigenvalues of a symmetric matrix, `side x side`, from small to large, by LAPACK's `dsyev`.
///
/// They equal faer's within rounding, not to the bit; OpenBLAS divides its work among its threads
/// (`OPENBLAS_NUM_THREADS`), so their number may decide the last bits.
pub(crate) fn eigenvalues(symmetric: &[f64], side: usize) -> Result<Vec<f64>, MetricError> {
    let matrix = ArrayView2::from_shape((side, side), symmetric).map_err(|_| {
        let expected = format!("a {side}x{side} matrix");
        MetricError::Shape { expected, found: symmetric.len() }
    })?;
    let values = matrix.eigvalsh(UPLO::Lower).map_err(|_| MetricError::NoConvergence { side })?;
    Ok(values.to_vec())
}
