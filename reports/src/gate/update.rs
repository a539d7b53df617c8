//! Writing baselines.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use prismbench_core::Outcome;

use super::baseline::{beside, hex, parse, read, rules_path};
use super::from_history::{HistoryRule, with_block};
use super::parquet;
use super::written::{self, HEAD, MARK};
use crate::ReportError;
use crate::compare::Side;

/// Writes a run's values into a baseline file: a new one, or below the rules of one that is there.
///
/// The new file takes the place of the old at once; values of single images, where they are many, are
/// in a file of their own whose name carries its hash, so that neither is ever of another run.
///
/// A name that ends in `.parquet` makes a Parquet file, whose rules are in the file of its name with
/// `.rules.toml` behind it. `rules` of history take the place of the last such rules; without any these stay.
///
/// # Errors
/// [`ReportError::Unfit`] for a run with a failed record; [`ReportError::NotBaseline`] for a file that
/// this did not write, which is left alone; those of reading the run.
pub fn update_baseline(
    path: &Path,
    run: &Path,
    rules: Option<&[HistoryRule]>,
) -> Result<(), ReportError> {
    let side = Side::read(run)?;
    if let Some(record) = side.records.iter().find(|r| matches!(r.outcome, Outcome::Failed { .. }))
    {
        return Err(ReportError::Unfit {
            tokenizer: record.tokenizer.clone(),
            metric: record.metric.clone(),
        });
    }
    if parquet::is_parquet(path) {
        return update_parquet(path, &side, rules);
    }
    let refused = |reason: String| ReportError::NotBaseline { path: path.to_owned(), reason };
    let (head, old) = match read(path) {
        Ok(text) => {
            let mark = text.find(MARK).ok_or_else(|| {
                refused("it was not written by `gate --update`, so it is left alone".to_owned())
            })?;
            (text[..mark].to_owned(), parse(&text, path)?.baseline.images)
        }
        Err(ReportError::Missing { .. }) => (HEAD.to_owned(), None),
        Err(error) => return Err(error),
    };
    let head = rules.map_or_else(|| head.clone(), |rules| with_block(&head, rules));
    let folder = if run.is_dir() { run } else { run.parent().unwrap_or(Path::new("")) };
    let images = written::many(&side).then(|| folder.join("samples.parquet"));
    let images = images.map(|samples| written_beside(path, &samples)).transpose()?;
    let text = head + &written::text(&side, images.as_ref());
    // What is written must be what is read.
    parse(&text, path)?;
    replace(path, text.as_bytes())?;
    if let Some(old) = old.filter(|old| images.as_ref().is_none_or(|(name, _)| name != old))
        && let Ok(stale) = beside(path, &old)
    {
        // It is of no use to anybody, and no harm if it stays.
        let _ = fs::remove_file(stale);
    }
    Ok(())
}

fn update_parquet(
    path: &Path,
    side: &Side,
    rules: Option<&[HistoryRule]>,
) -> Result<(), ReportError> {
    match parquet::read(path) {
        Ok(_) | Err(ReportError::Missing { .. }) => {}
        Err(error) => return Err(error),
    }
    if let Some(rules) = rules {
        let path = rules_path(path);
        let head = match read(&path) {
            Ok(text) => text,
            Err(ReportError::Missing { .. }) => String::new(),
            Err(error) => return Err(error),
        };
        replace(&path, with_block(&head, rules).as_bytes())?;
    }
    replace(path, &parquet::bytes(side)?)
}

/// Copies a file of per-image values beside the baseline; its name and sha256.
fn written_beside(path: &Path, samples: &Path) -> Result<(String, String), ReportError> {
    let cannot = |cause| ReportError::Read { path: samples.to_owned(), cause };
    let bytes = fs::read(samples).map_err(cannot)?;
    let sha256 = hex(&bytes);
    let stem =
        path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let name = format!("{stem}-{}.parquet", &sha256[..8]);
    replace(&path.with_file_name(&name), &bytes)?;
    Ok((name, sha256))
}

/// Writes beside the target and renames: a reader sees the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let failed = |cause: io::Error| ReportError::Write { path: path.to_owned(), cause };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = crate::samples::temporary(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
