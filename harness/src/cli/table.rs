use std::path::PathBuf;

use clap::Args;

#[derive(Args)]
pub(crate) struct TableArgs {
    /// Run folders, or their records.jsonl; with --history also folders of runs and Parquet exports
    #[arg(required_unless_present = "published", value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// text, markdown, latex, csv, parquet, ndjson, svg for the curves of sweeps and spectra, or html
    /// for one page with tables, plots and sample pictures
    #[arg(short, long, default_value = "text")]
    pub(crate) format: String,
    /// Add what papers print of the tokenizers that were measured, marked and unranked; without a run
    /// their tables, of those rows in which every word occurs: --published="uae table 1"
    #[arg(
        long,
        value_name = "WORDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ""
    )]
    pub(crate) published: Option<String>,
    /// How this metric went from run to run, with marks where its level changes
    #[arg(long, value_name = "METRIC", conflicts_with = "published")]
    pub(crate) history: Option<String>,
    /// With html: the worst, the median and the best N reconstructions of each tokenizer, of runs
    /// with --save reconstructions; 0 for none [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=16))]
    pub(crate) pictures: Option<u8>,
    /// With html: the metric that orders them [default: psnr]
    #[arg(long, value_name = "METRIC")]
    pub(crate) pictures_by: Option<String>,
    /// Write to a file instead of standard output; an existing file is kept
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}
