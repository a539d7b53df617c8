//! RAE against diffusers' `AutoencoderRAE`, with generated weights.

use std::fs;

use candle_core::{DType, Device, Tensor};
use prismbench_core::{
    Encoding, FeatureTap, ImageBatch, LatentNoise, Latents, SampleKey, Tokenizer, TokenizerError,
};
use tempfile::TempDir;

use crate::planned::{self as plans, Planned, planned};
use crate::vision::{TOLERANCE, difference, picture, written};
use crate::vision_weights::{
    Decoder, RAE_ATTENTION, Sizes, dinov2, mae, rae_buffers, rae_decoder, renamed, siglip2,
};
use crate::{bits, largest_difference, opened, pictures, planes, refusal, round_trip, tensor};

/// `(encoder, decoder)` blocks, and width and hidden width of the decoder.
#[derive(Clone, Copy)]
struct Case {
    id: &'static str,
    depth: (usize, usize),
    decoder: (usize, usize),
}

const BASE: (usize, usize) = (768, 3072);

impl Case {
    fn decoder(&self) -> Decoder {
        let (width, hidden) = self.decoder;
        let channels = match self.id {
            "rae-dinov2-s" => 384,
            "rae-dinov2-l" => 1024,
            _ => 768,
        };
        let side = if self.id.ends_with("512") { 32 } else { 16 };
        Decoder { width, hidden, depth: self.depth.1, latent: (channels, side) }
    }

    fn encoder(&self, prefix: &str) -> Vec<Planned> {
        let depth = self.depth.0;
        match self.id {
            "rae-mae-b" => mae(prefix, depth),
            "rae-siglip2-b" => siglip2(&format!("{prefix}vision_model."), depth),
            _ => dinov2(prefix, Sizes::new(self.decoder().latent.0, depth, 14), 4),
        }
    }

    /// The file of diffusers' layout. The oracle's encoders have names behind `encoder.` too.
    fn tensors(&self) -> Vec<Planned> {
        let pixels = match self.id {
            "rae-siglip2-b" => ["half", "half"],
            _ => ["encoder_mean", "encoder_std"],
        };
        let mut all = self.encoder("encoder.");
        all.retain(|tensor| !is_last_norm(&tensor.name));
        all.extend(rae_decoder(self.decoder()));
        // Recipes go by the names of diffusers in memory, which are those of the file.
        all.extend(rae_buffers(self.decoder(), pixels));
        all
    }
}

/// Norms that the files of RAE do not have, because they have no weights there.
fn is_last_norm(name: &str) -> bool {
    name.contains("encoder.layernorm.") || name.contains("post_layernorm.")
}

fn agrees_with_diffusers(case: Case) {
    let golden = crate::vision::case(case.id);
    let (_folder, path) = written(&case.tensors());
    let tokenizer = opened(case.id, &path);
    let side = golden["side"].as_u64().unwrap() as usize;
    let images = picture(side, side);
    let latents = tokenizer.encode(&images, &Encoding::deterministic()).unwrap();
    let normalised = tokenizer.normalise(&latents).unwrap();
    let reconstruction = tokenizer.decode(&latents).unwrap();
    let found = [
        ("latents", tensor(latents.clone())),
        ("normalised", tensor(normalised.clone())),
        ("reconstruction", reconstruction.tensor().clone()),
    ];
    for (name, found) in &found {
        let golden = &golden["tensors"][name];
        let difference = difference(golden, found);
        assert!(difference < TOLERANCE, "{}: {name} differs by {difference}", case.id);
    }
    let features = tokenizer.features(&images, FeatureTap::Output).unwrap();
    let tokens = found[0].1.flatten(2, 3).unwrap().transpose(1, 2).unwrap();
    assert_eq!(bits(&features.patch_tokens), bits(&tokens), "{}", case.id);
}

#[test]
fn rae_on_dinov2_agrees_with_diffusers_at_full_size() {
    agrees_with_diffusers(Case { id: "rae-dinov2-b", depth: (12, 28), decoder: (1152, 4096) });
}

#[test]
fn rae_agrees_with_diffusers_on_every_encoder_and_with_every_decoder() {
    for case in [
        SMALL,
        Case { id: "rae-dinov2-l", depth: (1, 1), decoder: (1024, 4096) },
        Case { id: "rae-dinov2-b-512", depth: (1, 1), decoder: (1152, 4096) },
        Case { id: "rae-mae-b", depth: (2, 1), decoder: BASE },
        Case { id: "rae-siglip2-b", depth: (2, 1), decoder: BASE },
    ] {
        agrees_with_diffusers(case);
    }
}

const SMALL: Case = Case { id: "rae-dinov2-s", depth: (2, 1), decoder: BASE };

fn reconstruct(tokenizer: &dyn Tokenizer, images: &ImageBatch) -> Vec<f32> {
    planes(&round_trip(tokenizer, images))
}

#[test]
fn latents_come_back_from_the_generators_space() {
    let (_folder, path) = written(&SMALL.tensors());
    let rae = opened(SMALL.id, &path);
    let latents = rae.encode(&picture(256, 256), &Encoding::deterministic()).unwrap();
    let there = rae.normalise(&latents).unwrap();
    assert!(bits(&tensor(there.clone())) != bits(&tensor(latents.clone())));
    let back = rae.denormalise(&there).unwrap();
    let [one, two] = [&latents, &back].map(|latents| rae.decode(latents).unwrap());
    let [one, two] = [one, two].map(|images| planes(&images));
    // Rounded twice, 1e-7 of a latent each.
    assert!(largest_difference(&one, &two) < 1e-5);
}

#[test]
fn noise_is_of_the_sample_and_as_large_as_it_says() {
    let (_folder, path) = written(&SMALL.tensors());
    let rae = opened(SMALL.id, &path);
    let images = pictures::batch(256, 256, 0, 2);
    let samples = [3, 8].map(|index| SampleKey { index, id: "" });
    let noise: LatentNoise = "half-normal:0.8".parse().unwrap();
    let noisy = Encoding { noise, seed: 4, samples: &samples, ..Encoding::deterministic() };
    let run = |images: &ImageBatch, encoding: &Encoding<'_>| {
        tensor(rae.encode(images, encoding).unwrap())
    };
    let plain = run(&images, &Encoding::deterministic());
    let both = run(&images, &noisy);
    let second = ImageBatch::new(images.tensor().narrow(0, 1, 1).unwrap()).unwrap();
    let alone = run(&second, &Encoding { samples: &samples[1..], ..noisy });
    assert_eq!(bits(&alone), bits(&both.narrow(0, 1, 1).unwrap()));
    let added = (both - plain).unwrap();
    for (index, sample) in samples.iter().enumerate() {
        let mut stream =
            Encoding { samples: &[*sample], ..noisy }.streams("latent noise", 1).unwrap().remove(0);
        let scale = noise.scale(&mut stream).unwrap();
        let values: Vec<f32> = added.get(index).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let mean_square = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
        // 98,304 draws: the deviation of their root mean square is 1 / sqrt(2 n) = 0.2 %.
        let rms = (mean_square / values.len() as f64).sqrt();
        assert!((rms / scale - 1.0).abs() < 0.012, "{rms} for {scale}");
    }
    let keyless = Encoding { noise, ..Encoding::deterministic() };
    assert!(matches!(rae.encode(&images, &keyless), Err(TokenizerError::Shape { .. })));
    let masked = Encoding { band_mask: "zigzag:4".parse().unwrap(), ..noisy };
    assert!(matches!(rae.encode(&images, &masked), Err(TokenizerError::Unsupported { .. })));
}

#[test]
fn the_last_norm_and_positions_of_a_file_are_not_used() {
    let (_folder, path) = written(&SMALL.tensors());
    let expected = reconstruct(opened(SMALL.id, &path).as_ref(), &picture(256, 256));
    let mut more = SMALL.tensors();
    more.push(planned("encoder.layernorm.weight", [384]));
    more.push(planned("encoder.layernorm.bias", [384]));
    more.push(planned("decoder.decoder_pos_embed", [1, 257, 768]));
    let (_folder, path) = written(&more);
    let found = reconstruct(opened(SMALL.id, &path).as_ref(), &picture(256, 256));
    assert!(found == expected);
}

/// RAE's own three files, in one folder.
fn native(case: Case) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let decoder = case.decoder();
    let alone = [("decoder.decoder_", "decoder_"), ("decoder.trainable", "trainable")];
    let mut tensors = renamed(renamed(rae_decoder(decoder), &alone), &RAE_ATTENTION);
    let (channels, side) = decoder.latent;
    let named = |name: &str, recipe: &str, shape: &[usize]| Planned {
        recipe: recipe.to_owned(),
        ..planned(name, shape)
    };
    let positions = [1, side * side + 1, decoder.width];
    tensors.push(named("decoder_pos_embed", "mae positions", &positions));
    plans::write(&folder.path().join("model.pt"), &tensors);
    let shape = [channels, side, side];
    let statistics = [named("mean", "_latents_mean", &shape), named("var", "variance", &shape)];
    plans::write(&folder.path().join("stat.pt"), &statistics);
    let mut encoder = case.encoder("encoder.");
    for tensor in &mut encoder {
        tensor.name = tensor.name.replacen("encoder.", "", 1);
    }
    plans::write(&folder.path().join("model.safetensors"), &encoder);
    folder
}

#[test]
fn the_three_files_of_rae_give_what_the_one_of_diffusers_gives() {
    let case = Case { id: "rae-dinov2-b", depth: (1, 1), decoder: BASE };
    let (_folder, path) = written(&case.tensors());
    let images = picture(256, 256);
    let one = opened(case.id, &path);
    let folder = native(case);
    let expected = reconstruct(one.as_ref(), &images);
    for path in [folder.path().to_owned(), folder.path().join("model.pt")] {
        let three = opened(case.id, &path);
        assert_eq!(three.spec().parameters, one.spec().parameters);
        assert_eq!(three.spec().weights.len(), 3);
        // Positions are rounded from another sine.
        assert!(largest_difference(&reconstruct(three.as_ref(), &images), &expected) < 1e-5);
        let latents = one.encode(&images, &Encoding::deterministic()).unwrap();
        let [a, b] = [&one, &three].map(|rae| tensor(rae.normalise(&latents).unwrap()));
        let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        assert!(difference.to_scalar::<f32>().unwrap() < 1e-5);
    }
    fs::remove_file(folder.path().join("stat.pt")).unwrap();
    let TokenizerError::WeightsMissing { remedy, .. } = refusal(case.id, folder.path()) else {
        panic!("expected missing weights");
    };
    assert!(remedy.contains("imagenet1k/stat.pt of nyu-visionx/RAE-collections"), "{remedy}");
}

#[test]
fn what_rae_cannot_take_is_refused() {
    let (_folder, path) = written(&SMALL.tensors());
    let rae = opened(SMALL.id, &path);
    let shape = |result: Result<(), TokenizerError>| {
        assert!(matches!(result, Err(TokenizerError::Shape { .. })), "{result:?}");
    };
    for (width, height) in [(512, 512), (256, 512), (224, 224)] {
        let images = pictures::batch(width, height, 0, 1);
        shape(rae.encode(&images, &Encoding::deterministic()).map(|_| ()));
        shape(rae.features(&images, FeatureTap::Output).map(|_| ()));
    }
    for dims in [[1, 384, 8, 8], [1, 768, 16, 16]] {
        let latents = Latents::Tensor(Tensor::ones(&dims, DType::F32, &Device::Cpu).unwrap());
        shape(rae.decode(&latents).map(|_| ()));
        shape(rae.normalise(&latents).map(|_| ()));
        shape(rae.denormalise(&latents).map(|_| ()));
    }
}

#[test]
fn a_decoder_of_unknown_width_and_deviations_of_zero_are_refused() {
    let case = Case { decoder: (512, 2048), ..SMALL };
    let (_folder, path) = written(&case.tensors());
    let error = refusal(case.id, &path).to_string();
    assert!(error.contains("the decoder is 512 wide"), "{error}");
    let mut tensors = SMALL.tensors();
    for tensor in &mut tensors {
        if tensor.name == "_latents_std" {
            tensor.recipe = "_latents_mean".to_owned();
        }
    }
    let (_folder, path) = written(&tensors);
    let error = refusal(SMALL.id, &path).to_string();
    assert!(error.contains("`_latents_std` is of deviations that are not positive"), "{error}");
}
