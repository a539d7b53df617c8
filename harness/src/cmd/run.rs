use std::path::{Path, PathBuf};

use prismbench_core::{Outcome, Record};
use prismbench_reports::{Format, Style, write_table};

use crate::cli::RunArgs;
use crate::error::Failure;
use crate::networks;
use crate::plan::Plan;
use crate::provenance::Status;
use crate::run_folder::{Existing, RunFolder};
use crate::runner::Runner;
use crate::trace::Profile;
use crate::{Exit, Streams};

/// Measures what the plan says and is not measured yet, and prints the leaderboard.
pub(crate) fn run(args: &RunArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let plan = Plan::resolve(args)?;
    let path = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from("runs").join(format!("{}-{}", plan.name, plan.hash())));
    if args.dry_run {
        return print_plan(&plan, &path, streams);
    }
    let done = measure(&plan, &path, args, streams)?;
    if !done.anew {
        streams.say("everything was measured before; --force measures it anew");
    }
    let style = Style { width: streams.width };
    write_table(done.records.as_slice().into(), Format::Text, style, streams.out)?;
    streams.say(&format!("records: {}", path.display()));
    let failed = |record: &&Record| matches!(record.outcome, Outcome::Failed { .. });
    let failures = done.records.iter().filter(failed).count();
    if failures == 0 {
        return Ok(Exit::Done);
    }
    streams.say(&format!("{failures} records failed; the same command tries them again"));
    Ok(Exit::Partial)
}

/// What a run folder holds when its plan has been followed.
pub(crate) struct Done {
    pub(crate) records: Vec<Record>,
    /// Whether anything was measured that was not there before.
    pub(crate) anew: bool,
}

/// Measures into a run folder what the plan says and is not there yet.
pub(crate) fn measure(
    plan: &Plan,
    path: &Path,
    args: &RunArgs,
    streams: &mut Streams<'_>,
) -> Result<Done, Failure> {
    check(plan)?;
    let threads = args.threads.map_or(0, usize::from);
    // A pool of its own, so that two runs in one process do not share a setting.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Failure::Output(std::io::Error::other(error)))?;
    // Before a folder is made: a file that is missing or does not serve is said at once.
    let device = plan.device.open()?;
    let lend = |protocol| networks::lend(plan, protocol, &device);
    let lent = pool.install(|| plan.protocols.iter().map(lend).collect::<Result<Vec<_>, _>>())?;
    let existing = if args.force { Existing::Replace } else { Existing::Resume };
    let mut folder = RunFolder::open(path, plan, existing, pool.current_num_threads())?;
    folder.provenance.gpu = plan.device.in_use();
    let found = folder.records().len();
    let mut runner = Runner { plan, args, folder: &mut folder, streams, device, networks: &lent };
    let profile = args.profile.as_deref().map(|path| (Profile::start(), path));
    let ran = pool.install(|| runner.run());
    if let Some((profile, path)) = profile {
        // Of a run that failed, too: it shows where the time went.
        profile.finish(path)?.iter().for_each(|line| streams.say(line));
    }
    if let Err(failure) = ran {
        folder.end(Status::Stopped)?;
        return Err(failure);
    }
    let failed = |record: &Record| matches!(record.outcome, Outcome::Failed { .. });
    let is_whole = !folder.records().iter().any(failed);
    folder.end(if is_whole { Status::Complete } else { Status::Stopped })?;
    let records = folder.records().to_vec();
    Ok(Done { anew: records.len() != found, records })
}

/// What must hold before anything is made: every data set is there.
fn check(plan: &Plan) -> Result<(), Failure> {
    for data in &plan.data {
        for suite in &plan.suites {
            data.open(suite.learns())?;
        }
    }
    Ok(())
}

fn print_plan(plan: &Plan, path: &Path, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let mut text = format!("# run folder: {}\n{}", path.display(), plan.text);
    for protocol in &plan.protocols {
        for suite in &plan.suites {
            let (hash, suite) = (protocol.sha256_for(suite.concern()), suite.id());
            text.push_str(&format!("# protocol {} for {suite}: {hash}\n", protocol.name));
        }
    }
    write!(streams.out, "{text}").map_err(Failure::Output)?;
    Ok(Exit::Done)
}
