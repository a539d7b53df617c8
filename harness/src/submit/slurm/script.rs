//! The scripts that Slurm runs.
//!
//! Whatever a user chose stands in them below the first command, where sbatch looks for no `#SBATCH` any more,
//! and as a quoted word, which a shell does not read on.

use std::path::Path;

use super::super::{Submission, SubmitError, text};
use crate::cli::SlurmArgs;

/// Times that a task which was killed starts again: by a kernel short of memory, by a node that fails.
const KILLED: u32 = 3;
/// Times that a task starts again for any reason. One that its time limit stops has finished a block each time, so
/// this is to be reached by a mistake alone.
const STARTS: u32 = 1000;
/// Where nobody said how many threads there are to be, as many as the task has cores.
const THREADS: &str = r#" ${SLURM_CPUS_PER_TASK:+"--threads=$SLURM_CPUS_PER_TASK"}"#;

/// Both scripts.
pub(super) struct Scripts {
    pub(super) array: String,
    pub(super) merge: String,
}

impl Scripts {
    /// `here` is where tasks start, as `exec:` may name programs from there; plan file and logs are paths.
    pub(super) fn new(
        submission: &Submission,
        args: &SlurmArgs,
        here: &Path,
        [plan_file, logs]: [&str; 2],
    ) -> Result<Self, SubmitError> {
        let program = match &args.program {
            Some(program) => here.join(program),
            None => std::env::current_exe().map_err(|source| SubmitError::Program { source })?,
        };
        let program = text("--program", program)?;
        let here = text("the working folder", here.to_owned())?;
        let here = quoted([here.as_str()])?;
        let command = |arguments: Vec<String>| {
            quoted(std::iter::once(program.as_str()).chain(arguments.iter().map(String::as_str)))
        };
        let threads = if args.run.pace.threads.is_none() { THREADS } else { "" };
        let run = command(submission.run_arguments(plan_file))? + threads;
        let merge = command(submission.merge_arguments())? + threads;
        let logs = quoted([logs])?;
        let array = array([&here, &run, &logs], args.shards);
        Ok(Self { array, merge: self::merge(&here, &merge) })
    }
}

/// Words as a shell reads them back, whatever is in them.
pub(super) fn quoted<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<String, SubmitError> {
    // No more than a NUL stands in the way, which no argument can hold.
    shlex::try_join(words).map_err(|_| SubmitError::control("a word of the command", "\0"))
}

/// The shard is said outright: a task that is submitted again by itself cannot be taken for the whole run.
fn array([here, run, logs]: [&str; 3], shards: u32) -> String {
    format!(
        r#"#!/bin/sh
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=INT@120
# Written by `prismbench submit slurm`: one task of the array does one shard, and goes on where it was when it
# starts again. Only a shard that is complete ends with 0.
cancelled=no
trap 'cancelled=yes' TERM
cd {here} || exit 5
srun --ntasks=1 ${{SLURM_CPUS_PER_TASK:+"--cpus-per-task=$SLURM_CPUS_PER_TASK"}} \
    {run} \
    --shard "${{SLURM_ARRAY_TASK_ID:?is missing: submit this as a job array}}/{shards}"
code=$?
# 130: stopped after a block by the signal above, as the time limit is near. Beyond: killed, which is counted. Slurm
# itself starts tasks again when a node fails or another job goes first; whoever cancels a task wants it to end.
kills={logs}/"${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID.kills"
again=no
if [ "$code" -eq 130 ]; then
    again=yes
elif [ "$code" -gt 128 ]; then
    echo "$code" >>"$kills"
    [ "$(wc -l <"$kills")" -gt {KILLED} ] || again=yes
fi
if [ "$again$cancelled" = yesno ] && [ "${{SLURM_RESTART_COUNT:-0}}" -lt {STARTS} ]; then
    echo "exit code $code: the task is put back into the queue" >&2
    scontrol requeue "$SLURM_JOB_ID" && sleep 60
fi
exit "$code"
"#
    )
}

fn merge(here: &str, merge: &str) -> String {
    format!(
        "#!/bin/sh
#SBATCH --requeue
#SBATCH --open-mode=append
# Written by `prismbench submit slurm`: finishes the run when every shard is complete.
cd {here} || exit 5
exec {merge}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const NASTY: [&str; 8] = [
        "plain/path-1.0_x",
        "",
        "two words",
        "it's",
        "'; touch gone; '",
        "$(touch gone) `id` $HOME",
        "\"quoted\" \\ back\\slash",
        "*?[a]~!#&|<>(){}",
    ];

    #[test]
    fn a_quoted_word_comes_out_of_a_shell_as_it_went_in() {
        for word in NASTY {
            let script = format!("printf %s {}", quoted([word]).unwrap());
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word, "{script}");
        }
    }

    #[test]
    fn what_a_user_chose_stands_below_the_first_command_and_in_one_line() {
        let run = quoted(NASTY).unwrap();
        let script = array([&quoted(["/a b'c"]).unwrap(), &run, "/logs"], 7);
        let (head, rest) = script.split_once("cancelled=no\n").unwrap();
        assert!(head.lines().all(|line| line.starts_with('#')), "{head}");
        assert!(!rest.contains("#SBATCH"), "{rest}");
        let cd = rest.lines().find_map(|line| line.strip_prefix("cd ")).unwrap();
        let folder = cd.strip_suffix(" || exit 5").unwrap();
        assert_eq!(shlex::split(folder).unwrap(), ["/a b'c"]);
        assert!(rest.contains("}/7\"\n"), "{rest}");
    }

    /// What the script does with `srun` and `scontrol` that only say what they were called with, in a task that
    /// was killed and started as often before.
    fn play(code: u8, [kills, restarts]: [usize; 2]) -> (Option<i32>, String) {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display().to_string();
        if kills > 0 {
            std::fs::write(folder.path().join("70_3.kills"), "137\n".repeat(kills)).unwrap();
        }
        for (name, body) in [
            ("srun", format!("echo srun \"$@\"; exit {code}")),
            ("scontrol", "echo scontrol \"$@\"; exit 1".to_owned()),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
            let made = Command::new("chmod").arg("755").arg(&path).status().unwrap();
            assert!(made.success());
        }
        let script = array(["/", "prog run", &at], 4);
        let path = format!("{at}:/usr/bin:/bin");
        let output = Command::new("sh")
            .args(["-c", &script])
            .env("PATH", path)
            .env("SLURM_ARRAY_TASK_ID", "3")
            .env("SLURM_ARRAY_JOB_ID", "70")
            .env("SLURM_JOB_ID", "77")
            .env("SLURM_RESTART_COUNT", restarts.to_string())
            .env_remove("SLURM_CPUS_PER_TASK")
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn a_task_goes_back_into_the_queue_when_it_was_stopped_or_killed_and_not_when_it_failed() {
        let started = "srun --ntasks=1 prog run --shard 3/4\n";
        let again = format!("{started}scontrol requeue 77\n");
        assert_eq!(play(0, [0, 0]), (Some(0), started.to_owned()));
        for failed in [1, 2, 4, 5] {
            assert_eq!(play(failed, [0, 0]), (Some(failed.into()), started.to_owned()));
        }
        // Those that the time limit stopped are no kills.
        assert_eq!(play(130, [3, 40]), (Some(130), again.clone()));
        assert_eq!(play(137, [2, 40]), (Some(137), again));
        assert_eq!(play(137, [3, 3]), (Some(137), started.to_owned()));
        assert_eq!(play(130, [0, 1000]), (Some(130), started.to_owned()));
    }
}
