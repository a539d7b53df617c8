use clap::{Args, ValueEnum};

// How many threads work, and how their progress is shown.
#[derive(Args, Clone, Default)]
pub(crate) struct PaceArgs {
    /// Threads; no number depends on it [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// How progress is shown [default: bar on a terminal, else lines]
    #[arg(long, value_name = "HOW")]
    pub(crate) progress: Option<ProgressStyle>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressStyle {
    Bar,
    Lines,
    None,
}
