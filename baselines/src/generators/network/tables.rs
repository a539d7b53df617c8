use std::path::Path;

use prismbench_core::TokenizerError;
use prismbench_kernels::nn::Rotary;
use prismbench_weights::Tensors;

use crate::error::layer;
use crate::generators::expected::TABLES;
use crate::vit::Scope;

/// Largest distance of `cos^2 + sin^2` from 1: tables that were once in bf16 are off by 0.01.
const TOLERANCE: f32 = 0.02;

/// The cosines and sines of a file, as they are there.
///
/// The reference loads these buffers over those that it computes, so a network was sampled with
/// what its file has: rounded by a conversion, say, or of the one-dimensional positions that UAE has
/// under the same names. What is not a cosine and a sine of one angle is refused.
pub(super) fn take(
    scope: &Scope,
    name: &str,
    path: &Path,
    tensors: &mut Tensors,
) -> Result<Rotary, TokenizerError> {
    let scope = scope.under(&[name]);
    let [cos, sin] = TABLES;
    let (cos, sin) = (scope.take(&[cos], tensors)?, scope.take(&[sin], tensors)?);
    let radius = (cos.sqr()? + sin.sqr()?)?;
    let error = (radius - 1.0)?.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
    // Tensors of a file are finite; their squares need not be.
    if !matches!(error, 0.0..=TOLERANCE) {
        let problems = vec![format!(
            "`{name}{}` and `{name}{}` are not cosines and sines of the same angles",
            TABLES[0], TABLES[1]
        )];
        return Err(TokenizerError::WeightsMismatch { path: path.to_owned(), problems });
    }
    Rotary::new(&cos, &sin).map_err(layer)
}
