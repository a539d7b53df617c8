//! Files of generated weights: the recipe of `tests/oracle/recipe.py`, rounded to f16.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use safetensors::View;
use serde_json::{Map, json};

use crate::recipe;

/// A tensor of a file: what it is called there, the name or names that the recipe is given, and its
/// shape.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) name: String,
    pub(crate) recipe: String,
    pub(crate) shape: Vec<usize>,
}

pub(crate) fn planned(name: impl Into<String>, shape: impl Into<Vec<usize>>) -> Planned {
    let name = name.into();
    Planned { recipe: name.clone(), name, shape: shape.into() }
}

/// Before the name of a tensor whose values are a 1024th of what the recipe makes.
pub(crate) const FAINT: &str = "faint ";
/// And of one whose values are a quarter.
const QUARTER: &str = "quarter ";

impl Planned {
    /// The values that the tensor has in the oracle, rounded to f16.
    pub(crate) fn tensor(&self) -> Tensor {
        let values = match self.recipe.as_str() {
            "encoder_mean" => vec![0.485, 0.456, 0.406],
            "encoder_std" => vec![0.229, 0.224, 0.225],
            "half" => vec![0.5; 3],
            // As numbers without neighbours: the oracle asks for them in one row.
            name @ ("_latents_mean" | "_latents_std") => {
                let values = recipe::tensor(name, &[self.shape.iter().product()]);
                let tensor = Tensor::new(values, &Device::Cpu).unwrap();
                let rounded = tensor.to_dtype(DType::F16).unwrap().to_dtype(DType::F32).unwrap();
                let add = if name == "_latents_std" { 1.0 } else { 0.0 };
                (rounded + add).unwrap().to_vec1().unwrap()
            }
            "variance" => {
                let Self { shape, .. } = self;
                let std = Self { recipe: "_latents_std".to_owned(), ..planned("", shape.clone()) };
                return (std.tensor().sqr().unwrap() - 1e-5).unwrap();
            }
            "mae positions" => mae_positions(self.shape[2], (self.shape[1] - 1).isqrt()),
            // Without the row of the class token.
            "grid positions" => {
                mae_positions(self.shape[2], self.shape[1].isqrt()).split_off(self.shape[2])
            }
            "rotary cos" => rotary(&self.shape, f64::cos),
            "rotary sin" => rotary(&self.shape, f64::sin),
            // Several tensors, one below the other.
            names if names.contains('+') => {
                let count = names.split('+').count();
                let mut shape = self.shape.clone();
                shape[0] /= count;
                let parts = names.split('+').map(|name| planned(name, shape.clone()).tensor());
                return Tensor::cat(&parts.collect::<Vec<_>>(), 0).unwrap();
            }
            small if small.starts_with(FAINT) || small.starts_with(QUARTER) => {
                let (part, name) = match small.strip_prefix(FAINT) {
                    Some(name) => (1024.0, name),
                    None => (4.0, &small[QUARTER.len()..]),
                };
                let values = recipe::tensor(name, &self.shape);
                let values: Vec<f32> = values.into_iter().map(|x| x / part).collect();
                let tensor = Tensor::from_vec(values, &*self.shape, &Device::Cpu).unwrap();
                return tensor.to_dtype(DType::F16).unwrap();
            }
            name => {
                let values = recipe::tensor(name, &self.shape);
                let tensor = Tensor::from_vec(values, &*self.shape, &Device::Cpu).unwrap();
                return tensor.to_dtype(DType::F16).unwrap();
            }
        };
        Tensor::from_vec(values, &*self.shape, &Device::Cpu).unwrap()
    }

    fn is_exact(&self) -> bool {
        matches!(
            self.recipe.as_str(),
            "encoder_mean"
                | "encoder_std"
                | "half"
                | "_latents_mean"
                | "_latents_std"
                | "variance"
                | "mae positions"
                | "grid positions"
                | "rotary cos"
                | "rotary sin"
        )
    }
}

/// MAE's fixed positions by their definition.
fn mae_positions(width: usize, side: usize) -> Vec<f32> {
    let value = |index: usize| {
        let (token, channel) = (index / width, index % width);
        let Some(patch) = token.checked_sub(1) else { return 0.0 };
        let quarter = width / 4;
        let place = if channel < width / 2 { patch % side } else { patch / side };
        let rate = 10_000_f64.powf((channel % quarter) as f64 / -(quarter as f64));
        let angle = place as f64 * rate;
        (if (channel / quarter).is_multiple_of(2) { angle.sin() } else { angle.cos() }) as f32
    };
    (0..width * (side * side + 1)).map(value).collect()
}

/// Cosines or sines of rotary embeddings for a square grid of positions: rows in the first half, columns
/// in the second, each angle twice.
fn rotary(shape: &[usize], function: fn(f64) -> f64) -> Vec<f32> {
    let &[positions, width] = shape else { panic!("{shape:?} is no table of angles") };
    let (side, half) = (positions.isqrt(), width / 2);
    let value = |index: usize| {
        let (position, channel) = (index / width, index % width);
        let place = if channel < half { position / side } else { position % side };
        let rate = 10_000_f64.powf((channel % half / 2 * 2) as f64 / -(half as f64));
        function(place as f64 * rate) as f32
    };
    (0..positions * width).map(value).collect()
}

/// Writes safetensors, a few tensors at a time: the largest file here has half a billion numbers.
pub(crate) fn write(path: &Path, tensors: &[Planned]) {
    let mut header = Map::new();
    let mut end = 0;
    for tensor in tensors {
        let (dtype, size) = if tensor.is_exact() { ("F32", 4) } else { ("F16", 2) };
        let start = end;
        end += size * tensor.shape.iter().product::<usize>();
        let info = json!({"dtype": dtype, "shape": tensor.shape, "data_offsets": [start, end]});
        let twice = header.insert(tensor.name.clone(), info);
        assert!(twice.is_none(), "{} is there twice", tensor.name);
    }
    let mut header = serde_json::to_vec(&header).unwrap();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = BufWriter::new(File::create(path).unwrap());
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(&header).unwrap();
    for few in tensors.chunks(16) {
        let tensors: Vec<Tensor> = few.par_iter().map(Planned::tensor).collect();
        tensors.iter().for_each(|tensor| file.write_all(&tensor.data()).unwrap());
    }
    file.flush().unwrap();
}
