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

/// Prints the name and the value of a case, the seconds of its fastest run and the CPU seconds of a
/// mean one.
pub(crate) fn value(name: &str, limit: Duration, mut run: impl FnMut() -> f64) {
    let (start, cpu, mut fastest) = (Instant::now(), cpu_seconds(), f64::INFINITY);
    for runs in 1.. {
        let begun = Instant::now();
        let value = run();
        fastest = fastest.min(begun.elapsed().as_secs_f64());
        if start.elapsed() >= limit {
            let cpu = cpu_seconds().zip(cpu).map_or(0.0, |(after, before)| after - before);
            println!("{name} {value:?} {fastest} {}", cpu / f64::from(runs));
            return;
        }
    }
}

/// CPU seconds of this process so far, where `/proc` tells.
pub(crate) fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}
