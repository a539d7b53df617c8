use prismbench_reports::{Agreement, CompareFormat, Reproduction, write_reproduction};

use crate::cli::ReproduceArgs;
use crate::error::Failure;
use crate::output::format;
use crate::reproduction::{Given, Reproducer, ReproductionPlan};
use crate::{Exit, Streams};

/// Measures what published numbers are of and says of each whether it comes out again.
pub(crate) fn run(args: &ReproduceArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let format: CompareFormat = format(&args.format)?;
    let mut plan = ReproductionPlan::find(&args.what, args.protocol.as_deref())?;
    plan.replace(&args.tokenizers)?;
    let given = Given::read(&args.data, &plan)?;
    // Of use after hours only: a file that is missing is said at once.
    for path in args.reference.iter().chain(&args.wrong_reference) {
        let opened = std::fs::File::open(path);
        opened.map_err(|source| Failure::Read { path: path.clone(), source })?;
    }
    let mut rows = Vec::new();
    let mut reproducer =
        Reproducer { plan: &plan.name, args, given: &given, streams, kept: Vec::new() };
    for part in &plan.parts {
        rows.extend(reproducer.part(part)?);
    }
    write_reproduction(&rows, format, streams.out)?;
    Ok(exit(&rows))
}

fn exit(rows: &[Reproduction]) -> Exit {
    let any = |agreement| rows.iter().any(|row| row.agreement == agreement);
    match () {
        () if any(Agreement::Mismatch) => Exit::Regressed,
        () if any(Agreement::NotMeasured) => Exit::Inconclusive,
        () => Exit::Done,
    }
}
