use std::path::PathBuf;

use clap::Args;

use super::{CacheArgs, PaceArgs};
use crate::device::DeviceChoice;

/// Shards of one run lie in RUN/shards, as `run --shard I/N` leaves them; those that were measured on several
/// machines may lie in several run folders.
#[derive(Args)]
pub(crate) struct MergeArgs {
    /// Run folders that hold shards
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// The run folder that the records go to [default: RUN, where there is one only]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cached: CacheArgs,
    /// Most pixels of one picture, as the shards had it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_image_pixels: Option<u64>,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
    /// Where texts are embedded, the one thing that a merge computes with a network [default: as in the plan]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<DeviceChoice>,
}
