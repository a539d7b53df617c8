//! Layers against PyTorch's in f64 (`tests/oracle/layers.py`; bicubic interpolation in f32), on the host and through candle.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use prismbench_kernels::nn::{
    Activation, Antialiasing, Attention, GroupNorm, LayerNorm, MapShape, Maps, Mask, NnError, Pool,
    Window, global_average, resize_bicubic, softmax, upsample_bilinear, upsample_nearest,
};

/// Multiples of 2^-21 in `[-4, 4)`, the same as the oracle's.
fn values(seed: u64, len: usize) -> Vec<f32> {
    let mix = |i: u64| {
        let z = (i + 1 + (seed << 40)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) >> 40
    };
    (0..len as u64).map(|i| mix(i) as f32 / (1 << 21) as f32 - 4.0).collect()
}

fn maps(seed: u64, [images, height, width, channels]: [usize; 4]) -> Maps {
    let shape = MapShape { images, height, width, channels };
    Maps::from_rows(shape, values(seed, shape.len())).unwrap()
}

fn vector(seed: u64, len: usize) -> Tensor {
    Tensor::new(values(seed, len), &Device::Cpu).unwrap()
}

struct Golden(HashMap<String, Tensor>);

impl Golden {
    fn read() -> Self {
        Self::of("layers")
    }

    fn of(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/layers");
        let file = folder.join(format!("{name}.safetensors"));
        Self(candle_core::safetensors::load(file, &Device::Cpu).unwrap())
    }

    /// `layer` on the host and on candle's CPU gives the tensor `name` within `tolerance`; of every
    /// `step`-th row and column where the oracle kept only those.
    #[track_caller]
    fn check(
        &self,
        name: &str,
        inputs: &[Maps],
        (tolerance, steps): (f32, (usize, usize)),
        layer: impl Fn(&[Maps]) -> Result<Maps, NnError>,
    ) {
        let expected = &self.0[name];
        let device = inputs.iter().map(|maps| Maps::on_device(&maps.to_tensor().unwrap()).unwrap());
        for inputs in [inputs.to_vec(), device.collect()] {
            let found = layer(&inputs).unwrap().to_tensor().unwrap();
            let mut found = found.permute((0, 2, 3, 1)).unwrap();
            for (axis, step) in [(1, steps.0), (2, steps.1)] {
                let every: Vec<u32> = (0..found.dim(axis).unwrap() as u32).step_by(step).collect();
                let every = Tensor::new(every, &Device::Cpu).unwrap();
                found = found.contiguous().unwrap().index_select(&every, axis).unwrap();
            }
            assert_eq!(found.dims(), expected.dims(), "{name}");
            let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            for (index, (found, expected)) in flat(&found).iter().zip(flat(expected)).enumerate() {
                let error = (found - expected).abs();
                assert!(error <= tolerance, "{name} at {index}: {found}, expected {expected}");
            }
        }
    }
}

const ALL: (usize, usize) = (1, 1);

#[test]
fn pooling_is_torchs() {
    let golden = Golden::read();
    let x = [maps(1, [2, 12, 15, 5])];
    let window = Window::new(3, 3).stride(2, 2).padding(1, 1);
    let other = Window::new(3, 2).stride(2, 3).dilation(2, 1);
    let pools = [
        ("max", Pool::max(window)),
        ("max_unpadded", Pool::max(other)),
        ("average", Pool::average(window)),
        ("average_of_map", Pool::average(window).excluding_padding()),
    ];
    for (name, pool) in pools {
        // Values are below 4 and nine are summed.
        let tolerance = (2e-6, ALL);
        golden.check(&format!("{name}.floor"), &x, tolerance, |x| pool.forward(&x[0]));
        golden.check(&format!("{name}.ceil"), &x, tolerance, |x| pool.ceil().forward(&x[0]));
    }
    golden.check("global_average", &x, (2e-6, ALL), |x| global_average(&x[0]));
}

#[test]
fn norms_are_torchs() {
    let golden = Golden::read();
    let (weight, bias) = (vector(3, 48), vector(4, 48));
    let norm = LayerNorm::new(&weight, Some(&bias), 1e-6).unwrap();
    // Outputs are below 12.
    let tolerance = 4e-6;
    let x = [maps(2, [1, 1, 9, 48])];
    golden.check("layer_norm", &x, (tolerance, ALL), |x| norm.forward(&x[0]));
    let norm = GroupNorm::new(4, &weight, Some(&bias), 1e-6).unwrap().activation(Activation::Silu);
    let x = [maps(5, [2, 17, 19, 48])];
    golden.check("group_norm_silu", &x, (tolerance, (4, 4)), |x| norm.forward(&x[0]));
}

#[test]
fn activations_and_softmax_are_torchs() {
    let golden = Golden::read();
    let x = values(6, 500).iter().map(|x| 2.0 * x).collect();
    let shape = MapShape { images: 1, height: 1, width: 1, channels: 500 };
    let x = [Maps::from_rows(shape, x).unwrap()];
    let functions = [
        ("silu", Activation::Silu),
        ("gelu", Activation::Gelu),
        ("gelu_tanh", Activation::GeluTanh),
        ("quick_gelu", Activation::QuickGelu),
    ];
    for (name, function) in functions {
        // Two units of 8.
        golden.check(name, &x, (2e-6, ALL), |x| function.forward(&x[0]));
    }
    let x = [maps(7, [1, 1, 7, 100])];
    golden.check("softmax", &x, (1e-7, ALL), |x| softmax(&x[0]));
}

#[test]
fn attention_is_torchs() {
    let golden = Golden::read();
    let tokens = [8, 9, 10].map(|seed| maps(seed, [2, 1, 150, 72]));
    for (name, mask) in [("attention", Mask::None), ("attention_causal", Mask::Causal)] {
        let attention = Attention::new(3).mask(mask);
        // Scores up to 60 are off by 1e-5 of a part, times values below 4.
        golden.check(name, &tokens, (2e-5, (1, 5)), |x| attention.forward(&x[0], &x[1], &x[2]));
    }
}

#[test]
fn upsampling_is_torchs() {
    let golden = Golden::read();
    let x = [maps(11, [2, 5, 7, 4])];
    golden.check("nearest", &x, (0.0, ALL), |x| upsample_nearest(&x[0], 2));
    golden.check("bilinear", &x, (5e-6, ALL), |x| upsample_bilinear(&x[0], 11, 9));
}

#[test]
fn bicubic_interpolation_is_torchs() {
    let golden = Golden::of("bicubic");
    let cases = [
        (20, [1, 37, 37, 3], (16, 32), 1),
        (21, [1, 256, 16, 2], (224, 37), 7),
        (22, [1, 512, 37, 1], (448, 16), 7),
    ];
    for (seed, before, after, step) in cases {
        let x = [maps(seed, before)];
        for (name, antialiasing) in [("off", Antialiasing::Off), ("on", Antialiasing::On)] {
            // Weights cancel to 1e-6, of 16 values below 4. The other cubic, or the other filter, is
            // off by 0.1 and more.
            golden.check(&format!("{seed}.{name}"), &x, (2e-5, (step, 1)), |x| {
                resize_bicubic(&x[0], after, antialiasing)
            });
        }
    }
}
