//! What every tokenizer owes its callers, checked for every entry of the registry.

use candle_core::{DType, Device, Tensor};
use prismbench_baselines::{TokenizerRef, registry};
use prismbench_core::{
    Encoding, ImageBatch, LatentShape, Latents, PosteriorRule, SampleKey, Tokenizer, TokenizerError,
};

use crate::{exec, generated, pictures, ready, taef2_weights};

const WIDTH: usize = 96;
const HEIGHT: usize = 64;
const INDICES: [u64; 3] = [4, 0, 9];

/// References that together reach every code path of a family.
fn references(family: &str, taef2: &str) -> Vec<String> {
    let references: &[&str] = match family {
        "identity" => &["identity"],
        "resample" => &["resample:f8", "resample:f16"],
        "jpeg" => &["jpeg:75"],
        "dct" => &["dct:1", "dct:64"],
        "pca" => &["pca:f8:16", "pca:f16:5"],
        "taef2" => return vec![format!("taef2={taef2}")],
        "exec" => return vec![exec::command("good"), exec::command("bits")],
        // It needs the names of the samples: `recon.rs` has its contract.
        "recon" => &[],
        "sd-vae" => {
            let path = generated::autoencoder_kl("sd-vae");
            return vec![format!("sd-vae={}", path.display())];
        }
        // The code of `sd-vae` and `taef2` with other weights.
        "sd-vae-ema" | "sd-vae-mse" | "sdxl-vae" | "sd3-vae" | "flux-vae" => &[],
        "taesd" | "taesdxl" | "taesd3" | "taef1" => &[],
        // `vision.rs` and `rae.rs` have their contract: they take other sides, encoders do not decode.
        "dinov2-reg-s" | "dinov2-reg-b" | "dinov2-reg-l" | "dinov2-s" | "dinov2-b" | "dinov2-l"
        | "clip-l" | "clip-b32" | "siglip2-b" | "mae-b" => &[],
        "rae-dinov2-s" | "rae-dinov2-b" | "rae-dinov2-l" | "rae-dinov2-b-512" | "rae-mae-b"
        | "rae-siglip2-b" => &[],
        // `uae.rs` and `openvision3.rs` have theirs.
        "uae-dinov2-b" | "uae-64-dinov2-b" | "uae-siglip2-b" | "uae-clip-l" | "uae-v1-dinov2-b" => {
            &[]
        }
        "openvision3-b" | "openvision3-l" => &[],
        other => panic!("`{other}` is registered but not tested: add it here"),
    };
    references.iter().map(ToString::to_string).collect()
}

#[test]
fn every_registered_tokenizer_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    taef2_weights::write(folder.path());
    // 16 pictures of 64 f16 patches each: 1024, of which a f16 fit needs 769.
    let training = [pictures::batch(128, 128, 100, 16)];
    for entry in registry() {
        for reference in references(entry.family, &folder.path().display().to_string()) {
            let tokenizer = ready(&reference, &training);
            let id = reference.parse::<TokenizerRef>().unwrap().id;
            assert_eq!(tokenizer.spec().id, id);
            describes_its_weights(tokenizer.as_ref());
            images_do_not_see_their_batch_or_the_threads(tokenizer.as_ref());
            shapes_are_those_promised(tokenizer.as_ref());
            sides_that_do_not_fit_are_refused(tokenizer.as_ref());
            foreign_latents_are_refused(tokenizer.as_ref());
        }
    }
}

fn describes_its_weights(tokenizer: &dyn Tokenizer) {
    let spec = tokenizer.spec();
    assert_eq!(spec.weights.is_empty(), spec.parameters == 0, "{}", spec.id);
    assert!(!spec.source.is_empty());
    for weights in &spec.weights {
        assert_eq!(weights.sha256.len(), 64, "{}", spec.id);
        assert!(weights.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}

/// Latents and reconstructions of each image as bits.
fn results(
    tokenizer: &dyn Tokenizer,
    images: &ImageBatch,
    encoding: &Encoding<'_>,
) -> Vec<(Vec<u8>, Vec<u32>)> {
    let latents = tokenizer.encode(images, encoding).unwrap();
    let reconstructions = tokenizer.decode(&latents).unwrap().to_planes().unwrap();
    let streams = match latents {
        Latents::BitStreams(streams) => streams,
        Latents::Finished(_) => panic!("nothing was encoded"),
        Latents::Tensor(tensor) => (0..tensor.dim(0).unwrap())
            .map(|i| {
                let numbers = tensor.get(i).unwrap().flatten_all().unwrap().to_vec1::<f32>();
                numbers.unwrap().iter().flat_map(|number| number.to_le_bytes()).collect()
            })
            .collect(),
    };
    let bits = |planes: Vec<f32>| planes.into_iter().map(f32::to_bits).collect();
    streams.into_iter().zip(reconstructions.into_iter().map(bits)).collect()
}

fn images_do_not_see_their_batch_or_the_threads(tokenizer: &dyn Tokenizer) {
    let id = &tokenizer.spec().id;
    let images = pictures::batch(WIDTH, HEIGHT, 0, 3);
    let threads = |count| rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap();
    let together = threads(1).install(|| results(tokenizer, &images, &Encoding::deterministic()));
    let again = threads(3).install(|| results(tokenizer, &images, &Encoding::deterministic()));
    assert!(together == again, "{id}: the result depends on the number of threads");
    assert!(together[0].0 != together[1].0, "{id}: different pictures have one latent");
    assert!(together[0].1 != together[1].1, "{id}: different pictures are decoded alike");

    let samples = INDICES.map(|index| SampleKey { index, id: "" });
    let drawn = |samples| Encoding {
        posterior: PosteriorRule::Sample,
        seed: 1,
        samples,
        ..Encoding::deterministic()
    };
    let sampled = results(tokenizer, &images, &drawn(&samples));
    for i in 0..3 {
        let single = ImageBatch::new(images.tensor().narrow(0, i, 1).unwrap()).unwrap();
        let alone = results(tokenizer, &single, &Encoding::deterministic());
        assert!(alone[0] == together[i], "{id}: image {i} depends on its batch");
        let again = drawn(&samples[i..=i]);
        assert!(results(tokenizer, &single, &again)[0] == sampled[i], "{id}: sample {i}");
    }
}

fn shapes_are_those_promised(tokenizer: &dyn Tokenizer) {
    let spec = tokenizer.spec();
    for (width, height) in [(WIDTH, HEIGHT), (spec.stride, spec.stride), (16, 48)] {
        let images = pictures::batch(width, height, 0, 2);
        let latents = tokenizer.encode(&images, &Encoding::deterministic()).unwrap();
        match (tokenizer.latent_shape(height, width), &latents) {
            (LatentShape::Tensor(dims), Latents::Tensor(tensor)) => {
                assert_eq!(tensor.dims()[0], 2);
                assert_eq!(tensor.dims()[1..], dims, "{}", spec.id);
                assert_eq!(tensor.dtype(), DType::F32);
            }
            (LatentShape::BitStream, Latents::BitStreams(streams)) => assert_eq!(streams.len(), 2),
            (promised, _) => panic!("{}: {promised:?} was promised", spec.id),
        }
        let decoded = tokenizer.decode(&latents).unwrap();
        assert_eq!(decoded.dims(), (2, height, width), "{}", spec.id);
        assert!(decoded.to_planes().unwrap().concat().iter().all(|value| value.is_finite()));
    }
}

fn sides_that_do_not_fit_are_refused(tokenizer: &dyn Tokenizer) {
    let stride = tokenizer.spec().stride;
    if stride == 1 {
        return;
    }
    for (width, height) in [(stride + 1, stride), (stride, 2 * stride - 1)] {
        let images = pictures::batch(width, height, 0, 1);
        let error = tokenizer.encode(&images, &Encoding::deterministic()).unwrap_err();
        assert!(matches!(error, TokenizerError::Shape { .. }), "{error}");
    }
}

fn foreign_latents_are_refused(tokenizer: &dyn Tokenizer) {
    let ones =
        |dims: &[usize], dtype| Latents::Tensor(Tensor::ones(dims, dtype, &Device::Cpu).unwrap());
    let channels = match tokenizer.latent_shape(HEIGHT, WIDTH) {
        LatentShape::Tensor(dims) => dims[0],
        LatentShape::BitStream | LatentShape::Unknown => 3,
    };
    let mut foreign = vec![
        ones(&[1, channels + 1, 4, 4], DType::F32),
        ones(&[1, channels, 4], DType::F32),
        ones(&[channels, 4, 4], DType::F32),
        ones(&[1, channels, 4, 4], DType::F64),
        ones(&[1, channels, 0, 4], DType::F32),
        Latents::BitStreams(vec![b"not a stream".to_vec()]),
        Latents::BitStreams(vec![Vec::new()]),
        Latents::BitStreams(Vec::new()),
    ];
    if let Latents::BitStreams(streams) =
        tokenizer.encode(&pictures::batch(16, 16, 0, 1), &Encoding::deterministic()).unwrap()
    {
        let larger =
            tokenizer.encode(&pictures::batch(32, 16, 0, 1), &Encoding::deterministic()).unwrap();
        let Latents::BitStreams(larger) = larger else { panic!("expected a bit stream") };
        foreign.push(Latents::BitStreams([streams, larger].concat()));
    }
    for latents in foreign {
        let result = tokenizer.decode(&latents);
        assert!(
            matches!(result, Err(TokenizerError::Shape { .. } | TokenizerError::Codec(_))),
            "{}: {latents:?} gave {result:?}",
            tokenizer.spec().id
        );
    }
}
