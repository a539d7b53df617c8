use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use prismbench_core::{Choice, RgbImage, Weights};
use prismbench_kernels::nn::Work;
use prismbench_metrics::{FeatureRows, NetworkCost, NetworkError};

use super::*;
use crate::Journals;
use crate::journal::Block;
use crate::pictures::{OnBad, Part};
use prismbench_data::{Dataset, Synthetic};

/// Means of the three colours, and a count of the pictures that it saw.
struct Fake {
    weights: Vec<Weights>,
    seen: AtomicUsize,
    /// Features of pictures with this first byte are NaN.
    bad: Option<u8>,
}

impl Fake {
    fn new() -> Self {
        let weights = vec![Weights { name: "fake".to_owned(), sha256: "0123456789".to_owned() }];
        Self { weights, seen: AtomicUsize::new(0), bad: None }
    }

    /// Pictures since the last call.
    fn seen(&self) -> usize {
        self.seen.swap(0, Ordering::Relaxed)
    }
}

impl FeatureNetwork for Fake {
    fn id(&self) -> &'static str {
        "fake"
    }

    fn weights(&self) -> &[Weights] {
        &self.weights
    }

    fn resize(&self) -> Option<(&'static str, &'static str)> {
        Some(("inception", "tf1"))
    }

    fn taps(&self) -> &'static [Tap] {
        &[Tap::Pooled, Tap::Spatial, Tap::LogitsUnbiased]
    }

    fn width(&self, _: Tap) -> Option<usize> {
        Some(3)
    }

    fn cost(&self, _: usize, _: usize) -> Result<NetworkCost, NetworkError> {
        Ok(NetworkCost { parameters: 0, work: Work::default() })
    }

    fn features(
        &self,
        images: &[&RgbImage],
        taps: &[Tap],
    ) -> Result<Vec<FeatureRows>, NetworkError> {
        self.seen.fetch_add(images.len(), Ordering::Relaxed);
        if let Some(image) = images.iter().position(|image| Some(image.pixels()[0]) == self.bad) {
            return Err(NetworkError::NotFinite {
                network: "fake",
                value: "NaN".to_owned(),
                image,
            });
        }
        let row = |image: &&RgbImage| {
            let mut sums = [0.0_f32; 3];
            for pixel in image.pixels().as_chunks::<3>().0 {
                sums.iter_mut().zip(pixel).for_each(|(sum, &level)| *sum += f32::from(level));
            }
            sums.map(|sum| sum / image.pixels().len() as f32)
        };
        let rows = |tap: &Tap| {
            // Each tap its own numbers.
            let scale = if *tap == Tap::Spatial { 0.5 } else { 1.0 };
            let values = images.iter().flat_map(row).map(|value| scale * value).collect();
            FeatureRows::new(3, values).unwrap()
        };
        Ok(taps.iter().map(rows).collect())
    }
}

fn protocol() -> Protocol {
    Protocol::preset("default").unwrap().with("size", "16").unwrap()
}

fn pictures<'a>(dataset: &'a dyn Dataset, protocol: &'a Protocol) -> Pictures<'a> {
    Pictures { dataset, part: Part::All, limit: None, protocol, on_bad: OnBad::Stop }
}

fn block(pictures: &Pictures<'_>) -> PictureBlock {
    pictures.blocks(64).unwrap().next_block().unwrap().unwrap()
}

/// What a tokenizer makes that halves every level.
fn dark(block: &[Prepared]) -> Quantised {
    let dark = |picture: &Prepared| {
        let (width, height) = (picture.image.width(), picture.image.height());
        let levels = picture.image.pixels().iter().map(|level| level / 2).collect();
        Reconstruction::U8(RgbImage::new(width, height, levels).unwrap())
    };
    Quantised::on_host(block.iter().map(dark).collect())
}

/// How many originals were computed in each space, and why what was made has no features.
type Taken = (Vec<u64>, Vec<Result<(), Outcome>>);

/// Measures a block and takes it in; for each space why what was made has no features.
fn take(
    all: &mut Distributions<'_>,
    block: &PictureBlock,
    made: &Quantised,
) -> Result<Vec<Result<(), Outcome>>, SuiteError> {
    let mut rows = Vec::new();
    let fresh = all.originals(block, &mut rows)?;
    let spaces = all.made(block, made, &mut rows);
    let end = block.last().map_or(0, |last| last.index + 1);
    let mut journal = Journals::Temporary.open("test", (&BTreeMap::new(), end), &mut Vec::new())?;
    let state = (fresh, spaces.clone());
    journal.push(block, Vec::new(), Block { state, rows, failures: Vec::new() })?;
    journal.recall(|mut block: Recalled<'_, Taken>| {
        let (fresh, spaces) = block.state.take().unwrap();
        let layer = all.take_originals(&block, &fresh)?;
        all.take_made(&block, (0, layer), spaces)?;
        Ok::<_, SuiteError>(())
    })?;
    Ok(spaces)
}

/// One pass over `measured` with the cache of a set that is called as `named` is: the first metric,
/// the warnings, and how many originals went through the network.
fn pass(
    folder: Option<&Path>,
    metrics: &[&'static MetricDef],
    (named, measured): (&Synthetic, &Synthetic),
) -> (Measurement, Vec<String>, usize) {
    let (network, protocol, mut warnings) = (Fake::new(), protocol(), Vec::new());
    let mut space = Space::new(&network, metrics.to_vec(), &protocol, 1);
    if let Some(folder) = folder {
        space =
            space.with_cache(folder, (&pictures(named, &protocol), &Device::Cpu), &mut warnings);
    }
    let block = block(&pictures(measured, &protocol));
    let mut all = Distributions { protocol: &protocol, device: Device::Cpu, spaces: vec![space] };
    for part in block.chunks(5) {
        let part = PictureBlock::new(part.to_vec(), None);
        let found = take(&mut all, &part, &dark(&part)).unwrap();
        assert_eq!(found, [Ok(())]);
    }
    let computed = network.seen() - block.len();
    all.keep(&mut warnings);
    let (mut measurements, _) = all.report(0, None, "");
    (measurements.remove(0), warnings, computed)
}

fn entry(folder: &Path) -> std::path::PathBuf {
    let mut entries = fs::read_dir(folder).unwrap();
    let first = entries.next().unwrap().unwrap().path();
    assert!(entries.next().is_none(), "one entry");
    first
}

#[test]
fn a_second_pass_over_the_same_pictures_computes_no_original_and_gives_the_same_bits() {
    let (folder, set) = (tempfile::tempdir().unwrap(), Synthetic::new(3, 24));
    let without = pass(None, &[&RFID, &SFID], (&set, &set));
    assert_eq!(without.2, 24);
    for computed in [24, 0, 0] {
        let with = pass(Some(folder.path()), &[&RFID, &SFID], (&set, &set));
        assert_eq!(with, (without.0.clone(), vec![], computed));
    }
    assert!(matches!(without.0.outcome, Outcome::Ok { low: Some(_), .. }), "{:?}", without.0);
}

#[test]
fn a_damaged_entry_is_computed_again_said_and_replaced() {
    let (folder, set) = (tempfile::tempdir().unwrap(), Synthetic::new(3, 24));
    let (expected, ..) = pass(Some(folder.path()), &[&RFID], (&set, &set));
    let path = entry(folder.path());
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let other = String::from_utf8_lossy(&whole).contains("prismbench-features-1");
    assert!(other, "the next case changes the format");
    let at = whole.windows(11).position(|bytes| bytes == b"-features-1").unwrap() + 10;
    let mut newer = whole.clone();
    newer[at] = b'9';
    for (bytes, word) in [
        (&whole[..whole.len() - 1], "damaged"),
        (&whole[..3], "ends too early"),
        (&flipped, "sha256"),
        (&newer, "prismbench-features-9"),
    ] {
        fs::write(&path, bytes).unwrap();
        let (found, warnings, computed) = pass(Some(folder.path()), &[&RFID], (&set, &set));
        assert_eq!((found, computed), (expected.clone(), 24));
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(warning.contains(word) && warning.ends_with("computed again"), "{warning}");
        assert_eq!(fs::read(&path).unwrap(), whole, "replaced");
    }
}

#[test]
fn other_pictures_under_the_same_name_are_not_taken_for_the_known() {
    let folder = tempfile::tempdir().unwrap();
    let (set, other) = (Synthetic::new(3, 24), Synthetic::new(4, 24));
    pass(Some(folder.path()), &[&RFID], (&set, &set));
    let (expected, ..) = pass(None, &[&RFID], (&other, &other));
    let (found, warnings, computed) = pass(Some(folder.path()), &[&RFID], (&set, &other));
    assert_eq!((found, warnings, computed), (expected, vec![], 24));
}

#[test]
fn an_entry_grows_with_further_features_and_pictures_and_does_not_shrink() {
    let folder = tempfile::tempdir().unwrap();
    let (set, few) = (Synthetic::new(3, 24), Synthetic::new(3, 22));
    let computed = |metric: &'static MetricDef, measured: &Synthetic| {
        pass(Some(folder.path()), &[metric], (&set, measured)).2
    };
    assert_eq!(computed(&RFID, &few), 22);
    assert_eq!(computed(&RFID, &set), 2, "two are new");
    assert_eq!(computed(&SFID, &few), 22, "other features, which push nothing out");
    assert_eq!(computed(&RFID, &set), 0);
    assert_eq!(computed(&SFID, &set), 24);
    assert_eq!((computed(&RFID, &set), computed(&SFID, &set)), (0, 0));
    assert_eq!(computed(&INCEPTION_SCORE, &set), 0, "needs no original");
}

#[test]
fn what_is_not_a_number_is_told_with_its_picture() {
    let (set, protocol) = (Synthetic::new(3, 4), protocol());
    let block = block(&pictures(&set, &protocol));
    let bad = block[2].image.pixels()[0];
    assert!(block.iter().filter(|picture| picture.image.pixels()[0] == bad).count() == 1);
    let network = Fake { bad: Some(bad), ..Fake::new() };
    let space = Space::new(&network, vec![&RFID], &protocol, 1);
    let all = Distributions { protocol: &protocol, device: Device::Cpu, spaces: vec![space] };
    let error = all.originals(&block, &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "take the features of picture `000002`");
    let made: Vec<_> =
        block.iter().map(|picture| Reconstruction::U8(picture.image.clone())).collect();
    let found = all.made(&block, &Quantised::on_host(made), &mut Vec::new());
    let [Err(Outcome::Failed { reason })] = found.as_slice() else { panic!() };
    assert_eq!(
        reason,
        "of the reconstruction of `000002`: `fake` gave NaN for picture 2 of the batch"
    );
}

#[test]
fn one_picture_has_no_distance_and_pictures_that_are_not_8_bit_have_no_features() {
    let (one, set, protocol) = (Synthetic::new(3, 1), Synthetic::new(3, 2), protocol());
    let (found, ..) = pass(None, &[&RFID], (&one, &one));
    let Outcome::Skipped { reason } = found.outcome else { panic!("{found:?}") };
    assert!(reason.contains("of 1 samples: at least 2 are needed"), "{reason}");
    let network = Fake::new();
    let space = Space::new(&network, vec![&RFID], &protocol, 1);
    let all = Distributions { protocol: &protocol, device: Device::Cpu, spaces: vec![space] };
    let block = block(&pictures(&set, &protocol));
    let made: Vec<_> = block
        .iter()
        .map(|_| Reconstruction::F32 { width: 1, height: 1, pixels: vec![0.5; 3] })
        .collect();
    let found = all.made(&block, &Quantised::on_host(made), &mut Vec::new());
    let [Err(Outcome::Skipped { reason })] = found.as_slice() else { panic!() };
    assert!(reason.contains("quantiser = \"none\""), "{reason}");
}

#[test]
fn a_reference_of_the_same_pictures_gives_the_same_measurement() {
    let (folder, set, protocol) = (tempfile::tempdir().unwrap(), Synthetic::new(3, 24), protocol());
    let block = block(&pictures(&set, &protocol));
    let (expected, ..) = pass(None, &[&RFID], (&set, &set));
    let network = Fake::new();
    let path = folder.path().join("features.safetensors");
    let space = Space::new(&network, vec![&RFID], &protocol, 1);
    let mut all = Distributions { protocol: &protocol, device: Device::Cpu, spaces: vec![space] };
    take(&mut all, &block, &dark(&block)).unwrap();
    assert!(all.save(&path).unwrap());
    network.seen();
    let file = FeatureFile::open(&path).unwrap();
    let of_pictures = file.pictures_sha256().to_owned();
    let space = Space::new(&network, vec![&RFID], &protocol, 1)
        .with_reference(file, &protocol, None)
        .unwrap();
    let mut all = Distributions { protocol: &protocol, device: Device::Cpu, spaces: vec![space] };
    take(&mut all, &block, &dark(&block)).unwrap();
    assert_eq!(network.seen(), block.len(), "no original");
    let found = all.report(0, None, &of_pictures).0.remove(0);
    assert_eq!(found.reference, Some(of_pictures));
    assert_eq!((found.outcome, found.n), (expected.outcome.clone(), expected.n));
    // Of other pictures the pairs are not known: the same value, another interval.
    let apart = all.report(0, None, "other").0.remove(0).outcome;
    assert_eq!(apart.value(), expected.outcome.value());
    assert_ne!(apart, expected.outcome);
    let other = protocol.with("arithmetic", "strict").unwrap();
    let space = Space::new(&network, vec![&RFID], &other, 1);
    let Err(error) = space.with_reference(FeatureFile::open(&path).unwrap(), &other, None) else {
        panic!("another protocol")
    };
    assert!(error.to_string().contains("arithmetic = fast, this run has strict"), "{error}");
    // Another crop is allowed on request, which is said and marks what is compared with it; another network is not.
    let mut said = Vec::new();
    let opened = || FeatureFile::open(&path).unwrap();
    let whole = protocol.with("crop", "none").unwrap();
    let space = Space::new(&network, vec![&RFID, &INCEPTION_SCORE], &whole, 1);
    assert!(space.with_reference(opened(), &whole, None).is_err());
    let space = Space::new(&network, vec![&RFID], &whole, 1);
    let space = space.with_reference(opened(), &whole, Some(&mut said)).unwrap();
    let mark = format!("-against-crop={}", protocol.crop.id());
    assert!(space.dialect(&RFID, &whole).ends_with(&mark) && said.len() == 1, "{said:?}");
    assert!(!space.dialect(&INCEPTION_SCORE, &whole).contains("against"));
    let both = other.with("crop", "none").unwrap();
    let space = Space::new(&network, vec![&RFID], &both, 1);
    let refused = space.with_reference(opened(), &both, Some(&mut said));
    let error = refused.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("arithmetic = fast, this run has strict"), "{error}");
}

#[test]
fn a_tokenizer_that_failed_keeps_its_dialect() {
    let (network, protocol) = (Fake::new(), protocol());
    let space = Space::new(&network, vec![&RFID, &PRECISION], &protocol, 1);
    let failure = Outcome::Failed { reason: "it broke".to_owned() };
    let all = Distributions { protocol: &protocol, device: Device::Cpu, spaces: vec![space] };
    let (found, _) = all.report(0, Some(&failure), "");
    let dialects: Vec<&str> = found.iter().map(|found| found.dialect.as_str()).collect();
    assert_eq!(dialects, ["tf1-01234567", "exact-tf1-01234567"]);
    assert!(found.iter().all(|found| found.outcome == failure && found.n == 0));
}
