use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use candle_core::Tensor;
use prismbench_core::{
    FeatureTap, Features as Tokens, LatentShape, Latents, Protocol, Stream, TextTower,
    TokenizerSpec, Weights,
};

use super::*;
use crate::feature_file::Origin;
use crate::pictures::{OnBad, Part};
use crate::{Journals, Networks, Observer};
use prismbench_data::{Dataset, Synthetic};

/// Four patch tokens of a square, the mean colours of its quarters, and a count of the pictures that it saw.
struct Fake {
    spec: TokenizerSpec,
    seen: AtomicUsize,
    /// Has no features, only a latent.
    latent_only: bool,
    /// A feature of pictures number so many of a batch is NaN.
    bad: Option<usize>,
    /// The device is lost when it has seen so many pictures.
    most: usize,
}

impl Fake {
    fn new(weights: &str) -> Self {
        let weights = match weights {
            "" => Vec::new(),
            sha256 => vec![Weights { name: "fake".to_owned(), sha256: sha256.to_owned() }],
        };
        let (id, source) = ("fake".to_owned(), String::new());
        let spec = TokenizerSpec { id, stride: 2, parameters: 1, weights, source };
        Self { spec, seen: AtomicUsize::new(0), latent_only: false, bad: None, most: usize::MAX }
    }

    /// Pictures or texts since the last call.
    fn seen(&self) -> usize {
        self.seen.swap(0, Ordering::Relaxed)
    }

    /// `[N, 3, 2, 2]`.
    fn quarters(&self, images: &ImageBatch) -> Result<Tensor, TokenizerError> {
        let (count, height, _) = images.dims();
        if self.seen.fetch_add(count, Ordering::Relaxed) + count > self.most {
            let driver = std::io::Error::other("DriverError(CUDA_ERROR_LAUNCH_FAILED, \"a bug\")");
            return Err(candle_core::Error::Cuda(Box::new(driver)).into());
        }
        let means = images.tensor().avg_pool2d(height / 2)?;
        match self.bad {
            Some(bad) if bad < count => {
                let mut scale = vec![1.0_f32; count];
                scale[bad] = f32::NAN;
                let scale = Tensor::from_vec(scale, (count, 1, 1, 1), images.tensor().device())?;
                Ok(means.broadcast_mul(&scale)?)
            }
            _ => Ok(means),
        }
    }
}

impl Tokenizer for Fake {
    fn spec(&self) -> &TokenizerSpec {
        &self.spec
    }

    fn latent_shape(&self, _: usize, _: usize) -> LatentShape {
        LatentShape::Tensor(vec![3, 2, 2])
    }

    fn encode(
        &self,
        images: &ImageBatch,
        encoding: &prismbench_core::Encoding<'_>,
    ) -> Result<Latents, TokenizerError> {
        encoding.refuse_noise("fake")?;
        // A mask that can be told: everything is halved.
        let factor = match encoding.band_mask {
            prismbench_core::BandMask::None => 1.0,
            _ => 0.5,
        };
        Ok(Latents::Tensor((self.quarters(images)? * factor)?))
    }

    fn decode(&self, _: &Latents) -> Result<ImageBatch, TokenizerError> {
        Err(TokenizerError::Unsupported { tokenizer: "fake".to_owned(), capability: "decoder" })
    }

    fn features(&self, images: &ImageBatch, tap: FeatureTap) -> Result<Tokens, TokenizerError> {
        if self.latent_only {
            let capability = "features besides its latents";
            return Err(TokenizerError::Unsupported { tokenizer: "fake".to_owned(), capability });
        }
        let quarters = self.quarters(images)?;
        let (_, _, rows, columns) = quarters.dims4()?;
        let patch_tokens = quarters.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
        let patch_tokens = match tap {
            FeatureTap::Output | FeatureTap::Last(_) => patch_tokens,
            FeatureTap::Block(_) => (patch_tokens * 3.0)?,
        };
        let grid = (rows, columns);
        Ok(Tokens { patch_tokens, grid, class_token: None, pooled: None })
    }

    fn text_tower(&self) -> Option<&dyn TextTower> {
        (!self.latent_only).then_some(self)
    }
}

impl TextTower for Fake {
    /// Length and first byte.
    fn embed(&self, texts: &[&str]) -> Result<Tensor, TokenizerError> {
        self.seen.fetch_add(texts.len(), Ordering::Relaxed);
        let values: Vec<f32> = texts
            .iter()
            .flat_map(|text| [text.len() as f32, f32::from(text.as_bytes()[0])])
            .collect();
        Ok(Tensor::from_vec(values, (texts.len(), 2), &Device::Cpu)?)
    }

    fn context(&self) -> usize {
        99
    }

    fn logit(&self) -> (f64, f64) {
        (1.0, 0.0)
    }
}

struct Silent;

impl Observer for Silent {}

fn with_context<T>(
    cache: Option<&Path>,
    batch: usize,
    run: impl FnOnce(&mut Context<'_>) -> T,
) -> T {
    with_journals(&Journals::Temporary, cache, batch, run)
}

fn with_journals<T>(
    journals: &Journals,
    cache: Option<&Path>,
    batch: usize,
    run: impl FnOnce(&mut Context<'_>) -> T,
) -> T {
    run(&mut Context {
        metrics: &[],
        device: &Device::Cpu,
        batch,
        seed: 0,
        protocol: &protocol(&[]),
        networks: &Networks::default(),
        allow_unlike_reference: false,
        training: None,
        text_tower: None,
        load_times: &[],
        reference: None,
        cache,
        save_features: None,
        journals,
        save_samples: None,
        interrupted: &AtomicBool::new(false),
        observer: &mut Silent,
    })
}

fn protocol(set: &[(&str, &str)]) -> Protocol {
    let small = Protocol::preset("default").unwrap().with("size", "16").unwrap();
    set.iter().fold(small, |protocol, (field, value)| protocol.with(field, value).unwrap())
}

fn pictures<'a>(dataset: &'a dyn Dataset, protocol: &'a Protocol, part: Part) -> Pictures<'a> {
    Pictures { dataset, part, limit: None, protocol, on_bad: OnBad::Stop }
}

fn rows(extracted: &Extracted) -> Vec<f32> {
    let features = extracted.features();
    let mut all = vec![0.0; features.rows() * features.columns()];
    features.read(0, &mut all).unwrap();
    all
}

/// One tokenizer over the pictures: its rows, how many went through it, and the warnings.
fn pass(
    fake: &Fake,
    pictures: &Pictures<'_>,
    cache: Option<&Path>,
) -> (Result<Vec<f32>, Outcome>, usize, Vec<String>) {
    let found = with_context(cache, 5, |context| extract(&[fake], pictures, context));
    let mut found = found.unwrap().unwrap();
    let extracted = found.subjects.remove(0);
    if let Ok(extracted) = &extracted {
        assert_eq!(extracted.computed, fake.seen.load(Ordering::Relaxed) as u64);
        assert_eq!(extracted.features().rows(), found.pictures.count());
        assert_eq!(extracted.latent, "3x2x2");
    }
    (extracted.map(|extracted| rows(&extracted)), fake.seen(), found.warnings)
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_second_pass_runs_no_network_and_gives_the_same_bits() {
    let (folder, set, fake) =
        (tempfile::tempdir().unwrap(), Synthetic::new(3, 13), Fake::new("a1"));
    let protocol = protocol(&[]);
    let all = pictures(&set, &protocol, Part::All);
    let without = pass(&fake, &all, None).0;
    for computed in [13, 0, 0] {
        assert_eq!(pass(&fake, &all, Some(folder.path())), (without.clone(), computed, vec![]));
    }
    // Pictures that are new among known ones are computed alone.
    let more = Synthetic::new(3, 16);
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let key = |set: &Synthetic| {
        Origin::of_tokenizer(&fake.spec, &protocol, &Device::Cpu).key(&format!("{} all", set.id()))
    };
    assert!(file.ends_with(format!("{}.safetensors", key(&set))));
    std::fs::rename(&file, folder.path().join(format!("{}.safetensors", key(&more)))).unwrap();
    let more = pictures(&more, &protocol, Part::All);
    let (found, computed, _) = pass(&fake, &more, Some(folder.path()));
    assert_eq!((found, computed), (pass(&fake, &more, None).0, 3));
}

#[test]
fn a_pass_whose_device_is_lost_ends_and_goes_on_where_it_was() {
    let (folder, set) = (tempfile::tempdir().unwrap(), Synthetic::new(3, 13));
    let (protocol, journals) = (protocol(&[]), Journals::Folder(folder.path().to_owned()));
    let all = pictures(&set, &protocol, Part::All);
    let whole = pass(&Fake::new("a1"), &all, None).0.unwrap();
    let broken = Fake { most: 9, ..Fake::new("a1") };
    let run =
        |fake: &Fake| with_journals(&journals, None, 4, |context| extract(&[fake], &all, context));
    let error = run(&broken).map(|_| ()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, SuiteError::DeviceLost { .. }), "{text}");
    assert!(text.contains("lost") && text.contains("CUDA_ERROR_LAUNCH_FAILED"), "{text}");
    let healthy = Fake::new("a1");
    let mut found = run(&healthy).unwrap().unwrap();
    assert_eq!(rows(&found.subjects.remove(0).unwrap()), whole, "no failure was put down");
    assert_eq!(healthy.seen(), 5, "two blocks of four were kept");
}

#[test]
fn what_decides_the_features_keeps_entries_apart() {
    let (folder, set) = (tempfile::tempdir().unwrap(), Synthetic::new(3, 8));
    let changes: [&[(&str, &str)]; 6] = [
        &[],
        &[("size", "32")],
        &[("tap", "block:1")],
        &[("pooling", "flatten")],
        &[("band-mask", "zigzag:3")],
        &[("arithmetic", "strict")],
    ];
    for (number, set_fields) in changes.into_iter().enumerate() {
        let protocol = protocol(set_fields);
        for weights in ["a1", "b2"] {
            let (fake, all) = (Fake::new(weights), pictures(&set, &protocol, Part::All));
            assert_eq!(pass(&fake, &all, Some(folder.path())).1, 8, "{set_fields:?} {weights}");
            assert_eq!(pass(&fake, &all, Some(folder.path())).1, 0, "{set_fields:?} {weights}");
        }
        assert_eq!(entries(folder.path()), 2 * (number + 1));
    }
    // What concerns reconstructions alone does not.
    let other = protocol(&[("psnr", "rae"), ("quantiser", "truncate")]);
    let all = pictures(&set, &other, Part::All);
    assert_eq!(pass(&Fake::new("a1"), &all, Some(folder.path())).1, 0);
}

#[test]
fn train_and_test_do_not_push_each_other_out() {
    let (folder, set, fake) =
        (tempfile::tempdir().unwrap(), Synthetic::new(3, 20), Fake::new("a1"));
    let protocol = protocol(&[]);
    for computed in [(5, 15), (0, 0)] {
        let of = |part| pass(&fake, &pictures(&set, &protocol, part), Some(folder.path())).1;
        assert_eq!((of(Part::Train), of(Part::Test)), computed);
    }
}

#[test]
fn nothing_is_kept_of_fixed_transforms_and_of_draws() {
    let (folder, set) = (tempfile::tempdir().unwrap(), Synthetic::new(3, 4));
    let (plain, drawn) = (protocol(&[]), protocol(&[("posterior", "sample")]));
    for (fake, protocol) in [(Fake::new(""), &plain), (Fake::new("a1"), &drawn)] {
        let all = pictures(&set, protocol, Part::All);
        assert_eq!(pass(&fake, &all, Some(folder.path())).1, 4);
        assert_eq!(entries(folder.path()), 0);
    }
}

#[test]
fn a_latent_serves_where_there_are_no_features_and_where_it_is_masked() {
    let (set, plain) = (Synthetic::new(3, 6), protocol(&[("pooling", "flatten")]));
    let (fake, only) = (Fake::new("a1"), Fake { latent_only: true, ..Fake::new("a1") });
    let of =
        |fake: &Fake, protocol: &Protocol| pass(fake, &pictures(&set, protocol, Part::All), None).0;
    let expected = of(&fake, &plain).unwrap();
    assert_eq!(of(&only, &plain).unwrap(), expected, "cells in the order of patch tokens");
    let masked = of(&fake, &plain.with("band-mask", "zigzag:3").unwrap()).unwrap();
    let halves: Vec<f32> = expected.iter().map(|value| value * 0.5).collect();
    assert_eq!(masked, halves);
    let skipped = |fake: &Fake, field: &str, value: &str| match of(
        fake,
        &plain.with(field, value).unwrap(),
    ) {
        Err(Outcome::Skipped { reason }) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(skipped(&only, "tap", "block:1"), "`fake` has no features besides its latents");
    assert_eq!(skipped(&fake, "latent-noise", "uniform:0.5"), "`fake` has no latent noise");
    assert_eq!(skipped(&fake, "pooling", "cls"), "`fake` has no class token");
}

#[test]
fn a_feature_that_is_no_number_is_told_with_its_picture_and_the_others_go_on() {
    let (set, protocol) = (Synthetic::new(3, 9), protocol(&[]));
    let (good, bad) = (Fake::new("a1"), Fake { bad: Some(2), ..Fake::new("b2") });
    let all = pictures(&set, &protocol, Part::All);
    let subjects: [&dyn Tokenizer; 2] = [&bad, &good];
    let found = with_context(None, 5, |context| extract(&subjects, &all, context));
    let found = found.unwrap().unwrap();
    let Err(Outcome::Failed { reason }) = &found.subjects[0] else { panic!("it has failed") };
    assert_eq!(reason, "a feature of `000002` is NaN; check it and the weights");
    assert!(found.subjects[1].is_ok() && bad.seen() == 5, "and no further block of it");
    assert_eq!(found.captions.len(), 9);
    assert!(found.captions.iter().all(|captions| captions.len() == 2));
}

#[test]
fn neither_batches_nor_the_order_of_tokenizers_move_a_bit() {
    let (set, protocol) = (Synthetic::new(3, 9), protocol(&[("pooling", "spatial-4x4")]));
    let all = pictures(&set, &protocol, Part::All);
    let of = |batch| {
        let (first, second) = (Fake::new("a1"), Fake { latent_only: true, ..Fake::new("") });
        let subjects: [&dyn Tokenizer; 2] = [&first, &second];
        let found = with_context(None, batch, |context| extract(&subjects, &all, context));
        let found = found.unwrap().unwrap();
        let rows: Vec<Vec<f32>> =
            found.subjects.iter().map(|subject| rows(subject.as_ref().ok().unwrap())).collect();
        let pictures: Vec<_> = found.pictures.pictures.iter().map(Result::unwrap).collect();
        (pictures, found.pictures.sha256, rows)
    };
    let expected = of(1);
    assert_eq!(expected.2[0].len(), 9 * 16 * 3);
    for batch in [2, 4, 64] {
        assert_eq!(of(batch), expected);
    }
}

#[test]
fn widths_that_depend_on_the_picture_are_refused() {
    // Without a crop the scenes have several sizes, and the fake some grids of 2 x 3.
    let (set, protocol) =
        (Synthetic::new(3, 30), protocol(&[("crop", "none"), ("pooling", "flatten")]));
    let (found, ..) = pass(&Fake::new("a1"), &pictures(&set, &protocol, Part::All), None);
    let Err(Outcome::Failed { reason }) = found else { panic!("{found:?}") };
    assert!(reason.contains("features, those before it") && reason.contains("a crop"), "{reason}");
}

#[test]
fn an_entry_that_was_damaged_is_said_and_made_anew() {
    let (folder, set, fake) = (tempfile::tempdir().unwrap(), Synthetic::new(3, 4), Fake::new("a1"));
    let protocol = protocol(&[]);
    let all = pictures(&set, &protocol, Part::All);
    let expected = pass(&fake, &all, Some(folder.path())).0;
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let (found, computed, warnings) = pass(&fake, &all, Some(folder.path()));
    assert_eq!((found, computed, warnings.len()), (expected, 4, 1));
    assert!(warnings[0].ends_with("its features are computed again"), "{}", warnings[0]);
    assert_eq!(pass(&fake, &all, Some(folder.path())).1, 0);
}

#[test]
fn texts_are_embedded_once() {
    let (folder, fake, protocol) = (tempfile::tempdir().unwrap(), Fake::new("a1"), protocol(&[]));
    let mut stream = Stream::new("test", 1, 0);
    let texts: Vec<String> =
        (0..150).map(|_| "a disc "[..1 + stream.below(6) as usize].to_owned()).collect();
    let embedded = |texts: &[String]| {
        let mut warnings = Vec::new();
        let found = with_context(Some(folder.path()), 5, |context| {
            embed(&fake, &protocol, (texts, "set"), context, &mut warnings)
        });
        assert!(warnings.is_empty());
        (rows(&found.ok().unwrap()), fake.seen())
    };
    let expected: Vec<f32> = texts.iter().flat_map(|text| [text.len() as f32, 97.0]).collect();
    assert_eq!(embedded(&texts), (expected.clone(), 150));
    assert_eq!(embedded(&texts), (expected, 0));
    let without = Fake { latent_only: true, ..Fake::new("a1") };
    let found = with_context(None, 5, |context| {
        embed(&without, &protocol, (&texts, "set"), context, &mut Vec::new())
    });
    let reason = "`fake` has no text tower".to_owned();
    assert_eq!(found.err(), Some(Outcome::Skipped { reason }));
    let none = with_context(None, 5, |context| {
        embed(&fake, &protocol, (&[], "set"), context, &mut Vec::new())
    });
    assert!(matches!(none.err(), Some(Outcome::Skipped { .. })));
}
