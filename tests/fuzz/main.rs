//! Every reader of files against thousands of damaged ones: none may panic, hang or take more memory
//! than its bound.
//!
//! Inputs are made from good files by a fixed rule, so a finding is a target and a number. Each
//! target runs in a process of its own, which its test watches:
//!
//! ```sh
//! cargo test --release --workspace --test fuzz                                       # 10,000 inputs each
//! PRISMBENCH_FUZZ_INPUTS=1000000 cargo test --release --workspace --test fuzz        # a long campaign
//! PRISMBENCH_FUZZ_FIRST=4711 PRISMBENCH_FUZZ_INPUTS=1 cargo test ... fuzz tar        # one input again
//! ```
#![expect(clippy::unwrap_used, reason = "a test's own files are there")]

mod campaign;
mod journals;
mod mutation;
mod seeds;
mod targets;

use std::alloc::System;

use cap::Cap;

/// Counts what is allocated, and refuses what goes beyond [`campaign::MEMORY`] in a child.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

macro_rules! survives {
    ($($target:ident)*) => {$(
        #[test]
        fn $target() {
            campaign::survives(stringify!($target));
        }
    )*};
}

survives! {
    npz latents idx tar parquet captions pictures
    safetensors pickles
    plans configurations baselines records exports frames journals
}

/// What the tests above start.
#[test]
#[ignore = "runs as a child of the others"]
fn child() {
    campaign::child();
}

#[test]
fn every_target_has_its_test() {
    let source = include_str!("main.rs");
    let tests = source.split_once("survives! {").unwrap().1.split_once('}').unwrap().0;
    let tests: Vec<&str> = tests.split_whitespace().collect();
    let targets: Vec<&str> = targets::TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(tests, targets);
}
