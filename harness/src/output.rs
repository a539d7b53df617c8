//! Where a result goes: standard output, or a file that is not there yet.

use std::io::Write;
use std::path::Path;

use prismbench_core::{Choice, UnknownChoice, nearest};
use prismbench_reports::ReportError;

use crate::Streams;
use crate::error::Failure;
use crate::run_folder::beside;

/// Writes a result to standard output or, whole or not at all, into a new file.
pub(crate) fn deliver(
    out: Option<&Path>,
    streams: &mut Streams<'_>,
    write: impl FnOnce(&mut dyn Write) -> Result<(), ReportError>,
) -> Result<(), Failure> {
    let Some(path) = out else { return Ok(write(streams.out)?) };
    let mut bytes = Vec::new();
    write(&mut bytes)?;
    write_new(path, &bytes)
}

/// A format by its name; the error says which is nearest.
pub(crate) fn format<F: Choice + std::str::FromStr<Err = UnknownChoice>>(
    text: &str,
) -> Result<F, Failure> {
    text.parse().map_err(|_| {
        let known = F::ALL.iter().map(|format| format.id());
        let nearest = nearest(text, known).map(str::to_owned);
        Failure::Unknown { what: F::NAME, found: text.to_owned(), nearest }
    })
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => ReportError::Exists { path: path.to_owned() }.into(),
        _ => Failure::Write { path: path.to_owned(), source },
    };
    let mut file = beside(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| failed(error.error))?;
    Ok(())
}
