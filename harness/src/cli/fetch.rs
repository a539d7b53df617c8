use clap::Args;

use super::ProgressStyle;

/// Downloads resume where they stopped, and are checked against the hash that the hub gives.
///
/// The cache is the one of Python's huggingface_hub: HF_HUB_CACHE, HF_HOME, HF_ENDPOINT, HF_TOKEN and
/// HF_HUB_OFFLINE mean what they mean there.
#[derive(Args)]
pub(crate) struct FetchArgs {
    /// A tokenizer or generator with published weights: ID[@REVISION]
    #[arg(required = true, value_name = "ID")]
    pub(crate) models: Vec<String>,
    /// How progress is shown [default: bar on a terminal, else lines]
    #[arg(long, value_name = "HOW")]
    pub(crate) progress: Option<ProgressStyle>,
}
