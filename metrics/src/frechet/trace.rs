use std::borrow::Cow;

use prismbench_kernels::dots::{Part, Vectors, add_products};

use super::FeatureSet;
use crate::features::{Features, slice};
use crate::moments::{mean, too_few};
use crate::symmetric::{eigenvalues, nuclear_norm, square_root};
use crate::{MetricError, Moments};

/// A set in the form in which its part of the distance is computed.
pub(super) enum Side<'a> {
    /// No more samples than columns: the centred features over `sqrt(n - 1)`, by rows.
    Rows {
        mean: Vec<f64>,
        rows: Vec<f64>,
    },
    Moments(Cow<'a, Moments>),
}

impl<'a> Side<'a> {
    pub(super) fn new(set: FeatureSet<'a>) -> Result<Self, MetricError> {
        match set {
            FeatureSet::Moments(moments) => Ok(Self::Moments(Cow::Borrowed(moments))),
            FeatureSet::Features(features) if features.rows() < 2 => Err(too_few(features.rows())),
            FeatureSet::Features(features) if features.rows() > features.columns() => {
                Ok(Self::Moments(Cow::Owned(Moments::of(features)?)))
            }
            FeatureSet::Features(features) => Self::centred(features),
        }
    }

    fn centred(features: &dyn Features) -> Result<Self, MetricError> {
        let mean = mean(features)?;
        let scale = 1.0 / ((features.rows() - 1) as f64).sqrt();
        let values = slice(features, 0, features.rows())?;
        let centred = |row: &[f32]| -> Vec<f64> {
            row.iter().zip(&mean).map(|(&value, mean)| (f64::from(value) - mean) * scale).collect()
        };
        let rows = values.chunks_exact(mean.len()).flat_map(centred).collect();
        Ok(Self::Rows { mean, rows })
    }

    pub(super) fn mean(&self) -> &[f64] {
        match self {
            Self::Rows { mean, .. } => mean,
            Self::Moments(moments) => moments.mean(),
        }
    }

    pub(super) fn trace(&self) -> f64 {
        match self {
            Self::Rows { rows, .. } => rows.iter().map(|value| value * value).sum(),
            Self::Moments(moments) => moments.trace(),
        }
    }
}

/// `Tr (S1 S2)^(1/2)`.
pub(super) fn of_root(first: &Side<'_>, second: &Side<'_>) -> Result<f64, MetricError> {
    match (first, second) {
        (Side::Rows { mean, rows: a }, Side::Rows { rows: b, .. }) => {
            let columns = mean.len();
            let (down, across) = (Vectors::of_rows(a, columns), Vectors::of_rows(b, columns));
            let mut products = vec![0.0; down.count() * across.count()];
            add_products(&down, &across, Part::Whole, &mut products);
            nuclear_norm(&products, down.count(), across.count())
        }
        (Side::Rows { rows, .. }, Side::Moments(moments))
        | (Side::Moments(moments), Side::Rows { rows, .. }) => {
            sum_of_roots(rows, moments.covariance(), moments.columns())
        }
        (Side::Moments(first), Side::Moments(second)) => {
            let kept = varying(first, second);
            if kept.is_empty() {
                return Ok(0.0);
            }
            let side = kept.len();
            let covariance = |moments| columns_of(moments, &kept);
            let factor = square_root(&covariance(first), side)?;
            sum_of_roots(&transpose(&factor, side), &covariance(second), side)
        }
    }
}

/// The sum of the roots of the eigenvalues of `A S A^T`; `A` by rows of `columns` values.
fn sum_of_roots(a: &[f64], covariance: &[f64], columns: usize) -> Result<f64, MetricError> {
    let rows = Vectors::of_rows(a, columns);
    let side = rows.count();
    let mut product = vec![0.0; side * columns];
    add_products(&rows, &Vectors::of_rows(covariance, columns), Part::Whole, &mut product);
    let mut symmetric = vec![0.0; side * side];
    add_products(&Vectors::of_rows(&product, columns), &rows, Part::Upper, &mut symmetric);
    for i in 0..side {
        for j in 0..i {
            symmetric[i * side + j] = symmetric[j * side + i];
        }
    }
    // Rounding makes some of those that are 0 negative.
    Ok(eigenvalues(&symmetric, side)?.iter().map(|value| value.max(0.0).sqrt()).sum())
}

/// The columns that vary in both sets. A column without variance has zeros in its row and column of
/// the covariance: what it adds to the eigenvalues of `S1 S2` is 0, but it would cost the Cholesky
/// factor.
fn varying(first: &Moments, second: &Moments) -> Vec<usize> {
    // Far below what one f32 among a million that is one unit off gives: rounding of the mean.
    let varies = |moments: &Moments, column: usize| {
        let variance = moments.covariance()[column * (moments.columns() + 1)];
        variance > 1e-22 * moments.mean()[column] * moments.mean()[column]
    };
    (0..first.columns()).filter(|&column| varies(first, column) && varies(second, column)).collect()
}

fn columns_of(moments: &Moments, kept: &[usize]) -> Vec<f64> {
    let columns = moments.columns();
    if kept.len() == columns {
        return moments.covariance().to_vec();
    }
    let row = |&i: &usize| kept.iter().map(move |&j| moments.covariance()[i * columns + j]);
    kept.iter().flat_map(row).collect()
}

fn transpose(matrix: &[f64], side: usize) -> Vec<f64> {
    (0..side * side).map(|at| matrix[at % side * side + at / side]).collect()
}
