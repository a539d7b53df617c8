//! TAEF2's architecture with generated weights: `generated_weights` of `tests/oracle/taef2.py`.
//!
//! The names are written out here once more, so that the list in the library is checked too.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use prismbench_core::Stream;

/// Writes both files into `folder`, in f16 as the real ones are.
pub(crate) fn write(folder: &Path) {
    for (half, convs, plain, strided, pooled) in [
        (
            "encoder",
            [(0, 64, 3), (14, 32, 64)],
            vec![1, 3, 4, 5, 7, 8, 9],
            [2, 6, 10],
            [11, 12, 13],
        ),
        (
            "decoder",
            [(1, 64, 32), (19, 3, 64)],
            vec![8, 9, 10, 13, 14, 15, 18],
            [7, 12, 17],
            [3, 4, 5],
        ),
    ] {
        let mut tensors = HashMap::new();
        let mut add = |name: String, shape: &[usize]| {
            let tensor = generate(&format!("{half}/{name}"), shape);
            tensors.insert(name, tensor);
        };
        for (position, outputs, inputs) in convs {
            add(format!("{position}.weight"), &[outputs, inputs, 3, 3]);
            add(format!("{position}.bias"), &[outputs]);
        }
        for position in strided {
            add(format!("{position}.weight"), &[64, 64, 3, 3]);
        }
        for block in plain.iter().chain(&pooled) {
            for conv in [0, 2, 4] {
                add(format!("{block}.conv.{conv}.weight"), &[64, 64, 3, 3]);
                add(format!("{block}.conv.{conv}.bias"), &[64]);
            }
        }
        for block in pooled {
            add(format!("{block}.pool.0.weight"), &[256, 64, 1, 1]);
            add(format!("{block}.pool.1.weight"), &[256]);
            add(format!("{block}.pool.1.bias"), &[256]);
            add(format!("{block}.pool.3.weight"), &[64, 256, 1, 1]);
        }
        let path = folder.join(format!("taef2_{half}.safetensors"));
        candle_core::safetensors::save(&tensors, path).unwrap();
    }
}

/// Ten-bit numbers times a power of two: exact in f16.
fn generate(name: &str, shape: &[usize]) -> Tensor {
    let fan_in: usize = if shape.len() == 4 { shape[1..].iter().product() } else { 0 };
    let scale = match fan_in {
        0 | 27 => 1.0 / 1024.0,
        64 => 1.0 / 2048.0,
        256 | 288 => 1.0 / 4096.0,
        _ => 1.0 / 8192.0,
    };
    let centre = if name.ends_with(".pool.1.weight") { 1.0 } else { 0.0 };
    let mut stream = Stream::new(name, 0, 0);
    let values: Vec<f32> = (0..shape.iter().product::<usize>())
        .map(|_| ((stream.next_u64() >> 54) as f32 - 512.0) * scale + centre)
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap().to_dtype(DType::F16).unwrap()
}
