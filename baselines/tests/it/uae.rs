//! UAE of both generations against own code in PyTorch, with generated weights.

use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use prismbench_core::{
    BandMask, Encoding, FeatureTap, ImageBatch, Latents, SampleKey, Tokenizer, TokenizerError,
};
use prismbench_kernels::Size;
use prismbench_kernels::bands::{CosineTransform, zigzag};
use serde_json::Value;
use tempfile::TempDir;

use crate::planned::{self, Planned, planned};
use crate::vision::{TOLERANCE, difference, picture};
use crate::vision_weights::{
    Decoder, RAE_ATTENTION, Sizes, clip, dinov2, rae_decoder, renamed, siglip2,
};
use crate::{bits, checkpoint, generated, opened, pictures, refusal, tensor};

fn case(id: &str) -> Value {
    generated::json(&format!("uae/{id}.json"))
}

/// Blocks of encoder and decoder, width and hidden width of the decoder.
fn sizes(id: &str, case: &Value) -> (usize, Decoder) {
    let depth = |index: usize| case["depth"][index].as_u64().unwrap() as usize;
    let (width, hidden) = match case["decoder"].as_str().unwrap() {
        "b" => (768, 3072),
        "l" => (1024, 4096),
        _ => (1152, 4096),
    };
    let channels = if id == "uae-clip-l" { 1024 } else { 768 };
    (depth(0), Decoder { width, hidden, depth: depth(1), latent: (channels, 16) })
}

/// What a checkpoint holds: the encoder without its last norm, RAE's decoder by its own names, and
/// the modulator.
fn tensors(id: &str) -> Vec<Planned> {
    let (depth, decoder) = sizes(id, &case(id));
    let mut all = match id {
        "uae-siglip2-b" => siglip2("encoder.model.", depth),
        "uae-clip-l" => {
            let mut clip = clip(Sizes::new(1024, depth, 14), 768);
            clip.retain(|tensor| tensor.name.starts_with("vision_model."));
            for tensor in &mut clip {
                tensor.name.insert_str(0, "encoder.model.");
            }
            clip
        }
        _ => dinov2("encoder.encoder.", Sizes::new(768, depth, 14), 4),
    };
    all.retain(|tensor| {
        !["encoder.layernorm.", "post_layernorm."].iter().any(|norm| tensor.name.contains(norm))
    });
    all.extend(rae_decoder(decoder));
    let mut all = renamed(all, &RAE_ATTENTION);
    for tensor in &mut all {
        tensor.recipe.clone_from(&tensor.name);
    }
    all.push(planned("decoder.decoder_pos_embed", [1, 257, decoder.width]));
    if id == "uae-v1-dinov2-b" {
        let mut push = |name: &str, shape: &[usize]| {
            all.push(planned(format!("freq_modulator.{name}"), shape));
        };
        push("band_transform.layers.0.weight", &[2, 2]);
        push("band_transform.layers.1.weight", &[2, 2]);
        push("denoiser.0.weight", &[1536, 1536, 3, 3]);
        push("denoiser.0.bias", &[1536]);
        push("denoiser.2.weight", &[768, 1536, 3, 3]);
        push("denoiser.2.bias", &[768]);
    }
    all
}

fn written(tensors: &[Planned]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ep-last.pt");
    planned::write(&path, tensors);
    (folder, path)
}

fn statistics(folder: &TempDir) {
    let named = |name: &str, recipe: &str| Planned {
        recipe: recipe.to_owned(),
        ..planned(name, [768, 16, 16])
    };
    let tensors = [named("mean", "_latents_mean"), named("var", "variance")];
    planned::write(&folder.path().join("normalization_stats.pt"), &tensors);
}

fn masked(mask: &str) -> Encoding<'static> {
    let band_mask: BandMask = mask.parse().unwrap();
    Encoding { band_mask, ..Encoding::deterministic() }
}

fn encode(tokenizer: &dyn Tokenizer, images: &ImageBatch, encoding: &Encoding<'_>) -> Tensor {
    tensor(tokenizer.encode(images, encoding).unwrap())
}

/// Measured 2.4e-6 to 2.1e-5; PyTorch in f32 is 2.5e-6 to 3.3e-5 from itself in f64.
///
/// In standard deviations, measured on the oracle: a GELU by tanh in the one block of the decoder
/// gives 4e-4, one coefficient less 0.3, GELU for SiLU 0.4, kept corners 1.4, another padding 3. The
/// epsilon of the decoder's norms, 8e-6 for 1e-5, is for `rae.rs` to see.
fn agrees_with_pytorch(id: &str, parameters: u64) {
    let golden = case(id);
    let (folder, path) = written(&tensors(id));
    if golden["tensors"]["normalised"].is_object() {
        statistics(&folder);
    }
    let tokenizer = opened(id, &path);
    assert_eq!(tokenizer.spec().parameters, parameters, "{id}");
    let images = picture(256, 256);
    let latents = encode(tokenizer.as_ref(), &images, &Encoding::deterministic());
    let mask = if id.contains("v1") { "rings:1" } else { "zigzag:40" };
    let kept = Latents::Tensor(latents.clone());
    let tensors = golden["tensors"].as_object().unwrap();
    assert!(["latents", "masked", "reconstruction"].iter().all(|name| tensors.contains_key(*name)));
    for (name, golden) in tensors {
        let found = match name.as_str() {
            "latents" => latents.clone(),
            "masked" => encode(tokenizer.as_ref(), &images, &masked(mask)),
            "normalised" => tensor(tokenizer.normalise(&kept).unwrap()),
            "reconstruction" => tokenizer.decode(&kept).unwrap().tensor().clone(),
            other => panic!("{id}: nothing to compare with `{other}`"),
        };
        let difference = difference(golden, &found);
        assert!(difference < TOLERANCE, "{id}: {name} differs by {difference}");
    }
}

#[test]
fn uae_agrees_with_pytorch_at_full_size() {
    agrees_with_pytorch("uae-dinov2-b", 501_934_720);
}

#[test]
fn uae_agrees_with_pytorch_on_siglip2_and_clip_and_in_its_first_generation() {
    agrees_with_pytorch("uae-siglip2-b", count("uae-siglip2-b"));
    agrees_with_pytorch("uae-clip-l", count("uae-clip-l"));
    agrees_with_pytorch("uae-v1-dinov2-b", count("uae-v1-dinov2-b"));
}

/// Numbers of the tensors above, without the head that is not used.
fn count(id: &str) -> u64 {
    let used = |tensor: &&Planned| {
        !tensor.name.contains(".head.") && !tensor.name.contains("position_ids")
    };
    let all = tensors(id);
    all.iter().filter(used).map(|tensor| tensor.shape.iter().product::<usize>() as u64).sum()
}

#[test]
fn of_a_checkpoint_the_dictionary_of_its_generation_is_taken() {
    let images = picture(256, 256);
    for (id, names) in [("uae-siglip2-b", ["model", "ema"]), ("uae-v1-dinov2-b", ["ema", "model"])]
    {
        let all = tensors(id);
        let (folder, path) = written(&all);
        let expected = encode(opened(id, &path).as_ref(), &images, &Encoding::deterministic());
        let other = [planned("of.another.network", [3, 2])];
        let [first, second] = names;
        let path = folder.path().join("ep-0000003.pt");
        checkpoint::write(&path, &[(first, &other), (second, &all)]);
        let found = encode(opened(id, &path).as_ref(), &images, &Encoding::deterministic());
        assert!(bits(&found) == bits(&expected), "{id}");
    }
}

#[test]
fn a_mask_takes_exactly_the_coefficients_behind_it_and_none_is_the_default() {
    let (_folder, path) = written(&tensors("uae-siglip2-b"));
    let uae = opened("uae-siglip2-b", &path);
    let images = picture(256, 256);
    let run = |encoding: &Encoding<'_>| encode(uae.as_ref(), &images, encoding);
    let plain = run(&Encoding::deterministic());
    assert!(bits(&run(&masked("zigzag:256"))) == bits(&plain), "a mask of all is none");
    let features = uae.features(&images, FeatureTap::Output).unwrap().patch_tokens;
    let grid = features.transpose(1, 2).unwrap().reshape((1, 768, 16, 16)).unwrap();
    assert!(bits(&grid) == bits(&plain), "nothing is masked unless it is asked for");
    let low = run(&masked("zigzag:100"));
    let size = Size::new(16, 16);
    let (transform, order) = (CosineTransform::new(size), zigzag(size));
    for channel in [0, 5, 767] {
        let plane = |latents: &Tensor| -> Vec<f32> {
            latents.get(0).unwrap().get(channel).unwrap().flatten_all().unwrap().to_vec1().unwrap()
        };
        let [before, after] = [&plain, &low].map(|latents| transform.forward(&plane(latents)));
        for (rank, &at) in order.iter().enumerate() {
            let expected = if rank < 100 { before[at] } else { 0.0 };
            assert!((after[at] - expected).abs() < 2e-6, "{channel} {rank}");
        }
    }
}

#[test]
fn masks_of_the_other_generation_and_too_large_ones_are_refused() {
    let images = picture(256, 256);
    for (id, wrong, large) in
        [("uae-siglip2-b", "rings:1", "zigzag:257"), ("uae-v1-dinov2-b", "zigzag:36", "rings:3")]
    {
        let (_folder, path) = written(&tensors(id));
        let uae = opened(id, &path);
        let error = uae.encode(&images, &masked(wrong)).unwrap_err();
        assert!(matches!(error, TokenizerError::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains("its band mask is"), "{error}");
        let error = uae.encode(&images, &masked(large)).unwrap_err();
        assert!(matches!(error, TokenizerError::Shape { .. }), "{error}");
        assert!(error.to_string().ends_with(&format!("found {large}")), "{error}");
    }
}

#[test]
fn two_rings_are_all_and_one_is_the_mean_alone() {
    let (_folder, path) = written(&tensors("uae-v1-dinov2-b"));
    let uae = opened("uae-v1-dinov2-b", &path);
    let images = picture(256, 256);
    let run = |encoding: &Encoding<'_>| encode(uae.as_ref(), &images, encoding);
    let all = run(&Encoding::deterministic());
    assert!(bits(&run(&masked("rings:2"))) == bits(&all));
    // Behind the mean, only the edge of the convolutions' padding makes positions differ.
    let one = run(&masked("rings:1"));
    let inside = one.narrow(2, 2, 12).unwrap().narrow(3, 2, 12).unwrap();
    let first = inside.narrow(2, 0, 1).unwrap().narrow(3, 0, 1).unwrap();
    let spread = inside.broadcast_sub(&first).unwrap().abs().unwrap().flatten_all().unwrap();
    assert!(spread.max(0).unwrap().to_scalar::<f32>().unwrap() < 1e-4);
    assert!(bits(&one) != bits(&all));
}

#[test]
fn noise_is_under_the_mask_in_the_second_generation_and_above_the_layers_in_the_first() {
    let images = picture(256, 256);
    let samples = [SampleKey { index: 3, id: "" }];
    let energy = |tensor: &Tensor| {
        let square = tensor.sqr().unwrap().flatten_all().unwrap();
        square.mean(0).unwrap().to_scalar::<f32>().unwrap()
    };
    let added = |id: &str, mask: &str| {
        let (_folder, path) = written(&tensors(id));
        let uae = opened(id, &path);
        let plain = masked(mask);
        let noise = "uniform:0.8".parse().unwrap();
        let noisy = Encoding { noise, samples: &samples, ..plain };
        let difference =
            encode(uae.as_ref(), &images, &noisy) - encode(uae.as_ref(), &images, &plain);
        let scale = noise.scale(&mut noisy.streams("latent noise", 1).unwrap()[0]).unwrap() as f32;
        energy(&difference.unwrap()) / (scale * scale)
    };
    // 768 x 256 draws, of which 64 of 256 coefficients are kept: sqrt(2 / n) is 0.3 and 0.6 %.
    let low = added("uae-siglip2-b", "zigzag:64");
    assert!((low - 0.25).abs() < 0.01, "{low}");
    let all = added("uae-v1-dinov2-b", "rings:1");
    assert!((all - 1.0).abs() < 0.02, "{all}");
}

#[test]
fn pictures_do_not_see_their_batch_or_the_threads() {
    for (id, mask) in [("uae-siglip2-b", "zigzag:36"), ("uae-v1-dinov2-b", "none")] {
        let (_folder, path) = written(&tensors(id));
        let uae = opened(id, &path);
        assert_eq!(uae.spec().weights[0].sha256.len(), 64);
        assert_eq!((uae.spec().id.as_str(), uae.spec().stride), (id, 256));
        // Eleven pictures are two lots of the modulator's.
        let images = pictures::batch(256, 256, 0, 11);
        let run = |images: &ImageBatch, threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| encode(uae.as_ref(), images, &masked(mask)))
        };
        let all = run(&images, 1);
        assert_eq!(all.dims(), [11, 768, 16, 16]);
        assert!(bits(&run(&images, 3)) == bits(&all), "{id}: the number of threads shows");
        for index in [0, 10] {
            let single = ImageBatch::new(images.tensor().narrow(0, index, 1).unwrap()).unwrap();
            let expected = bits(&all.narrow(0, index, 1).unwrap());
            assert!(bits(&run(&single, 2)) == expected, "{id}: picture {index} sees its batch");
        }
        assert!(bits(&all.narrow(0, 0, 1).unwrap()) != bits(&all.narrow(0, 1, 1).unwrap()));
    }
}

#[test]
fn what_uae_cannot_take_is_refused() {
    let (_folder, path) = written(&tensors("uae-siglip2-b"));
    let uae = opened("uae-siglip2-b", &path);
    let shape = |result: Result<(), TokenizerError>| {
        assert!(matches!(result, Err(TokenizerError::Shape { .. })), "{result:?}");
    };
    for (width, height) in [(512, 512), (256, 512), (224, 224)] {
        let images = pictures::batch(width, height, 0, 1);
        shape(uae.encode(&images, &Encoding::deterministic()).map(|_| ()));
    }
    for dims in [[1, 768, 8, 8], [1, 384, 16, 16]] {
        let latents = Latents::Tensor(Tensor::ones(&dims, DType::F32, &Device::Cpu).unwrap());
        shape(uae.decode(&latents).map(|_| ()));
    }
    // The generations do not fit each other, and what does not fit is listed.
    let TokenizerError::WeightsMismatch { problems, .. } = refusal("uae-v1-dinov2-b", &path) else {
        panic!("expected a mismatch");
    };
    let missing = "`freq_modulator.denoiser.0.weight` [1536, 1536, 3, 3] is missing";
    assert!(problems.iter().any(|problem| problem == missing), "{problems:?}");
    let (_folder, path) = written(&tensors("uae-v1-dinov2-b"));
    let TokenizerError::WeightsMismatch { problems, .. } = refusal("uae-dinov2-b", &path) else {
        panic!("expected a mismatch");
    };
    assert_eq!(problems.len(), 6, "{problems:?}");
    assert!(problems[0].ends_with("is not part of it"), "{problems:?}");
}

#[test]
fn latents_of_a_generator_come_by_their_statistics_or_not_at_all() {
    let mut all = tensors("uae-v1-dinov2-b");
    all.retain(|tensor| !tensor.name.starts_with("freq_modulator."));
    let (folder, path) = written(&all);
    let refused = refusal("uae-64-dinov2-b", &path);
    let TokenizerError::WeightsMissing { path: missing, remedy } = refused else {
        panic!("unexpected {refused}");
    };
    assert!(missing.ends_with("normalization_stats.pt"), "{}", missing.display());
    assert!(remedy.contains("64_tokens/normalization_stats.pt of weepiess2383/UAE"), "{remedy}");
    let latents = Tensor::ones((1, 768, 16, 16), DType::F32, &Device::Cpu).unwrap();
    let latents = Latents::Tensor(latents);
    let plain = opened("uae-dinov2-b", &path);
    for result in [plain.normalise(&latents), plain.denormalise(&latents)] {
        let error = result.expect_err("statistics that nobody has").to_string();
        assert!(error.contains("normalization_stats.pt"), "{error}");
    }
    statistics(&folder);
    let uae = opened("uae-64-dinov2-b", &path);
    let there = uae.normalise(&latents).unwrap();
    let [there_and_back, there] =
        [uae.denormalise(&there), Ok(there)].map(|latents| tensor(latents.unwrap()));
    let apart = |a: &Tensor| {
        let ones = (a - 1.0).unwrap().abs().unwrap().flatten_all().unwrap();
        ones.max(0).unwrap().to_scalar::<f32>().unwrap()
    };
    // Two roundings of f32 near 1, through deviations of up to 10.
    assert!(apart(&there) > 0.1 && apart(&there_and_back) < 1e-5, "{}", apart(&there_and_back));
}

#[test]
fn a_model_of_no_known_repository_says_so() {
    let reference = |path: Option<PathBuf>| prismbench_baselines::TokenizerRef {
        id: "uae-clip-l".to_owned(),
        weights: path,
    };
    let options = prismbench_baselines::OpenOptions::on(&Device::Cpu);
    let empty = tempfile::tempdir().unwrap();
    for path in [None, Some(empty.path().to_owned()), Some(empty.path().join("nothing.pt"))] {
        let Err(error) = prismbench_baselines::open(&reference(path), &options) else {
            panic!("opened");
        };
        let prismbench_baselines::OpenError::Tokenizer(TokenizerError::WeightsMissing {
            remedy,
            ..
        }) = error
        else {
            panic!("unexpected {error}");
        };
        assert!(remedy.contains("no repository is known to have all of `uae-clip-l`"), "{remedy}");
        assert!(remedy.contains("--tokenizer uae-clip-l=PATH"), "{remedy}");
    }
}
