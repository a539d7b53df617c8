//! Encoders against `transformers`, with generated weights.

use std::fs;
use std::path::PathBuf;

use candle_core::{Device, Tensor};
use prismbench_core::{Encoding, FeatureTap, ImageBatch, LatentNoise, TokenizerError};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::checksum::Checksum;
use crate::planned::{self as plans, Planned};
use crate::vision_weights::{Sizes, clip, dinov2, mae, renamed, siglip2};
use crate::{bits, generated, opened, pictures, refusal, tensor};

/// In standard deviations of the tensor, against PyTorch in f64. Measured at most 5.7e-5 (of 512
/// pixels, whose places between inputs are rounded by 3e-5), where PyTorch in f32 is up to 1.1e-4
/// away. The subtlest mistake tried, the other GELU, is off by 4.5e-4; antialiasing of pictures or of
/// positions by 0.1 and more. A norm's epsilon shows in the faint cases alone.
pub(crate) const TOLERANCE: f64 = 1e-4;

pub(crate) fn case(name: &str) -> Value {
    generated::json(&format!("vision/{name}.json"))
}

/// The picture of the oracle.
pub(crate) fn picture(width: usize, height: usize) -> ImageBatch {
    pictures::hashed((width, height, 5, 40))
}

/// Tensors of the file of an encoder, with so many blocks.
pub(crate) fn tensors(id: &str, depth: usize) -> Vec<Planned> {
    match id {
        "dinov2-reg-s" => dinov2("", Sizes::new(384, depth, 14), 4),
        "dinov2-reg-b" => dinov2("", Sizes::new(768, depth, 14), 4),
        "dinov2-reg-l" => dinov2("", Sizes::new(1024, depth, 14), 4),
        "dinov2-s" => dinov2("", Sizes::new(384, depth, 14), 0),
        "dinov2-b" => dinov2("", Sizes::new(768, depth, 14), 0),
        "dinov2-l" => dinov2("", Sizes::new(1024, depth, 14), 0),
        "clip-l" => clip(Sizes::new(1024, depth, 14), 768),
        "clip-b32" => clip(Sizes::new(768, depth, 32), 512),
        "siglip2-b" => siglip2("vision_model.", depth),
        "mae-b" => mae("vit.", depth),
        other => panic!("no weights for {other}"),
    }
}

pub(crate) fn written(tensors: &[Planned]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    plans::write(&path, tensors);
    (folder, path)
}

/// How far a tensor is from what the oracle kept of it, in standard deviations.
pub(crate) fn difference(golden: &Value, found: &Tensor) -> f64 {
    Checksum::deserialize(golden).unwrap().difference(found)
}

fn agrees_with_transformers(id: &str) {
    let case = case(id);
    let depth = case["depth"].as_u64().unwrap() as usize;
    agrees(id, &case, &tensors(id, depth));
}

fn agrees(id: &str, case: &Value, tensors: &[Planned]) {
    let number = |key: &str| case[key].as_u64().unwrap() as usize;
    let (_folder, path) = written(tensors);
    let encoder = opened(id, &path);
    let images = picture(number("width"), number("height"));
    let features = encoder.features(&images, FeatureTap::Output).unwrap();
    let block = encoder.features(&images, FeatureTap::Block(0)).unwrap();
    let latents = tensor(encoder.encode(&images, &Encoding::deterministic()).unwrap());
    let tokens = latents.flatten(2, 3).unwrap().transpose(1, 2).unwrap();
    assert_eq!(bits(&tokens), bits(&features.patch_tokens), "{id}: latents are patch tokens");
    let found = [
        ("patches", Some(&features.patch_tokens)),
        ("class_token", features.class_token.as_ref()),
        ("pooled", features.pooled.as_ref()),
        ("block", Some(&block.patch_tokens)),
    ];
    for (name, found) in found {
        let golden = &case["tensors"][name];
        assert_eq!(found.is_some(), golden.is_object(), "{id}: {name}");
        let Some(found) = found else { continue };
        let difference = difference(golden, found);
        assert!(difference < TOLERANCE, "{id}: {name} differs by {difference}");
    }
    assert!(block.pooled.is_none());
}

#[test]
fn dinov2_with_registers_agrees_with_transformers_at_full_size() {
    agrees_with_transformers("dinov2-reg-b");
}

#[test]
fn dinov2_agrees_with_transformers_in_every_size() {
    for id in ["dinov2-reg-s", "dinov2-reg-l", "dinov2-s", "dinov2-b", "dinov2-l"] {
        agrees_with_transformers(id);
    }
}

#[test]
fn clip_siglip_and_mae_agree_with_transformers() {
    for id in ["clip-l", "clip-b32", "siglip2-b", "mae-b"] {
        agrees_with_transformers(id);
    }
}

/// Tokens of 1e-3 show the epsilon of the first norm: another would be off by more than 0.01.
#[test]
fn faint_tokens_are_normalised_with_the_epsilon_of_transformers() {
    for id in ["dinov2-reg-s", "clip-b32", "siglip2-b", "mae-b"] {
        let mut tensors = tensors(id, 1);
        for tensor in tensors.iter_mut().filter(|tensor| tensor.name.contains("embeddings.")) {
            tensor.recipe = format!("{}{}", plans::FAINT, tensor.recipe);
        }
        agrees(id, &case(&format!("{id}-faint")), &tensors);
    }
}

/// Five blocks, of which the first is not among the last four.
#[test]
fn class_tokens_of_the_last_blocks_are_those_of_dinov2s_linear_probe() {
    let (_folder, path) = written(&tensors("dinov2-reg-s", 5));
    let encoder = opened("dinov2-reg-s", &path);
    let images = picture(256, 256);
    let [four, one] = ["last:4", "last:1"]
        .map(|tap| encoder.features(&images, tap.parse::<FeatureTap>().unwrap()).unwrap());
    let output = encoder.features(&images, FeatureTap::Output).unwrap();
    let classes = four.class_token.unwrap();
    assert_eq!(classes.dims(), [1, 4 * 384]);
    let golden = &case("dinov2-reg-s-last")["tensors"]["class_token"];
    let difference = difference(golden, &classes);
    assert!(difference < TOLERANCE, "differs by {difference}");
    let last = bits(output.class_token.as_ref().unwrap());
    assert_eq!(bits(&classes.narrow(1, 3 * 384, 384).unwrap()), last);
    assert_eq!(bits(one.class_token.as_ref().unwrap()), last);
    assert_eq!(bits(&four.patch_tokens), bits(&output.patch_tokens));
}

const VERSION_5: [(&str, &str); 4] = [
    ("attention.attention.query", "attention.q_proj"),
    ("attention.attention.key", "attention.k_proj"),
    ("attention.attention.value", "attention.v_proj"),
    ("attention.output.dense", "attention.o_proj"),
];

/// DINOv2 as `torch.hub` names it, with queries, keys and values in one.
fn native(tensors: Vec<Planned>) -> Vec<Planned> {
    let names = [
        ("embeddings.patch_embeddings.projection", "patch_embed.proj"),
        ("embeddings.position_embeddings", "pos_embed"),
        ("embeddings.", ""),
        ("encoder.layer.", "blocks."),
        ("attention.output.dense", "attn.proj"),
        ("attention.attention.query", "attn.qkv"),
        ("layer_scale1.lambda1", "ls1.gamma"),
        ("layer_scale2.lambda1", "ls2.gamma"),
        ("layernorm", "norm"),
    ];
    let apart = |name: &str| name.contains("attention.key") || name.contains("attention.value");
    let kept = tensors.into_iter().filter(|tensor| !apart(&tensor.name)).map(|mut tensor| {
        if tensor.name.contains("attention.query") {
            let name = &tensor.name;
            let [key, value] = ["key", "value"].map(|part| name.replace("query", part));
            tensor.recipe = format!("{name}+{key}+{value}");
            tensor.shape[0] *= 3;
        }
        tensor
    });
    renamed(kept, &names)
}

#[test]
fn every_layout_of_a_file_gives_the_same_bits() {
    let mae_5 = [("vit.encoder.layer.", "vit.layers."), ("intermediate.dense", "mlp.fc1")];
    let mae_5 = [&VERSION_5[..], &mae_5, &[("output.dense", "mlp.fc2"), ("vit.", "")]].concat();
    let cases: [(&str, &[(&str, &str)]); 3] =
        [("dinov2-reg-s", &VERSION_5), ("mae-b", &mae_5), ("siglip2-b", &[("vision_model.", "")])];
    let images = picture(256, 256);
    for (id, names) in cases {
        let latents = |tensors: &[Planned]| {
            let (_folder, path) = written(tensors);
            bits(&tensor(opened(id, &path).encode(&images, &Encoding::deterministic()).unwrap()))
        };
        let hub = tensors(id, 1);
        let expected = latents(&hub);
        assert!(latents(&renamed(hub.clone(), names)) == expected, "{id}");
        if id == "dinov2-reg-s" {
            assert!(latents(&native(hub)) == expected, "as torch.hub has it");
        }
    }
}

#[test]
fn pictures_do_not_see_their_batch_or_the_threads() {
    let (_folder, path) = written(&tensors("dinov2-reg-s", 1));
    let encoder = opened("dinov2-reg-s", &path);
    // Eleven pictures are two lots of tokens.
    let images = pictures::batch(256, 256, 0, 11);
    let run = |images: &ImageBatch, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| encoder.features(images, FeatureTap::Output).unwrap().patch_tokens)
    };
    let (all, again) = (run(&images, 1), run(&images, 3));
    assert!(bits(&all) == bits(&again), "the tokens depend on the number of threads");
    for index in [0, 6, 10] {
        let single = ImageBatch::new(images.tensor().narrow(0, index, 1).unwrap()).unwrap();
        let expected = bits(&all.narrow(0, index, 1).unwrap());
        assert!(bits(&run(&single, 2)) == expected, "picture {index} depends on its batch");
    }
    assert!(bits(&all.narrow(0, 0, 1).unwrap()) != bits(&all.narrow(0, 1, 1).unwrap()));
}

#[test]
fn what_an_encoder_cannot_do_is_refused() {
    let (_folder, path) = written(&tensors("dinov2-reg-s", 1));
    let encoder = opened("dinov2-reg-s", &path);
    let deterministic = Encoding::deterministic();
    let shape = |result: Result<(), TokenizerError>| {
        assert!(matches!(result, Err(TokenizerError::Shape { .. })), "{result:?}");
    };
    shape(encoder.encode(&pictures::batch(250, 256, 0, 1), &deterministic).map(|_| ()));
    let images = pictures::batch(64, 32, 0, 1);
    shape(encoder.features(&images, FeatureTap::Block(1)).map(|_| ()));
    let last = |blocks: usize| format!("last:{blocks}").parse::<FeatureTap>().unwrap();
    shape(encoder.features(&images, last(2)).map(|_| ()));
    let (_folder, path) = written(&tensors("siglip2-b", 1));
    let error = opened("siglip2-b", &path).features(&images, last(1)).unwrap_err().to_string();
    assert_eq!(error, "`siglip2-b` has no class token");
    let latents = encoder.encode(&images, &deterministic).unwrap();
    assert_eq!(tensor(latents.clone()).dims(), [1, 384, 2, 4]);
    let error = encoder.decode(&latents).unwrap_err().to_string();
    assert_eq!(error, "`dinov2-reg-s` has no decoder");
    let noisy = Encoding { noise: "uniform:0.8".parse::<LatentNoise>().unwrap(), ..deterministic };
    assert!(matches!(encoder.encode(&images, &noisy), Err(TokenizerError::Unsupported { .. })));
    assert!(encoder.text_tower().is_none());
    let (_folder, path) = written(&tensors("clip-b32", 1));
    shape(opened("clip-b32", &path).encode(&images, &deterministic).map(|_| ()));
}

#[test]
fn a_file_of_another_size_is_refused_with_what_does_not_fit() {
    let (_folder, path) = written(&tensors("dinov2-reg-s", 1));
    let TokenizerError::WeightsMismatch { problems, .. } = refusal("dinov2-reg-b", &path) else {
        panic!("expected a mismatch");
    };
    let wanted = "`embeddings.position_embeddings` is [1, 1370, 384], expected [1, 1370, 768]";
    assert!(problems.iter().any(|problem| problem == wanted), "{problems:?}");
    let TokenizerError::WeightsMismatch { problems, .. } = refusal("dinov2-s", &path) else {
        panic!("expected a mismatch");
    };
    assert_eq!(problems, ["`embeddings.register_tokens` is not part of it"]);
}

#[test]
fn the_processor_beside_the_weights_says_how_pixels_are_normalised() {
    let (folder, path) = written(&tensors("dinov2-reg-s", 1));
    let images = picture(64, 64);
    let config = folder.path().join("preprocessor_config.json");
    let latents = || {
        let encoder = opened("dinov2-reg-s", &path);
        bits(&tensor(encoder.encode(&images, &Encoding::deterministic()).unwrap()))
    };
    let published = latents();
    let text =
        r#"{"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "size": 1}"#;
    fs::write(&config, text).unwrap();
    assert!(latents() == published);
    fs::write(&config, r#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}"#).unwrap();
    assert!(latents() != published);
    for bad in ["{}", "[", r#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0]}"#] {
        fs::write(&config, bad).unwrap();
        let error = refusal("dinov2-reg-s", &path);
        assert!(matches!(error, TokenizerError::WeightsUnreadable { .. }), "{bad}: {error}");
    }
}

#[test]
fn a_picture_of_one_colour_gives_finite_tokens() {
    // MAE's epsilon is 1e-12, and a one-pass variance would be negative here.
    let (_folder, path) = written(&tensors("mae-b", 1));
    let flat = Tensor::full(0.485_f32, (1, 3, 224, 224), &Device::Cpu).unwrap();
    let encoder = opened("mae-b", &path);
    let latents =
        encoder.encode(&ImageBatch::new(flat).unwrap(), &Encoding::deterministic()).unwrap();
    let values: Vec<f32> = tensor(latents).flatten_all().unwrap().to_vec1().unwrap();
    assert!(values.iter().all(|value| value.is_finite()));
}
