use std::path::PathBuf;

use clap::Args;

use super::{CacheArgs, PaceArgs, PictureArgs};
use crate::device::DeviceChoice;

/// Writes mu, sigma, mu_s and sigma_s of Inception's features as other evaluators read them, on request
/// mu_dinov2 and sigma_dinov2 of DINOv2's or mu_encoder and sigma_encoder of another encoder's, and where they are from: network and weights, resize, crop,
/// pictures, number.
#[derive(Args)]
pub(crate) struct StatsArgs {
    /// The pictures: a folder, an .npz, ...; `list data` shows every kind
    #[arg(value_name = "IMAGES")]
    pub(crate) images: String,
    /// The file to write, an .npz; an existing file is kept
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// A protocol by name, for crop, size and resize
    #[arg(short, long, value_name = "NAME")]
    pub(crate) protocol: Option<String>,
    /// Change a field of the protocol (repeatable)
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub(crate) set: Vec<String>,
    /// What the moments are to serve: gfid, fd-dinov2, fd-encoder (repeatable) [default: gfid]
    #[arg(short, long = "metric", value_name = "NAME")]
    pub(crate) metrics: Vec<String>,
    /// Weights of a network: inception=FILE, dinov2=FILE, fd-encoder=FILE (repeatable)
    #[arg(long = "weights", value_name = "NAME=FILE")]
    pub(crate) weights: Vec<String>,
    /// Only the first N pictures
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    #[command(flatten)]
    pub(crate) pictures: PictureArgs,
    /// Where the networks compute: cpu, or cuda:N in a build that has it [default: cpu]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<DeviceChoice>,
    #[command(flatten)]
    pub(crate) cached: CacheArgs,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
}
