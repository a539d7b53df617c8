//! The program: command line, plan, runner, run folder.
//!
//! **Invariant:** results go to `out`, everything else to `err`; only `main.rs` knows the process.

mod cli;
mod cmd;
mod contact_sheets;
mod data_sets;
mod device;
mod doctor;
mod error;
mod exit;
mod feature_cache;
mod judged;
mod known_references;
mod networks;
mod output;
mod past_runs;
mod plan;
mod progress;
mod provenance;
mod records;
mod reproduction;
mod run_folder;
mod run_status;
mod runner;
mod saving;
mod shard;
mod side;
mod streams;
mod submit;
mod threads;
mod trace;

pub use cli::main_from;
pub use exit::Exit;
pub use streams::Streams;

/// Compiles and runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
