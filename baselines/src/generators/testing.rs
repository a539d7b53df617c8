//! What the tests of the generators share: networks with weights that `tests/oracle/generators.py`
//! makes too.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use prismbench_weights::WeightsFile;
use rayon::prelude::*;

use super::config::{Config, Options, StackConfig};
use super::network::Network;
use crate::checksum::Checksum;
use crate::recipe;
use crate::vit::Scope;

/// The network of the reference's figures, without its head and with it.
pub(super) const LIGHTNING: Config = Config {
    channels: 6,
    side: 4,
    classes: 10,
    frequencies: 256,
    encoder: StackConfig::new(16, 2, 2),
    head: None,
    options: Options::PUBLISHED,
};
pub(super) const TINY: Config = Config { head: Some(StackConfig::new(32, 2, 2)), ..LIGHTNING };

/// Weights by name and shape.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fill {
    /// Sines of the index.
    ClosedForm,
    /// Those of `recipe.rs`, rounded to f16; modulations are a quarter of them.
    Generated,
}

impl Fill {
    fn tensor(self, name: &str, shape: &[usize]) -> Tensor {
        match self {
            Self::ClosedForm => {
                Tensor::from_vec(closed_form(name, shape), shape, &Device::Cpu).unwrap()
            }
            Self::Generated => {
                let mut values = recipe::tensor(name, shape);
                if name.contains("adaLN_modulation") {
                    values.iter_mut().for_each(|value| *value /= 4.0);
                }
                let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
                tensor.to_dtype(DType::F16).unwrap()
            }
        }
    }
}

fn closed_form(name: &str, shape: &[usize]) -> Vec<f32> {
    let seed: u64 = name.chars().zip(1..).map(|(character, place)| place * character as u64).sum();
    let phase = 0.11 * (seed % 1000) as f64;
    let is_norm = ["norm1.weight", "norm2.weight", "norm_final.weight", "_norm.weight"]
        .iter()
        .any(|end| name.ends_with(end));
    let value = |index: usize| {
        let v = libm::sin(0.37 * index as f64 + phase);
        match shape {
            _ if is_norm => 1.0 + 0.1 * v,
            [_, inputs, ..] if !name.contains("embedding_table") => v / (*inputs as f64).sqrt(),
            _ if name == "t_embedder.W" => v,
            _ => 0.1 * v,
        }
    };
    (0..shape.iter().product()).map(|index| value(index) as f32).collect()
}

/// How rotary embeddings count positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Places {
    /// By row and column.
    Grid,
    /// One after the other.
    Sequence,
}

/// Cosines and sines `[side^2, width]`, in the order of the names.
fn rotary(side: usize, width: usize, places: Places) -> [Vec<f32>; 2] {
    let angle = |index: usize| {
        let (token, channel) = (index / width, index % width);
        let (place, channel, all) = match places {
            Places::Sequence => (token, channel, width),
            Places::Grid if channel < width / 2 => (token / side, channel, width / 2),
            Places::Grid => (token % side, channel - width / 2, width / 2),
        };
        place as f64 * libm::pow(10_000.0, -((channel / 2 * 2) as f64) / all as f64)
    };
    let table = |function: fn(f64) -> f64| {
        (0..side * side * width).map(|index| function(angle(index)) as f32).collect()
    };
    [table(libm::cos), table(libm::sin)]
}

/// Fixed embeddings `[1, side^2, width]`: columns in the first half, rows in the second.
fn positions(side: usize, width: usize) -> Vec<f32> {
    let quarter = width / 4;
    let value = |index: usize| {
        let (token, channel) = (index / width, index % width);
        let place = if channel < width / 2 { token % side } else { token / side };
        let rate = libm::pow(10_000.0, -((channel % quarter) as f64) / quarter as f64);
        let angle = place as f64 * rate;
        (if (channel / quarter).is_multiple_of(2) { libm::sin(angle) } else { libm::cos(angle) })
            as f32
    };
    (0..side * side * width).map(value).collect()
}

/// All tensors of a network's file.
pub(super) fn tensors(config: &Config, fill: Fill, places: Places) -> HashMap<String, Tensor> {
    let expected = config.expected(&Scope::new(&[""]));
    let tensor = |name: &str, shape: &[usize]| {
        let table = |values| Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
        let [cos, sin] = match shape {
            &[_, width] if name.contains("_rope.") => rotary(config.side, width, places),
            _ => [vec![], vec![]],
        };
        match name {
            "pos_embed" => table(positions(config.side, config.encoder.width)),
            _ if name.ends_with("freqs_cos") => table(cos),
            _ if name.ends_with("freqs_sin") => table(sin),
            _ => fill.tensor(name, shape),
        }
    };
    let named = expected
        .par_iter()
        .map(|expected| (expected.name().to_owned(), tensor(expected.name(), expected.shape())));
    named.collect()
}

pub(super) fn load(path: &Path, config: &Config) -> Network {
    let file = WeightsFile::open(path, "").unwrap();
    Network::load(*config, file, &Scope::new(&[""]), &Device::Cpu).unwrap()
}

/// A network from a file of all its tensors.
pub(super) fn network_of(config: &Config, tensors: HashMap<String, Tensor>) -> Network {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    candle_core::safetensors::save(&tensors, &path).unwrap();
    drop(tensors);
    load(&path, config)
}

pub(super) fn network(config: &Config, fill: Fill) -> Network {
    network_of(config, tensors(config, fill, Places::Grid))
}

/// The latents of the reference's figures, `[2, 6, 4, 4]`.
pub(super) fn latents() -> Tensor {
    let values: Vec<f32> = (0..192).map(|j| libm::cos(0.13 * f64::from(j)) as f32).collect();
    Tensor::from_vec(values, (2, 6, 4, 4), &Device::Cpu).unwrap()
}

pub(super) fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// A golden file of `tests/oracle/generators.py`.
pub(super) fn golden(name: &str) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/golden/generators")
        .join(name)
        .with_extension("json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub(super) fn checksum(value: &serde_json::Value) -> Checksum {
    serde_json::from_value(value.clone()).unwrap()
}
