use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::RunArgs;
use crate::shard::MAX_SHARDS;
use crate::submit::{ClaimName, Image, MountPath, Namespace, Quantity};

/// Every part is a task of the scheduler, which does `prismbench run --shard I/N`; `prismbench merge` finishes the
/// run when all are done. The same command again does what is missing.
#[derive(Args)]
pub(crate) struct SubmitArgs {
    #[command(subcommand)]
    pub(crate) to: Scheduler,
}

#[derive(Subcommand)]
pub(crate) enum Scheduler {
    /// Submit a job array and a merge job that depends on it; --dry-run only prints them
    Slurm(Box<SlurmArgs>),
    /// Write the manifest of an Indexed Job and a merge Job, for `kubectl apply`
    Kubernetes(Box<KubernetesArgs>),
}

#[derive(Args)]
pub(crate) struct SlurmArgs {
    /// How many parts the run is divided into
    #[arg(long, value_name = "N", value_parser = shards())]
    pub(crate) shards: u32,
    /// Tasks that may run at once [default: as the cluster allows]
    #[arg(long, value_name = "N", value_parser = shards())]
    pub(crate) parallelism: Option<u32>,
    /// As sbatch takes it; of both jobs
    #[arg(long, value_name = "NAME")]
    pub(crate) partition: Option<String>,
    /// As sbatch takes it, as in gpu:1; of the array, and with --device cuda of the merge job
    #[arg(long, value_name = "LIST")]
    pub(crate) gres: Option<String>,
    /// As sbatch takes it, as in 4:00:00; a task that needs longer stops two minutes before, starts again and
    /// goes on
    #[arg(long, value_name = "TIME")]
    pub(crate) time: Option<String>,
    /// As sbatch takes it; of both jobs
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// As sbatch takes it; of both jobs
    #[arg(long, value_name = "NAME")]
    pub(crate) qos: Option<String>,
    /// As sbatch takes it, as in 32G; of both jobs
    #[arg(long, value_name = "SIZE")]
    pub(crate) mem: Option<String>,
    /// Cores of a task; of both jobs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) cpus_per_task: Option<u16>,
    /// As sbatch takes it; of both jobs
    #[arg(long, value_name = "LIST")]
    pub(crate) constraint: Option<String>,
    /// Anything else for sbatch, as in --sbatch-arg=--exclude=node7; of both jobs (repeatable)
    #[arg(long = "sbatch-arg", value_name = "ARG", allow_hyphen_values = true)]
    pub(crate) sbatch_args: Vec<String>,
    /// What tasks start [default: this program, by its path here]
    #[arg(long, value_name = "FILE")]
    pub(crate) program: Option<PathBuf>,
    #[command(flatten, next_help_heading = "What to run, as for `prismbench run`")]
    pub(crate) run: RunArgs,
}

#[derive(Args)]
pub(crate) struct KubernetesArgs {
    /// How many parts the run is divided into
    #[arg(long, value_name = "N", value_parser = shards())]
    pub(crate) shards: u32,
    /// A container image with `prismbench` on its PATH
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Image,
    /// The PersistentVolumeClaim that holds data and run folder; all pods mount it (ReadWriteMany)
    #[arg(long, value_name = "NAME")]
    pub(crate) claim: ClaimName,
    /// Where pods mount it: relative paths of the plan and --out start here
    #[arg(long, value_name = "PATH", default_value = "/data")]
    pub(crate) mount: MountPath,
    /// The namespace of the Jobs [default: kubectl's]
    #[arg(long, value_name = "NAME")]
    pub(crate) namespace: Option<Namespace>,
    /// Pods that may run at once [default: all]
    #[arg(long, value_name = "N", value_parser = shards())]
    pub(crate) parallelism: Option<u32>,
    /// GPUs of each pod (nvidia.com/gpu), with --device cuda of the merge as well
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) gpus: Option<u16>,
    /// Processors of each pod, as in 4 or 500m
    #[arg(long, value_name = "QUANTITY")]
    pub(crate) cpu: Option<Quantity>,
    /// Memory of each pod, as in 32Gi
    #[arg(long, value_name = "QUANTITY")]
    pub(crate) memory: Option<Quantity>,
    /// Write the manifest (JSON) to a file instead of standard output; an existing file is kept
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    #[command(flatten, next_help_heading = "What to run, as for `prismbench run`")]
    pub(crate) run: RunArgs,
}

fn shards() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(MAX_SHARDS))
}
