//! How far a run is, from what lies in its folder: whoever writes there is not disturbed.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::HumanDuration;
use prismbench_reports::{ReportError, read_records};
use prismbench_suites::JournalProgress;
use serde::Serialize;

use crate::error::Failure;
use crate::provenance::{Provenance, Status, now};
use crate::run_folder::{self, PARTS, PLAN, SHARDS};
use crate::shard::{self, ShardsError};

/// A run and its shards.
#[derive(Debug, Serialize)]
pub(crate) struct RunStatus {
    run: PathBuf,
    /// Of the run's own process, or of the one that merged its shards.
    whole: Part,
    records: usize,
    /// How many there are to be; 0 without shards.
    shard_count: u32,
    /// By their numbers; those that have not begun are left out.
    shards: Vec<Numbered>,
}

#[derive(Debug, Serialize)]
struct Numbered {
    shard: u32,
    #[serde(flatten)]
    part: Part,
}

/// How far one process is.
#[derive(Debug, Serialize)]
struct Part {
    state: State,
    /// Share of the pictures of all passes that is measured, from 0 to 1.
    done: f64,
    /// Until it ends, at the pace that it has had; only of one that is running.
    seconds_left: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// Nothing has been measured.
    Waiting,
    /// A process holds the lock.
    Running,
    /// Interrupted or killed; the same command goes on.
    Stopped,
    /// Ended by an error, or with something that failed; the same command tries it again.
    Failed,
    Complete,
}

impl RunStatus {
    /// # Errors
    /// [`Failure::NoRuns`] where there is no run, and what reading it gives.
    pub(crate) fn of(run: &Path) -> Result<Self, Failure> {
        if !run.join(PLAN).is_file() {
            return Err(Failure::NoRuns { path: run.to_owned() });
        }
        let (found, shard_count) = match shard::shards(&[run.to_owned()]) {
            Ok(found) => found,
            Err(ShardsError::None { .. }) => Default::default(),
            Err(error) => return Err(error.into()),
        };
        let records = match read_records(&run.join("records.jsonl")) {
            Ok(file) => file.records.len(),
            Err(ReportError::Missing { .. } | ReportError::NoRecords { .. }) => 0,
            Err(error) => return Err(error.into()),
        };
        let shards =
            found.into_iter().map(|(shard, path)| Numbered { shard, part: Part::of(&path) });
        let (shards, whole) = (shards.collect(), Part::of(run));
        Ok(Self { run: run.to_owned(), whole, records, shard_count, shards })
    }

    /// Whether there is nothing more to measure.
    pub(crate) fn is_complete(&self) -> bool {
        let complete = |shard: &Numbered| shard.part.state == State::Complete;
        let shards = self.shards.iter().filter(|shard| complete(shard)).count();
        self.whole.state == State::Complete
            || (self.shard_count > 0 && shards == self.shard_count as usize)
    }
}

impl Part {
    fn of(folder: &Path) -> Self {
        let provenance = fs::read_to_string(folder.join("run.json")).ok();
        let provenance = provenance.and_then(|text| serde_json::from_str::<Provenance>(&text).ok());
        let measured = share_measured(&folder.join(PARTS), provenance.as_ref());
        let is_running = run_folder::is_locked(folder);
        let state = match provenance.as_ref().map(|provenance| provenance.status) {
            Some(Status::Complete) => State::Complete,
            _ if is_running => State::Running,
            None => State::Waiting,
            Some(Status::Failed) => State::Failed,
            Some(Status::Stopped | Status::Running) => State::Stopped,
        };
        let done = if state == State::Complete { 1.0 } else { measured };
        let left = |provenance: &Provenance| {
            let elapsed = now().saturating_sub(provenance.started_unix);
            seconds_left(elapsed, (provenance.done_before, done))
        };
        let running = provenance.as_ref().filter(|_| state == State::Running);
        Self { state, done, seconds_left: running.and_then(left) }
    }
}

/// Until all is done, of what a process has done in these seconds: from one share to another.
fn seconds_left(elapsed: u64, (before, done): (f64, f64)) -> Option<u64> {
    let here = done - before;
    (here > 0.0).then(|| (elapsed as f64 * (1.0 - done) / here) as u64)
}

/// Of what the journals of a folder hold together.
fn share_measured(parts: &Path, provenance: Option<&Provenance>) -> f64 {
    let journals = journals(parts);
    let (finished, passes) = provenance.map_or((0, 0), |found| (found.passes_done, found.passes));
    let sum = |of: fn(&JournalProgress) -> u64| journals.iter().map(of).sum::<u64>() as f64;
    let (done, total) = (sum(|journal| journal.done), sum(|journal| journal.total));
    // Passes whose journals are gone, and those that have none yet, are taken to be as long as the
    // others.
    let mean = if total > 0.0 { total / journals.len() as f64 } else { 1.0 };
    let whole = journals.iter().filter(|journal| journal.is_whole).count() as u64;
    let gone = finished.saturating_sub(whole) as f64 * mean;
    let seen = finished.max(whole) + journals.len() as u64 - whole;
    let ahead = passes.saturating_sub(seen) as f64 * mean;
    let all = total + gone + ahead;
    if all > 0.0 { (done + gone) / all } else { 0.0 }
}

/// The share of a run's or shard's pictures that an earlier process has measured.
pub(crate) fn share_done(folder: &Path, provenance: &Provenance) -> f64 {
    share_measured(&folder.join(PARTS), Some(provenance))
}

fn journals(parts: &Path) -> Vec<JournalProgress> {
    let entries = |path: &Path| {
        fs::read_dir(path).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path())
    };
    let files = entries(parts).flat_map(|pass| entries(&pass).collect::<Vec<_>>());
    let journals = files.filter(|file| file.extension().is_some_and(|name| name == "journal"));
    // One that vanishes while it is looked at is finished.
    journals.filter_map(|file| JournalProgress::of(&file).ok()).collect()
}

impl fmt::Display for RunStatus {
    /// A line for the run, and one for each shard.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, whole, records, shard_count, shards } = self;
        let run = run.display();
        if *shard_count == 0 {
            return writeln!(f, "{run}: {whole}, {records} records");
        }
        let count = |state| shards.iter().filter(|shard| shard.part.state == state).count();
        let begun = shards.len();
        writeln!(
            f,
            "{run}: {} of {shard_count} shards complete, {} running, {} stopped, {} failed, {} not begun; \
             {records} records",
            count(State::Complete),
            count(State::Running),
            count(State::Stopped),
            count(State::Failed),
            *shard_count as usize - begun + count(State::Waiting),
        )?;
        for Numbered { shard, part } in shards {
            writeln!(f, "  {SHARDS}/{shard}-of-{shard_count}  {part}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Waiting => "not begun",
            State::Running => "running",
            State::Stopped => "stopped",
            State::Failed => "failed",
            State::Complete => return f.write_str("complete"),
        };
        write!(f, "{state}, {:.0} %", (100.0 * self.done).floor())?;
        match self.seconds_left {
            Some(left) => write!(f, ", about {} left", HumanDuration(Duration::from_secs(left))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_at_the_pace_of_this_process_alone() {
        assert_eq!(seconds_left(100, (0.0, 0.25)), Some(300));
        // An earlier process has measured the first half, in whatever time.
        assert_eq!(seconds_left(100, (0.5, 0.75)), Some(100));
        assert_eq!(seconds_left(100, (0.5, 1.0)), Some(0));
        // Nothing is known before the first block is measured.
        assert_eq!(seconds_left(100, (0.0, 0.0)), None);
        assert_eq!(seconds_left(100, (0.5, 0.5)), None);
        let part = Part { state: State::Running, done: 0.258, seconds_left: Some(300) };
        assert_eq!(part.to_string(), "running, 25 %, about 5 minutes left");
    }

    #[test]
    fn what_failed_is_told_from_what_was_stopped_killed_or_runs() {
        let folder = tempfile::tempdir().unwrap();
        let state = |status| {
            let mut run = Provenance::new("a-run".to_owned(), 1);
            run.end(status);
            fs::write(folder.path().join("run.json"), serde_json::to_vec(&run).unwrap()).unwrap();
            Part::of(folder.path()).state
        };
        assert_eq!(Part::of(folder.path()).state, State::Waiting);
        assert_eq!(state(Status::Failed), State::Failed);
        assert_eq!(state(Status::Stopped), State::Stopped);
        assert_eq!(state(Status::Complete), State::Complete);
        assert_eq!(state(Status::Running), State::Stopped, "killed");
        let lock = fs::File::create(folder.path().join("run.lock")).unwrap();
        lock.lock().unwrap();
        assert_eq!(state(Status::Running), State::Running);
        // One that tries again what failed has not noted that yet.
        assert_eq!(state(Status::Failed), State::Running);
    }
}
