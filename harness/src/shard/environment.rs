//! What launchers say to a process about its place among others.
//!
//! Nothing is guessed: a launcher that says half of it, or two that say different things, is an error, since
//! the wrong part would be done, or the same one by everybody.

use super::{BadShard, ResolvedShard, Shard, whole_number};

type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Shards of a Kubernetes Job: `JOB_COMPLETION_INDEX` alone does not say of how many.
pub(crate) const KUBERNETES_COUNT: &str = "PRISMBENCH_SHARDS";
const KUBERNETES_INDEX: &str = "JOB_COMPLETION_INDEX";
const ARRAY_INDEX: &str = "SLURM_ARRAY_TASK_ID";
const ARRAY_COUNT: &str = "SLURM_ARRAY_TASK_COUNT";
const STEP_INDEX: &str = "SLURM_PROCID";

/// Launchers that set an index from 0 and a count.
const PAIRS: [[&str; 2]; 4] = [
    // torchrun and what imitates it.
    ["RANK", "WORLD_SIZE"],
    // Open MPI's mpirun.
    ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"],
    // The mpirun of MPICH, Intel MPI and MVAPICH2; srun --mpi=pmi2.
    ["PMI_RANK", "PMI_SIZE"],
    [KUBERNETES_INDEX, KUBERNETES_COUNT],
];

/// Why the environment does not say which shard a process does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ShardError {
    #[error("`{name}` is `{found}`, which is no whole number from 0")]
    NoNumber { name: &'static str, found: String },
    #[error("`{given}` is set and `{missing}` is not")]
    Half { given: &'static str, missing: &'static str },
    #[error("`{index_name}` and `{count_name}` name no shard")]
    OutOfRange {
        index_name: &'static str,
        count_name: &'static str,
        #[source]
        source: BadShard,
    },
    #[error("the job array has gaps: {count} tasks between {first} and {last}, in steps of {step}")]
    Gaps { count: u64, first: u64, last: u64, step: u64 },
    #[error(
        "the job array starts at {first}: it may be a part of another one that is submitted again"
    )]
    Start { first: u64, count: u64 },
    #[error("this is a terminal in the first of {count} tasks that `srun` started")]
    Terminal { count: u32 },
    #[error("`{first_name}` says shard {first}, `{second_name}` says shard {second}")]
    Disagree { first_name: &'static str, first: Shard, second_name: &'static str, second: Shard },
}

impl ShardError {
    /// What helps.
    pub(crate) fn remedy(&self) -> String {
        match self {
            Self::Half { given: KUBERNETES_INDEX, .. } => format!(
                "set `{KUBERNETES_COUNT}` to the Job's `completions`, as `prismbench submit kubernetes` \
                 does, or give `--shard I/N`"
            ),
            Self::Gaps { .. } | Self::Start { .. } => {
                "number the tasks from 1 to N, or give `--shard \"$SLURM_ARRAY_TASK_ID/N\"`"
                    .to_owned()
            }
            _ => {
                "give `--shard I/N`, or `--shard none` for the whole run in this process".to_owned()
            }
        }
    }
}

/// What one launcher says.
#[derive(Clone, Copy)]
struct Claim {
    by: &'static str,
    shard: Shard,
}

/// The shard that the launchers agree on. One that started a single process says nothing.
pub(super) fn read(env: Lookup<'_>) -> Result<Option<ResolvedShard>, ShardError> {
    let mut claims = Vec::new();
    claims.extend(array(env)?);
    claims.extend(step(env)?);
    for [index, count] in PAIRS {
        claims.extend(pair(env, index, count)?);
    }
    claims.retain(|claim| claim.shard.count() > 1);
    let agents = agents(env)?;
    let nests = claims.iter().any(|claim| claim.by == "RANK");
    // `srun torchrun`: the tasks of the one are what starts the processes of the other.
    claims.retain(|claim| {
        !(nests && claim.by == STEP_INDEX && Some(u64::from(claim.shard.count())) == agents)
    });
    let Some(&first) = claims.first() else { return Ok(None) };
    if let Some(second) = claims.iter().find(|claim| claim.shard != first.shard) {
        let (first_name, second_name) = (first.by, second.by);
        let (first, second) = (first.shard, second.shard);
        return Err(ShardError::Disagree { first_name, first, second_name, second });
    }
    let names: Vec<&str> = claims.iter().map(|claim| claim.by).collect();
    Ok(Some(ResolvedShard { shard: first.shard, said_by: names.join(", ") }))
}

/// A task of `sbatch --array`. Which others there are is known as first, last and step alone, so that an array
/// with gaps is recognised by its count; a single task says nothing about others, unless its index does.
fn array(env: Lookup<'_>) -> Result<Option<Claim>, ShardError> {
    let Some([index, count]) = numbers(env, ARRAY_INDEX, ARRAY_COUNT)? else { return Ok(None) };
    let bound = |name, missing| number(env, name).map(|found| found.unwrap_or(missing));
    let first = bound("SLURM_ARRAY_TASK_MIN", 1)?;
    let step = bound("SLURM_ARRAY_TASK_STEP", 1)?.max(1);
    let spread = step.saturating_mul(count.saturating_sub(1));
    let last = bound("SLURM_ARRAY_TASK_MAX", first.saturating_add(spread))?;
    if first > 1 {
        return Err(ShardError::Start { first, count });
    }
    let offset = index.saturating_sub(first);
    let even = (last.saturating_sub(first) / step).checked_add(1) == Some(count);
    if !even || index < first || !offset.is_multiple_of(step) {
        return Err(ShardError::Gaps { count, first, last, step });
    }
    claim(ARRAY_INDEX, ARRAY_COUNT, offset / step, count).map(Some)
}

/// A task of `srun`. `SLURM_NTASKS` alone is also set in the script of `sbatch` and in the shell of `salloc`,
/// which are one process however many tasks they may start; a step's own count is not.
fn step(env: Lookup<'_>) -> Result<Option<Claim>, ShardError> {
    const COUNT: &str = "SLURM_STEP_NUM_TASKS";
    if env(COUNT).is_none() {
        return Ok(None);
    }
    let claim = pair(env, STEP_INDEX, COUNT)?;
    let others = claim.filter(|claim| claim.shard.count() > 1);
    match others {
        // The other tasks are shells as well, and nobody types into them.
        Some(claim) if env("SLURM_PTY_PORT").is_some() => {
            Err(ShardError::Terminal { count: claim.shard.count() })
        }
        _ => Ok(claim),
    }
}

/// How many agents of torchrun started its processes.
fn agents(env: Lookup<'_>) -> Result<Option<u64>, ShardError> {
    match env("TORCHELASTIC_RUN_ID") {
        Some(_) => number(env, "GROUP_WORLD_SIZE"),
        None => Ok(None),
    }
}

fn pair(
    env: Lookup<'_>,
    index_name: &'static str,
    count_name: &'static str,
) -> Result<Option<Claim>, ShardError> {
    match numbers(env, index_name, count_name)? {
        Some([index, count]) => claim(index_name, count_name, index, count).map(Some),
        None => Ok(None),
    }
}

/// Launchers count from 0.
fn claim(
    index_name: &'static str,
    count_name: &'static str,
    index: u64,
    count: u64,
) -> Result<Claim, ShardError> {
    match Shard::new(index.saturating_add(1), count) {
        Ok(shard) => Ok(Claim { by: index_name, shard }),
        Err(source) => Err(ShardError::OutOfRange { index_name, count_name, source }),
    }
}

/// Both variables of a pair or neither.
fn numbers(
    env: Lookup<'_>,
    index: &'static str,
    count: &'static str,
) -> Result<Option<[u64; 2]>, ShardError> {
    match (number(env, index)?, number(env, count)?) {
        (Some(index), Some(count)) => Ok(Some([index, count])),
        (None, None) => Ok(None),
        (Some(_), None) => Err(ShardError::Half { given: index, missing: count }),
        (None, Some(_)) => Err(ShardError::Half { given: count, missing: index }),
    }
}

/// A variable that is empty is not set.
fn number(env: Lookup<'_>, name: &'static str) -> Result<Option<u64>, ShardError> {
    let found = env(name).filter(|found| !found.is_empty());
    let read = |found: String| {
        whole_number(&found).ok_or_else(|| ShardError::NoNumber { name, found: found.clone() })
    };
    found.map(read).transpose()
}

#[cfg(test)]
mod tests {
    use super::super::MAX_SHARDS;
    use super::*;

    /// The environment that `NAME=VALUE` words describe.
    fn said(words: &str) -> Result<Option<ResolvedShard>, ShardError> {
        let environment = |name: &str| {
            let mut pairs = words.split_whitespace().filter_map(|word| word.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        };
        read(&environment)
    }

    fn line(words: &str) -> String {
        said(words).unwrap().unwrap().to_string()
    }

    fn whole(words: &str) -> bool {
        said(words).unwrap().is_none()
    }

    const ARRAY: &str = "SLURM_JOB_ID=7 SLURM_PROCID=0 SLURM_ARRAY_TASK_STEP=1";

    #[test]
    fn a_task_of_a_job_array_is_a_shard() {
        let of = |rest: &str| line(&format!("{ARRAY} {rest}"));
        let eight = "SLURM_ARRAY_TASK_COUNT=8 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=8";
        let shown = "shard 3 of 8 (SLURM_ARRAY_TASK_ID)";
        assert_eq!(of(&format!("SLURM_ARRAY_TASK_ID=3 {eight}")), shown);
        let from_0 = "SLURM_ARRAY_TASK_COUNT=8 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=7";
        assert_eq!(of(&format!("SLURM_ARRAY_TASK_ID=2 {from_0}")), shown);
        // `--array=0-9:4`, as Slurm 22.05 describes it.
        assert_eq!(
            line(
                "SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_MAX=8 \
                 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_STEP=4"
            ),
            "shard 2 of 3 (SLURM_ARRAY_TASK_ID)"
        );
        assert!(whole("SLURM_ARRAY_TASK_COUNT=1 SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_MIN=1"));
    }

    #[test]
    fn an_array_with_gaps_or_a_part_of_another_is_an_error_that_says_so() {
        // `--array=1,5,7`, as Slurm 22.05 describes it.
        let gaps = "SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_MAX=7 \
                    SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_STEP=1";
        let error = said(gaps).unwrap_err();
        let text = "the job array has gaps: 3 tasks between 1 and 7, in steps of 1";
        assert_eq!(error.to_string(), text);
        assert!(error.remedy().contains("--shard \"$SLURM_ARRAY_TASK_ID/N\""));
        // One shard submitted again: it must not be taken for the whole run.
        let again = "SLURM_ARRAY_TASK_COUNT=1 SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_MAX=3 \
                     SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_STEP=1";
        assert_eq!(said(again), Err(ShardError::Start { first: 3, count: 1 }));
        // An index that the rest of the description leaves no room for.
        assert!(matches!(said(&again.replace("MIN=3", "MIN=1")), Err(ShardError::Gaps { .. })));
        let outside = "SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_MAX=2 \
                       SLURM_ARRAY_TASK_MIN=1";
        assert!(matches!(said(outside), Err(ShardError::OutOfRange { .. })));
        let most = u64::MAX;
        let huge = format!(
            "SLURM_ARRAY_TASK_COUNT={most} SLURM_ARRAY_TASK_ID={most} SLURM_ARRAY_TASK_MAX={most} \
             SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_STEP=0"
        );
        assert!(said(&huge).is_err());
    }

    #[test]
    fn a_task_of_srun_is_a_shard_and_a_script_or_shell_that_may_start_some_is_not() {
        assert_eq!(
            line("SLURM_PROCID=2 SLURM_NTASKS=4 SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=4"),
            "shard 3 of 4 (SLURM_PROCID)"
        );
        assert!(whole("SLURM_PROCID=0 SLURM_NTASKS=1 SLURM_STEP_NUM_TASKS=1"));
        // `sbatch -n 3` without srun; `salloc -n 3`; `sbatch` without -n.
        assert!(whole("SLURM_PROCID=0 SLURM_NTASKS=3"));
        assert!(whole("SLURM_NTASKS=3"));
        assert!(whole("SLURM_PROCID=0 SLURM_LOCALID=0"));
        let terminal = "SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=4 SLURM_PTY_PORT=44775";
        assert_eq!(said(terminal), Err(ShardError::Terminal { count: 4 }));
        assert!(whole("SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=1 SLURM_PTY_PORT=44775"));
    }

    #[test]
    fn torchrun_open_mpi_and_mpich_count_from_0() {
        assert_eq!(line("RANK=0 WORLD_SIZE=2"), "shard 1 of 2 (RANK)");
        let open_mpi = "OMPI_COMM_WORLD_RANK=7 OMPI_COMM_WORLD_SIZE=8";
        assert_eq!(line(open_mpi), "shard 8 of 8 (OMPI_COMM_WORLD_RANK)");
        assert_eq!(line("PMI_RANK=1 PMI_SIZE=3"), "shard 2 of 3 (PMI_RANK)");
        assert!(whole("RANK=0 WORLD_SIZE=1 PMI_RANK=0 PMI_SIZE=1"));
        assert!(whole("RANK= WORLD_SIZE="));
    }

    #[test]
    fn a_pod_of_an_indexed_job_needs_our_count_and_the_error_names_it() {
        let shown = "shard 5 of 6 (JOB_COMPLETION_INDEX)";
        assert_eq!(line("JOB_COMPLETION_INDEX=4 PRISMBENCH_SHARDS=6"), shown);
        let error = said("JOB_COMPLETION_INDEX=4").unwrap_err();
        assert!(error.to_string().contains("`PRISMBENCH_SHARDS` is not"), "{error}");
        assert!(error.remedy().contains("`completions`"), "{}", error.remedy());
        assert!(matches!(said("PRISMBENCH_SHARDS=6"), Err(ShardError::Half { .. })));
    }

    #[test]
    fn launchers_that_agree_are_named_together_and_those_that_do_not_are_an_error() {
        let srun = "SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=4";
        let agreed = line(&format!("{srun} RANK=1 WORLD_SIZE=4 PMI_RANK=1 PMI_SIZE=4"));
        assert_eq!(agreed, "shard 2 of 4 (SLURM_PROCID, RANK, PMI_RANK)");
        let other = said(&format!("{srun} RANK=2 WORLD_SIZE=4")).unwrap_err();
        assert_eq!(other.to_string(), "`SLURM_PROCID` says shard 2/4, `RANK` says shard 3/4");
        assert!(other.remedy().starts_with("give `--shard I/N`"));
        // A job array whose tasks are several processes each.
        let array = "SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_MIN=1 \
                     SLURM_ARRAY_TASK_MAX=2 SLURM_ARRAY_TASK_STEP=1";
        let both = said(&format!("{array} {srun}"));
        assert!(matches!(both, Err(ShardError::Disagree { second_name: "SLURM_PROCID", .. })));
        let one_each = format!("{array} SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=1 SLURM_NTASKS=1");
        assert_eq!(line(&one_each), "shard 1 of 2 (SLURM_ARRAY_TASK_ID)");
        // Index and count alike are not needed for a clash: 1 of 2 is not 1 of 4.
        assert!(said("RANK=0 WORLD_SIZE=2 PMI_RANK=0 PMI_SIZE=4").is_err());
    }

    #[test]
    fn srun_that_starts_the_agents_of_torchrun_does_not_contradict_it() {
        let workers = "TORCHELASTIC_RUN_ID=x RANK=11 WORLD_SIZE=16 GROUP_RANK=1 GROUP_WORLD_SIZE=2";
        let srun = "SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2";
        assert_eq!(line(&format!("{workers} {srun}")), "shard 12 of 16 (RANK)");
        // Three agents of which torchrun knows two are no such case, nor is a rank without torchrun.
        let three = format!("{workers} SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=3");
        assert!(matches!(said(&three), Err(ShardError::Disagree { .. })));
        assert!(said(&format!("RANK=11 WORLD_SIZE=16 GROUP_WORLD_SIZE=2 {srun}")).is_err());
        // A torchrun of one process in each of two tasks leaves it to srun.
        let single = "TORCHELASTIC_RUN_ID=x RANK=0 WORLD_SIZE=1 GROUP_WORLD_SIZE=1";
        assert_eq!(line(&format!("{single} {srun}")), "shard 2 of 2 (SLURM_PROCID)");
    }

    #[test]
    fn half_a_pair_garbage_and_values_out_of_range_are_errors() {
        for [index, count] in PAIRS {
            for (given, missing) in [(index, count), (count, index)] {
                let found = said(&format!("{given}=2")).unwrap_err();
                assert_eq!(found, ShardError::Half { given, missing });
            }
            for value in ["-1", "x", "1.5", "0x1"] {
                let found = said(&format!("{index}={value} {count}=2")).unwrap_err();
                let expected = ShardError::NoNumber { name: index, found: value.to_owned() };
                assert_eq!(found, expected);
                assert!(said(&format!("{index}=0 {count}={value}")).is_err());
            }
            for (at, of) in [("2", "2"), ("0", "0"), ("0", "100001")] {
                let found = said(&format!("{index}={at} {count}={of}"));
                assert!(matches!(found, Err(ShardError::OutOfRange { .. })), "{found:?}");
            }
        }
        assert_eq!(
            said("SLURM_ARRAY_TASK_ID=3"),
            Err(ShardError::Half { given: ARRAY_INDEX, missing: ARRAY_COUNT })
        );
        let most = format!("RANK={} WORLD_SIZE={MAX_SHARDS}", MAX_SHARDS - 1);
        assert_eq!(line(&most), "shard 100000 of 100000 (RANK)");
    }
}
