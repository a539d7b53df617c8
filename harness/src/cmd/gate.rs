use prismbench_reports::{
    Baseline, Decision, GateFormat, GateReport, HistoryRule, HistoryRules, ReportError, gate,
    history_rules, update_baseline, write_gate,
};

use crate::cli::GateArgs;
use crate::error::Failure;
use crate::output::{deliver, format};
use crate::past_runs::{ANY_METRIC, measured};
use crate::{Exit, Streams, side};

/// Decides whether a run is as good as a baseline.
pub(crate) fn run(args: &GateArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let format: GateFormat = format(&args.format)?;
    if args.update {
        return update(args, format, streams);
    }
    let baseline = Baseline::read(&args.baseline)?;
    side::check(&baseline.side.records)?;
    let run = match side::read(&args.run, streams) {
        Err(failure @ Failure::Report(ReportError::NoRecords { .. })) => {
            let _ = write!(streams.err, "{}", failure.render());
            let run = args.run.file_name().unwrap_or_default().to_string_lossy();
            let report = GateReport::of_nothing(&baseline, &run);
            deliver(args.out.as_deref(), streams, |out| write_gate(&report, format, out))?;
            return Ok(Exit::Inconclusive);
        }
        run => run?,
    };
    let report = gate(&baseline, &run)?;
    deliver(args.out.as_deref(), streams, |out| write_gate(&report, format, out))?;
    Ok(match report.decision() {
        Decision::Pass => Exit::Done,
        Decision::Regressed => {
            let file = args.baseline.display();
            streams.say(&format!(
                "hint: if it is meant, `prismbench gate RUN --baseline {file} --update` takes these values"
            ));
            Exit::Regressed
        }
        Decision::Inconclusive | Decision::Nothing => Exit::Inconclusive,
    })
}

/// The rules that runs of the past call for, where some are named.
fn rules(args: &GateArgs, streams: &mut Streams<'_>) -> Result<Option<Vec<HistoryRule>>, Failure> {
    if args.from_history.is_empty() {
        return Ok(None);
    }
    let HistoryRules { rules, insufficient } =
        history_rules(&measured(&args.from_history, ANY_METRIC, streams)?.measured)?;
    if insufficient > 0 {
        streams.say(&format!(
            "warning: insufficient history: {insufficient} series of fewer than 10 runs keep the \
             default floor"
        ));
    }
    streams.say(&format!("{} floors are wider than by default", rules.len()));
    Ok(Some(rules))
}

/// Replaces the values of a baseline; says first what changes by it.
fn update(args: &GateArgs, format: GateFormat, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let run = side::read(&args.run, streams)?;
    match Baseline::read(&args.baseline) {
        Ok(baseline) => write_gate(&gate(&baseline, &run)?, format, streams.out)?,
        // Nothing is there yet, or values of a version that is being replaced.
        Err(ReportError::Missing { .. }) => {}
        Err(error) => streams.say(&format!("warning: {error}")),
    }
    let rules = rules(args, streams)?;
    update_baseline(&args.baseline, &args.run, rules.as_deref())?;
    streams.say(&format!("wrote {}", args.baseline.display()));
    Ok(Exit::Done)
}
