//! OpenVision 3 against diffusers' autoencoder and own code in PyTorch, with generated weights.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use prismbench_core::{
    Encoding, FeatureTap, ImageBatch, LatentShape, Latents, SampleKey, Tokenizer, TokenizerError,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::planned::{self, Planned, planned};
use crate::vision::{TOLERANCE, difference, picture};
use crate::{bits, generated, opened, pictures, refusal, tensor};

const TOWER: &str = "open_clip_pytorch_model.bin";
const CONFIG: &str = "open_clip_config.json";
const VAE: &str = "diffusion_pytorch_model.safetensors";

fn case(name: &str) -> Value {
    generated::json(&format!("openvision3/{name}.json"))
}

/// Tensors of the tower behind a prefix.
fn tensors(case: &Value, prefix: &str) -> Vec<Planned> {
    let rows: Vec<(String, Vec<usize>)> = serde_json::from_value(case["weights"].clone()).unwrap();
    let named = |(recipe, shape): (String, Vec<usize>)| Planned {
        name: format!("{prefix}{recipe}"),
        ..planned(recipe, shape)
    };
    rows.into_iter().map(named).collect()
}

/// A folder of all three files. The autoencoder's is of FLUX.1's own layout.
fn folder(config: &Value, tensors: &[Planned]) -> TempDir {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    planned::write(&folder.path().join(TOWER), tensors);
    fs::write(folder.path().join(CONFIG), config.to_string()).unwrap();
    fs::hard_link(generated::autoencoder_kl("flux-vae"), folder.path().join(VAE)).unwrap();
    folder
}

fn small() -> (Value, TempDir) {
    let case = case("options");
    let folder = folder(&case["config"], &tensors(&case, ""));
    (case, folder)
}

/// Measured 1.9e-6 to 6.9e-6; PyTorch in f32 is 1.2e-6 to 4.2e-6 from itself in f64.
///
/// In standard deviations of the patches, measured on the oracle with the configuration `options`,
/// whose epsilon is large enough to be seen: a GELU by erf instead of tanh gives 8e-4, an epsilon of
/// 1e-5 0.03, FLUX.1's shift 0.4, other heads 2.
fn agrees_with_pytorch(name: &str, id: &str, prefix: &str) {
    let case = case(name);
    let planned = tensors(&case, prefix);
    let folder = folder(&case["config"], &planned);
    let encoder = opened(id, folder.path());
    let numbers: usize = planned.iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum();
    assert_eq!(encoder.spec().parameters, numbers as u64 + 34_274_208, "{name}");
    assert_eq!(encoder.spec().weights.len(), 2);
    let side = case["side"].as_u64().unwrap() as usize;
    assert_eq!(encoder.spec().stride, side);
    let images = picture(side, side);
    let features = encoder.features(&images, FeatureTap::Output).unwrap();
    let block = encoder.features(&images, FeatureTap::Block(0)).unwrap();
    assert!(block.pooled.is_none());
    let latents = tensor(encoder.encode(&images, &Encoding::deterministic()).unwrap());
    let LatentShape::Tensor(promised) = encoder.latent_shape(side, side) else { panic!() };
    assert_eq!(latents.dims()[1..], promised);
    let tokens = latents.flatten(2, 3).unwrap().transpose(1, 2).unwrap();
    assert_eq!(bits(&tokens), bits(&features.patch_tokens), "{name}: latents are patch tokens");
    for (key, found) in [
        ("patches", &features.patch_tokens),
        ("class_token", features.class_token.as_ref().unwrap()),
        ("pooled", features.pooled.as_ref().unwrap()),
        ("block", &block.patch_tokens),
    ] {
        let difference = difference(&case["tensors"][key], found);
        assert!(difference < TOLERANCE, "{name}: {key} differs by {difference}");
    }
}

#[test]
fn openvision3_agrees_with_pytorch_at_full_size() {
    agrees_with_pytorch("openvision3-b", "openvision3-b", "");
}

#[test]
fn openvision3_agrees_with_pytorch_with_other_options() {
    agrees_with_pytorch("openvision3-l", "openvision3-l", "visual.");
    agrees_with_pytorch("options", "openvision3-b", "");
}

#[test]
fn nothing_pools_where_the_configuration_says_so() {
    let case = case("options");
    let mut config = case["config"].clone();
    let with_pool = folder(&config, &tensors(&case, ""));
    config["model_cfg"]["vision_cfg"]["pool_type"] = json!("none");
    let without = folder(&config, &tensors(&case, ""));
    let images = picture(64, 64);
    let features = |folder: &TempDir| {
        let encoder = opened("openvision3-b", &folder.path().join(TOWER));
        encoder.features(&images, FeatureTap::Output).unwrap()
    };
    let (with_pool, without) = (features(&with_pool), features(&without));
    assert!(with_pool.pooled.is_some() && without.pooled.is_none());
    assert_eq!(bits(&with_pool.patch_tokens), bits(&without.patch_tokens));
}

#[test]
fn pictures_do_not_see_their_batch_or_the_threads() {
    let (_, folder) = small();
    let encoder = opened("openvision3-b", folder.path());
    // At 17 tokens each, 121 pictures would be two lots; 20 of 64x64 are two of the autoencoder's.
    let images = pictures::batch(64, 64, 0, 20);
    let samples: Vec<SampleKey<'_>> = (0..20).map(|index| SampleKey { index, id: "" }).collect();
    let noise = "uniform:0.5".parse().unwrap();
    let noisy = Encoding { noise, samples: &samples, ..Encoding::deterministic() };
    let run = |images: &ImageBatch, encoding: &Encoding<'_>, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| tensor(encoder.encode(images, encoding).unwrap()))
    };
    let all = run(&images, &noisy, 1);
    assert!(bits(&run(&images, &noisy, 3)) == bits(&all));
    for index in [0, 11, 19] {
        let single = ImageBatch::new(images.tensor().narrow(0, index, 1).unwrap()).unwrap();
        let encoding = Encoding { samples: &samples[index..=index], ..noisy };
        let expected = bits(&all.narrow(0, index, 1).unwrap());
        assert!(bits(&run(&single, &encoding, 2)) == expected, "picture {index} sees its batch");
    }
    let plain = run(&images, &Encoding::deterministic(), 2);
    let added: Tensor = (all - plain).unwrap();
    for (index, sample) in samples.iter().enumerate() {
        let encoding = Encoding { samples: &[*sample], ..noisy };
        let mut stream = encoding.streams("latent noise", 1).unwrap().remove(0);
        let scale = noise.scale(&mut stream).unwrap();
        let first = added.get(index).unwrap().flatten_all().unwrap().get(0).unwrap();
        let first = f64::from(first.to_scalar::<f32>().unwrap());
        assert!((first - scale * stream.normal()).abs() < 1e-5, "{index}");
    }
}

#[test]
fn what_openvision3_cannot_do_is_refused() {
    let (_, folder) = small();
    let encoder: Box<dyn Tokenizer> = opened("openvision3-b", folder.path());
    let images = picture(64, 64);
    let latents = encoder.encode(&images, &Encoding::deterministic()).unwrap();
    let error = encoder.decode(&latents).unwrap_err().to_string();
    assert_eq!(error, "`openvision3-b` has no decoder: none is published");
    let masked = Encoding { band_mask: "zigzag:4".parse().unwrap(), ..Encoding::deterministic() };
    let error = encoder.encode(&images, &masked).unwrap_err();
    assert!(matches!(error, TokenizerError::Unsupported { .. }), "{error}");
    for (width, height) in [(128, 128), (64, 128), (65, 64)] {
        let images = pictures::batch(width, height, 0, 1);
        let error = encoder.encode(&images, &Encoding::deterministic()).unwrap_err();
        assert!(matches!(error, TokenizerError::Shape { .. }), "{error}");
    }
    let error = encoder.features(&images, FeatureTap::Block(2)).unwrap_err().to_string();
    assert_eq!(error, "expected one of the 2 blocks of `openvision3-b`, from 0, found block 2");
}

fn problem(path: &Path) -> String {
    match refusal("openvision3-b", path) {
        TokenizerError::Config { problem, .. } => problem,
        error => panic!("unexpected {error}"),
    }
}

#[test]
fn a_configuration_that_is_missing_or_contradicted_is_an_error_that_names_it() {
    let (case, folder) = small();
    let at = |name: &str| -> PathBuf { folder.path().join(name) };
    let write = |change: &dyn Fn(&mut Value)| {
        let mut config = case["config"].clone();
        change(&mut config["model_cfg"]["vision_cfg"]);
        fs::write(at(CONFIG), config.to_string()).unwrap();
    };
    write(&|vision| vision["layers"] = json!(3));
    assert_eq!(problem(folder.path()), "`layers` is 3, the weights have 2");
    write(&|vision| vision["pool_type"] = json!("max"));
    assert!(problem(folder.path()).contains("unknown variant `max`"));
    write(&|vision| vision["act_kwargs"] = json!({"approximate": "sigmoid"}));
    assert!(problem(folder.path()).contains("unknown activation"));
    write(&|vision| vision["width"] = json!(256));
    let TokenizerError::WeightsMismatch { problems, .. } = refusal("openvision3-b", folder.path())
    else {
        panic!("expected a mismatch");
    };
    let wanted = "`class_embedding` is [128], expected [256]";
    assert!(problems.iter().any(|problem| problem == wanted), "{problems:?}");
    fs::remove_file(at(CONFIG)).unwrap();
    for path in [folder.path().to_owned(), at(TOWER)] {
        let TokenizerError::WeightsMissing { path, remedy } = refusal("openvision3-b", &path)
        else {
            panic!("expected a missing configuration");
        };
        assert_eq!(path, at(CONFIG));
        assert!(
            remedy.starts_with("open_clip_config.json says how the tower is built"),
            "{remedy}"
        );
    }
    write(&|_| {});
    fs::remove_file(at(VAE)).unwrap();
    let TokenizerError::WeightsMissing { remedy, .. } = refusal("openvision3-b", folder.path())
    else {
        panic!("expected a missing autoencoder");
    };
    assert!(remedy.contains("Letian2003/black-forest-labs_FLUX.1-dev_vae"), "{remedy}");
}

/// Pictures of tokens that were encoded before.
fn decoded(tokenizer: &dyn Tokenizer, latents: &Tensor) -> Tensor {
    tokenizer.decode(&Latents::Tensor(latents.clone())).unwrap().tensor().clone()
}

/// Measured 1.7e-5, with Winograd's convolutions; PyTorch in f32 is 5.1e-6 from itself in f64.
///
/// In standard deviations of the picture, measured on the oracle: a GELU by erf instead of tanh gives
/// 8e-4, an epsilon of 1e-6 0.03, FLUX.1's shift 0.04, other heads 1.5, another order of the head's
/// outputs 5.
fn decodes_as_pytorch(name: &str, prefix: &str) {
    let case = case(name);
    let planned = tensors(&case, prefix);
    let folder = folder(&case["config"], &planned);
    let tokenizer = opened("openvision3-b", folder.path());
    let numbers: usize = planned.iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum();
    assert_eq!(tokenizer.spec().parameters, numbers as u64 + 83_819_683, "{name}");
    let latents = tensor(tokenizer.encode(&picture(64, 64), &Encoding::deterministic()).unwrap());
    let tokens = latents.flatten(2, 3).unwrap().transpose(1, 2).unwrap();
    for (key, found) in [("patches", &tokens), ("reconstruction", &decoded(&*tokenizer, &latents))]
    {
        let difference = difference(&case["tensors"][key], found);
        assert!(difference < TOLERANCE, "{name}: {key} differs by {difference}");
    }
}

#[test]
fn a_described_decoder_agrees_with_pytorch() {
    decodes_as_pytorch("decoder", "");
    decodes_as_pytorch("decoder-no-class", "visual.");
}

#[test]
fn decoded_pictures_do_not_see_their_batch_or_the_threads() {
    let case = case("decoder");
    let folder = folder(&case["config"], &tensors(&case, ""));
    let tokenizer = opened("openvision3-b", folder.path());
    let images = pictures::batch(64, 64, 0, 3);
    let latents = tensor(tokenizer.encode(&images, &Encoding::deterministic()).unwrap());
    let run = |latents: &Tensor, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| decoded(&*tokenizer, latents))
    };
    let all = run(&latents, 1);
    assert!(bits(&run(&latents, 3)) == bits(&all));
    for index in 0..3 {
        let single = run(&latents.narrow(0, index, 1).unwrap(), 2);
        let expected = bits(&all.narrow(0, index, 1).unwrap());
        assert!(bits(&single) == expected, "picture {index} sees its batch");
    }
    for dims in [[1, 128, 4, 5], [1, 128, 2, 2], [1, 96, 4, 4]] {
        let other = Tensor::zeros(&dims[..], DType::F32, &Device::Cpu).unwrap();
        let error = tokenizer.decode(&Latents::Tensor(other)).unwrap_err();
        assert!(matches!(error, TokenizerError::Shape { .. }), "{dims:?}: {error}");
    }
}

#[test]
fn a_decoder_that_is_not_described_is_listed_and_not_guessed_at() {
    let case = case("decoder");
    let mut config = case["config"].clone();
    let all = tensors(&case, "");
    let mismatch = |config: &Value, tensors: &[Planned]| -> Vec<String> {
        let folder = folder(config, tensors);
        match refusal("openvision3-b", folder.path()) {
            TokenizerError::WeightsMismatch { problems, .. } => problems,
            error => panic!("expected a mismatch, got {error}"),
        }
    };
    let (mine, others): (Vec<_>, Vec<_>) =
        all.iter().cloned().partition(|tensor| tensor.name.starts_with("decoder."));
    let missing = mismatch(&config, &others);
    assert!(missing.iter().any(|problem| problem.contains("decoder.head.weight")), "{missing:?}");
    let text = |tensor: &Planned| format!("`{}` is not part of it", tensor.name);
    config["model_cfg"].as_object_mut().unwrap().remove("decoder_cfg");
    let unexpected = mismatch(&config, &all);
    assert!(unexpected.contains(&text(&mine[0])), "{unexpected:?}");
    let one = [&others[..], &[planned("decoder.blocks.0.weight", [4, 4])]].concat();
    assert_eq!(mismatch(&config, &one), ["`decoder.blocks.0.weight` is not part of it"]);

    let mut config = case["config"].clone();
    config["model_cfg"]["decoder_cfg"].as_object_mut().unwrap().remove("head_width");
    let folder = folder(&config, &all);
    assert_eq!(problem(folder.path()), "`decoder_cfg`: missing field `head_width`");
}
