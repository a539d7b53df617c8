use candle_core::Device;
use prismbench_core::Protocol;
use prismbench_suites::{
    Context, GenerationSuite, Journals, MomentsFile, Networks, Part, Pictures, Statistics, Suite,
    SuiteError,
};

use crate::cli::{RunArgs, StatsArgs};
use crate::cmd::run::trim_cache;
use crate::data_sets::DataChoice;
use crate::error::Failure;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::runner::Watcher;
use crate::{Exit, Streams, feature_cache, networks, threads};

/// Takes the moments of real pictures and writes them as a reference.
pub(crate) fn run(args: &StatsArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    // Nothing is computed for a target that cannot be.
    MomentsFile::refuse_existing(&args.out).map_err(|error| failed(args, error.into()))?;
    let serves = |id: &String| Statistics::METRICS.iter().any(|metric| metric.id == id);
    if let Some(other) = args.metrics.iter().find(|id| !serves(id)) {
        let metric = other.clone();
        return Err(Failure::NoMomentsFor { metric });
    }
    let as_run = as_a_run(args);
    let plan = Plan::resolve(&as_run)?;
    let (Some(protocol), Some(data)) = (plan.protocols.first(), plan.data.first()) else {
        return Ok(Exit::Internal);
    };
    let pool = threads::pool(args.pace.threads)?;
    let device = plan.device.open()?;
    let networks = pool.install(|| networks::lend(&plan, protocol, &device))?;
    let lent = Lent { networks: &networks, device: &device };
    let taken = pool.install(|| take(args, &plan, (lent, protocol, data), streams));
    let statistics = taken?;
    for warning in &statistics.warnings {
        streams.say(&format!("warning: {warning}"));
    }
    trim_cache(&plan, &args.cached, streams);
    statistics.write(&args.out).map_err(|error| failed(args, error.into()))?;
    let written = MomentsFile::open(&args.out).map_err(|error| failed(args, error.into()))?;
    let hash = written.fingerprint().map_or(String::new(), |hash| format!(", mu {hash}"));
    streams.say(&format!("moments of {} pictures{hash}", statistics.count));
    writeln!(streams.out, "{}", args.out.display()).map_err(Failure::Output)?;
    Ok(Exit::Done)
}

/// Networks, and where they are.
struct Lent<'a> {
    networks: &'a Networks,
    device: &'a Device,
}

fn take(
    args: &StatsArgs,
    plan: &Plan,
    (Lent { networks, device }, protocol, data): (Lent<'_>, &Protocol, &DataChoice),
    streams: &mut Streams<'_>,
) -> Result<Statistics, Failure> {
    let sets = data.open(GenerationSuite.learns(), plan.limits)?;
    let pictures = Pictures {
        dataset: sets.measured.as_ref(),
        part: Part::All,
        limit: plan.limit,
        protocol,
        on_bad: plan.on_bad,
    };
    let cache = feature_cache::folder(plan, &args.cached);
    let title = format!("stats · {}", args.images);
    let progress = Progress::new(args.pace.progress, streams, title, pictures.count());
    let mut watcher = Watcher::of(progress, streams);
    let interrupted = watcher.streams.interrupted;
    let mut context = Context {
        metrics: &plan.metrics,
        device,
        batch: args.pictures.batch,
        seed: plan.seed,
        protocol,
        networks,
        allow_unlike_reference: false,
        training: None,
        text_tower: None,
        load_times: &[],
        reference: None,
        cache: cache.as_deref(),
        save_features: None,
        journals: &Journals::Temporary,
        save_samples: None,
        interrupted,
        observer: &mut watcher,
    };
    let statistics = Statistics::of(&pictures, &mut context);
    watcher.progress.finish();
    statistics.map_err(|source| failed(args, source))
}

fn failed(args: &StatsArgs, source: SuiteError) -> Failure {
    Failure::Suite { dataset: args.images.clone(), source: Box::new(source) }
}

/// A run that judges the pictures by the networks that the moments are of: what it would need is what
/// is needed here.
fn as_a_run(args: &StatsArgs) -> RunArgs {
    RunArgs {
        samples: vec![args.images.clone()],
        data: vec![args.images.clone()],
        metrics: match args.metrics.as_slice() {
            [] => vec!["gfid".to_owned()],
            metrics => metrics.to_vec(),
        },
        protocols: args.protocol.iter().cloned().collect(),
        set: args.set.clone(),
        weights: args.weights.clone(),
        limit: args.limit,
        pictures: args.pictures.clone(),
        device: args.device,
        cached: args.cached.clone(),
        ..RunArgs::default()
    }
}
