//! Weights by the recipe of `tests/oracle/`, as files.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use candle_core::{Device, Tensor};
use serde::de::DeserializeOwned;

use crate::{golden, recipe};

/// The name that the recipe takes, the name in the file, the shape in the file.
pub(crate) type Row = (String, String, Vec<usize>);

/// A golden file of JSON.
pub(crate) fn json<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&fs::read(golden::path(name)).unwrap()).unwrap()
}

/// Writes tensors, each changed by `change` after the recipe.
pub(crate) fn write(path: &Path, rows: &[Row], change: impl Fn(&str, &mut [f32])) {
    let tensors: HashMap<String, Tensor> = rows
        .iter()
        .map(|(name, stored, shape)| {
            let mut values = recipe::tensor(name, shape);
            change(name, &mut values);
            (stored.clone(), Tensor::from_vec(values, shape.as_slice(), &Device::Cpu).unwrap())
        })
        .collect();
    candle_core::safetensors::save(&tensors, path).unwrap();
}

/// The weights of `sd-vae` in diffusers' layout, of `flux-vae` in its native one, 335 MB each: made
/// once for all tests, in a place that the next run overwrites.
pub(crate) fn autoencoder_kl(model: &'static str) -> PathBuf {
    static FILES: [OnceLock<PathBuf>; 2] = [OnceLock::new(), OnceLock::new()];
    let (place, last, channels) = match model {
        "sd-vae" => (0, "quant_conv.bias", 4),
        _ => (1, "encoder.conv_out.bias", 16),
    };
    let write = || {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("autoencoder_kl");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{model}.safetensors"));
        let rows: HashMap<String, Vec<Row>> = json("autoencoder_kl/tensors.json");
        write(&path, &rows[model], |name, values| {
            if name == last {
                values[channels] = -30.0;
                values[channels + 1] = 20.0;
            }
        });
        path
    };
    FILES[place].get_or_init(write).clone()
}
