use std::io;

use crate::Exit;

/// Why a run was not handed over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SubmitError {
    #[error("`{flag}` cannot be submitted: {reason}")]
    Flag { flag: &'static str, reason: &'static str },
    #[error("`{what}` holds control characters: `{found}`")]
    Characters { what: &'static str, found: String },
    #[error("`--out` holds a backslash, at which Slurm ceases to number logs: `{found}`")]
    Backslash { found: String },
    #[error("`{path}` lies outside of `{mount}`, where the claim is mounted")]
    Outside { path: String, mount: String },
    #[error("`{run}` holds parts of {found}, and not of {asked}")]
    Division { run: String, found: u32, asked: u32 },
    #[error("cannot start `sbatch`")]
    NoSlurm {
        #[source]
        source: io::Error,
    },
    #[error("sbatch refused the {job}: {reason}")]
    Refused { job: &'static str, reason: String, array: Option<String> },
    #[error("sbatch answered `{found}` to the {job}, which is no job id")]
    Answer { job: &'static str, found: String },
    #[error("cannot say where this program lies")]
    Program {
        #[source]
        source: io::Error,
    },
}

impl SubmitError {
    pub(super) fn control(what: &'static str, found: &str) -> Self {
        Self::Characters { what, found: found.escape_debug().to_string() }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::NoSlurm { .. } => Exit::Missing,
            Self::Answer { .. } | Self::Program { .. } => Exit::Internal,
            _ => Exit::Usage,
        }
    }

    /// What helps, where something is known to.
    pub(crate) fn remedy(&self) -> Option<String> {
        match self {
            Self::NoSlurm { .. } => Some(
                "submit on a machine where `sbatch` is found, such as the cluster's login node; \
                 `--dry-run` shows what would be submitted"
                    .to_owned(),
            ),
            Self::Refused { array: Some(id), .. } => Some(format!(
                "the job array {id} is submitted: `scancel {id}` takes it back; or let it end and \
                 finish with `prismbench merge`"
            )),
            Self::Refused { reason, .. } if reason.contains("array") => Some(
                "clusters allow 1000 tasks as a rule (`scontrol show config | grep MaxArraySize`): \
                 choose fewer --shards"
                    .to_owned(),
            ),
            Self::Division { found, .. } => Some(format!(
                "`--shards {found}` goes on with them; otherwise choose another folder with --out"
            )),
            Self::Program { .. } => Some("name it: `--program FILE`".to_owned()),
            Self::Outside { .. } => {
                Some("give a path relative to it, or move it with --mount".to_owned())
            }
            _ => None,
        }
    }
}
