use std::path::PathBuf;

use clap::Args;

/// A metric that is missing, another protocol, other pictures or an empty run is never a pass.
#[derive(Args)]
pub(crate) struct GateArgs {
    /// A run folder, or its records.jsonl
    pub(crate) run: PathBuf,
    /// The baseline: rules, values, and values of single images; TOML, or Parquet by its name
    #[arg(short, long, value_name = "FILE")]
    pub(crate) baseline: PathBuf,
    /// Write the run's values into the baseline; its rules stay
    #[arg(long, conflicts_with = "out")]
    pub(crate) update: bool,
    /// With --update, also write floors as wide as values scatter over these runs: run folders, folders of
    /// them, Parquet exports (repeatable)
    #[arg(long, value_name = "DIR", requires = "update")]
    pub(crate) from_history: Vec<PathBuf>,
    /// text, markdown, junit, github or json
    #[arg(short, long, default_value = "text")]
    pub(crate) format: String,
    /// Write to a file instead of standard output; an existing file is kept
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}
