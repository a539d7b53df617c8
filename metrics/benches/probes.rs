//! Seconds of the logistic probe.
//!
//! `tests/oracle/probe_speed.py` runs this with `PRISMBENCH_RECORD_SECONDS` set, in turn with
//! scikit-learn on the same features, labels, penalty and tolerance; then each set is fitted once or
//! for as many seconds, and loss and seconds are printed. Two threads on both sides.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]
#![expect(clippy::print_stdout, reason = "the record is read from there")]

#[expect(dead_code, reason = "other benches print other figures")]
#[path = "../../tests/oracle/record.rs"]
mod record;
#[path = "../../tests/oracle/uniforms.rs"]
mod uniforms;

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group};
use prismbench_metrics::FeatureMatrix;
use prismbench_metrics::probe::{Labelled, LogisticFit, Stop, fit_logistic};
use uniforms::uniforms;

const COLUMNS: usize = 768;
/// Columns that are mixed with each other.
const MIXED: usize = 256;
/// scikit-learn's `tol`, on both sides.
const TOLERANCE: f64 = 1e-6;

/// A training set.
struct Set {
    name: &'static str,
    rows: usize,
    classes: usize,
    /// Distance of the class centres, in units of the spread.
    shift: f32,
    c: f64,
}

/// The set of the promise, and one that criterion can repeat.
const SETS: [Set; 2] = [
    Set { name: "logistic-5000x768x100", rows: 5_000, classes: 100, shift: 0.5, c: 1.0 },
    Set { name: "logistic-50000x768x1000", rows: 50_000, classes: 1000, shift: 0.5, c: 1.0 },
];

impl Set {
    /// Not unlike pooled features: the variances of the principal axes fall as 1 / rank, the axes are
    /// not the columns, and the mean is not 0. `probe_speed.py` makes the same bits.
    fn make(&self) -> (FeatureMatrix, Vec<u32>) {
        let labels: Vec<u32> = (0..self.rows).map(|row| (row % self.classes) as u32).collect();
        let centres = uniforms(self.classes * COLUMNS, 1);
        let mut values = uniforms(self.rows * COLUMNS, 2);
        for (row, &label) in values.chunks_exact_mut(COLUMNS).zip(&labels) {
            let centre = &centres[label as usize * COLUMNS..][..COLUMNS];
            for (at, (value, centre)) in row.iter_mut().zip(centre).enumerate() {
                let spread = (*value - 0.5) + self.shift * (centre - 0.5);
                *value = spread * (4.0 / (at as f32 + 1.0).sqrt());
            }
            mix(row);
        }
        (FeatureMatrix::new(COLUMNS, values).unwrap(), labels)
    }

    fn fit(&self, (features, labels): &(FeatureMatrix, Vec<u32>)) -> LogisticFit {
        let train = Labelled::new(features, labels, self.classes).unwrap();
        fit_logistic(&train, self.c, Stop::Gradient(TOLERANCE)).unwrap()
    }
}

/// Walsh and Hadamard's transform of every third column, then a mean of 1.
fn mix(row: &mut [f32]) {
    let before = row.to_vec();
    for (third, part) in row.chunks_exact_mut(MIXED).enumerate() {
        for (at, value) in part.iter_mut().enumerate() {
            *value = before[3 * at + third];
        }
        let mut width = 1;
        while width < MIXED {
            for pair in part.chunks_exact_mut(2 * width) {
                let (low, high) = pair.split_at_mut(width);
                for (low, high) in low.iter_mut().zip(high) {
                    (*low, *high) = (*low + *high, *low - *high);
                }
            }
            width *= 2;
        }
        part.iter_mut().for_each(|value| *value = *value * 0.0625 + 1.0);
    }
}

fn two_threads() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap()
}

fn probes(c: &mut Criterion) {
    let pool = two_threads();
    let mut group = c.benchmark_group("two-threads");
    group.sample_size(10);
    let set = &SETS[0];
    let features = set.make();
    group.throughput(Throughput::Elements(set.rows as u64));
    group.bench_function(set.name, |b| b.iter(|| pool.install(|| set.fit(&features))));
    group.finish();
}

/// Most memory that this process ever had, in MB, where `/proc` tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

/// Prints the loss, the seconds of the fastest run, the CPU seconds of a mean one, how often the
/// loss was computed, and the most memory so far.
fn records(limit: Duration) {
    let pool = two_threads();
    for set in SETS {
        let features = set.make();
        let (start, cpu, mut fastest) = (Instant::now(), record::cpu_seconds(), f64::INFINITY);
        for runs in 1.. {
            let begun = Instant::now();
            let fit = pool.install(|| set.fit(&features));
            fastest = fastest.min(begun.elapsed().as_secs_f64());
            if start.elapsed() >= limit {
                let cpu =
                    record::cpu_seconds().zip(cpu).map_or(0.0, |(after, before)| after - before);
                let cpu = cpu / f64::from(runs);
                let memory = peak_memory().unwrap_or(0);
                let Set { name, .. } = set;
                println!("{name} {:?} {fastest} {cpu} {} {memory}", fit.loss, fit.evaluations);
                break;
            }
        }
    }
}

criterion_group!(benches, probes);

fn main() {
    record::main(benches, records);
}
