use std::path::PathBuf;

use clap::Args;

/// Where both runs have per-image values, images are paired: differences show that are far smaller than the
/// intervals of the two values.
#[derive(Args)]
pub(crate) struct CompareArgs {
    /// The run before
    #[arg(value_name = "A")]
    pub(crate) before: PathBuf,
    /// The run after
    #[arg(value_name = "B")]
    pub(crate) after: PathBuf,
    /// Compare this tokenizer of A with another of B, and nothing else
    #[arg(short, long, value_name = "OF_A=OF_B")]
    pub(crate) tokenizer: Option<String>,
    /// Show what is the same, too
    #[arg(long)]
    pub(crate) all: bool,
    /// text, markdown or json
    #[arg(short, long, default_value = "text")]
    pub(crate) format: String,
    /// Write to a file instead of standard output; an existing file is kept
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}
