use std::path::{Path, PathBuf};

use prismbench_core::{Concern, Outcome, Record};
use prismbench_reports::{Format, Style, write_table};
use prismbench_suites::{Journals, Suite};

use crate::cli::{CacheArgs, RunArgs};
use crate::error::Failure;
use crate::feature_cache::{self, CacheLimit};
use crate::known_references::KnownReferences;
use crate::networks;
use crate::plan::Plan;
use crate::provenance::Status;
use crate::run_folder::{Existing, RunFolder};
use crate::runner::Runner;
use crate::shard::{self, Shard};
use crate::trace::Profile;
use crate::{Exit, Streams, threads};

/// Measures what the plan says and is not measured yet, and prints the leaderboard; of a shard, only
/// measures.
pub(crate) fn run(args: &RunArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let plan = Plan::resolve(args)?;
    let path = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from("runs").join(format!("{}-{}", plan.name, plan.hash())));
    if args.dry_run {
        return print_plan(&plan, &path, streams);
    }
    let Some(resolved) = shard::resolve(args, &shard::variable)? else {
        let done = measure(&plan, &path, args, streams)?;
        let before = "everything was measured before; --force measures it anew";
        return show(&done, (&path, before), streams);
    };
    streams.say(&resolved.to_string());
    let (shard, extent) = (resolved.shard, Extent::Shard(resolved.shard));
    let done = follow((&plan, &extent), &path, args, streams)?;
    if done.failures {
        streams.say("something failed; the same command tries it again");
        return Ok(Exit::Partial);
    }
    streams.say(&format!(
        "shard {} of {} is complete; `prismbench merge {}` makes the records when all are",
        shard.index(),
        shard.count(),
        path.display()
    ));
    Ok(Exit::Done)
}

/// Prints the leaderboard of a run that has been measured; `before` says how it is measured anew where nothing was.
pub(crate) fn show(
    done: &Done,
    (path, before): (&Path, &str),
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    if !done.anew {
        streams.say(before);
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
    /// Whether something failed in a shard.
    failures: bool,
}

/// How much of a plan is followed, and from what.
pub(crate) enum Extent {
    /// All of it, picture by picture.
    Whole,
    /// One range of the pictures, without numbers.
    Shard(Shard),
    /// All of it, of what these shards have measured.
    Merge(Vec<PathBuf>),
}

/// Measures into a run folder what the plan says and is not there yet.
pub(crate) fn measure(
    plan: &Plan,
    path: &Path,
    args: &RunArgs,
    streams: &mut Streams<'_>,
) -> Result<Done, Failure> {
    follow((plan, &Extent::Whole), path, args, streams)
}

/// Follows a plan as far as it is to be followed.
pub(crate) fn follow(
    (plan, extent): (&Plan, &Extent),
    path: &Path,
    args: &RunArgs,
    streams: &mut Streams<'_>,
) -> Result<Done, Failure> {
    if !matches!(extent, Extent::Whole) {
        divisible(plan)?;
    }
    check(plan)?;
    let pool = threads::pool(args.pace.threads)?;
    // Before a folder is made: a file that is missing or does not serve is said at once.
    let device = plan.device.open()?;
    let gpu = plan.device.in_use(&device);
    let lend = |protocol| networks::lend(plan, protocol, &device);
    let lent = pool.install(|| plan.protocols.iter().map(lend).collect::<Result<Vec<_>, _>>())?;
    let known_references = references(plan)?;
    let profile = args.profile.as_deref().map(Profile::start).transpose()?;
    let existing = if args.force { Existing::Replace } else { Existing::Resume };
    let threads = pool.current_num_threads();
    let mut folder = match *extent {
        Extent::Shard(shard) => RunFolder::open_shard((path, shard), plan, existing, threads)?,
        Extent::Whole => RunFolder::open(path, plan, existing, threads)?,
        // What a merge would replace may be all that there is of a run: it has no --force.
        Extent::Merge(_) => match RunFolder::open(path, plan, existing, threads) {
            Err(Failure::Occupied { path, .. }) => {
                let remedy = "choose another folder with --out";
                return Err(Failure::Occupied { path, remedy });
            }
            opened => opened?,
        },
    };
    let journals = journals(extent, &folder);
    folder.provenance.gpu = gpu;
    let mut runner = Runner {
        plan,
        args,
        folder: &mut folder,
        streams,
        device,
        networks: &lent,
        journals: &journals,
        known_references,
        failures: false,
    };
    let ran = pool.install(|| runner.run());
    let failures = runner.failures;
    // Of a run that failed, too: it shows where the time went. What ended the run is said before what ended the trace.
    let profiled = profile.map(Profile::finish).transpose();
    if let Ok(Some(lines)) = &profiled {
        lines.iter().for_each(|line| streams.say(line));
    }
    if let Err(failure) = ran {
        let was_asked = failure.exit() == Exit::Interrupted;
        // What ended the run is said, even where it cannot be noted: on a disk that is full.
        let _ = folder.end(if was_asked { Status::Stopped } else { Status::Failed });
        return Err(failure);
    }
    let failed = |record: &Record| matches!(record.outcome, Outcome::Failed { .. });
    let is_whole = !failures && !folder.records().iter().any(failed);
    folder.end(if is_whole { Status::Complete } else { Status::Failed })?;
    profiled?;
    trim_cache(plan, &args.cached, streams);
    let (records, anew) = (folder.records().to_vec(), folder.has_added());
    Ok(Done { records, anew, failures })
}

/// The references that have names, where pictures are judged against some.
fn references(plan: &Plan) -> Result<KnownReferences, Failure> {
    let judges = |suite: &dyn Suite| suite.concern() == Concern::Generation;
    if !plan.suites.iter().any(|suite| judges(suite.as_ref())) {
        return Ok(KnownReferences::default());
    }
    Ok(KnownReferences::load(networks::cache_folder(plan).as_deref())?)
}

fn journals(extent: &Extent, folder: &RunFolder) -> Journals {
    match extent {
        Extent::Whole => Journals::Folder(folder.parts()),
        Extent::Shard(shard) => Journals::Shard {
            folder: folder.parts(),
            index: u64::from(shard.index() - 1),
            count: u64::from(shard.count()),
        },
        Extent::Merge(shards) => Journals::Merged(shards.clone()),
    }
}

/// Whether a run can be measured in shards.
///
/// # Errors
/// [`Failure::NoShards`] for what all of the pictures are needed for at once.
pub(crate) fn divisible(plan: &Plan) -> Result<(), Failure> {
    let times = |suite: &dyn Suite| suite.concern() == Concern::Throughput;
    if plan.suites.iter().any(|suite| times(suite.as_ref())) {
        return Err(Failure::NoShards { what: "the suite `throughput` times one machine" });
    }
    Ok(())
}

/// Keeps the features of earlier runs within their budget, if there is one.
pub(crate) fn trim_cache(plan: &Plan, args: &CacheArgs, streams: &mut Streams<'_>) {
    let limit = match CacheLimit::of(args.cache_limit) {
        Ok(limit) => limit,
        Err(problem) => return streams.say(&format!("warning: {problem}; nothing was removed")),
    };
    let folder = feature_cache::folder(plan, args);
    let Some((folder, limit)) = folder.zip(limit) else { return };
    let removed = feature_cache::trim(&folder, limit);
    if removed.entries > 0 {
        let (entries, size) = (removed.entries, removed.bytes as f64 / 1e6);
        streams.say(&format!(
            "removed {entries} of the kept features, {size:.1} MB, for --cache-limit"
        ));
    }
}

/// What must hold before anything is made: every data set is there.
pub(crate) fn check(plan: &Plan) -> Result<(), Failure> {
    for data in &plan.data {
        for suite in &plan.suites {
            data.open(suite.learns(), plan.limits)?;
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
