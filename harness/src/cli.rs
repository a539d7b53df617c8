mod submit;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use prismbench_reports::ReportError;

use crate::device::DeviceChoice;
use crate::error::Failure;
use crate::feature_cache::CacheLimit;
use crate::shard::ShardChoice;
use crate::{Exit, Streams, cmd};
pub(crate) use submit::{KubernetesArgs, Scheduler, SlurmArgs, SubmitArgs};

const EXIT_CODES: &str = "Exit codes: 0 done · 1 internal error · 2 usage or bad input, nothing \
    measured · 3 gate: worse or lost, reproduce: a mismatch · 4 some records failed · 5 weights, data, \
    device or disk space missing · 6 gate: inconclusive or nothing compared, reproduce: something not \
    measured · 130 interrupted";

/// Measures visual tokenizers and says, for every number, exactly what was measured.
#[derive(Parser)]
#[command(name = "prismbench", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure tokenizers and write a run folder; the same command again goes on where it stopped
    Run(Box<RunArgs>),
    /// Hand a run over to the scheduler of a cluster, in parts that are merged when all are done
    Submit(SubmitArgs),
    /// Take the moments of real pictures: a reference for the samples of generators
    Stats(StatsArgs),
    /// Make the numbers of a run that was measured in shards: the same as without shards, to the bit
    Merge(Box<MergeArgs>),
    /// Say how far a run and each of its shards are
    Status(StatusArgs),
    /// Download the weights of tokenizers and generators into the hub's cache
    Fetch(FetchArgs),
    /// Print leaderboards or the long table of run folders; measures nothing
    Table(TableArgs),
    /// Say what changed between two runs, metric by metric, and whether it is beyond noise
    Compare(CompareArgs),
    /// Hold a run against a baseline file: exit code 3 where it is worse, 6 where nobody can tell
    Gate(GateArgs),
    /// Measure what published numbers are of and say of each whether it comes out again: exit code 3
    /// where one does not, 6 where one could not be measured
    Reproduce(Box<ReproduceArgs>),
    /// List what this build knows
    List(ListArgs),
    /// Say what a protocol, metric, suite or tokenizer does, with constants and sources
    Explain(ExplainArgs),
    /// Look at this machine: instructions, threads, GPU, caches, speed; and what to do where something is amiss
    Doctor(DoctorArgs),
}

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
    /// euler:50,cfg:1.5@0.1..0.9 [default: as each is published]
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
    /// Leave pictures out that cannot be used; count and name them
    #[arg(long)]
    pub(crate) skip_bad: bool,
    /// Most pixels of one picture; larger ones are refused before they are decoded [default: 178956970, as Pillow]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_image_pixels: Option<u64>,
    /// Keep arrays beside the records: reconstructions, latents; features of the originals; samples
    /// that were decoded or drawn here
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(crate) save: Vec<String>,
    /// The run folder [default: runs/NAME-HASH]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
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
    /// Measure anew even if the run folder is there
    #[arg(long)]
    pub(crate) force: bool,
    /// Pictures that go through a tokenizer at once; no number depends on it
    #[arg(short, long, value_name = "N", default_value_t = 8, value_parser = batch)]
    pub(crate) batch: usize,
    /// Threads; no number depends on it [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Seconds that a program behind `exec:` may go without taking or giving a byte
    #[arg(long, value_name = "S", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) exec_timeout: u64,
    /// How progress is shown [default: bar on a terminal, else lines]
    #[arg(long, value_name = "HOW")]
    pub(crate) progress: Option<ProgressStyle>,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressStyle {
    Bar,
    Lines,
    None,
}

/// Writes mu, sigma, mu_s and sigma_s of Inception's features as other evaluators read them, on request
/// mu_dinov2 and sigma_dinov2 of DINOv2's, and where they are from: network and weights, resize, crop,
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
    /// What the moments are to serve: gfid, fd-dinov2 (repeatable) [default: gfid]
    #[arg(short, long = "metric", value_name = "NAME")]
    pub(crate) metrics: Vec<String>,
    /// Weights of a network: inception=FILE, dinov2=FILE (repeatable)
    #[arg(long = "weights", value_name = "NAME=FILE")]
    pub(crate) weights: Vec<String>,
    /// Only the first N pictures
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Leave pictures out that cannot be used
    #[arg(long)]
    pub(crate) skip_bad: bool,
    /// Most pixels of one picture; larger ones are refused before they are decoded [default: 178956970, as Pillow]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_image_pixels: Option<u64>,
    /// Where the networks compute: cpu, or cuda:N in a build that has it [default: cpu]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<DeviceChoice>,
    /// Where features are kept from run to run and weights are looked for
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Neither use nor keep features
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// What kept features may hold, as in 20GB: beyond it those go that were not used for longest
    /// [default: PRISMBENCH_CACHE_LIMIT, else no limit]
    #[arg(long, value_name = "SIZE")]
    pub(crate) cache_limit: Option<CacheLimit>,
    /// Pictures that go through the network at once; no number depends on it
    #[arg(short, long, value_name = "N", default_value_t = 8, value_parser = batch)]
    pub(crate) batch: usize,
    /// Threads; no number depends on it [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// How progress is shown [default: bar on a terminal, else lines]
    #[arg(long, value_name = "HOW")]
    pub(crate) progress: Option<ProgressStyle>,
}

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
    /// Where weights are looked for and features are kept
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Neither use nor keep features from run to run
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Most pixels of one picture, as the shards had it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_image_pixels: Option<u64>,
    /// Threads; no number depends on it [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// How progress is shown [default: bar on a terminal, else lines]
    #[arg(long, value_name = "HOW")]
    pub(crate) progress: Option<ProgressStyle>,
    /// Where texts are embedded, the one thing that a merge computes with a network [default: as in the plan]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<DeviceChoice>,
}

/// Exit code 0 when the run or all of its shards are complete, else 4.
#[derive(Args)]
pub(crate) struct StatusArgs {
    /// A run folder
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// text or json
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: StatusFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusFormat {
    Text,
    Json,
}

/// Downloads resume where they stopped, and are checked against the sha256 that the hub gives.
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

/// A metric that is missing, another protocol, other pictures or an empty run is never a pass.
#[derive(Args)]
pub(crate) struct GateArgs {
    /// A run folder, or its records.jsonl
    pub(crate) run: PathBuf,
    /// The baseline: rules, values, and values of single images; TOML, or Parquet by its name
    #[arg(short, long, value_name = "FILE")]
    pub(crate) baseline: PathBuf,
    /// Write the run's values into the baseline; its rules stay
    #[arg(long, conflicts_with = "out")]
    pub(crate) update: bool,
    /// With --update, also write floors as wide as values scatter over these runs: run folders, folders of
    /// them, Parquet exports (repeatable)
    #[arg(long, value_name = "DIR", requires = "update")]
    pub(crate) from_history: Vec<PathBuf>,
    /// text, markdown, junit, github or json
    #[arg(short, long, default_value = "text")]
    pub(crate) format: String,
    /// Write to a file instead of standard output; an existing file is kept
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

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
    /// Leave pictures out that cannot be used
    #[arg(long)]
    pub(crate) skip_bad: bool,
    /// Most pixels of one picture; larger ones are refused before they are decoded [default: 178956970, as Pillow]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_image_pixels: Option<u64>,
    /// Do not try other protocols where a number does not agree
    #[arg(long)]
    pub(crate) no_explain: bool,
    /// Where the run folders are made [default: runs]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Where features are kept from run to run and weights are looked for
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Neither use nor keep features
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// What kept features may hold, as in 20GB: beyond it those go that were not used for longest
    /// [default: PRISMBENCH_CACHE_LIMIT, else no limit]
    #[arg(long, value_name = "SIZE")]
    pub(crate) cache_limit: Option<CacheLimit>,
    /// Pictures that go through a tokenizer at once; no number depends on it
    #[arg(short, long, value_name = "N", default_value_t = 8, value_parser = batch)]
    pub(crate) batch: usize,
    /// Threads; no number depends on it [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Seconds that a program behind `exec:` may go without taking or giving a byte
    #[arg(long, value_name = "S", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) exec_timeout: u64,
    /// How progress is shown [default: bar on a terminal, else lines]
    #[arg(long, value_name = "HOW")]
    pub(crate) progress: Option<ProgressStyle>,
    /// text, markdown or json
    #[arg(short, long, default_value = "text")]
    pub(crate) format: String,
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// tokenizers, generators, suites, metrics, protocols, data, references, plans or published [default: all]
    pub(crate) what: Option<String>,
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// A protocol, metric, suite or tokenizer
    pub(crate) name: String,
}

#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// text or json
    #[arg(short, long, default_value = "text")]
    pub(crate) format: DoctorFormat,
    /// Skip the benchmark of ten seconds
    #[arg(long)]
    pub(crate) quick: bool,
    /// The cache to look at [default: PRISMBENCH_CACHE, else ~/.cache/prismbench]
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Threads of the benchmark [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DoctorFormat {
    Text,
    Json,
}

fn batch(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(batch @ 1..=4096) => Ok(batch),
        _ => Err("expected a whole number from 1 to 4096".to_owned()),
    }
}

/// The whole program as a function of its arguments and streams.
///
/// Tests call this instead of starting a process; nothing below it touches a global stream, except
/// the progress bar, which is drawn only when [`Streams::bar`] allows it.
pub fn main_from(args: impl IntoIterator<Item = OsString>, mut streams: Streams<'_>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let _ = write!(streams.err, "{error}");
            return Exit::Usage;
        }
        Err(help) => {
            return match write!(streams.out, "{help}") {
                Ok(()) => Exit::Done,
                Err(_) => Exit::Missing,
            };
        }
    };
    let done = match cli.command {
        Command::Run(args) => cmd::run::run(&args, &mut streams),
        Command::Submit(args) => cmd::submit::run(&args, &mut streams),
        Command::Stats(args) => cmd::stats::run(&args, &mut streams),
        Command::Merge(args) => cmd::merge::run(&args, &mut streams),
        Command::Status(args) => cmd::status::run(&args, &mut streams),
        Command::Fetch(args) => cmd::fetch::run(&args, &mut streams),
        Command::Table(args) => cmd::table::run(&args, &mut streams),
        Command::Compare(args) => cmd::compare::run(&args, &mut streams),
        Command::Gate(args) => cmd::gate::run(&args, &mut streams),
        Command::Reproduce(args) => cmd::reproduce::run(&args, &mut streams),
        Command::List(args) => cmd::list::run(&args, &mut streams),
        Command::Explain(args) => cmd::explain::run(&args, &mut streams),
        Command::Doctor(args) => cmd::doctor::run(&args, &mut streams),
    };
    match done {
        Ok(exit) => exit,
        // `prismbench table ... | head`: the reader has what it wanted.
        Err(failure) if is_closed_pipe(&failure) => Exit::Done,
        Err(failure) => {
            let _ = write!(streams.err, "{}", failure.render());
            if failure.exit() == Exit::Interrupted {
                let words = args.iter().map(|word| word.to_string_lossy());
                let words: Vec<String> = words.map(|word| quoted(&word)).collect();
                streams.say(&format!("to go on: {}", words.join(" ")));
            }
            failure.exit()
        }
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    // Nothing that came as an argument holds the one byte that cannot be quoted.
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), Into::into)
}

fn is_closed_pipe(failure: &Failure) -> bool {
    let (Failure::Output(error) | Failure::Report(ReportError::Output(error))) = failure else {
        return false;
    };
    error.kind() == std::io::ErrorKind::BrokenPipe
}
