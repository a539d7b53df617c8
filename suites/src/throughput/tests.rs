use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use candle_core::{DType, Device, Tensor};
use prismbench_core::{
    Cost, Encoding, ImageBatch, LatentShape, Latents, Outcome, Peaks, Protocol, StageCost,
    TokenizerError, TokenizerSpec,
};
use prismbench_data::Synthetic;

use super::machine::Memory;
use std::time::Duration;

use super::*;
use crate::pictures::{OnBad, Part};
use crate::{Journals, Measurement, Networks, Observer, Report};

/// Memory as the largest batch so far decides it: 10 bytes for each image, 20 resident. Its clock is
/// moved by the tokenizer.
#[derive(Clone, Debug, Default)]
struct FakeMachine {
    largest: Arc<AtomicUsize>,
    microseconds: Arc<AtomicU64>,
    available: u64,
    /// Its device has a clock, which leaves 100 us out.
    has_device: bool,
}

impl Machine for FakeMachine {
    fn now(&self) -> Duration {
        Duration::from_micros(self.microseconds.load(Ordering::Relaxed))
    }

    fn device_time(
        &self,
        _: &Device,
        call: &mut dyn FnMut() -> Result<(), TokenizerError>,
    ) -> Result<Option<Duration>, TokenizerError> {
        let start = self.now();
        call()?;
        let there = self.now() - start - Duration::from_micros(100);
        Ok(self.has_device.then_some(there))
    }

    fn peaks(&self, _: &Device, _: ElementType) -> Result<Peaks, TokenizerError> {
        Ok(Peaks { flops: 1e6, bytes_per_second: 1e9 })
    }

    fn memory(&self, _: &Device) -> Option<Memory> {
        let peak = 20 + 10 * self.largest.load(Ordering::Relaxed) as u64;
        Some(Memory { resident: 20, peak, available: self.available })
    }

    fn reset_peak(&self, _: &Device) {
        self.largest.store(0, Ordering::Relaxed);
    }
}

/// Takes longer for more pictures, and fails above a batch.
struct Fake {
    spec: TokenizerSpec,
    machine: FakeMachine,
    /// Batches above fail, with this.
    most: usize,
    error: fn() -> TokenizerError,
    has_decoder: bool,
}

impl Fake {
    fn call(&self, count: usize) -> Result<(), TokenizerError> {
        if count > self.most {
            return Err((self.error)());
        }
        self.machine.largest.fetch_max(count, Ordering::Relaxed);
        // A fixed part, so that larger batches pay for a while.
        self.machine.microseconds.fetch_add(400 + 50 * count as u64, Ordering::Relaxed);
        Ok(())
    }
}

impl Tokenizer for Fake {
    fn spec(&self) -> &TokenizerSpec {
        &self.spec
    }

    fn latent_shape(&self, height: usize, width: usize) -> LatentShape {
        LatentShape::Tensor(vec![1, height, width])
    }

    fn encode(&self, images: &ImageBatch, _: &Encoding<'_>) -> Result<Latents, TokenizerError> {
        self.call(images.dims().0)?;
        Ok(Latents::Tensor(images.tensor().clone()))
    }

    fn decode(&self, latents: &Latents) -> Result<ImageBatch, TokenizerError> {
        if !self.has_decoder {
            let tokenizer = "fake".to_owned();
            return Err(TokenizerError::Unsupported { tokenizer, capability: "decoder" });
        }
        let Latents::Tensor(tensor) = latents else { panic!("not made here") };
        self.call(tensor.dim(0)?)?;
        ImageBatch::new(tensor.to_dtype(DType::F32)?)
    }

    fn cost(&self, height: usize, width: usize) -> Result<Cost, TokenizerError> {
        let linear = (height * width) as u64;
        let (convolution, rest, weights, values) = (0, 3000, 4, 12);
        let (parameters, attention) = (5, linear);
        let encoder =
            StageCost { parameters, convolution, linear, attention, rest, weights, values };
        let decoder = self.has_decoder.then_some(StageCost { parameters: 2, ..encoder });
        Ok(Cost { encoder, decoder, head: None })
    }
}

struct Silent;

impl Observer for Silent {}

/// What the tensor library says when the driver of a device gives this code.
fn of_driver(code: &str) -> TokenizerError {
    let driver = std::io::Error::other(format!("DriverError({code}, \"in words\")"));
    candle_core::Error::Cuda(Box::new(driver)).bt().into()
}

/// Runs the suite on one tokenizer, which fails above `most` pictures at once, on a machine with so much
/// memory.
fn report(
    (most, available, has_decoder): (usize, u64, bool),
    fields: &[(&str, &str)],
) -> Result<Report, SuiteError> {
    failing((most, available, has_decoder), || TokenizerError::Codec("a bug".into()), fields)
}

/// The same with another error.
fn failing(
    (most, available, has_decoder): (usize, u64, bool),
    error: fn() -> TokenizerError,
    fields: &[(&str, &str)],
) -> Result<Report, SuiteError> {
    let machine = FakeMachine { available, ..FakeMachine::default() };
    on_machine(machine, (most, has_decoder, error), fields)
}

/// The same on any machine.
fn on_machine(
    machine: FakeMachine,
    (most, has_decoder, error): (usize, bool, fn() -> TokenizerError),
    fields: &[(&str, &str)],
) -> Result<Report, SuiteError> {
    let (id, source) = ("fake".to_owned(), String::new());
    let spec = TokenizerSpec { id, stride: 1, parameters: 9, weights: Vec::new(), source };
    let fake = Fake { spec, machine: machine.clone(), most, error, has_decoder };
    let suite = ThroughputSuite { machine: Box::new(machine) };
    let default = Protocol::preset("default").unwrap().with("size", "8").unwrap();
    let change = |p: Protocol, (field, value): &(&str, &str)| p.with(field, value).unwrap();
    let protocol = fields.iter().fold(default, change);
    let data = Synthetic::new(3, 4);
    let pictures = Pictures {
        dataset: &data,
        part: Part::All,
        limit: None,
        protocol: &protocol,
        on_bad: OnBad::Stop,
    };
    let metrics: Vec<String> = suite.metrics().iter().map(|m| m.id.to_owned()).collect();
    let mut context = Context {
        metrics: &metrics,
        device: &Device::Cpu,
        batch: 8,
        seed: 0,
        protocol: &protocol,
        networks: &Networks::default(),
        allow_unlike_reference: false,
        training: None,
        text_tower: None,
        load_times: &[Duration::from_millis(1500)],
        reference: None,
        cache: None,
        save_features: None,
        journals: &Journals::Temporary,
        save_samples: None,
        interrupted: &AtomicBool::new(false),
        observer: &mut Silent,
    };
    let mut pass = suite.run(&[&fake], &pictures, &mut context)?.expect("no shard");
    assert_eq!(pass.pictures.count(), 4);
    Ok(pass.reports.remove(0))
}

fn rows<'r>(report: &'r Report, id: &str) -> Vec<&'r Measurement> {
    report.measurements.iter().filter(|row| row.metric.id == id).collect()
}

fn number(row: &Measurement) -> f64 {
    row.outcome.value().unwrap_or_else(|| panic!("{row:?}"))
}

#[test]
fn rates_rise_with_the_batch_until_a_doubling_gives_little() {
    let report = report((usize::MAX, 1 << 40, true), &[]).unwrap();
    for id in ["encode-rate", "decode-rate", "round-trip-rate"] {
        let rates = rows(&report, id);
        let (best, batches) = rates.split_first().unwrap();
        assert_eq!(best.setting, "");
        assert_eq!(best.warnings, Vec::<String>::new());
        // From 128 to 256 the rate grows by 3 %, from 64 to 128 by 6 %.
        let (sizes, calls) = (0..=8, if id == "round-trip-rate" { 2.0 } else { 1.0 });
        assert_eq!(batches.len(), sizes.clone().count(), "{id}");
        for (row, power) in batches.iter().zip(sizes) {
            let batch = f64::from(1 << power);
            assert_eq!(row.setting, format!("batch {batch}"));
            let expected = batch / (calls * (400e-6 + 50e-6 * batch));
            assert!((number(row) / expected - 1.0).abs() < 1e-9, "{id}: {row:?}");
        }
        let most = batches.iter().map(|row| number(row)).fold(0.0, f64::max);
        assert!((most - number(best)).abs() < 1e-9);
        let Outcome::Ok { low: Some(low), high: Some(high), .. } = best.outcome else {
            panic!("{best:?}")
        };
        assert!((low - most).abs() < 1e-9 && (high - most).abs() < 1e-9, "no call differs");
    }
    for (id, expected) in [
        ("load-time", 1500.0),
        ("first-call-time", 0.45),
        ("encode-latency", 0.45),
        ("encode-latency-p95", 0.45),
        ("round-trip-latency", 0.9),
    ] {
        assert!((number(rows(&report, id)[0]) - expected).abs() < 1e-9, "{id}");
    }
}

#[test]
fn a_device_with_a_clock_of_its_own_is_timed_by_it_too() {
    let run = |has_device: bool, fields: &[(&str, &str)]| {
        let machine = FakeMachine { available: 1 << 40, has_device, ..FakeMachine::default() };
        on_machine(machine, (8, true, || TokenizerError::Codec("a bug".into())), fields).unwrap()
    };
    let report = run(true, &[]);
    let times = rows(&report, "encode-device-time");
    // 400 us and 50 for each image, of which the device has 100 less.
    let expected =
        [("", 0.35), ("batch 1", 0.35), ("batch 2", 0.4), ("batch 4", 0.5), ("batch 8", 0.7)];
    assert_eq!(times.len(), expected.len());
    for (row, (setting, milliseconds)) in times.iter().zip(expected) {
        assert_eq!(row.setting, setting);
        assert!((number(row) - milliseconds).abs() < 1e-9, "{row:?}");
    }
    assert!((number(rows(&report, "round-trip-device-time")[0]) - 0.8).abs() < 1e-9);
    let timm = run(true, &[("timing", "timm")]);
    assert!((number(rows(&timm, "encode-device-time")[0]) - 0.7).abs() < 1e-9, "its one batch");
    let host = run(false, &[]);
    let times = rows(&host, "decode-device-time");
    assert!(
        matches!(times[..], [row] if matches!(row.outcome, Outcome::Skipped { .. })),
        "{times:?}"
    );
}

#[test]
fn a_sweep_goes_on_with_what_fits_into_memory_and_says_so() {
    // 90 of 100 bytes are room for 8 images with their 10 bytes, and not for 16.
    let report = report((usize::MAX, 100, true), &[]).unwrap();
    let rates = rows(&report, "encode-rate");
    let last = rates.last().unwrap();
    assert_eq!(last.setting, "batch 8");
    assert_eq!(rates[0].warnings.len(), 1);
    let warning = &rates[0].warnings[0];
    assert!(warning.starts_with("batches end below 16, which would need"), "{warning}");
    let memory = number(rows(&report, "peak-host-memory")[0]) * f64::from(1 << 20);
    assert!((memory - 100.0).abs() < 1e-6, "20 and 8 images: {memory}");
}

#[test]
fn a_batch_that_fails_ends_the_sweep_and_not_the_row() {
    let report = report((2, 1 << 40, true), &[]).unwrap();
    let rates = rows(&report, "decode-rate");
    assert_eq!(rates.last().unwrap().setting, "batch 2");
    assert!(rates[0].warnings[0].starts_with("batches end below 4, which failed:"), "{rates:?}");
}

#[test]
fn a_device_without_memory_for_a_batch_ends_the_sweep_in_words() {
    let full = || of_driver("CUDA_ERROR_OUT_OF_MEMORY");
    let ends = |report: &Report| {
        let rates = rows(report, "round-trip-rate");
        (rates.last().unwrap().setting.clone(), rates[0].warnings.clone())
    };
    let report = failing((7, 1 << 40, true), full, &[]).unwrap();
    let said =
        |batch| format!("batches end below {batch}, for which the device has no memory left");
    assert_eq!(ends(&report), ("batch 4".to_owned(), vec![said(8)]));
    let report = failing((13, 1 << 40, true), full, &[("timing", "timm")]).unwrap();
    assert_eq!(ends(&report), ("batch 12".to_owned(), vec![said(16)]));
    // Without room for a single picture there is no time, and a reason.
    let report = failing((0, 1 << 40, true), full, &[]).unwrap();
    let row = rows(&report, "encode-rate")[0];
    let Outcome::Failed { reason } = &row.outcome else { panic!("{row:?}") };
    assert!(reason.contains("CUDA_ERROR_OUT_OF_MEMORY"), "{reason}");
}

#[test]
fn a_device_that_is_lost_ends_the_run() {
    for most in [0, 1, 7] {
        let lost = || of_driver("CUDA_ERROR_ILLEGAL_ADDRESS");
        let error = failing((most, 1 << 40, true), lost, &[]).unwrap_err();
        assert!(matches!(error, SuiteError::DeviceLost { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.starts_with("the device was lost; what was finished before stays: "),
            "{text}"
        );
        assert!(text.contains("CUDA_ERROR_ILLEGAL_ADDRESS"), "{text}");
    }
}

#[test]
fn timm_takes_the_largest_of_its_batches_that_does_not_fail() {
    let report = report((13, 1 << 40, true), &[("timing", "timm")]).unwrap();
    let rates = rows(&report, "encode-rate");
    assert_eq!(rates.len(), 2);
    assert_eq!(rates[1].setting, "batch 12");
    assert!(rates[0].warnings[0].contains("batches end below 16"), "{:?}", rates[0].warnings);
    // 40 calls of 12 images that take 1 ms each.
    assert!((number(rates[0]) - 12_000.0).abs() < 1e-6, "{}", number(rates[0]));
}

#[test]
fn what_is_counted_is_told_in_the_dialect_of_the_protocol() {
    let table = [("mac", "GMAC", 128.0), ("mac-linear", "GMAC", 64.0), ("uae", "GFLOP", 128.0)];
    for (dialect, unit, encoder) in table {
        let report = report((1, 1 << 40, true), &[("macs", dialect)]).unwrap();
        let row = rows(&report, "encoder-macs")[0];
        assert_eq!((row.dialect.as_str(), row.metric.unit.symbol()), (dialect, unit));
        assert!((number(row) * 1e9 - encoder).abs() < 1e-6, "{dialect}");
        assert!((number(rows(&report, "parameters")[0]) - 9.0).abs() < 1e-9);
        assert!((number(rows(&report, "decoder-parameters")[0]) - 2.0).abs() < 1e-9);
        // 128 multiply-accumulates are 256 us of a million operations a second, in 450.
        let roofline = number(rows(&report, "encode-roofline")[0]);
        assert!((roofline - 256.0 / 450.0).abs() < 1e-9, "{roofline}");
    }
}

#[test]
fn what_is_counted_is_told_by_its_parts() {
    for dialect in ["mac", "uae"] {
        let report = report((1, 1 << 40, true), &[("macs", dialect)]).unwrap();
        for half in ["encoder", "decoder"] {
            let split = rows(&report, &format!("{half}-macs-split"));
            let expected = [("convolution", 0.0), ("linear", 64.0), ("attention", 64.0)];
            assert_eq!(split.len(), expected.len());
            for (row, (setting, count)) in split.iter().zip(expected) {
                assert_eq!((row.dialect.as_str(), row.setting.as_str()), ("mac", setting));
                assert!((number(row) * 1e9 - count).abs() < 1e-6, "{row:?}");
            }
            assert!((number(rows(&report, &format!("{half}-rest"))[0]) - 3e-6).abs() < 1e-15);
            let intensity = rows(&report, &format!("{half}-intensity"));
            let [one, largest] = intensity[..] else { panic!("{intensity:?}") };
            assert_eq!((one.setting.as_str(), largest.setting.as_str()), ("", "batch 256"));
            // 2 for each of 128 products; 4 bytes for each of 4 weights and 12 values.
            assert!((number(one) - 256.0 / 64.0).abs() < 1e-12);
            let bytes = 4.0 * f64::from(4 + 256 * 12);
            assert!((number(largest) - 256.0 * 256.0 / bytes).abs() < 1e-12);
        }
        let head = rows(&report, "head-macs")[0];
        assert!(matches!(head.outcome, Outcome::Skipped { .. }), "{head:?}");
    }
}

#[test]
fn an_encoder_alone_has_no_decode_and_no_round_trip() {
    let report = report((1, 1 << 40, false), &[]).unwrap();
    assert!(rows(&report, "encode-rate")[0].outcome.value().is_some());
    let costs = ["decoder-macs", "decoder-macs-split", "decoder-rest", "decoder-intensity"];
    for id in ["decode-rate", "round-trip-latency", "decode-roofline"].iter().chain(&costs) {
        let found = rows(&report, id);
        let [row] = found[..] else { panic!("{id}: {found:?}") };
        assert!(matches!(row.outcome, Outcome::Skipped { .. }), "{id}: {row:?}");
    }
}

#[test]
fn other_numbers_than_the_cpu_has_are_refused() {
    let error = report((1, 1 << 40, true), &[("element-type", "bf16")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the CPU computes in f32, and the protocol asks for bf16: `--set element-type=f32`"
    );
}

#[test]
fn what_has_no_weights_does_not_compute_in_half_precision() {
    let (id, source) = ("jpeg:75".to_owned(), String::new());
    let spec = TokenizerSpec { id, stride: 1, parameters: 0, weights: Vec::new(), source };
    let machine = FakeMachine::default();
    let error = || TokenizerError::Codec("a bug".into());
    let mut fake = Fake { spec, machine, most: 1, error, has_decoder: true };
    let image = prismbench_core::RgbImage::new(4, 4, vec![7; 48]).unwrap();
    let pictures = [crate::pictures::Prepared::new(0, "a".to_owned(), None, image)];
    let default = Protocol::preset("default").unwrap();
    let half = default.clone().with("element-type", "bf16").unwrap();
    let why = |fake: &Fake, protocol: &Protocol| {
        let inputs = Inputs::new(&pictures, protocol, (&Device::Cpu, 0)).unwrap();
        super::passes::other_numbers(fake, &inputs)
    };
    assert_eq!(why(&fake, &default), None);
    let reason = why(&fake, &half);
    assert_eq!(reason.as_deref(), Some("`jpeg:75` has no weights that could be of bf16"));
    fake.spec.weights = vec![prismbench_core::Weights { name: "a".into(), sha256: "b".into() }];
    assert_eq!(why(&fake, &half), None);
}

#[test]
fn standard_normal_numbers_stand_for_pictures_under_timm() {
    let protocol = Protocol::preset("timm").unwrap();
    let image = prismbench_core::RgbImage::new(4, 4, vec![7; 48]).unwrap();
    let picture = crate::pictures::Prepared::new(0, "a".to_owned(), None, image);
    let pictures = [picture];
    let inputs = Inputs::new(&pictures, &protocol, (&Device::Cpu, 0)).unwrap();
    let batch: Tensor = inputs.batch(200).unwrap().tensor().clone();
    assert_eq!(batch.dims(), [200, 3, 4, 4]);
    let mean = batch.mean_all().unwrap().to_scalar::<f32>().unwrap();
    let square = batch.sqr().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap();
    // 9,600 numbers: the mean is within 4 of its standard deviations of 0.01.
    assert!(mean.abs() < 0.041 && (square - 1.0).abs() < 0.06, "{mean} {square}");
}
