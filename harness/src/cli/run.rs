use std::path::PathBuf;

use clap::Args;

use super::{CacheArgs, PaceArgs, PictureArgs};
use crate::device::DeviceChoice;
use crate::shard::ShardChoice;

/// Flags replace what the plan says.
#[derive(Args, Default)]
pub(crate) struct RunArgs {
    /// A plan file, or the name of an embedded plan [default: default]
    pub(crate) plan: Option<String>,
    /// A tokenizer: ID[:OPTIONS], or a model as ID[@REVISION] or ID=PATH, exec:COMMAND, recon:PATH
    /// (repeatable)
    #[arg(short, long = "tokenizer", value_name = "REF")]
    pub(crate) tokenizers: Vec<String>,
    /// Pictures: a folder, an .npz, synthetic:SEED:N, ...; `list data` shows every kind (repeatable)
    #[arg(short, long = "data", value_name = "DATA")]
    pub(crate) data: Vec<String>,
    /// Samples of a generator to judge: a folder or an .npz (repeatable)
    #[arg(long = "samples", value_name = "DATA")]
    pub(crate) samples: Vec<String>,
    /// Latents of a generator to decode by every --tokenizer and to judge: normalised:FILE or
    /// raw:FILE, an .npz, a .safetensors or a folder of them (repeatable)
    #[arg(long = "latents", value_name = "SCALE:FILE")]
    pub(crate) latents: Vec<String>,
    /// A generator of latents, run here, decoded by every --tokenizer and judged: ID[@REVISION] or
    /// ID=PATH; -n says how many samples [default: 50000] (repeatable)
    #[arg(long = "generator", value_name = "REF")]
    pub(crate) generators: Vec<String>,
    /// How generators are sampled: INTEGRATOR:POINTS[,GUIDANCE][,shift:SHIFT], as in
    /// euler:50,cfg:1.5@0.1..0.9, or the .yaml of a released configuration [default: as each is published]
    #[arg(long, value_name = "HOW")]
    pub(crate) sampling: Option<String>,
    /// The weaker generator that autoguidance compares with
    #[arg(long, value_name = "REF")]
    pub(crate) guide: Option<String>,
    /// Classes of the samples: balanced or uniform [default: balanced]
    #[arg(long, value_name = "RULE")]
    pub(crate) labels: Option<String>,
    /// A protocol by name (repeatable)
    #[arg(short, long = "protocol", value_name = "NAME")]
    pub(crate) protocols: Vec<String>,
    /// Change a field of every protocol (repeatable)
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub(crate) set: Vec<String>,
    /// Keep only some frequencies of latents: zigzag:COUNT, rings:COUNT; as --set band-mask=...
    #[arg(long, value_name = "MASK")]
    pub(crate) band_mask: Option<String>,
    /// Only this suite (repeatable)
    #[arg(short, long = "suite", value_name = "NAME")]
    pub(crate) suites: Vec<String>,
    /// Only this metric (repeatable)
    #[arg(short, long = "metric", value_name = "NAME")]
    pub(crate) metrics: Vec<String>,
    /// Weights of a feature network: inception, dinov2, clip, lpips-alex, lpips-vgg, lpips-squeeze, and
    /// lpips-TRUNK-head where the linear layers are in a file of their own (repeatable)
    #[arg(long = "weights", value_name = "NAME=FILE")]
    pub(crate) weights: Vec<String>,
    /// Features that stand for those of the originals, as --save features wrote them; for samples,
    /// an .npz of mu and sigma, as `stats`, ADM and others write it
    #[arg(long, value_name = "FILE")]
    pub(crate) reference: Option<PathBuf>,
    /// Let a reference serve that was made otherwise than this run makes features; rows are marked
    #[arg(long)]
    pub(crate) allow_unlike_reference: bool,
    /// Only the first N pictures of every data set, or the first N samples
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Pictures to fit tokenizers like `pca` on, or `held-out`: every fourth picture of the data,
    /// on which nothing is then measured
    #[arg(long, value_name = "DATA")]
    pub(crate) fit: Option<String>,
    /// Seed of whatever is drawn
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) pictures: PictureArgs,
    /// Keep arrays beside the records: reconstructions, latents; features of the originals; samples
    /// that were decoded or drawn here
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(crate) save: Vec<String>,
    /// The run folder [default: runs/NAME-HASH]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cached: CacheArgs,
    /// Measure anew even if the run folder is there
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
    /// Seconds that a program behind `exec:` may go without taking or giving a byte
    #[arg(long, value_name = "S", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) exec_timeout: u64,
    /// Write a trace of the run's stages, which Perfetto (ui.perfetto.dev) opens, and say how busy each was
    #[arg(long, value_name = "FILE")]
    pub(crate) profile: Option<PathBuf>,
    /// Where tokenizers and networks compute: cpu, or cuda:N in a build that has it [default: cpu]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<DeviceChoice>,
    /// Do the I-th of N parts of the run, for `prismbench merge` to finish; `none` for the whole of it whatever
    /// the environment says [default: as srun, a job array, an Indexed Job, torchrun or mpirun say]
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<ShardChoice>,
    /// Print the resolved plan and measure nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
