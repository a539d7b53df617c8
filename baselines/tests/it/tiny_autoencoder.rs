use std::fs;
use std::path::Path;

use prismbench_core::{Tokenizer, TokenizerError};
use serde::Deserialize;

use crate::checksum::Checksum;
use crate::generated::{self, Row};
use crate::pictures::Hashed;
use crate::{encode, opened, pictures, refusal, tensor};

/// Of the standard deviation. Measured 6e-6, and PyTorch in single precision is 3e-6 from itself in
/// double. Latents that are not clamped give 6e-2.
const TOLERANCE: f64 = 2e-5;

#[derive(Deserialize)]
struct Model {
    channels: usize,
    tensors: Vec<Row>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    picture: Hashed,
    latents: Checksum,
    reconstruction: Checksum,
}

fn model(channels: usize) -> Model {
    let models: Vec<Model> = generated::json("tiny_autoencoder/generated.json");
    models.into_iter().find(|model| model.channels == channels).unwrap()
}

fn write(path: &Path, rows: &[Row]) {
    generated::write(path, rows, |_, values| values.iter_mut().for_each(|x| *x *= 0.75));
}

/// diffusers' one file.
fn write_whole(folder: &Path, model: &Model) {
    write(&folder.join("diffusion_pytorch_model.safetensors"), &model.tensors);
}

/// The file of a model of so many channels.
pub(crate) fn write_published(folder: &Path, channels: usize) {
    write_whole(folder, &model(channels));
}

/// madebyollin's two files.
fn write_halves(folder: &Path, id: &str, model: &Model) {
    for half in ["encoder", "decoder"] {
        let rows: Vec<Row> = model
            .tensors
            .iter()
            .filter_map(|(name, _, shape)| {
                let original = name.strip_prefix(half)?.strip_prefix('/')?;
                Some((name.clone(), original.to_owned(), shape.clone()))
            })
            .collect();
        write(&folder.join(format!("{id}_{half}.safetensors")), &rows);
    }
}

fn agrees_with_diffusers(tokenizer: &dyn Tokenizer, cases: &[Case]) {
    let id = &tokenizer.spec().id;
    for case in cases {
        let latents = encode(tokenizer, &pictures::hashed(case.picture));
        let decoded = tokenizer.decode(&latents).unwrap().tensor().clone();
        for (what, expected, found) in [
            ("latents", &case.latents, tensor(latents)),
            ("reconstruction", &case.reconstruction, decoded),
        ] {
            let difference = expected.difference(&found);
            assert!(difference < TOLERANCE, "{id}: {what} differs by {difference}");
        }
    }
}

#[test]
fn every_form_of_the_files_gives_the_numbers_of_diffusers() {
    for (id, channels, parameters) in [
        ("taesd", 4, 2_445_063),
        ("taesdxl", 4, 2_445_063),
        ("taesd3", 16, 2_458_899),
        ("taef1", 16, 2_458_899),
    ] {
        let model = model(channels);
        let (whole, halves) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write_whole(whole.path(), &model);
        write_halves(halves.path(), id, &model);
        let file = whole.path().join("diffusion_pytorch_model.safetensors");
        for (path, files) in [(whole.path(), 1), (&*file, 1), (halves.path(), 2)] {
            let tokenizer = opened(id, path);
            assert_eq!(tokenizer.spec().parameters, parameters);
            assert_eq!(tokenizer.spec().weights.len(), files);
            agrees_with_diffusers(tokenizer.as_ref(), &model.cases);
        }
    }
}

fn problems(error: TokenizerError) -> Vec<String> {
    match error {
        TokenizerError::WeightsMismatch { problems, .. } => problems,
        error => panic!("unexpected {error}"),
    }
}

#[test]
fn another_model_s_weights_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_whole(folder.path(), &model(16));
    let found = problems(refusal("taesd", folder.path()));
    let expected =
        "the encoder is of latents of 16 channels, and `taesd` has latents of 4 channels";
    assert_eq!(found, [expected]);
    // The decoder alone is another's.
    write_halves(folder.path(), "taesd", &model(4));
    fs::remove_file(folder.path().join("taesd_decoder.safetensors")).unwrap();
    let found = problems(refusal("taesd", folder.path()));
    assert!(found[0].starts_with("the decoder is of latents of 16 channels"), "{found:?}");
}

#[test]
fn a_file_that_is_neither_half_lists_all_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let row = ("a.weight".to_owned(), "a.weight".to_owned(), vec![3]);
    write(&folder.path().join("diffusion_pytorch_model.safetensors"), &[row]);
    let found = problems(refusal("taef1", folder.path()));
    // 2 convolutions with bias, 3 without, 10 blocks of 3 with bias; and the one that is there.
    assert_eq!(found.len(), 4 + 3 + 60 + 1);
    assert!(found.contains(&"`14.weight` [16, 64, 3, 3] is missing".to_owned()), "{found:?}");
}

#[test]
fn half_a_download_is_refused_as_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    write_whole(folder.path(), &model(4));
    let path = folder.path().join("diffusion_pytorch_model.safetensors");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(matches!(refusal("taesd", folder.path()), TokenizerError::WeightsUnreadable { .. }));
}
