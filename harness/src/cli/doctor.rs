use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// text or json
    #[arg(short, long, default_value = "text")]
    pub(crate) format: DoctorFormat,
    /// Skip the benchmark of ten seconds
    #[arg(long)]
    pub(crate) quick: bool,
    /// The cache to look at [default: PRISMBENCH_CACHE, else ~/.cache/prismbench]
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Threads of the benchmark [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DoctorFormat {
    Text,
    Json,
}
