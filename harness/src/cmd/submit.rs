use crate::cli::{Scheduler, SubmitArgs};
use crate::error::Failure;
use crate::submit::{kubernetes, slurm};
use crate::{Exit, Streams};

/// Hands a run over to a scheduler.
pub(crate) fn run(args: &SubmitArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    match &args.to {
        Scheduler::Slurm(args) => slurm::submit(args, streams),
        Scheduler::Kubernetes(args) => kubernetes::submit(args, streams),
    }
}
