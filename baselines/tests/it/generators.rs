//! Generators through their public face: files in every form, and what is refused.

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use prismbench_baselines::{GeneratorRef, OpenError, OpenOptions, generators, open_generator};
use prismbench_core::{Draw, Generator, Latents, Sampling, TokenizerError};
use tempfile::TempDir;

use crate::generator_weights::{DITDH_S, Sizes, TINY, generator};
use crate::planned::{self as plans, FAINT, Planned};
use crate::{bits, chain, checkpoint};

const SAMPLING: &str = "euler:3,shift:2";

fn reference(id: &str, path: &Path) -> GeneratorRef {
    format!("{id}={}", path.display()).parse().unwrap()
}

fn open(
    reference: &GeneratorRef,
    sampling: &str,
    guide: Option<&GeneratorRef>,
) -> Result<Box<dyn Generator>, OpenError> {
    let sampling: Sampling = sampling.parse().unwrap();
    open_generator(reference, Some(sampling), guide, &OpenOptions::on(&Device::Cpu))
}

fn refusal(reference: &GeneratorRef, sampling: &str, guide: Option<&GeneratorRef>) -> String {
    match open(reference, sampling, guide) {
        Err(error) => chain(&error),
        Ok(_) => panic!("opened"),
    }
}

fn written(tensors: &[Planned]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    plans::write(&path, tensors);
    (folder, path)
}

fn samples(generator: &dyn Generator) -> Tensor {
    let draws = [(0, 3), (1, 9)].map(|(index, class)| Draw { index, class });
    match generator.sample(&draws, 5).unwrap() {
        Latents::Tensor(latents) => latents,
        other => panic!("{} are no latents of a generator", other.kind()),
    }
}

#[test]
fn a_generator_describes_itself_and_what_guides_it() {
    let (_folder, path) = written(&generator(TINY));
    let tiny = reference("ditdh", &path);
    let alone = open(&tiny, "rk4:50,shift:2", None).unwrap();
    let spec = alone.spec();
    assert_eq!((spec.id.as_str(), spec.parameters, spec.calls), ("ditdh", 60_098, 196));
    assert_eq!((spec.latent, spec.classes), ([6, 4, 4], 10));
    assert_eq!(spec.sampling, "rk4:50,shift:2");
    assert_eq!(spec.weights.len(), 1);
    assert_eq!(spec.weights[0].name, "model.safetensors");

    let (_folder, path) = written(&generator(Sizes { head: None, ..TINY }));
    let guide = reference("lightningdit", &path);
    let both = open(&tiny, "euler:50,autoguidance:1.42,shift:2", Some(&guide)).unwrap();
    assert_eq!((both.spec().parameters, both.spec().calls), (60_098 + 19_678, 98));
    assert_eq!(both.spec().weights.len(), 2);
    let latents = samples(both.as_ref());
    assert_eq!(latents.dims(), [2, 6, 4, 4]);
    assert_ne!(
        bits(&latents),
        bits(&samples(open(&tiny, "euler:50,shift:2", None).unwrap().as_ref()))
    );
}

#[test]
fn a_published_generator_is_sampled_as_it_was_published() {
    for (entry, expected) in [("ditdh-s", ("euler:50", 49)), ("uae-ditdh-xl", ("rk4:50", 196))] {
        let entry = generators().iter().find(|known| known.family == entry).unwrap();
        let times = entry.sampling.times(768 * 16 * 16).unwrap();
        let calls = (times.len() - 1) * entry.sampling.integrator.nodes().len();
        assert_eq!((entry.sampling.to_string().as_str(), calls), expected);
    }
}

/// A file's names with something before them.
fn prefixed(prefix: &str, tensors: &[Planned]) -> Vec<Planned> {
    let tensors = tensors.iter().cloned();
    tensors.map(|tensor| Planned { name: format!("{prefix}{}", tensor.name), ..tensor }).collect()
}

#[test]
fn a_network_is_the_same_in_every_form_of_its_file() {
    let plain = generator(TINY);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // The pickles hold tables in f16.
    let opened =
        |path: &Path| samples(open(&reference("ditdh", path), SAMPLING, None).unwrap().as_ref());
    let far = |a: &Tensor, b: &Tensor| {
        let far = (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        far.to_scalar::<f32>().unwrap()
    };
    plans::write(&path("plain.safetensors"), &plain);
    let expected = opened(&path("plain.safetensors"));
    for prefix in ["module.", "model.", "_orig_mod."] {
        plans::write(&path("model.safetensors"), &prefixed(prefix, &plain));
        assert_eq!(bits(&opened(folder.path())), bits(&expected), "{prefix}");
    }
    let mut other = plain.clone();
    for tensor in &mut other {
        if tensor.name.contains("final_layer.linear") {
            tensor.recipe = format!("{FAINT}{}", tensor.recipe);
        }
    }
    let (own, worse) = (&plain[..], &other[..]);
    let mut found = Vec::new();
    for dictionaries in [
        &[("state_dict", own)][..],
        &[("model", own)],
        &[("ema", own)],
        &[("model", worse), ("ema", own), ("optimizer", worse)],
    ] {
        let path = path("stage2_model.pt");
        checkpoint::write(&path, dictionaries);
        found.push(opened(&path));
        assert!(far(&found[0], &expected) < 0.02, "{}", far(&found[0], &expected));
        assert_eq!(bits(&found[0]), bits(found.last().unwrap()));
    }
    checkpoint::write(&path("stage2_model.pt"), &[("ema", worse)]);
    assert!(far(&opened(&path("stage2_model.pt")), &expected) > 0.1);
}

#[test]
fn every_tensor_that_does_not_fit_is_named() {
    let mut tensors = generator(DITDH_S);
    let keep =
        |name: &str| !["blocks.13.attn.proj.bias", "pos_embed", "t_embedder.W"].contains(&name);
    // Small ones under the names of large ones: what is said of a file costs no gigabyte.
    tensors.retain(|tensor| keep(&tensor.name));
    for tensor in &mut tensors {
        tensor.shape = vec![1];
        tensor.recipe = "bias".to_owned();
    }
    tensors.push(Planned { name: "extra.weight".to_owned(), ..tensors[0].clone() });
    let (_folder, path) = written(&tensors);
    let error = refusal(&reference("ditdh-s", &path), "euler:50", None);
    for part in [
        "`blocks.13.attn.proj.bias` [2048] is missing",
        "`pos_embed` [1, 256, 384] is missing",
        "`t_embedder.W` [256] is missing",
        "`blocks.13.mlp.w3.weight` is [1], expected [2048, 5461]",
        "`x_embedder.proj.weight` is [1], expected [2048, 768] or [2048, 768, 1, 1]",
        "`extra.weight` is not part of it",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_file_of_another_size_or_architecture_is_told_as_what_it_is() {
    let (_folder, path) = written(&generator(TINY));
    let error = refusal(&reference("ditdh-s", &path), "euler:50", None);
    for part in [
        "it is a DiT^DH for 10 classes of 6x4x4 (2 blocks of 16 with 2 heads, 2 of 32 with 2)",
        "`ditdh-s` is a DiT^DH for 1000 classes of 768x16x16 (12 blocks of 384 with 6 heads, 2 of \
         2048 with 16)",
        "ditdh=PATH takes any size",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let error = refusal(&reference("lightningdit-s", &path), "euler:50", None);
    assert!(error.contains("it is a DiT^DH, and `lightningdit-s` is a LightningDiT"), "{error}");
    let (_folder, path) = written(&generator(Sizes { head: None, ..TINY }));
    let error = refusal(&reference("ditdh", &path), SAMPLING, None);
    assert!(error.contains("it is a LightningDiT, and `ditdh` is a DiT^DH"), "{error}");
    for (name, kind) in [
        ("decoder_pred.weight", "a decoder of RAE"),
        ("blocks.0.adaLN_modulation.1.weight", "a DiT or SiT without rotary embeddings"),
        ("decoder.conv_out.weight", "an AutoencoderKL"),
    ] {
        let (_folder, path) = written(&[plans::planned(name, [1])]);
        let error = refusal(&reference("ditdh-xl", &path), "euler:50", None);
        assert!(error.contains(&format!("it is {kind}, and `ditdh-xl` is a DiT^DH")), "{error}");
    }
}

#[test]
fn sizes_that_a_file_does_not_tell_are_named() {
    let with = |change: &dyn Fn(&mut Planned)| {
        let mut tensors = generator(TINY);
        tensors.iter_mut().for_each(change);
        let (_folder, path) = written(&tensors);
        refusal(&reference("ditdh", &path), SAMPLING, None)
    };
    let renamed = |from: &'static str| {
        move |tensor: &mut Planned| {
            if tensor.name == from {
                tensor.name = "elsewhere".to_owned();
            }
        }
    };
    for name in ["x_embedder.proj.weight", "enc_feat_rope.freqs_cos", "t_embedder.W"] {
        let error = with(&renamed(name));
        assert!(
            error.contains(&format!("`{name}`, from which sizes are read, is missing")),
            "{error}"
        );
    }
    let error = with(&|tensor| {
        if tensor.name == "enc_feat_rope.freqs_cos" {
            tensor.shape = vec![15, 8];
        }
    });
    assert!(error.contains("15 positions are no square"), "{error}");
    let error = with(&|tensor| {
        if tensor.name == "dec_feat_rope.freqs_cos" {
            tensor.shape = vec![16, 12];
        }
    });
    assert!(error.contains("`dec_feat_rope.freqs_cos` is for heads of 12 channels"), "{error}");
    let error = with(&|tensor| {
        if tensor.name == "y_embedder.embedding_table.weight" {
            tensor.shape = vec![1, 16];
        }
    });
    assert!(error.contains("`y_embedder.embedding_table.weight` is of no class"), "{error}");
    let error = with(&|tensor| {
        if tensor.name == "x_embedder.proj.weight" {
            tensor.shape = vec![32];
        }
    });
    assert!(error.contains("is [32], from which no size can be read"), "{error}");
    let equal = Sizes { head: Some((16, 2, 2)), ..TINY };
    let (_folder, path) = written(&generator(equal));
    let error = refusal(&reference("ditdh", &path), SAMPLING, None);
    assert!(error.contains("encoder and head are both 16 wide"), "{error}");
}

#[test]
fn guides_that_do_not_fit_are_refused() {
    let (_folder, path) = written(&generator(TINY));
    let tiny = reference("ditdh", &path);
    let error = refusal(&tiny, "euler:5,autoguidance:1.42,shift:2", None);
    assert!(error.contains("autoguidance needs a weaker generator to guide it"), "{error}");
    let xl = "ditdh-xl".parse().unwrap();
    let error = refusal(&xl, "euler:5,autoguidance:1.42", None);
    assert!(error.ends_with("(RAE has autoguidance:1.42 by `ditdh-s`)"), "{error}");
    for sampling in [SAMPLING, "euler:5,cfg:1.42,shift:2"] {
        let error = refusal(&tiny, sampling, Some(&tiny));
        assert!(error.contains("which only autoguidance:SCALE has a use for"), "{error}");
    }
    for other in [Sizes { latent: (6, 5), ..TINY }, Sizes { classes: 11, ..TINY }] {
        let (_folder, path) = written(&generator(other));
        let guide = reference("ditdh", &path);
        let error = refusal(&tiny, "euler:5,autoguidance:1.42,shift:2", Some(&guide));
        let (side, classes) = (other.latent.1, other.classes);
        let expected = format!(
            "it makes latents [6, 4, 4] of 10 classes, and `ditdh`, which is to guide it, latents \
             [6, {side}, {side}] of {classes} classes"
        );
        assert!(error.contains(&expected), "{error}");
    }
    let error = refusal(&tiny, "euler:5", None);
    assert!(error.contains("ask for shift:none or shift:NUMBER"), "{error}");
}

#[test]
fn weights_that_are_not_there_are_asked_for_by_name() {
    let nowhere = reference("ditdh-xl", Path::new("/nowhere"));
    let Err(OpenError::Tokenizer(TokenizerError::WeightsMissing { remedy, .. })) =
        open(&nowhere, "euler:50", None)
    else {
        panic!("expected missing weights");
    };
    assert!(remedy.contains("`prismbench fetch ditdh-xl` downloads"), "{remedy}");
    assert!(remedy.contains("DiTDH-XL/stage2_model.pt of nyu-visionx/RAE-collections"), "{remedy}");
    assert!(remedy.contains("--generator ditdh-xl=FOLDER"), "{remedy}");
    let error = refusal(&"lightningdit-b".parse().unwrap(), "euler:50", None);
    assert!(error.contains("no weights at"), "{error}");
}
