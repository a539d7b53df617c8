//! How much memory a logistic probe takes as its training set grows: peak of the process after a fit to N samples of 4,096
//! numbers, which are computed when they are read and so take none themselves. `harness/SCALING.md` has the result.
//!
//! `cargo run --release --workspace --example probe_memory N`

#![expect(clippy::print_stdout, reason = "it is what it is for")]

use std::io;

use prismbench_metrics::Features;
use prismbench_metrics::probe::{Labelled, Stop, fit_logistic};

const COLUMNS: usize = 4096;

/// Two classes that overlap: small numbers by a generator of 32 bits, one of whose columns leans with the class.
struct Computed {
    rows: usize,
}

impl Features for Computed {
    fn rows(&self) -> usize {
        self.rows
    }

    fn columns(&self) -> usize {
        COLUMNS
    }

    fn read(&self, first: usize, into: &mut [f32]) -> io::Result<()> {
        for (at, row) in into.chunks_exact_mut(COLUMNS).enumerate() {
            let mut state = (first + at) as u32 ^ 0x9e37_79b9;
            for value in row.iter_mut() {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value = (state >> 16) as f32 / 65_536.0 - 0.5;
            }
            row[0] += ((first + at) % 2) as f32;
        }
        Ok(())
    }
}

/// Peak memory of this process in MB, as Linux counts it.
fn peak() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1000.0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows: usize = std::env::args().nth(1).ok_or("name a number of samples")?.parse()?;
    let features = Computed { rows };
    let labels: Vec<u32> = (0..rows as u32).map(|row| row % 2).collect();
    let train = Labelled::new(&features, &labels, 2)?;
    let fit = fit_logistic(&train, 1e-3, Stop::Gap(1e-4))?;
    let prepared = 2.0 * (rows * COLUMNS * size_of::<f32>()) as f64 / 1e6;
    println!(
        "{rows} samples, {prepared:.0} MB prepared: peak {:.0} MB, loss {:.6} after {} evaluations",
        peak().unwrap_or(f64::NAN),
        fit.loss,
        fit.evaluations
    );
    Ok(())
}
