//! Whole passes over samples, by a network, a generator and a decoder that cost nothing.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use candle_core::{Device, Tensor};
use prismbench_core::{
    Draw, Encoding, Generator, GeneratorSpec, ImageBatch, LatentShape, Latents, Outcome, Protocol,
    RgbImage, Sample, Stream, Tokenizer, TokenizerError, TokenizerSpec, Weights,
};
use prismbench_data::{DataError, Dataset, FileState, Pending, Samples};
use prismbench_kernels::nn::Work;
use prismbench_metrics::{FeatureNetwork, FeatureRows, NetworkCost, NetworkError, Tap};

use crate::generation::{
    Drawn, Finished, Forecast, GenerationSuite, ReferenceChoice, SampleSource,
};
use crate::pictures::{OnBad, Part};
use crate::{
    Context, Journals, Lent, Measurement, Networks, Observer, Pictures, Suite as _, SuiteError,
};

const SIDE: usize = 8;

/// Random sums of the pixels, and a count of the pictures that it saw.
struct Fake {
    id: &'static str,
    seen: Arc<AtomicUsize>,
}

impl FeatureNetwork for Fake {
    fn id(&self) -> &'static str {
        self.id
    }

    fn weights(&self) -> &[Weights] {
        &[]
    }

    fn taps(&self) -> &'static [Tap] {
        &[Tap::Pooled, Tap::Spatial, Tap::LogitsUnbiased]
    }

    fn width(&self, tap: Tap) -> Option<usize> {
        Some(if tap == Tap::Spatial { 5 } else { 6 })
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
        let value = |image: &RgbImage, tap: Tap, column: usize| {
            let mut weights = Stream::new(tap.id(), 0, column as u64);
            let products = image
                .pixels()
                .iter()
                .map(|&level| f64::from(level) / 255.0 * (weights.uniform() - 0.5));
            products.sum::<f64>() as f32
        };
        let rows = |&tap: &Tap| {
            let width = self.width(tap).unwrap();
            let row = |image: &&RgbImage| {
                (0..width).map(|column| value(image, tap, column)).collect::<Vec<_>>()
            };
            FeatureRows::new(width, images.iter().flat_map(row).collect()).unwrap()
        };
        Ok(taps.iter().map(rows).collect())
    }
}

/// Uniform noise of seed, index and class, and the indices that it was asked for.
struct Noise {
    spec: GeneratorSpec,
    drawn: Mutex<Vec<u64>>,
}

impl Noise {
    fn new() -> Self {
        let spec = GeneratorSpec {
            id: "noise".to_owned(),
            parameters: 0,
            weights: Vec::new(),
            source: String::new(),
            latent: [3, SIDE, SIDE],
            classes: 10,
            sampling: "none".to_owned(),
            calls: 1,
            multiply_accumulates: 0,
        };
        Self { spec, drawn: Mutex::default() }
    }

    fn drawn(&self) -> Vec<u64> {
        std::mem::take(&mut *self.drawn.lock().unwrap())
    }
}

impl Generator for Noise {
    fn spec(&self) -> &GeneratorSpec {
        &self.spec
    }

    fn sample(&self, draws: &[Draw], seed: u64) -> Result<Latents, TokenizerError> {
        self.drawn.lock().unwrap().extend(draws.iter().map(|draw| draw.index));
        let values = |draw: &Draw| {
            let mut stream = Stream::new("noise", seed + u64::from(draw.class), draw.index);
            (0..3 * SIDE * SIDE).map(move |_| stream.uniform() as f32).collect::<Vec<_>>()
        };
        let values: Vec<f32> = draws.iter().flat_map(values).collect();
        let shape = (draws.len(), 3, SIDE, SIDE);
        Ok(Latents::Tensor(Tensor::from_vec(values, shape, &Device::Cpu)?))
    }

    fn estimate(&self, batch: usize) -> Result<Duration, TokenizerError> {
        Ok(Duration::from_secs(batch as u64))
    }
}

/// Latents are pictures of a seventh of the contrast.
struct Faint(TokenizerSpec);

impl Faint {
    fn new() -> Self {
        let (id, source) = ("faint".to_owned(), String::new());
        Self(TokenizerSpec { id, stride: 1, parameters: 0, weights: Vec::new(), source })
    }
}

impl Tokenizer for Faint {
    fn spec(&self) -> &TokenizerSpec {
        &self.0
    }

    fn latent_shape(&self, height: usize, width: usize) -> LatentShape {
        LatentShape::Tensor(vec![3, height, width])
    }

    fn encode(&self, images: &ImageBatch, _: &Encoding<'_>) -> Result<Latents, TokenizerError> {
        Ok(Latents::Tensor(images.tensor().clone()))
    }

    fn decode(&self, latents: &Latents) -> Result<ImageBatch, TokenizerError> {
        let Latents::Tensor(latents) = latents else { panic!("a tensor") };
        ImageBatch::new((latents * (1.0 / 7.0))?)
    }
}

/// Pictures under names.
#[derive(Clone)]
struct Listed(Vec<(String, RgbImage)>);

impl Listed {
    fn of(key: &str, count: usize) -> Self {
        let picture = |index: usize| {
            let mut stream = Stream::new(key, 1, index as u64);
            let pixels = (0..3 * SIDE * SIDE).map(|_| stream.below(256) as u8).collect();
            (format!("{index:04}"), RgbImage::new(SIDE, SIDE, pixels).unwrap())
        };
        Self((0..count).map(picture).collect())
    }

    fn shuffled(&self, seed: u64) -> Self {
        let (mut all, mut stream) = (self.clone(), Stream::new("shuffle", seed, 0));
        for last in (1..all.0.len()).rev() {
            all.0.swap(last, stream.below(last as u64 + 1) as usize);
        }
        all
    }

    fn pictures<'a>(&'a self, protocol: &'a Protocol) -> Pictures<'a> {
        Pictures { dataset: self, part: Part::All, limit: None, protocol, on_bad: OnBad::Stop }
    }
}

impl Dataset for Listed {
    fn id(&self) -> &'static str {
        "listed"
    }

    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn name(&self, _: u64) -> Option<&str> {
        None
    }

    fn classes(&self) -> &[String] {
        &[]
    }

    fn file_state(&self) -> FileState {
        FileState::default()
    }

    fn samples(&self, range: std::ops::Range<u64>) -> Result<Samples<'_>, DataError> {
        let pending = |index: u64| {
            let (id, image) = self.0[index as usize].clone();
            let name = id.clone();
            Ok(Pending::new(index, name, move || {
                Ok(Sample { index, id, image, label: None, captions: Vec::new() })
            }))
        };
        Ok(Box::new(range.map(pending)))
    }
}

/// Stops a pass when so many samples are done, and notes what was forecast.
struct StopsAfter<'a> {
    after: Option<u64>,
    interrupted: &'a AtomicBool,
    forecasts: &'a RefCell<Vec<Forecast>>,
}

impl Observer for StopsAfter<'_> {
    fn progress(&mut self, done: u64, total: u64) {
        let stops = self.after.is_some_and(|after| done >= after && total == COUNT as u64);
        self.interrupted.store(stops, Ordering::Relaxed);
    }

    fn forecast(&mut self, forecast: &Forecast) {
        self.forecasts.borrow_mut().push(*forecast);
    }
}

const COUNT: usize = 44;

fn protocol() -> Protocol {
    let fields = [("size", "8"), ("kid-subset", "20"), ("inception-score", "tfid")];
    let default = Protocol::preset("default").unwrap();
    fields.iter().fold(default, |protocol, (field, value)| protocol.with(field, value).unwrap())
}

/// How a pass is made.
#[derive(Default)]
struct Setting<'a> {
    batch: usize,
    journals: Option<Journals>,
    save: Option<&'a Path>,
    stop_after: Option<u64>,
    forecasts: RefCell<Vec<Forecast>>,
}

/// The measurements of a pass, and how many pictures went through the network.
fn pass(
    samples: &dyn SampleSource,
    real: &Listed,
    setting: &Setting<'_>,
) -> Result<(Vec<Measurement>, usize), SuiteError> {
    let (protocol, interrupted) = (protocol(), AtomicBool::new(false));
    let seen = Arc::new(AtomicUsize::new(0));
    let fake = |id, seen| Lent::Ready(Box::new(Fake { id, seen }) as Box<dyn FeatureNetwork>);
    let networks = Networks {
        inception: fake("inception", Arc::clone(&seen)),
        dinov2: fake("dinov2", Arc::default()),
        clip: fake("clip", Arc::default()),
        encoder: fake("encoder", Arc::default()),
        ..Networks::default()
    };
    let metrics: Vec<String> =
        GenerationSuite.metrics().iter().map(|metric| metric.id.to_owned()).collect();
    let Setting { stop_after: after, forecasts, .. } = setting;
    let mut observer = StopsAfter { after: *after, interrupted: &interrupted, forecasts };
    let real = real.pictures(&protocol);
    let mut context = Context {
        metrics: &metrics,
        device: &Device::Cpu,
        batch: setting.batch,
        seed: 3,
        protocol: &protocol,
        networks: &networks,
        allow_unlike_reference: false,
        training: None,
        text_tower: None,
        reference: None,
        cache: None,
        save_features: None,
        journals: setting.journals.as_ref().unwrap_or(&Journals::Temporary),
        save_samples: setting.save,
        load_times: &[],
        interrupted: &interrupted,
        observer: &mut observer,
    };
    let decoder = Faint::new();
    let decoder: Option<&dyn Tokenizer> = Some(&decoder);
    let choice = ReferenceChoice::Pictures;
    let pass = GenerationSuite.judge(samples, decoder, choice, Some(&real), &mut context)?;
    let measurements = pass.map_or_else(Vec::new, |pass| pass.reports[0].measurements.clone());
    Ok((measurements, seen.load(Ordering::Relaxed)))
}

/// What a reader compares: everything but the hash that names the pictures in their order.
fn numbers(measurements: Vec<Measurement>) -> Vec<Measurement> {
    measurements.into_iter().map(|found| Measurement { reference: None, ..found }).collect()
}

fn values(measurements: &[Measurement]) -> usize {
    measurements.iter().filter(|found| matches!(found.outcome, Outcome::Ok { .. })).count()
}

#[test]
fn order_batch_and_threads_move_no_bit_of_any_metric() {
    let protocol = protocol();
    let (made, real) = (Listed::of("made", COUNT), Listed::of("real", 37));
    let run = |made: &Listed, real: &Listed, (batch, threads)| {
        let samples = Finished { pictures: made.pictures(&protocol) };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let setting = || Setting { batch, ..Setting::default() };
        numbers(pool.install(|| pass(&samples, real, &setting()).unwrap().0))
    };
    let expected = run(&made, &real, (8, 2));
    // Without a file of moments there is no floor.
    assert_eq!(values(&expected), expected.len() - 1, "{expected:?}");
    for seed in 0..12 {
        let (made, real) = (made.shuffled(seed), real.shuffled(seed + 100));
        let how = ([1, 5, 44][seed as usize % 3], [1, 2, 3, 7][seed as usize % 4]);
        let found = run(&made, &real, how);
        assert_eq!(found, expected, "order {seed}");
    }
    // A sample more is another set.
    let other = run(&Listed::of("made", COUNT + 1), &real, (8, 2));
    assert_ne!(expected[0].outcome, other[0].outcome);
}

#[test]
fn samples_come_as_they_lie_for_blocks_are_of_those() {
    let protocol = protocol();
    let names = |listed: &Listed| {
        let (mut names, made) = (Vec::new(), Finished { pictures: listed.pictures(&protocol) });
        made.each(0..9, (5, &Device::Cpu), &mut |block, _| {
            names.extend(block.iter().map(|sample| sample.id.clone()));
            Ok(())
        })
        .unwrap();
        names
    };
    let made = Listed::of("made", 9).shuffled(1);
    let expected: Vec<String> = made.0.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names(&made), expected);
}

fn drawn<'a>(noise: &'a Noise, faint: &'a Faint, protocol: &'a Protocol) -> Drawn<'a> {
    const CLASSES: [u32; COUNT] = [7; COUNT];
    Drawn { generator: noise, classes: &CLASSES, seed: 5, tokenizer: faint, protocol }
}

#[test]
fn a_pass_that_was_stopped_goes_on_where_it_was_and_gives_the_same_bits() {
    let (real, protocol) = (Listed::of("real", 37), protocol());
    let (noise, faint) = (Noise::new(), Faint::new());
    let samples = drawn(&noise, &faint, &protocol);
    let straight = pass(&samples, &real, &Setting { batch: 4, ..Setting::default() }).unwrap();
    assert_eq!(noise.drawn().len(), COUNT);
    let folder = tempfile::tempdir().unwrap();
    let (parts, save) = (folder.path().join("parts"), folder.path().join("samples.npz"));
    let going = |stop_after| {
        let (journals, save) = (Some(Journals::Folder(parts.clone())), Some(save.as_path()));
        let setting = Setting { batch: 4, journals, save, stop_after, ..Setting::default() };
        let passed = pass(&samples, &real, &setting);
        // One sample was tried, and stands for those that are left.
        let [forecast] = setting.forecasts.into_inner().try_into().unwrap();
        assert_eq!(forecast.drawing, Duration::from_secs(forecast.samples));
        assert!(forecast.total() > forecast.drawing);
        (passed, forecast.samples)
    };
    for (stop, expected) in [(10, 0..12), (13, 12..16), (30, 16..32)] {
        let (Err(SuiteError::Interrupted { done, .. }), left) = going(Some(stop)) else {
            panic!("{stop}")
        };
        assert_eq!((done, left), (expected.end, COUNT as u64 - expected.start));
        // What was drawn is not drawn again, nor are its features taken.
        assert_eq!(noise.drawn(), expected.collect::<Vec<_>>());
    }
    let (found, left) = going(None);
    let (found, seen) = found.unwrap();
    assert_eq!((noise.drawn(), left), ((32..44).collect::<Vec<_>>(), 12));
    assert_eq!(found, straight.0);
    assert_eq!(
        seen,
        12 + 1,
        "one for the forecast; the originals were seen before, as a reference and for the bounds"
    );
    // Saved, they are what was judged.
    let saved = prismbench_data::open(&save.display().to_string().parse().unwrap()).unwrap();
    let again = Finished {
        pictures: Pictures {
            dataset: saved.as_ref(),
            part: Part::All,
            limit: None,
            protocol: &protocol,
            on_bad: OnBad::Stop,
        },
    };
    let labels = Cell::new(0);
    again
        .each(0..COUNT as u64, (8, &Device::Cpu), &mut |block, _| {
            assert!(block.iter().all(|sample| sample.label == Some(7)));
            labels.set(labels.get() + block.len());
            Ok(())
        })
        .unwrap();
    assert_eq!(labels.get(), COUNT);
    let again = pass(&again, &real, &Setting { batch: 4, ..Setting::default() }).unwrap();
    assert_eq!(again.0, straight.0);
}

#[test]
fn shards_draw_each_sample_once_and_their_merge_gives_the_same_bits() {
    let (real, protocol) = (Listed::of("real", 37), protocol());
    let (noise, faint) = (Noise::new(), Faint::new());
    let samples = drawn(&noise, &faint, &protocol);
    let folder = tempfile::tempdir().unwrap();
    let straight = folder.path().join("straight.npz");
    let setting = Setting { batch: 4, save: Some(&straight), ..Setting::default() };
    let expected = pass(&samples, &real, &setting).unwrap().0;
    noise.drawn();
    for (count, batch) in [(1, 4), (2, 5), (3, 44), (7, 1)] {
        let folder = folder.path().join(count.to_string());
        let saved = folder.join("samples.npz");
        let place = |index: u64| folder.join(index.to_string());
        let mut all = Vec::new();
        for index in (0..count).rev() {
            let journals = Some(Journals::Shard { folder: place(index), index, count });
            let setting = Setting { batch, journals, save: Some(&saved), ..Setting::default() };
            let (numbers, _) = pass(&samples, &real, &setting).unwrap();
            assert!(numbers.is_empty() && !saved.exists());
            let drawn = noise.drawn();
            let forecast: Vec<u64> =
                setting.forecasts.into_inner().iter().map(|found| found.samples).collect();
            assert_eq!(forecast, [drawn.len() as u64], "of this shard alone");
            all.extend(drawn);
        }
        all.sort_unstable();
        assert_eq!(all, (0..COUNT as u64).collect::<Vec<_>>());
        let journals = Some(Journals::Merged((0..count).map(place).collect()));
        let setting = Setting { batch, journals, save: Some(&saved), ..Setting::default() };
        let (found, seen) = pass(&samples, &real, &setting).unwrap();
        assert_eq!((found, seen, noise.drawn()), (expected.clone(), 0, vec![]));
        assert_eq!(std::fs::read(&saved).unwrap(), std::fs::read(&straight).unwrap());
    }
}

#[test]
fn what_is_of_another_sampling_is_made_anew() {
    let (real, protocol) = (Listed::of("real", 37), protocol());
    let (noise, faint) = (Noise::new(), Faint::new());
    let folder = tempfile::tempdir().unwrap();
    let samples = drawn(&noise, &faint, &protocol);
    let stop = |samples: &Drawn<'_>| {
        let journals = Some(Journals::Folder(folder.path().to_owned()));
        let setting = Setting { batch: 4, journals, stop_after: Some(20), ..Setting::default() };
        assert!(pass(samples, &real, &setting).is_err());
        noise.drawn()
    };
    assert_eq!(stop(&samples)[..4], [0, 1, 2, 3]);
    assert_eq!(stop(&samples), [20, 21, 22, 23], "the same sampling goes on");
    let other = Drawn { seed: 6, ..samples };
    assert_eq!(stop(&other)[..4], [0, 1, 2, 3], "another seed");
}
