//! Kubernetes: an Indexed Job, one pod per shard, and a merge Job that is suspended until somebody resumes it.
//!
//! Kubernetes knows no order among Jobs. A pod that waits for others would hold its node meanwhile; a suspended
//! Job holds nothing, and one `kubectl wait && kubectl patch` starts it.

mod manifest;
mod names;
#[cfg(test)]
mod schema;

use std::path::Path;

use super::{Submission, SubmitError};
use crate::cli::KubernetesArgs;
use crate::error::Failure;
use crate::output::deliver;
use crate::{Exit, Streams};
use manifest::{List, list};
use names::job_name;
pub(crate) use names::{ClaimName, Image, MountPath, Namespace, Quantity};

/// Writes the manifest and says what to do with it.
pub(crate) fn submit(args: &KubernetesArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let submission = submission(args)?;
    let name = job_name(&submission.plan.name, &submission.plan.hash());
    let mut text = serde_json::to_string_pretty(&written(args, &submission, &name))
        .map_err(|error| Failure::Output(error.into()))?;
    text.push('\n');
    let file = args.manifest.as_deref().filter(|_| !args.run.dry_run);
    deliver(file, streams, |out| {
        out.write_all(text.as_bytes()).map_err(prismbench_reports::ReportError::Output)
    })?;
    let kubectl = match &args.namespace {
        Some(namespace) => format!("kubectl --namespace {namespace}"),
        None => "kubectl".to_owned(),
    };
    let shown = file.map_or_else(|| "FILE".to_owned(), |path| path.display().to_string());
    for line in [
        format!("{kubectl} apply -f {shown}"),
        format!("{kubectl} wait --for=condition=complete --timeout=-1s job/{name}"),
        format!("{kubectl} patch job/{name}-merge -p '{{\"spec\":{{\"suspend\":false}}}}'"),
    ] {
        streams.say(&line);
    }
    Ok(Exit::Done)
}

fn submission(args: &KubernetesArgs) -> Result<Submission, Failure> {
    let mount = args.mount.as_str();
    let submission = Submission::new(&args.run, Path::new(mount))?;
    // Elsewhere it would vanish with the pod.
    if !Path::new(&submission.out).starts_with(mount) {
        let (path, mount) = (submission.out, mount.to_owned());
        return Err(SubmitError::Outside { path, mount }.into());
    }
    Ok(submission)
}

fn written(args: &KubernetesArgs, submission: &Submission, name: &str) -> serde_json::Value {
    list(&List {
        name,
        namespace: args.namespace.as_ref().map(Namespace::as_str),
        shards: args.shards,
        parallelism: args.parallelism.unwrap_or(args.shards),
        image: args.image.as_str(),
        claim: args.claim.as_str(),
        mount: args.mount.as_str(),
        plan: &submission.plan_text,
        run: submission.run_arguments(manifest::PLAN_FILE),
        merge: submission.merge_arguments(),
        merges_on_gpu: submission.on_gpu,
        gpus: args.gpus,
        cpu: args.cpu.as_ref().map(Quantity::as_str),
        memory: args.memory.as_ref().map(Quantity::as_str),
    })
}

#[cfg(test)]
mod tests;
