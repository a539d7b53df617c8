//! From what layers would compute to what a tokenizer reports.

use prismbench_core::{StageCost, TokenizerError};
use prismbench_kernels::nn::{MapShape, Maps, NnError, Work, count};

use crate::error::layer;

/// A picture of these sides.
pub(crate) fn picture(height: usize, width: usize) -> MapShape {
    MapShape { images: 1, height, width, channels: 3 }
}

/// What a part with so many learned numbers does with maps of this shape, and the shape of what it
/// gives.
///
/// # Errors
/// What the part fails with.
pub(crate) fn counted(
    parameters: u64,
    shape: MapShape,
    part: impl FnOnce(Maps) -> Result<Maps, NnError>,
) -> Result<(StageCost, MapShape), TokenizerError> {
    let (work, shape) = count(shape, part).map_err(layer)?;
    Ok((stage(work, parameters), shape))
}

/// The same without the shape.
pub(crate) fn stage(work: Work, parameters: u64) -> StageCost {
    let Work { convolution, linear, attention, rest, weights, values } = work;
    StageCost { parameters, convolution, linear, attention, rest, weights, values }
}

/// A fixed or fitted map of the pixels of each position to numbers of it, by a matrix.
pub(crate) fn matrix(positions: usize, inputs: usize, outputs: usize) -> StageCost {
    let weights = (inputs * outputs) as u64;
    let values = (positions * (inputs + outputs)) as u64;
    StageCost { linear: positions as u64 * weights, weights, values, ..StageCost::default() }
}
