//! Generated weights as files.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use candle_core::{Device, Tensor, safetensors};
use prismbench_core::{Choice as _, LpipsTrunk};
use prismbench_metrics::{Inception, Lpips};
use prismbench_weights::Expected;

use crate::recipe;

pub(crate) fn write(path: &Path, expected: &[Expected]) {
    let tensors: HashMap<String, Tensor> = expected
        .iter()
        .map(|tensor| {
            let values = recipe::tensor(tensor.name(), tensor.shape());
            let tensor_of = Tensor::from_vec(values, tensor.shape(), &Device::Cpu).unwrap();
            (tensor.name().to_owned(), tensor_of)
        })
        .collect();
    safetensors::save(&tensors, path).unwrap();
}

/// A folder with `inception.safetensors`, `alex.safetensors`, `vgg.safetensors` and
/// `squeeze.safetensors`, made once for all tests, in a place that the next run overwrites: nothing drops
/// what is static.
pub(crate) fn generated(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("networks");
        fs::create_dir_all(&folder).unwrap();
        write_all(&folder);
        folder
    });
    folder.join(name)
}

fn write_all(folder: &Path) {
    write(&folder.join("inception.safetensors"), &Inception::tensors());
    for &trunk in LpipsTrunk::ALL {
        write(&folder.join(format!("{trunk}.safetensors")), &Lpips::tensors(trunk));
    }
}

/// `PRISMBENCH_GENERATED=FOLDER cargo test --release --workspace --test networks -- --ignored
/// the_generated_weights_are_written` writes the same files as `generated_weights.py FOLDER`.
#[test]
#[ignore = "writes 170 MB to the folder that PRISMBENCH_GENERATED names"]
fn the_generated_weights_are_written() {
    let folder = PathBuf::from(std::env::var_os("PRISMBENCH_GENERATED").unwrap());
    std::fs::create_dir_all(&folder).unwrap();
    write_all(&folder);
}

#[test]
fn the_recipe_is_that_of_the_oracle() {
    for (name, shape, first, sum) in
        crate::sample::golden::<Vec<(String, Vec<usize>, f32, f64)>>("networks/recipe.json")
    {
        let values = recipe::tensor(&name, &shape);
        assert_eq!(values[0].to_bits(), first.to_bits(), "{name}");
        let found: f64 = values.iter().map(|&value| f64::from(value).abs()).sum();
        assert!((found - sum).abs() < 1e-9 * sum, "{name}: {found}, expected {sum}");
    }
}
