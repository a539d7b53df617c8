use std::path::PathBuf;

use super::run::{Extent, follow, show};
use crate::cli::{MergeArgs, PictureArgs, RunArgs};
use crate::error::Failure;
use crate::plan::Plan;
use crate::run_folder::{PARTS, PLAN};
use crate::shard::{self, ShardsError};
use crate::{Exit, Streams};

/// Makes the records of a run of what its shards have measured, and prints the leaderboard.
pub(crate) fn run(args: &MergeArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let path = match (&args.out, args.runs.as_slice()) {
        (Some(out), _) => out.clone(),
        (None, [run]) => run.clone(),
        (None, _) => return Err(ShardsError::NoOut.into()),
    };
    let shards = shard::complete(&args.runs)?;
    // A run that is there already is checked against this plan when it is opened.
    let kept = shards.first().map(|shard| shard.join(PLAN)).unwrap_or_default();
    let (args, device) = (as_a_run(args), args.device);
    let plan = Plan::kept(&kept, &args)?;
    // The plan stays what it is: a machine without a GPU may merge what some with one have measured.
    let plan = Plan { device: device.unwrap_or(plan.device), ..plan };
    let parts: Vec<PathBuf> = shards.iter().map(|shard| shard.join(PARTS)).collect();
    let done = follow((&plan, &Extent::Merge(parts)), &path, &args, streams)?;
    let before = "everything was merged before; --out with another folder merges it anew";
    show(&done, (&path, before), streams)
}

/// The run that the shards are of.
fn as_a_run(args: &MergeArgs) -> RunArgs {
    RunArgs {
        pictures: PictureArgs { max_image_pixels: args.max_image_pixels, ..PictureArgs::default() },
        cached: args.cached.clone(),
        pace: args.pace.clone(),
        exec_timeout: 600,
        ..RunArgs::default()
    }
}
