//! Tests across crates, in one binary: each further binary would link Polars and candle again.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bad_input;
mod command_line;
mod comparing;
mod docs;
mod encoder_spaces;
mod gate;
mod generation;
#[path = "../oracle/hashed.rs"]
mod hashed;
mod invariance;
mod latents;
mod layering;
mod networks;
mod page;
mod program;
mod published;
mod real;
#[path = "../oracle/recipe.rs"]
mod recipe;
mod references;
mod reproduce;
mod run_folder;
mod saved_arrays;
mod several_sets;
mod shards;
mod tables;
mod taken_up;
mod throughput;
mod touched;
mod understanding;
