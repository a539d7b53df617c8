use std::path::PathBuf;

use clap::Args;

use crate::feature_cache::CacheLimit;

// What is kept from run to run.
#[derive(Args, Clone, Default)]
pub(crate) struct CacheArgs {
    /// Where features of the originals are kept from run to run and weights are looked for
    /// [default: PRISMBENCH_CACHE, else ~/.cache/prismbench]
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Neither use nor keep features of the originals from run to run
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// What kept features may hold, as in 20GB: beyond it those go that were not used for longest
    /// [default: PRISMBENCH_CACHE_LIMIT, else no limit]
    #[arg(long, value_name = "SIZE")]
    pub(crate) cache_limit: Option<CacheLimit>,
}
