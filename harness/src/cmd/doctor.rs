use std::io;

use crate::cli::{DoctorArgs, DoctorFormat};
use crate::doctor::{Findings, State};
use crate::error::Failure;
use crate::{Exit, Streams, networks, threads};

/// Looks at the machine and says what is amiss and what helps.
///
/// Exit code 0 where everything can be measured, if more slowly than elsewhere; 5 where something that
/// is needed is missing.
pub(crate) fn run(args: &DoctorArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let pool = threads::pool(args.threads)?;
    let cache = networks::cache_of(args.cache.as_deref());
    let mut findings = Findings::look(pool.current_num_threads(), cache.as_deref());
    if !args.quick {
        streams.say("measuring for ten seconds");
        pool.install(|| findings.measure());
    }
    match args.format {
        DoctorFormat::Text => write!(streams.out, "{}", findings.text()),
        DoctorFormat::Json => serde_json::to_string_pretty(&findings)
            .map_err(io::Error::from)
            .and_then(|text| writeln!(streams.out, "{text}")),
    }
    .map_err(Failure::Output)?;
    Ok(if findings.worst() == State::Bad { Exit::Missing } else { Exit::Done })
}
