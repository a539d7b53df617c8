//! The feature networks against the reference implementations, with generated weights.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "the errors that were found are worth reading")]

#[path = "networks/cost.rs"]
mod cost;
#[path = "../../tests/oracle/hashed.rs"]
mod hashed;
#[path = "networks/inception.rs"]
mod inception;
#[path = "networks/kodak.rs"]
mod kodak;
#[path = "networks/lpips.rs"]
mod lpips;
#[path = "networks/random_filters.rs"]
mod random_filters;
#[path = "../../tests/oracle/recipe.rs"]
mod recipe;
#[path = "networks/sample.rs"]
mod sample;
#[path = "networks/weights.rs"]
mod weights;
