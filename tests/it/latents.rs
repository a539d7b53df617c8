//! Latents that somebody else's generator wrote, decoded here.

use std::fs;
use std::path::{Path, PathBuf};

use prismbench::Exit;

use crate::generation::{judge, made, npz, numbers};
use crate::networks::{Tensors, overwritten, write};
use crate::recipe;

#[test]
fn latents_are_decoded_to_the_pictures_that_their_tokenizer_made_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let (pictures, latents) = made(folder.path(), "made", "synthetic:3:24", "dct:16");
    let (pictures, latents) =
        (pictures.display().to_string(), format!("raw:{}", latents.display()));
    let against =
        ["--data", "synthetic:4:24", "-m", "gfid", "-m", "is", "-m", "precision", "-m", "rfid"];
    judge(folder.path(), &[&["--samples", &pictures][..], &against].concat()).expect(Exit::Done);
    let finished = numbers(folder.path());
    assert!(finished.iter().any(|(metric, ..)| metric == "rfid@1"));
    judge(folder.path(), &[&["--latents", &latents, "-t", "dct:16"][..], &against].concat())
        .expect(Exit::Done);
    let decoded = numbers(folder.path());
    for (before, after) in finished.iter().zip(&decoded) {
        match before.0.as_str() {
            "rfid@1" => {
                assert!(before.2.is_null(), "without a decoder there is no rFID of one");
                assert!(after.2.as_f64().unwrap() > 0.0);
            }
            _ => assert_eq!(before, after),
        }
    }
    // Batches and threads decide nothing.
    let other =
        ["--latents", &latents, "-t", "dct:16", "--batch", "5", "--threads", "1", "--no-cache"];
    judge(folder.path(), &[&other[..], &against].concat()).expect(Exit::Done);
    assert_eq!(numbers(folder.path()), decoded);
}

/// `sd-vae` by the recipe, 335 MB.
pub(crate) fn sd_vae() -> PathBuf {
    let path = overwritten("autoencoder_kl").join("sd-vae.safetensors");
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/autoencoder_kl/tensors.json");
    let all: serde_json::Value = serde_json::from_slice(&fs::read(golden).unwrap()).unwrap();
    let tensor = |row: &serde_json::Value| {
        let sides = row[2].as_array().unwrap().iter();
        let shape: Vec<usize> = sides.map(|side| side.as_u64().unwrap() as usize).collect();
        let values = recipe::tensor(row[0].as_str().unwrap(), &shape);
        (row[1].as_str().unwrap().to_owned(), shape, values)
    };
    let tensors: Tensors = all["sd-vae"].as_array().unwrap().iter().map(tensor).collect();
    write(&path, &tensors);
    path
}

/// The pixels of `count` samples that a run saved.
fn saved(folder: &Path, count: usize) -> Vec<u8> {
    let mut arrays = fs::read_dir(folder.join("run/arrays")).unwrap();
    let path = arrays.next().unwrap().unwrap().path().join("samples.npz");
    let mut archive = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    let mut bytes = Vec::new();
    std::io::copy(&mut archive.by_name("arr_0.npy").unwrap(), &mut bytes).unwrap();
    bytes.split_off(bytes.len() - count * 64 * 64 * 3)
}

/// One latent space, its values as the encoder gives them and as generators are trained on them
/// (times 0.18215), in one `.npz` and in a folder of two `.safetensors`.
#[test]
fn normalised_latents_in_several_files_are_decoded_to_the_pictures_of_the_raw_ones() {
    const COUNT: usize = 3;
    const EACH: usize = 4 * 8 * 8;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let raw = recipe::tensor("latents", &[COUNT, 4, 8, 8]);
    let bytes = raw.iter().flat_map(|value| value.to_le_bytes()).collect();
    npz(&path("raw.npz"), &[("latents", "<f4", &format!("({COUNT}, 4, 8, 8)"), bytes)]);
    fs::create_dir(path("parts")).unwrap();
    let normalised: Vec<f32> = raw.iter().map(|value| value * 0.18215).collect();
    for (name, count, values) in [
        ("0.safetensors", 2, &normalised[..2 * EACH]),
        ("1.safetensors", 1, &normalised[2 * EACH..]),
    ] {
        let tensor = ("latents".to_owned(), vec![count, 4, 8, 8], values.to_vec());
        write(&path("parts").join(name), &vec![tensor]);
    }
    let tokenizer = format!("sd-vae={}", sd_vae().display());
    let pixels = |latents: &str| {
        let latents = latents.replace('@', &format!("{}/", folder.path().display()));
        let run = ["--latents", &latents, "-t", &tokenizer, "--save", "samples"];
        let against = ["--data", "synthetic:4:4", "-m", "is", "--batch", "2"];
        judge(folder.path(), &[&run[..], &against].concat()).expect(Exit::Done);
        saved(folder.path(), COUNT)
    };
    let expected = pixels("raw:@raw.npz");
    let found = pixels("normalised:@parts");
    // Both ways round once in f32, which moves a level where it lies between two.
    let apart = |found: &[u8]| found.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(apart(&found) <= Some(1), "{:?}", apart(&found));
    let moved = found.iter().zip(&expected).filter(|(a, b)| a != b).count();
    assert!(moved < found.len() / 1000, "{moved}");
    // Taken for what they are not, they are other pictures.
    assert!(apart(&pixels("raw:@parts")) > Some(20));
}
