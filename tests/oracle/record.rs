//! Figures that a bench prints for the scripts here, which run it and a peer in turn, instead of
//! criterion's analysis.
//!
//! Shared by the benches of several packages through `#[path]`.

use std::time::{Duration, Instant};

use criterion::Criterion;

/// Set by the scripts: how long a case is repeated.
const SECONDS: &str = "PRISMBENCH_RECORD_SECONDS";

/// The bench itself: criterion's `benches`, or `record` where a script asks for figures.
pub(crate) fn main(benches: impl FnOnce(), record: impl FnOnce(Duration)) {
    match std::env::var(SECONDS) {
        Ok(seconds) => record(Duration::from_secs_f64(seconds.parse().unwrap())),
        Err(_) => {
            benches();
            Criterion::default().configure_from_args().final_summary();
        }
    }
}

/// Prints the name of a case and its rate, in which a pass counts for `count`: that of the fastest
/// pass, because other programs slow single ones.
pub(crate) fn rate(name: &str, count: u64, limit: Duration, pass: impl Fn()) {
    pass();
    let start = Instant::now();
    let mut fastest = Duration::MAX;
    while start.elapsed() < limit {
        let pass_start = Instant::now();
        pass();
        fastest = fastest.min(pass_start.elapsed());
    }
    println!("{name} {:.4}", count as f64 / fastest.as_secs_f64());
}

/// CPU seconds of this process so far, where `/proc` tells.
pub(crate) fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}
