//! FD-DINOv2 in its three resizes, CMMD and FD in an encoder's own space, with generated weights, against PyTorch.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use candle_core::Device;
use prismbench::Exit;
use prismbench_baselines::{Instrument, OpenOptions};
use prismbench_core::{Dinov2Resize, RgbImage};
use prismbench_metrics::{FeatureNetwork, Tap, clip_input, dinov2_input};
use prismbench_suites::{EncoderRule, EncoderSpace};
use serde_json::Value;

use crate::generation::npz;
use crate::hashed::picture;
use crate::networks::{Tensors, generated, overwritten, write};
use crate::program::{Ran, prismbench, records};
use crate::recipe;

const RULES: [(&str, EncoderRule); 4] = [
    ("dgm", EncoderRule::Dinov2(Dinov2Resize::Dgm)),
    ("dgm-clean", EncoderRule::Dinov2(Dinov2Resize::DgmClean)),
    ("tfid", EncoderRule::Dinov2(Dinov2Resize::TorchFidelity)),
    ("cmmd", EncoderRule::Clip),
];

/// Pictures of each set: their side, number, first seed and noise, as in the oracle.
const SIDE: usize = 64;
const COUNT: u64 = 24;
const REAL: (u64, i64) = (100, 20);
const MADE: (u64, i64) = (200, 60);

fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/encoder_spaces/encoder_spaces.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Encoders of one block each, made once for all tests.
fn weights(instrument: Instrument) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = overwritten("encoder_spaces");
        for (instrument, name) in [(Instrument::Dinov2L, "dinov2"), (Instrument::ClipL336, "clip")]
        {
            let path = folder.join(format!("{name}.safetensors"));
            write(&path, &generated!(instrument.tensors(1)));
        }
        folder
    });
    let name = if instrument == Instrument::Dinov2L { "dinov2" } else { "clip" };
    folder.join(format!("{name}.safetensors"))
}

/// The largest difference between values and those that the oracle kept of them, and that of the means.
fn difference(golden: &Value, found: &[f32]) -> (f64, f64) {
    let numbers = |field: &str| -> Vec<f64> {
        golden[field].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let mean = found.iter().map(|&value| f64::from(value)).sum::<f64>() / found.len() as f64;
    let at = numbers("at").into_iter().map(|at| f64::from(found[at as usize]));
    let apart = at.zip(numbers("values")).map(|(a, b)| (a - b).abs());
    (apart.fold(0.0, f64::max), (mean - golden["mean"].as_f64().unwrap()).abs())
}

/// Pillow's 8-bit resizes to the last bit; in floating point within f32's rounding.
#[test]
fn pictures_become_inputs_as_dgm_eval_torch_fidelity_and_cmmd_pytorch_make_them() {
    for case in golden()["inputs"].as_array().unwrap() {
        let side = |name: &str| case[name].as_u64().unwrap() as usize;
        let (width, height) = (side("width"), side("height"));
        let image = RgbImage::new(width, height, picture(width, height, 7, 60)).unwrap();
        for (name, rule) in RULES {
            let (found, tolerance) = match rule {
                EncoderRule::Dinov2(resize) => (dinov2_input(&image, resize), 1e-6),
                _ => (clip_input(&image), 1e-7),
            };
            let (values, mean) = difference(&case["rules"][name], &found);
            assert!(
                values <= tolerance && mean <= 1e-7,
                "{width}x{height} {name}: {values} {mean}"
            );
        }
    }
}

/// Against `transformers` in f64 with DINOv2's own positions; measured at most 4.6e-6 of features whose
/// deviation is 1. Without the positions' offset those of DINOv2 are off by up to 0.18.
#[test]
fn encoders_give_the_summaries_that_pytorch_gives() {
    let golden = golden();
    let image = RgbImage::new(SIDE, SIDE, picture(SIDE, SIDE, MADE.0, MADE.1)).unwrap();
    for (name, rule) in RULES {
        let instrument = match rule {
            EncoderRule::Dinov2(_) => Instrument::Dinov2L,
            _ => Instrument::ClipL336,
        };
        let encoder = instrument.open(&weights(instrument), &OpenOptions::on(&Device::Cpu));
        let space = EncoderSpace::new(encoder.unwrap(), rule);
        let rows = space.features(&[&image, &image], &[Tap::Pooled]).unwrap().remove(0);
        let two: Vec<&[f32]> = rows.rows().collect();
        assert_eq!(two[0], two[1]);
        let (values, mean) = difference(&golden["spaces"][name]["first"], two[0]);
        assert!(values < 1e-5 && mean < 1e-6, "{name}: {values} {mean}");
        assert!(space.features(&[&image], &[Tap::Spatial]).is_err());
    }
}

/// What `torch.hub` calls the tensors of DINOv2, whose queries, keys and values are one there.
fn as_torch_hub_has_it(tensors: &Tensors) -> Tensors {
    const NAMES: [(&str, &str); 9] = [
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
    let of = |name: &str| tensors.iter().find(|(known, ..)| known == name).unwrap().2.clone();
    let apart = |name: &str| name.contains("attention.key") || name.contains("attention.value");
    let named = tensors.iter().filter(|(name, ..)| !apart(name)).cloned();
    named
        .map(|(name, mut shape, mut values)| {
            if name.contains("attention.query") {
                for part in ["key", "value"] {
                    values.extend(of(&name.replace("query", part)));
                }
                shape[0] *= 3;
            }
            let name = NAMES.iter().fold(name, |name, (from, to)| name.replace(from, to));
            (name, shape, values)
        })
        .collect()
}

#[test]
fn a_file_of_torch_hub_gives_the_same_bits_whatever_lies_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dinov2_vitl14_pretrain.safetensors");
    write(&path, &as_torch_hub_has_it(&generated!(Instrument::Dinov2L.tensors(1))));
    // Another model's normalisation, which a tokenizer would take up.
    let beside = r#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}"#;
    fs::write(folder.path().join("preprocessor_config.json"), beside).unwrap();
    let image = RgbImage::new(SIDE, SIDE, picture(SIDE, SIDE, MADE.0, MADE.1)).unwrap();
    let features = |path: &Path| {
        let encoder = Instrument::Dinov2L.open(path, &OpenOptions::on(&Device::Cpu)).unwrap();
        let space = EncoderSpace::new(encoder, EncoderRule::Dinov2(Dinov2Resize::Dgm));
        space.features(&[&image], &[Tap::Pooled]).unwrap()
    };
    assert_eq!(features(&path), features(&weights(Instrument::Dinov2L)));
}

/// What `--weights` is told of DINOv2 and of CLIP.
pub(crate) fn given() -> [String; 2] {
    let of = |name: &str, instrument| format!("{name}={}", weights(instrument).display());
    [of("dinov2", Instrument::Dinov2L), of("clip", Instrument::ClipL336)]
}

fn program(folder: &Path, arguments: &[&str]) -> Ran {
    let [dinov2, clip] = given();
    let here = |argument: &&str| argument.replace('@', &format!("{}/", folder.display()));
    let always = ["--cache", "@cache", "--progress", "none", "--set", "size=64"];
    let mut all: Vec<String> = arguments.iter().chain(&always).map(here).collect();
    all.extend(["--weights".to_owned(), dinov2]);
    if !arguments.contains(&"stats") {
        all.extend(["--weights".to_owned(), clip]);
    }
    prismbench(&all.iter().map(String::as_str).collect::<Vec<_>>())
}

fn judge(folder: &Path, arguments: &[&str]) -> Ran {
    let run = ["run", "--force", "--out", "@run"];
    program(folder, &[&run[..], arguments].concat())
}

fn pictures(folder: &Path) {
    for (name, (seed, amplitude)) in [("real", REAL), ("made", MADE)] {
        let all = (0..COUNT).flat_map(|index| picture(SIDE, SIDE, seed + index, amplitude));
        let shape = format!("({COUNT}, {SIDE}, {SIDE}, 3)");
        npz(&folder.join(format!("{name}.npz")), &[("arr_0", "|u1", &shape, all.collect())]);
    }
}

fn value(record: &Value) -> f64 {
    record["value"].as_f64().unwrap_or_else(|| panic!("no value: {record}"))
}

/// Tolerances: relative 1e-4 for the distance, whose features are within 1e-5, and for CMMD, which is a
/// difference of numbers near 2,000.
#[test]
fn distances_are_those_of_the_oracle_in_samples_and_reconstructions() {
    let (folder, golden) = (tempfile::tempdir().unwrap(), golden());
    pictures(folder.path());
    let near = |record: &Value, name: &str| {
        let expected = golden["spaces"][name]["distance"].as_f64().unwrap();
        let found = value(record);
        assert!((found - expected).abs() < 1e-4 * expected, "{name}: {found}, {expected} expected");
    };
    let samples = ["--samples", "@made.npz", "--data", "@real.npz", "-m", "fd-dinov2"];
    judge(folder.path(), &[&samples[..], &["-m", "cmmd"]].concat()).expect(Exit::Done);
    let all = records(&folder.path().join("run"));
    near(&all[0], "dgm");
    near(&all[1], "cmmd");
    let dialects: Vec<&str> =
        all.iter().map(|record| record["dialect"].as_str().unwrap()).collect();
    assert!(dialects[0].starts_with("dgm-") && dialects[0].len() == 12, "{dialects:?}");
    assert!(dialects[1].starts_with("clip-vitl14-336-"), "{dialects:?}");
    assert!(all[0]["low"].is_number() && all[1]["low"].is_number());
    for resize in ["dgm-clean", "tfid"] {
        let set = format!("dinov2={resize}");
        judge(folder.path(), &[&samples[..], &["--set", &set]].concat()).expect(Exit::Done);
        near(&records(&folder.path().join("run"))[0], resize);
    }
    // Reconstructions: the identity is at no distance, and the originals' features are kept apart.
    let both = ["--data", "@real.npz", "-t", "identity", "-t", "dct:4", "-m", "fd-dinov2"];
    let both = [&both[..], &["-m", "cmmd", "--save", "features", "-n", "8"]].concat();
    judge(folder.path(), &both).expect(Exit::Done);
    let all = records(&folder.path().join("run"));
    assert!(value(&all[0]).abs() < 1e-6 && value(&all[1]).abs() < 1e-6, "{all:?}");
    assert!(value(&all[2]) > 1e-3 && value(&all[3]) > 1e-3, "{all:?}");
    let arrays = fs::read_dir(folder.path().join("run/arrays")).unwrap();
    let originals = arrays.map(|entry| entry.unwrap().path()).next().unwrap();
    for name in ["dinov2-vitl14", "clip-vitl14-336"] {
        assert!(originals.join(format!("features-{name}.safetensors")).is_file(), "{name}");
    }
}

#[test]
fn moments_in_dinov2s_space_serve_the_resize_that_they_were_made_with() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path());
    let stats = ["stats", "@real.npz", "-o", "@ref.npz", "-m", "fd-dinov2"];
    program(folder.path(), &stats).expect(Exit::Done);
    let samples = ["--samples", "@made.npz", "-m", "fd-dinov2"];
    let against = [&samples[..], &["--reference", "@ref.npz"]].concat();
    judge(folder.path(), &against).expect(Exit::Done);
    let found = value(&records(&folder.path().join("run"))[0]);
    let expected = golden()["spaces"]["dgm"]["distance"].as_f64().unwrap();
    // With fewer samples than features, moments lose digits that the features have.
    assert!((found - expected).abs() < 1e-3 * expected, "{found}, {expected} expected");
    let other = [&against[..], &["--set", "dinov2=tfid"]].concat();
    let said = judge(folder.path(), &other).expect(Exit::Usage).err;
    assert!(said.contains("made with dinov2 = dgm, this run has tfid"), "{said}");
    judge(folder.path(), &[&other[..], &["--allow-unlike-reference"]].concat()).expect(Exit::Done);
    let record = records(&folder.path().join("run")).remove(0);
    assert!(record["dialect"].as_str().unwrap().ends_with("-against-dinov2=dgm"), "{record}");
    // CMMD compares with pictures, and those of --data are not what the reference is of.
    let cmmd = ["--samples", "@made.npz", "-m", "cmmd", "--reference", "@ref.npz"];
    judge(folder.path(), &cmmd).expect(Exit::Done);
    let record = records(&folder.path().join("run")).remove(0);
    assert!(record["reason"].as_str().unwrap().contains("moments alone"), "{record}");
    let said = program(folder.path(), &["stats", "@real.npz", "-o", "@b.npz", "-m", "cmmd"]);
    assert!(said.expect(Exit::Usage).err.contains("no moments for `cmmd`"));
}

/// `dinov2-l` as it is probed: a picture of 64x64 becomes one of 56x56, and its class token is taken.
fn named() -> [String; 4] {
    let weights = weights(Instrument::Dinov2L);
    let weights = format!("fd-encoder={}", weights.display());
    ["--set".to_owned(), "fd-encoder=dinov2-l".to_owned(), "--weights".to_owned(), weights]
}

/// Tolerances as above: the network's features are within 1e-5 of PyTorch's in f64.
#[test]
fn an_encoder_that_the_protocol_names_is_a_space_of_its_own() {
    let (folder, golden) = (tempfile::tempdir().unwrap(), golden());
    pictures(folder.path());
    let named = named();
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    let metric = ["-m", "fd-encoder"];
    let samples = [&["--samples", "@made.npz"][..], &metric, &named].concat();
    let golden = &golden["spaces"]["dinov2-l"]["distance"];
    let near = |record: &Value, tolerance: f64| {
        let (found, expected) = (value(record), golden.as_f64().unwrap());
        assert!((found - expected).abs() < tolerance * expected, "{found}, {expected} expected");
    };
    let with_pictures = [&samples[..], &["--data", "@real.npz"]].concat();
    judge(folder.path(), &with_pictures).expect(Exit::Done);
    let record = records(&folder.path().join("run")).remove(0);
    near(&record, 1e-4);
    let dialect = record["dialect"].as_str().unwrap();
    assert!(dialect.starts_with("dinov2-l-") && dialect.len() == 17, "{dialect}");
    assert!(record["low"].is_number() && record["n"] == COUNT, "{record}");
    // Moments serve the encoder that they were made with, and no other way to look at pictures.
    let stats = [&["stats", "@real.npz", "-o", "@ref.npz"][..], &metric, &named].concat();
    program(folder.path(), &stats).expect(Exit::Done);
    let against = [&samples[..], &["--reference", "@ref.npz"]].concat();
    judge(folder.path(), &against).expect(Exit::Done);
    near(&records(&folder.path().join("run"))[0], 1e-3);
    let other = [&against[..], &["--set", "fd-encoder=dinov2-reg-l"]].concat();
    let said = judge(folder.path(), &other).expect(Exit::Usage).err;
    assert!(said.contains("`embeddings.register_tokens` [1, 4, 1024] is missing"), "{said}");
    // Pictures that were cropped otherwise are of another space.
    let other = [&against[..], &["--set", "resampler=pillow-13"]].concat();
    let said = judge(folder.path(), &other).expect(Exit::Usage).err;
    assert!(said.contains("made with resampler = pillow-12, this run has pillow-13"), "{said}");
    // Reconstructions: the identity is at no distance.
    let data = ["--data", "@real.npz", "-t", "identity", "-t", "dct:4", "-n", "8"];
    judge(folder.path(), &[&data[..], &metric, &named].concat()).expect(Exit::Done);
    let all = records(&folder.path().join("run"));
    assert!(value(&all[0]).abs() < 1e-6 && value(&all[1]) > 1e-3, "{all:?}");
}

#[test]
fn a_space_without_an_encoder_or_of_a_tokenizer_without_features_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path());
    let samples = ["--samples", "@made.npz", "--data", "@real.npz", "-m", "fd-encoder"];
    let said = judge(folder.path(), &samples).expect(Exit::Usage).err;
    assert!(said.contains("names none") && said.contains("--set fd-encoder=ID"), "{said}");
    for (id, reason) in [
        ("dct:4", "features besides its latents"),
        ("pca", "features besides its latents"),
        ("dinov3", "unknown tokenizer"),
    ] {
        let set = format!("fd-encoder={id}");
        let said = judge(folder.path(), &[&samples[..], &["--set", &set]].concat());
        let said = said.expect(Exit::Usage).err;
        assert!(said.contains(reason), "{id}: {said}");
    }
    assert!(!folder.path().join("run").exists());
}
