use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Exit code 0 when the run or all of its shards are complete, else 4.
#[derive(Args)]
pub(crate) struct StatusArgs {
    /// A run folder
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// text or json
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: StatusFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusFormat {
    Text,
    Json,
}
