//! How often a gate cries wolf, and how small a loss it sees: the figures of METHODOLOGY.md, by simulation with
//! fixed seeds.

use prismbench_core::{Outcome, Stream};

use super::*;
use crate::SampleColumns;
use crate::fixtures::record;

const IMAGES: u64 = 200;

/// Noise of a paired difference, with mean 0 and this standard deviation.
type Noise = fn(&mut Stream, f64) -> f64;

/// What the differences of two models look like: even, with a heavy tail, and skewed, where a few images
/// lose much.
const NOISES: [(&str, Noise); 3] = [
    ("normal", |stream, deviation| deviation * stream.normal()),
    ("heavy tails", |stream, deviation| {
        // Student's t with 5 degrees of freedom has the variance 5/3.
        let chi: f64 = (0..5).map(|_| stream.normal().powi(2)).sum();
        deviation * stream.normal() / (chi / 5.0).sqrt() / (5.0_f64 / 3.0).sqrt()
    }),
    ("skewed", |stream, deviation| {
        // Half the sum of two squared normals is exponential: mean and deviation 1.
        let exponential = (stream.normal().powi(2) + stream.normal().powi(2)) / 2.0;
        deviation * (1.0 - exponential)
    }),
];

/// The verdict on a run whose 200 images lost this much on average.
fn verdict(noise: Noise, deviation: f64, loss: f64, seed: u64) -> Verdict {
    let mut stream = Stream::new("power", 0, seed);
    let before: Vec<f64> = (0..IMAGES).map(|_| 31.0 + 3.5 * stream.normal()).collect();
    let after = before.iter().map(|value| value - loss + noise(&mut stream, deviation));
    let (before, after) = (side(&before), side(&after.collect::<Vec<_>>()));
    compare(&before, &after, &[]).unwrap()[0].verdict
}

fn side(values: &[f64]) -> Side {
    let value = values.iter().sum::<f64>() / values.len() as f64;
    let mut made = record("jpeg:75", "psnr@1", Outcome::Ok { value, low: None, high: None });
    made.n = IMAGES;
    let samples = SampleColumns {
        tokenizer: made.tokenizer.clone(),
        dataset: made.dataset.clone(),
        protocol: made.protocol.clone(),
        protocol_sha256: made.protocol_sha256.clone(),
        indices: (0..IMAGES).collect(),
        ids: (0..IMAGES).map(|i| i.to_string()).collect(),
        labels: vec![None; IMAGES as usize],
        sizes: Vec::new(),
        metrics: vec![(made.metric.clone(), values.to_vec())],
    };
    Side::new(vec![made], vec![samples])
}

/// The share of runs that are called worse; `--nocapture` shows it.
#[expect(clippy::print_stderr, reason = "the figures that METHODOLOGY.md quotes")]
fn share((name, noise): (&str, Noise), deviation: f64, loss: f64, trials: u64) -> f64 {
    let worse = (0..trials).filter(|&seed| verdict(noise, deviation, loss, seed) == Verdict::Worse);
    let share = worse.count() as f64 / trials as f64;
    eprintln!("{name}, scatter {deviation} dB, loss {loss} dB: worse in {share} of {trials}");
    share
}

#[test]
fn a_run_that_is_as_good_is_called_worse_at_most_once_in_a_hundred() {
    for noise in NOISES {
        for deviation in [0.25, 1.0] {
            assert!(share(noise, deviation, 0.0, 1_000) <= 0.01);
        }
    }
}

#[test]
fn a_loss_of_a_tenth_of_a_decibel_is_found_ninety_nine_times_in_a_hundred() {
    for noise in NOISES {
        assert!(share(noise, 0.25, 0.1, 500) >= 0.99);
    }
}

#[test]
fn a_loss_below_the_floor_is_no_alarm_however_sure_it_is() {
    for noise in NOISES {
        assert!(share(noise, 0.01, 0.015, 200) <= 0.01);
    }
}
