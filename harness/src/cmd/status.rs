use crate::cli::{StatusArgs, StatusFormat};
use crate::error::Failure;
use crate::run_status::RunStatus;
use crate::{Exit, Streams};

/// Says how far a run and its shards are.
pub(crate) fn run(args: &StatusArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let status = RunStatus::of(&args.run)?;
    let text = match args.format {
        StatusFormat::Text => status.to_string(),
        StatusFormat::Json => {
            let text = serde_json::to_string_pretty(&status).map_err(std::io::Error::from);
            text.map_err(Failure::Output)? + "\n"
        }
    };
    write!(streams.out, "{text}").map_err(Failure::Output)?;
    Ok(if status.is_complete() { Exit::Done } else { Exit::Partial })
}
