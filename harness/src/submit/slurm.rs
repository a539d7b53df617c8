//! Slurm: a job array, one task per shard, and a merge job that waits until all of them are done.

mod script;

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Submission, SubmitError, plain, text};
use crate::cli::SlurmArgs;
use crate::error::Failure;
use crate::provenance::Status;
use crate::run_folder::{Existing, RunFolder, replace};
use crate::shard::shards;
use crate::{Exit, Streams, cmd};
use script::Scripts;

/// Writes plan and scripts into the run folder and submits them.
pub(crate) fn submit(args: &SlurmArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let here = std::env::current_dir()
        .map_err(|source| Failure::Read { path: PathBuf::from("."), source })?;
    let submission = Submission::new(&args.run, &here)?;
    let place = Place::new(&submission.out)?;
    let scripts = Scripts::new(&submission, args, &here, [&place.plan, &place.logs])?;
    let array = array_options(args, &place)?;
    // Needed once the array has its id, and checked before.
    let merge = |id: &str| merge_options((args, &place), id, &submission);
    merge("ID")?;
    if args.run.dry_run {
        let commands = [array, merge("ID")?];
        return print(&submission, &place, &scripts, &commands, streams);
    }
    if let Ok((_, found)) = shards(std::slice::from_ref(&place.run))
        && found != args.shards
    {
        let (run, asked) = (submission.out, args.shards);
        return Err(SubmitError::Division { run, found, asked }.into());
    }
    // Tasks may see folders that this machine does not, so that this is for them to decide.
    if let Err(failure) = cmd::run::check(&submission.plan) {
        streams.say(&format!("warning: from here, {failure}"));
    }
    place.write(&submission, &scripts)?;
    let id = sbatch("job array", &array, None)?;
    streams.say(&format!("job array {id}: {} shards", args.shards));
    let merge = sbatch("merge job", &merge(&id)?, Some(&id))?;
    streams.say(&format!("merge job {merge}: when all of them are done"));
    writeln!(streams.out, "{id} {merge}").map_err(Failure::Output)?;
    let out = script::quoted([submission.out.as_str()])?;
    streams.say(&format!("`prismbench status {out}` shows how far it is; logs: {}", place.logs));
    streams.say("the same command again does what failed or was cancelled");
    Ok(Exit::Done)
}

/// The files of a submission within a run folder.
struct Place {
    run: PathBuf,
    folder: PathBuf,
    plan: String,
    array: String,
    merge: String,
    logs: String,
}

impl Place {
    fn new(run: &str) -> Result<Self, SubmitError> {
        if run.contains('\\') {
            return Err(SubmitError::Backslash { found: run.to_owned() });
        }
        let folder = Path::new(run).join("submit");
        let file = |name: &str| text("--out", folder.join(name));
        let (plan, array) = (file("plan.toml")?, file("run.sbatch")?);
        let (merge, logs) = (file("merge.sbatch")?, file("logs")?);
        Ok(Self { run: run.into(), folder, plan, array, merge, logs })
    }

    /// Opens the run folder as `run` does, so that another run's is refused, and lays down what tasks need.
    fn write(&self, submission: &Submission, scripts: &Scripts) -> Result<(), Failure> {
        let mut run = RunFolder::open(&self.run, &submission.plan, Existing::Resume, 0)?;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Failure::Write { path, source }
        };
        std::fs::create_dir_all(&self.logs).map_err(failed(&self.folder))?;
        let files = [
            (&self.plan, &submission.plan_text),
            (&self.array, &scripts.array),
            (&self.merge, &scripts.merge),
        ];
        for (path, text) in files {
            let path = Path::new(path);
            replace(path, text.as_bytes()).map_err(failed(path))?;
        }
        run.end(Status::Stopped)
    }

    /// A pattern of sbatch for logs, in which a `%` of a folder's name stands for itself.
    fn log(&self, name: &str) -> String {
        format!("--output={}/{name}", self.logs.replace('%', "%%"))
    }
}

/// What `sbatch` is called with for the array. No shell reads it.
fn array_options(args: &SlurmArgs, place: &Place) -> Result<Vec<String>, SubmitError> {
    let at_once = args.parallelism.map_or_else(String::new, |tasks| format!("%{tasks}"));
    let mut options = vec![
        "--parsable".to_owned(),
        "--job-name=prismbench".to_owned(),
        format!("--array=1-{}{at_once}", args.shards),
        place.log("%A_%a.log"),
    ];
    options.extend(gres(args));
    options.extend(shared_options(args)?);
    options.push(place.array.clone());
    Ok(options)
}

/// The same for the merge job. It starts when every task has ended with 0, and goes away when that cannot
/// happen any more.
fn merge_options(
    (args, place): (&SlurmArgs, &Place),
    array: &str,
    submission: &Submission,
) -> Result<Vec<String>, SubmitError> {
    let mut options = vec![
        "--parsable".to_owned(),
        "--job-name=prismbench-merge".to_owned(),
        format!("--dependency=afterok:{array}"),
        "--kill-on-invalid-dep=yes".to_owned(),
        place.log("merge-%j.log"),
    ];
    options.extend(gres(args).filter(|_| submission.on_gpu));
    options.extend(shared_options(args)?);
    options.push(place.merge.clone());
    Ok(options)
}

fn gres(args: &SlurmArgs) -> impl Iterator<Item = String> {
    args.gres.iter().map(|gres| format!("--gres={gres}"))
}

fn shared_options(args: &SlurmArgs) -> Result<Vec<String>, SubmitError> {
    let named = [
        ("partition", &args.partition),
        ("time", &args.time),
        ("account", &args.account),
        ("qos", &args.qos),
        ("mem", &args.mem),
        ("constraint", &args.constraint),
    ];
    let named = named.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let mut options: Vec<String> = named.map(|(name, value)| format!("--{name}={value}")).collect();
    options.extend(args.cpus_per_task.map(|cores| format!("--cpus-per-task={cores}")));
    options.extend(args.sbatch_args.iter().cloned());
    options.iter().try_for_each(|option| plain("--sbatch-arg", option))?;
    Ok(options)
}

/// The id of the job that sbatch made.
fn sbatch(
    job: &'static str,
    options: &[String],
    array: Option<&str>,
) -> Result<String, SubmitError> {
    let output = Command::new("sbatch")
        .args(options)
        .output()
        .map_err(|source| SubmitError::NoSlurm { source })?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = words.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        let reason = match lines.is_empty() {
            true => format!("{}, without a word", output.status),
            false => lines.join("; "),
        };
        return Err(SubmitError::Refused { job, reason, array: array.map(str::to_owned) });
    }
    let answer = String::from_utf8_lossy(&output.stdout);
    // `ID`, or `ID;CLUSTER` where there are several.
    let id = answer.trim().split(';').next().unwrap_or_default();
    match !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(id.to_owned()),
        false => Err(SubmitError::Answer { job, found: answer.trim().to_owned() }),
    }
}

fn print(
    submission: &Submission,
    place: &Place,
    scripts: &Scripts,
    commands: &[Vec<String>; 2],
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    let command = |options: &[String]| {
        let words = std::iter::once("sbatch").chain(options.iter().map(String::as_str));
        script::quoted(words)
    };
    let parts = [
        (&place.plan, &submission.plan_text),
        (&place.array, &scripts.array),
        (&place.merge, &scripts.merge),
    ];
    let parts = parts.map(|(path, text)| format!("# {path}\n{text}\n"));
    let (first, second) = (command(&commands[0])?, command(&commands[1])?);
    write!(streams.out, "{}{first}\n{second}\n", parts.concat()).map_err(Failure::Output)?;
    Ok(Exit::Done)
}
