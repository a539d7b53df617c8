//! Models in half precision, which run by the layers for devices: here on the CPU, beside themselves in
//! f32. What is compared is every layer's other path in a whole model, and that models begin and end in f32.

use candle_core::{DType, Device, Tensor};
use prismbench_baselines::{OpenOptions, Opened, open};
use prismbench_core::{ElementType, FeatureTap, Tokenizer};

use crate::vision::{picture, tensors, written};
use crate::{encode, tensor};

fn opened(id: &str, path: &std::path::Path, element: ElementType) -> Box<dyn Tokenizer> {
    let reference = format!("{id}={}", path.display()).parse().unwrap();
    let options = OpenOptions { element, ..OpenOptions::on(&Device::Cpu) };
    match open(&reference, &options).unwrap() {
        Opened::Ready(tokenizer) => tokenizer,
        Opened::Unfitted(_) => panic!("a model is not fitted"),
    }
}

/// Root of the mean squared difference, over the standard deviation.
fn distance(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!((found.dtype(), found.dims()), (DType::F32, expected.dims()));
    let values = |tensor: &Tensor| -> Vec<f64> {
        let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        values.into_iter().map(f64::from).collect()
    };
    let (found, expected) = (values(found), values(expected));
    let mean = expected.iter().sum::<f64>() / expected.len() as f64;
    let spread: f64 = expected.iter().map(|x| (x - mean).powi(2)).sum();
    let error: f64 = found.iter().zip(&expected).map(|(a, b)| (a - b).powi(2)).sum();
    (error / spread).sqrt()
}

/// Roundings by 2^-12 of the value in a dozen places of each of two blocks. A layer that is wrong is off by
/// 0.1 and more. (bf16 has no products on the CPU.)
const TOLERANCE: f64 = 4e-3;

#[test]
fn encoders_in_half_precision_are_near_themselves() {
    for id in ["dinov2-reg-s", "clip-b32", "siglip2-b", "mae-b"] {
        let (_folder, path) = written(&tensors(id, 2));
        let images = picture(256, 256);
        let exact = opened(id, &path, ElementType::F32);
        let expected = exact.features(&images, FeatureTap::Output).unwrap();
        let half = opened(id, &path, ElementType::F16);
        let found = half.features(&images, FeatureTap::Output).unwrap();
        let pairs = [
            (Some(found.patch_tokens), Some(&expected.patch_tokens)),
            (found.class_token, expected.class_token.as_ref()),
            (found.pooled, expected.pooled.as_ref()),
        ];
        for (found, expected) in pairs {
            let Some((found, expected)) = found.zip(expected) else { continue };
            let distance = distance(&found, expected);
            assert!(distance < TOLERANCE, "{id} in f16 is {distance} away");
            assert!(distance > TOLERANCE / 1e3, "{id} did not compute in f16");
        }
        let latents = tensor(encode(half.as_ref(), &images));
        assert_eq!(latents.dtype(), DType::F32);
        assert_eq!(half.cost(256, 256).unwrap(), exact.cost(256, 256).unwrap());
    }
}
