use std::path::PathBuf;

use clap::Args;

use super::{CacheArgs, PaceArgs, PictureArgs};

/// MATCH: the value rounds to the digits that were printed or is within the plan's tolerance. WITHIN NOISE: the
/// published value lies in the 95 % interval. MISMATCH: neither; the number is then measured again under
/// protocols that were behind others, and the one that gives it is named.
#[derive(Args)]
pub(crate) struct ReproduceArgs {
    /// An embedded plan (`list plans`), a plan file, or the key of a published row (or words that only
    /// that row has)
    #[arg(value_name = "ROW|PLAN")]
    pub(crate) what: String,
    /// The pictures of a data set of the plan, which may go without its name where it is the only one
    /// (repeatable)
    #[arg(short, long = "data", value_name = "[NAME=]DATA")]
    pub(crate) data: Vec<String>,
    /// What is run for a published name: PATH of a model's weights, or any tokenizer; also ID=PATH
    /// (repeatable)
    #[arg(short, long = "tokenizer", value_name = "NAME=REF")]
    pub(crate) tokenizers: Vec<String>,
    /// Weights of a feature network, as for `run` (repeatable)
    #[arg(long = "weights", value_name = "NAME=FILE")]
    pub(crate) weights: Vec<String>,
    /// Moments that samples of generators are compared with
    #[arg(long, value_name = "FILE")]
    pub(crate) reference: Option<PathBuf>,
    /// Features of other pictures, as `run --save features` wrote them, to try as a wrong reference; for
    /// samples, other moments
    #[arg(long, value_name = "FILE")]
    pub(crate) wrong_reference: Option<PathBuf>,
    /// Keep drawn samples, 10 GB for 50,000 of 256 pixels, so that other evaluators can be tried on them;
    /// --tokenizer NAME=samples:DATA judges finished ones
    #[arg(long)]
    pub(crate) keep_samples: bool,
    /// The protocol of a row, which replaces that of the plan
    #[arg(short, long, value_name = "NAME")]
    pub(crate) protocol: Option<String>,
    /// Only the first N pictures or samples: no value is then called a match
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    #[command(flatten)]
    pub(crate) pictures: PictureArgs,
    /// Do not try other protocols where a number does not agree
    #[arg(long)]
    pub(crate) no_explain: bool,
    /// Where the run folders are made [default: runs]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cached: CacheArgs,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
    /// Seconds that a program behind `exec:` may go without taking or giving a byte
    #[arg(long, value_name = "S", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) exec_timeout: u64,
    /// text, markdown or json
    #[arg(short, long, default_value = "text")]
    pub(crate) format: String,
}
