//! Weights that tests make themselves.

use std::path::{Path, PathBuf};

use prismbench_metrics::Inception;
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};

use crate::recipe;

/// Inception with generated weights.
pub(crate) fn inception(folder: &Path) -> PathBuf {
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Inception::tensors()
        .iter()
        .map(|tensor| {
            let values = recipe::tensor(tensor.name(), tensor.shape());
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (tensor.name().to_owned(), tensor.shape().to_vec(), bytes)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let path = folder.join("inception.safetensors");
    serialize_to_file(views, None, &path).unwrap();
    path
}
