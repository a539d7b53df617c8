use prismbench_reports::{
    Baseline, Decision, GateFormat, ReportError, gate, update_baseline, write_gate,
};

use crate::cli::GateArgs;
use crate::error::Failure;
use crate::output::{deliver, format};
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

/// Replaces the values of a baseline; says first what changes by it.
fn update(args: &GateArgs, format: GateFormat, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let run = side::read(&args.run, streams)?;
    match Baseline::read(&args.baseline) {
        Ok(baseline) => write_gate(&gate(&baseline, &run)?, format, streams.out)?,
        // Nothing is there yet, or values of a version that is being replaced.
        Err(ReportError::Missing { .. }) => {}
        Err(error) => streams.say(&format!("warning: {error}")),
    }
    update_baseline(&args.baseline, &args.run)?;
    streams.say(&format!("wrote {}", args.baseline.display()));
    Ok(Exit::Done)
}
