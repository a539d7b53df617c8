use std::fs::{self, File};
use std::io::Read;

use candle_core::{Device, Tensor};
use prismbench_core::{Encoding, Latents, PosteriorRule, SampleKey, Tokenizer, TokenizerError};
use serde::Deserialize;

use crate::checksum::Checksum;
use crate::pictures::Hashed;
use crate::{encode, generated, opened, pictures, refusal, tensor};

/// Of the standard deviation. Measured 1.8e-5; an epsilon of 1e-5 in the norms gives 7e-5. What
/// other mistakes give, and how far PyTorch is from itself, is with the library's tests of the same
/// architecture at less width.
const TOLERANCE: f64 = 4e-5;

#[derive(Deserialize)]
struct Case {
    model: String,
    picture: Hashed,
    mean: Checksum,
    sample: std::collections::HashMap<String, Checksum>,
    reconstruction: Checksum,
}

fn assert_near(expected: &Checksum, found: &Tensor, what: &str) {
    let difference = expected.difference(found);
    assert!(difference < TOLERANCE, "{what} differs by {difference} of its deviation");
}

fn open_generated(model: &'static str) -> Box<dyn Tokenizer> {
    opened(model, &generated::autoencoder_kl(model))
}

fn agrees_with_diffusers(model: &'static str, parameters: u64) {
    let tokenizer = open_generated(model);
    assert_eq!((tokenizer.spec().parameters, tokenizer.spec().stride), (parameters, 8));
    let cases: Vec<Case> = generated::json("autoencoder_kl/full.json");
    for case in cases.iter().filter(|case| case.model == model) {
        let images = pictures::hashed(case.picture);
        let mode = tensor(encode(tokenizer.as_ref(), &images));
        assert_near(&case.mean, &mode, "mean");
        let decoded = tokenizer.decode(&Latents::Tensor(mode.clone())).unwrap();
        assert_near(&case.reconstruction, decoded.tensor(), "reconstruction");
        let samples = [SampleKey { index: 3, id: "" }];
        let drawn = Encoding {
            posterior: PosteriorRule::Sample,
            seed: 5,
            samples: &samples,
            ..Encoding::deterministic()
        };
        let drawn = tensor(tokenizer.encode(&images, &drawn).unwrap());
        let rest = mode.dim(1).unwrap() - 2;
        for (part, first, count) in [("low", 0, 1), ("high", 1, 1), ("rest", 2, rest)] {
            let found = drawn.narrow(1, first, count).unwrap();
            assert_near(&case.sample[part], &found, part);
        }
    }
}

#[test]
fn stable_diffusion_s_gives_the_numbers_of_diffusers_at_full_size() {
    agrees_with_diffusers("sd-vae", 83_653_863);
}

#[test]
fn flux_s_own_file_gives_the_numbers_of_diffusers_at_full_size() {
    agrees_with_diffusers("flux-vae", 83_819_683);
}

#[test]
fn generators_see_latents_shifted_and_scaled() {
    let path = generated::autoencoder_kl("sd-vae");
    let flux = generated::autoencoder_kl("flux-vae");
    // Models of one architecture differ in the space of their generators.
    for (id, path, channels, shift, scale) in [
        ("sd-vae-mse", &path, 4, 0.0, 0.18215),
        ("sdxl-vae", &path, 4, 0.0, 0.13025),
        ("sd3-vae", &flux, 16, 0.0609, 1.5305),
        ("flux-vae", &flux, 16, 0.1159, 0.3611),
    ] {
        let tokenizer = opened(id, path);
        assert_eq!(tokenizer.spec().id, id);
        let values: Vec<f32> = (0..channels).map(|i| i as f32 - 2.5).collect();
        let latents = Tensor::from_vec(values.clone(), (1, channels, 1, 1), &Device::Cpu).unwrap();
        let normal = tokenizer.normalise(&Latents::Tensor(latents)).unwrap();
        let back = tokenizer.denormalise(&normal).unwrap();
        let flat = |latents| tensor(latents).flatten_all().unwrap().to_vec1().unwrap();
        let (normal, back): (Vec<f32>, Vec<f32>) = (flat(normal), flat(back));
        for ((value, normal), back) in values.iter().zip(&normal).zip(&back) {
            let expected = (f64::from(*value) - shift) * scale;
            assert!((f64::from(*normal) - expected).abs() < 1e-5, "{id}: {normal} for {expected}");
            assert!((back - value).abs() < 1e-5, "{id}: {back} for {value}");
        }
    }
}

#[test]
fn another_model_s_file_is_refused_with_every_tensor_that_does_not_fit() {
    let error = refusal("flux-vae", &generated::autoencoder_kl("sd-vae"));
    let TokenizerError::WeightsMismatch { problems, .. } = error else {
        panic!("expected a mismatch")
    };
    let expected = [
        "`encoder.conv_out.weight` is [8, 512, 3, 3], expected [32, 512, 3, 3]",
        "`encoder.conv_out.bias` is [8], expected [32]",
        "`decoder.conv_in.weight` is [512, 4, 3, 3], expected [512, 16, 3, 3]",
        "`post_quant_conv.bias` is not part of it",
        "`post_quant_conv.weight` is not part of it",
        "`quant_conv.bias` is not part of it",
        "`quant_conv.weight` is not part of it",
    ];
    assert_eq!(problems, expected);
    let error = refusal("sd-vae", &generated::autoencoder_kl("flux-vae"));
    let TokenizerError::WeightsMismatch { problems, .. } = error else {
        panic!("expected a mismatch")
    };
    assert_eq!(problems.len(), 7, "{problems:?}");
    assert!(problems.contains(&"`quant_conv.weight` [8, 8, 1, 1] is missing".to_owned()));
}

#[test]
fn a_file_of_something_else_is_refused_by_the_names_of_the_hub_s_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ae.safetensors");
    let row = ("a.weight".to_owned(), "a.weight".to_owned(), vec![3]);
    generated::write(&path, &[row], |_, _| {});
    let TokenizerError::WeightsMismatch { problems, .. } = refusal("flux-vae", folder.path())
    else {
        panic!("expected a mismatch")
    };
    assert_eq!(problems.len(), 244 + 1);
    assert_eq!(problems[0], "`encoder.conv_in.weight` [128, 3, 3, 3] is missing");
    assert_eq!(problems[244], "`a.weight` is not part of it");
}

#[test]
fn half_a_download_is_refused_as_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    let mut half = Vec::new();
    let whole = File::open(generated::autoencoder_kl("sd-vae")).unwrap();
    whole.take(1 << 20).read_to_end(&mut half).unwrap();
    let path = folder.path().join("diffusion_pytorch_model.safetensors");
    // Cut within the data, within the header, and before it.
    for length in [half.len(), 5_000, 4, 0] {
        fs::write(&path, &half[..length]).unwrap();
        let error = refusal("sd-vae-ema", folder.path());
        let TokenizerError::WeightsUnreadable { path: named, .. } = error else {
            panic!("{length} bytes: unexpected {error}")
        };
        assert_eq!(named, path);
    }
}

#[test]
fn missing_weights_are_answered_with_every_place_and_both_remedies() {
    let folder = tempfile::tempdir().unwrap();
    let TokenizerError::WeightsMissing { path, remedy } = refusal("flux-vae", folder.path()) else {
        panic!("expected missing weights")
    };
    assert_eq!(path, folder.path().join("ae.safetensors"));
    for word in [
        "vae/diffusion_pytorch_model.safetensors",
        "prismbench fetch flux-vae",
        "black-forest-labs/FLUX.1-schnell",
        "--tokenizer flux-vae=FOLDER",
    ] {
        assert!(remedy.contains(word), "{word} not in {remedy}");
    }
}

#[test]
fn sides_that_are_no_multiples_of_eight_are_refused_before_any_work() {
    let tokenizer = open_generated("sd-vae");
    let images = pictures::batch(20, 16, 0, 1);
    let error = tokenizer.encode(&images, &Encoding::deterministic()).unwrap_err().to_string();
    assert!(error.contains("multiples of 8") && error.contains("20x16"), "{error}");
}

#[test]
fn weights_that_fit_another_id_are_known_by_the_configuration_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("diffusion_pytorch_model.safetensors");
    fs::write(&weights, "").unwrap();
    // SDXL's, whose weights have every shape of `sd-vae-mse`.
    let config = folder.path().join("config.json");
    fs::write(&config, r#"{"_class_name": "AutoencoderKL", "scaling_factor": 0.13025}"#).unwrap();
    let TokenizerError::WeightsMismatch { path, problems } = refusal("sd-vae-mse", folder.path())
    else {
        panic!("expected a mismatch")
    };
    assert_eq!(path, config);
    assert_eq!(problems, ["`scaling_factor` is 0.13025, and `sd-vae-mse` has 0.18215"]);
}
