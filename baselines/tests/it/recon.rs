//! Finished reconstructions, from folders and archives.

use std::fs;
use std::io::Write;
use std::path::Path;

use candle_core::Device;
use prismbench_baselines::{OpenOptions, Opened, open};
use prismbench_core::{
    BandMask, Encoding, ImageBatch, LatentShape, Latents, Quantiser, Reconstruction, RgbImage,
    SampleKey, Tokenizer, TokenizerError,
};

use crate::{chain, pictures};

fn recon(path: &Path) -> Box<dyn Tokenizer> {
    let reference = format!("recon:{}", path.display());
    match open(&reference.parse().unwrap(), &OpenOptions::on(&Device::Cpu)).unwrap() {
        Opened::Ready(tokenizer) => tokenizer,
        Opened::Unfitted(_) => panic!("pictures need no fit"),
    }
}

/// Writes pictures `0..names.len()` of the generator as PNG files.
fn folder(names: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (key, name) in names.iter().enumerate() {
        write(&root.path().join(name), key as u64);
    }
    root
}

fn write(path: &Path, key: u64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let picture = pictures::picture(16, 8, key);
    image::save_buffer(path, picture.pixels(), 16, 8, image::ExtendedColorType::Rgb8).unwrap();
}

/// Reconstructions of samples `(index, id)`, as the metrics get them.
fn made(
    tokenizer: &dyn Tokenizer,
    samples: &[(u64, &str)],
    quantiser: Quantiser,
) -> Result<Vec<RgbImage>, TokenizerError> {
    let samples: Vec<SampleKey<'_>> =
        samples.iter().map(|&(index, id)| SampleKey { index, id }).collect();
    // What is in the pictures is not looked at.
    let images = pictures::batch(16, 8, 99, samples.len() as u64);
    let encoding = Encoding { samples: &samples, ..Encoding::deterministic() };
    let latents = tokenizer.encode(&images, &encoding)?;
    let made = tokenizer.decode(&latents)?.quantise(quantiser)?;
    Ok(made
        .into_iter()
        .map(|made| match made {
            Reconstruction::U8(image) => image,
            Reconstruction::F32 { .. } => panic!("asked for bytes"),
        })
        .collect())
}

fn expected(keys: &[u64]) -> Vec<RgbImage> {
    keys.iter().map(|&key| pictures::picture(16, 8, key)).collect()
}

fn found(tokenizer: &dyn Tokenizer, samples: &[(u64, &str)]) -> Vec<RgbImage> {
    made(tokenizer, samples, Quantiser::Round).unwrap()
}

fn refusal(tokenizer: &dyn Tokenizer, samples: &[(u64, &str)]) -> String {
    let error = made(tokenizer, samples, Quantiser::Round).unwrap_err();
    assert!(matches!(error, TokenizerError::Reconstruction { .. }), "{error}");
    chain(&error)
}

/// An archive as `numpy.savez_compressed` writes it.
fn archive(ids: &[&str], count: u64) -> tempfile::TempPath {
    let mut file = tempfile::Builder::new().suffix(".npz").tempfile().unwrap();
    let mut zip = zip::ZipWriter::new(&mut file);
    let options = zip::write::SimpleFileOptions::default();
    let options = options.compression_method(zip::CompressionMethod::Deflated);
    zip.start_file("arr_0.npy", options).unwrap();
    zip.write_all(&prismbench_data::npy::Header::encode("|u1", &[count, 8, 16, 3])).unwrap();
    for key in 0..count {
        zip.write_all(pictures::picture(16, 8, key).pixels()).unwrap();
    }
    if !ids.is_empty() {
        zip.start_file("ids.npy", options).unwrap();
        let longest = ids.iter().map(|id| id.chars().count()).max().unwrap();
        let header = prismbench_data::npy::Header::encode(&format!("<U{longest}"), &[count]);
        zip.write_all(&header).unwrap();
        for id in ids {
            let mut codes: Vec<u32> = id.chars().map(u32::from).collect();
            codes.resize(longest, 0);
            codes.iter().for_each(|code| zip.write_all(&code.to_le_bytes()).unwrap());
        }
    }
    zip.finish().unwrap();
    file.into_temp_path()
}

#[test]
fn every_quantiser_leaves_the_bytes_as_they_are() {
    let root = folder(&["a.png", "b.png"]);
    let tokenizer = recon(root.path());
    for quantiser in [Quantiser::Round, Quantiser::Truncate, Quantiser::RoundHalfUp] {
        let found = made(tokenizer.as_ref(), &[(7, "b.png"), (0, "a.png")], quantiser).unwrap();
        assert!(found == expected(&[1, 0]), "{quantiser}");
    }
}

#[test]
fn pictures_are_found_by_id_whatever_their_extension() {
    let root = folder(&["n01/x.y.png", "n02/x.y.png", "n01/Ünï 日本 \"q\" #;=:.png", "top.png"]);
    let tokenizer = recon(root.path());
    let samples =
        [(0, "n02/x.y.JPEG"), (1, "n01/x.y.webp"), (2, "n01/Ünï 日本 \"q\" #;=:.jpg"), (3, "top")];
    assert!(found(tokenizer.as_ref(), &samples) == expected(&[1, 0, 2, 3]));
    // Any order, any batch.
    assert!(found(tokenizer.as_ref(), &samples[2..3]) == expected(&[2]));
    assert_eq!(tokenizer.remarks(), Vec::<String>::new());
}

#[test]
fn a_flat_folder_may_leave_the_samples_folders_out() {
    let root = folder(&["x.png", "y.png", "z.png"]);
    let tokenizer = recon(root.path());
    assert!(
        found(tokenizer.as_ref(), &[(0, "n01/y.JPEG"), (1, "n02/x.JPEG")]) == expected(&[1, 0])
    );
    assert_eq!(tokenizer.remarks().len(), 1);
    assert!(tokenizer.remarks()[0].ends_with("1 of 3 pictures belong to no sample"));
    let error = refusal(tokenizer.as_ref(), &[(2, "n03/y.JPEG")]);
    assert!(
        error.contains("`y.png` would stand for both `n01/y.JPEG` and `n03/y.JPEG`"),
        "{error}"
    );
}

#[test]
fn a_sample_without_a_picture_or_with_two_is_named() {
    let root = folder(&["a/x.png", "a/x.webp", "b/y.png"]);
    let tokenizer = recon(root.path());
    let error = refusal(tokenizer.as_ref(), &[(0, "b/y.png"), (1, "b/x.JPEG")]);
    assert!(error.contains("there is none for `b/x.JPEG`"), "{error}");
    let error = refusal(tokenizer.as_ref(), &[(0, "a/x.JPEG")]);
    assert!(error.contains("for `a/x.JPEG` there are `a/x.png` and `a/x.webp`"), "{error}");
    // Its whole name tells one of the two.
    assert!(found(tokenizer.as_ref(), &[(0, "a/x.webp")]).len() == 1);
    // Not flat: the folder of a sample is part of its name.
    assert!(refusal(tokenizer.as_ref(), &[(0, "c/y.png")]).contains("none for `c/y.png`"));
}

#[test]
fn an_id_that_leads_out_of_the_folder_finds_nothing() {
    let root = folder(&["in/a.png", "out/b.png"]);
    let tokenizer = recon(&root.path().join("in"));
    let outside = root.path().join("out/b.png");
    for id in
        ["../out/b.png", "x/../../out/b.png", outside.to_str().unwrap(), "..", "", "/", "a.png/"]
    {
        let error = refusal(tokenizer.as_ref(), &[(0, id)]);
        assert!(error.contains(&format!("none for `{id}`")), "{error}");
    }
}

#[test]
fn an_archive_is_paired_by_its_ids_and_else_by_place() {
    let path = archive(&["b/x.png", "a/日本.png", "c"], 3);
    let named = recon(&path);
    let samples = [(0, "a/日本.JPEG"), (1, "c.webp"), (2, "b/x.png")];
    // Forwards, backwards and again: a deflated member can only be read in one direction.
    assert!(found(named.as_ref(), &samples) == expected(&[1, 2, 0]));
    assert!(found(named.as_ref(), &samples[..2]) == expected(&[1, 2]));

    let path = archive(&[], 40);
    let numbered = recon(&path);
    assert!(
        found(numbered.as_ref(), &[(5, "any"), (39, "name"), (0, "at all")])
            == expected(&[5, 39, 0])
    );
    let error = refusal(numbered.as_ref(), &[(40, "x")]);
    assert!(error.contains("picture 40 of the data: it has 40, and no `ids`"), "{error}");
}

#[test]
fn a_picture_of_another_size_or_a_damaged_one_is_named() {
    let root = folder(&["a.png", "b.png"]);
    let whole = fs::read(root.path().join("b.png")).unwrap();
    fs::write(root.path().join("b.png"), &whole[..whole.len() / 2]).unwrap();
    let tokenizer = recon(root.path());
    let samples = [SampleKey { index: 0, id: "a.png" }];
    let encoding = Encoding { samples: &samples, ..Encoding::deterministic() };
    let error = tokenizer.encode(&pictures::batch(32, 8, 0, 1), &encoding).unwrap_err();
    assert!(
        chain(&error).ends_with("of `a.png` has 16x8 pixels where the cropped picture has 32x8")
    );
    assert!(refusal(tokenizer.as_ref(), &[(0, "b.png")]).contains("b.png` is no usable picture"));
}

#[test]
fn nothing_is_claimed_about_a_latent() {
    let root = folder(&["a.jpg"]);
    let tokenizer = recon(root.path());
    assert_eq!(tokenizer.spec().id, format!("recon:{}", root.path().display()));
    assert_eq!(tokenizer.latent_shape(8, 16), LatentShape::Unknown);
    assert_eq!(
        (LatentShape::Unknown.floats(), LatentShape::Unknown.to_string()),
        (None, String::new())
    );
    let remarks = tokenizer.remarks();
    assert!(
        remarks.iter().any(|remark| remark.contains("1 of 1 pictures are JPEG")),
        "{remarks:?}"
    );

    let images = pictures::batch(16, 8, 0, 1);
    let error = tokenizer.encode(&images, &Encoding::deterministic()).unwrap_err();
    assert!(error.to_string().contains("the ids of 1 samples to pair by"), "{error}");
    let banded = Encoding { band_mask: BandMask::Zigzag(3), ..Encoding::deterministic() };
    let error = tokenizer.encode(&images, &banded).unwrap_err();
    assert!(matches!(error, TokenizerError::Unsupported { .. }), "{error}");
    let error = tokenizer.decode(&Latents::BitStreams(vec![vec![1]])).unwrap_err();
    assert!(matches!(error, TokenizerError::Shape { .. }), "{error}");
    let finished = Latents::Finished(ImageBatch::new(images.tensor().clone()).unwrap());
    assert!(finished.grid("other", 3).is_err() && finished.bit_streams("other").is_err());
}

#[test]
fn what_is_no_set_of_pictures_is_an_error_when_it_is_opened() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("notes.txt"), "none").unwrap();
    for (path, expected) in [
        (root.path().join("nowhere"), "there is nothing at"),
        (root.path().to_owned(), "no pictures under"),
        (
            root.path().join("notes.txt"),
            "is no folder, no `.npz`, `.tar`, `.parquet` or `.bin` and no picture",
        ),
    ] {
        let reference = format!("recon:{}", path.display()).parse().unwrap();
        let error = open(&reference, &OpenOptions::on(&Device::Cpu)).err().unwrap();
        assert!(chain(&error).contains(expected), "{}", chain(&error));
    }
}
