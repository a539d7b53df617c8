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

#[cfg(test)]
pub(crate) mod testing {
    //! Networks whose numbers are all zero, of one and of two blocks: deep ones cost that and so many
    //! blocks more.

    use std::collections::HashMap;
    use std::path::PathBuf;

    use candle_core::{DType, Device, Tensor};
    use prismbench_weights::{Expected, Tensors, WeightsFile};
    use tempfile::TempDir;

    use super::StageCost;

    /// A file of zeros, which lives as long as its folder.
    pub(crate) fn written(expected: &[Expected]) -> (TempDir, PathBuf) {
        let zeros = |tensor: &Expected| {
            let values = Tensor::zeros(tensor.shape(), DType::F32, &Device::Cpu).unwrap();
            (tensor.name().to_owned(), values)
        };
        let tensors: HashMap<_, _> = expected.iter().map(zeros).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        candle_core::safetensors::save(&tensors, &path).unwrap();
        (folder, path)
    }

    pub(crate) fn zeros(expected: &[Expected]) -> Tensors {
        let (_folder, path) = written(expected);
        let file = WeightsFile::open(&path, "").unwrap();
        file.tensors(expected, &[], &Device::Cpu).unwrap()
    }

    /// What `depth` blocks cost, by `of` one and of two.
    pub(crate) fn at_depth(depth: u64, of: impl Fn(usize) -> StageCost) -> StageCost {
        let [one, two] = [of(1), of(2)];
        let grown =
            |field: fn(&StageCost) -> u64| field(&one) + (depth - 1) * (field(&two) - field(&one));
        StageCost {
            parameters: grown(|cost| cost.parameters),
            convolution: grown(|cost| cost.convolution),
            linear: grown(|cost| cost.linear),
            attention: grown(|cost| cost.attention),
            rest: grown(|cost| cost.rest),
            weights: grown(|cost| cost.weights),
            values: grown(|cost| cost.values),
        }
    }

    /// Billions, to the digits of the table.
    pub(crate) fn giga(count: u64) -> String {
        format!("{:.2}", count as f64 / 1e9)
    }

    /// What fvcore counts of a part of a model: parameters, convolutions, linear layers, attention.
    pub(crate) fn fvcore(model: &str, side: usize, part: &str) -> [u64; 4] {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/cost/fvcore.json");
        let rows: Vec<serde_json::Value> =
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let is = |row: &&serde_json::Value| row["model"] == model && row["side"] == side;
        let row = rows.iter().find(is).unwrap_or_else(|| panic!("no {model} at {side}"));
        ["parameters", "convolution", "linear", "attention"]
            .map(|kind| row[part][kind].as_u64().unwrap())
    }

    pub(crate) fn parts(cost: &StageCost) -> [u64; 4] {
        [cost.parameters, cost.convolution, cost.linear, cost.attention]
    }
}
