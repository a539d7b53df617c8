//! Runs handed over to the scheduler of a cluster: what every task of it does, whichever it is.

mod error;
pub(crate) mod kubernetes;
pub(crate) mod slurm;

use std::path::{Path, PathBuf};

use crate::cli::{CacheArgs, PaceArgs, PictureArgs, RunArgs};
use crate::cmd;
use crate::device::DeviceChoice;
use crate::error::Failure;
use crate::plan::Plan;
pub(crate) use error::SubmitError;
pub(crate) use kubernetes::{ClaimName, Image, MountPath, Namespace, Quantity};

/// A run that tasks are to do, all paths absolute.
pub(crate) struct Submission {
    pub(crate) plan: Plan,
    /// The plan file that tasks read.
    pub(crate) plan_text: String,
    /// The run folder.
    pub(crate) out: String,
    /// Flags that are no part of the plan, of `run` alone and of `merge` as well.
    run_flags: Vec<String>,
    shared_flags: Vec<String>,
    /// Whether tasks compute on a GPU: the merge then does, too.
    pub(crate) on_gpu: bool,
}

impl Submission {
    /// Resolves what is to run; relative paths start at `base`, an absolute path where tasks run.
    pub(crate) fn new(args: &RunArgs, base: &Path) -> Result<Self, Failure> {
        refuse(args)?;
        let (plan, plan_text) = Plan::portable(args, base)?;
        cmd::run::divisible(&plan)?;
        let [run_flags, shared_flags] = flags(args, base)?;
        let name = || PathBuf::from("runs").join(format!("{}-{}", plan.name, plan.hash()));
        let out = base.join(args.out.clone().unwrap_or_else(name));
        let out = text("--out", out)?;
        let on_gpu = plan.device != DeviceChoice::Cpu;
        Ok(Self { plan, plan_text, out, run_flags, shared_flags, on_gpu })
    }

    /// The arguments of `prismbench` that do one part, but for which: that is said by `--shard` after them or
    /// by the environment.
    pub(crate) fn run_arguments(&self, plan_file: &str) -> Vec<String> {
        let start = ["run", plan_file].map(str::to_owned);
        let flags = self.run_flags.iter().chain(&self.shared_flags).cloned();
        let end = ["--out", &self.out].map(str::to_owned);
        start.into_iter().chain(flags).chain(end).collect()
    }

    /// The arguments that finish the run.
    pub(crate) fn merge_arguments(&self) -> Vec<String> {
        let start = ["merge", &self.out].map(str::to_owned);
        start.into_iter().chain(self.shared_flags.iter().cloned()).collect()
    }
}

/// What would do harm or nothing in every task.
fn refuse(args: &RunArgs) -> Result<(), SubmitError> {
    let refused = [
        (
            args.shard.is_some(),
            "--shard",
            "the scheduler counts the shards; `--shards N` says how many",
        ),
        (args.force, "--force", "a task that starts again would lose what it did; use a new --out"),
        (args.profile.is_some(), "--profile", "all tasks would write that file"),
    ];
    match refused.into_iter().find(|(given, ..)| *given) {
        Some((_, flag, reason)) => Err(SubmitError::Flag { flag, reason }),
        None => Ok(()),
    }
}

/// Every field of [`RunArgs`] stands here, so that a new flag cannot be forgotten.
fn flags(args: &RunArgs, base: &Path) -> Result<[Vec<String>; 2], SubmitError> {
    let RunArgs {
        // Part of the plan.
        plan: _,
        tokenizers: _,
        data: _,
        samples: _,
        latents: _,
        generators: _,
        sampling: _,
        guide: _,
        labels: _,
        protocols: _,
        set: _,
        band_mask: _,
        suites: _,
        metrics: _,
        weights: _,
        reference: _,
        allow_unlike_reference: _,
        limit: _,
        fit: _,
        seed: _,
        save: _,
        device: _,
        // Said otherwise, or to the submission.
        out: _,
        dry_run: _,
        // Refused.
        shard: _,
        force: _,
        profile: _,
        // Handed on.
        pictures: PictureArgs { skip_bad: _, max_image_pixels, batch },
        cached: CacheArgs { cache, no_cache, cache_limit },
        pace: PaceArgs { threads, progress },
        exec_timeout,
    } = args;
    let run = vec![format!("--batch={batch}"), format!("--exec-timeout={exec_timeout}")];
    let mut flags = Vec::new();
    flags.extend(max_image_pixels.map(|pixels| format!("--max-image-pixels={pixels}")));
    if let Some(cache) = cache {
        flags.push(format!("--cache={}", text("--cache", base.join(cache))?));
    }
    if *no_cache {
        flags.push("--no-cache".to_owned());
    }
    flags.extend(cache_limit.map(|limit| format!("--cache-limit={}", limit.bytes())));
    flags.extend(threads.map(|threads| format!("--threads={threads}")));
    let progress = progress.as_ref().and_then(clap::ValueEnum::to_possible_value);
    flags.extend(progress.map(|style| format!("--progress={}", style.get_name())));
    Ok([run, flags])
}

/// A path as text that may stand in a script or a manifest.
fn text(what: &'static str, path: PathBuf) -> Result<String, SubmitError> {
    let text = path.into_os_string().into_string().map_err(|found| SubmitError::Characters {
        what,
        found: found.to_string_lossy().into_owned(),
    })?;
    plain(what, &text)?;
    Ok(text)
}

/// Refuses line ends and other control characters, which no path or name needs and which logs, comments and
/// tables would carry on.
fn plain(what: &'static str, text: &str) -> Result<(), SubmitError> {
    match text.chars().any(char::is_control) {
        true => Err(SubmitError::control(what, text)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> RunArgs {
        RunArgs { exec_timeout: 600, ..RunArgs::default() }
    }

    fn submission(args: &RunArgs) -> Result<Submission, Failure> {
        Submission::new(args, Path::new("/base"))
    }

    #[test]
    fn paths_start_at_the_base_and_metrics_that_nobody_named_stay_open() {
        let data = vec!["pictures".to_owned(), "synthetic:1:8".to_owned()];
        let weights = vec!["inception=w/i.safetensors".to_owned()];
        let suites = vec!["reconstruction".to_owned()];
        let cached = CacheArgs { cache: Some("c".into()), ..CacheArgs::default() };
        let pictures = PictureArgs { max_image_pixels: Some(9), ..PictureArgs::default() };
        let args = RunArgs { data, weights, suites, cached, pictures, ..args() };
        let submission = submission(&args).unwrap();
        let table: toml::Table = submission.plan_text.parse().unwrap();
        assert_eq!(table["data"].to_string(), "[\"/base/pictures\", \"synthetic:1:8\"]");
        assert_eq!(table["weights"]["inception"].as_str(), Some("/base/w/i.safetensors"));
        assert_eq!(table["metrics"].to_string(), "[]");
        assert!(!submission.plan.metrics.is_empty());
        let hash = submission.plan.hash();
        assert_eq!(submission.out, format!("/base/runs/default-{hash}"));
        let run = submission.run_arguments("/p.toml");
        assert!(run.contains(&"--cache=/base/c".to_owned()), "{run:?}");
        assert_eq!(run[..2], ["run", "/p.toml"]);
        assert!(run.contains(&"--max-image-pixels=9".to_owned()), "{run:?}");
        assert_eq!(submission.merge_arguments()[2..], ["--max-image-pixels=9", "--cache=/base/c"]);
    }

    #[test]
    fn the_plan_that_tasks_read_is_the_plan_that_was_submitted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plan.toml");
        let set = vec!["size=64".to_owned(), "quantiser=truncate".to_owned()];
        let args = RunArgs { data: vec!["./x y".to_owned()], set, limit: Some(5), ..args() };
        let submission = submission(&args).unwrap();
        std::fs::write(&file, &submission.plan_text).unwrap();
        let again = RunArgs { plan: Some(file.display().to_string()), ..RunArgs::default() };
        let again = Plan::resolve(&again).unwrap();
        assert_eq!(again.text, submission.plan.text);
        assert_eq!(again.named_metrics, submission.plan.named_metrics);
    }

    #[test]
    fn flags_that_make_no_sense_for_every_task_are_refused_with_the_reason() {
        let message = |args: RunArgs| submission(&args).err().unwrap().to_string();
        let shard = Some("1/2".parse().unwrap());
        assert!(message(RunArgs { shard, ..args() }).starts_with("`--shard` cannot be submitted"));
        assert!(message(RunArgs { force: true, ..args() }).contains("`--force`"));
        let profile = Some("trace".into());
        assert!(message(RunArgs { profile, ..args() }).contains("`--profile`"));
        let suites = vec!["throughput".to_owned()];
        assert!(message(RunArgs { suites, ..args() }).contains("cannot be divided"));
        let out = Some("a\n#SBATCH --wrap=x".into());
        let message = message(RunArgs { out, ..args() });
        assert_eq!(message, "`--out` holds control characters: `/base/a\\n#SBATCH --wrap=x`");
    }
}
