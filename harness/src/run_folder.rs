use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use prismbench_core::{Outcome, Record, hexadecimal};
use prismbench_reports::{ReportError, SampleColumns, SampleStream, extend_samples, read_records};
use prismbench_suites::{Journals, Stage};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::error::Failure;
use crate::plan::Plan;
use crate::provenance::{MadeOf, PictureSet, Provenance, Status};
use crate::run_status;
use crate::shard::Shard;

/// The folder of one run. Every file in it appears whole: it is written beside its place and
/// renamed. Only this process writes into it while the lock is held.
pub(crate) struct RunFolder {
    path: PathBuf,
    /// Held until the run ends; the system frees it with the process, however that ends.
    _lock: File,
    records: Vec<Record>,
    pub(crate) provenance: Provenance,
    /// Which part of a run this is the folder of.
    shard: Option<Shard>,
    /// Whether `run.json` is that of a run which has come to its end: it stays until something is measured.
    at_rest: bool,
    /// Whether this process has added records.
    added: bool,
}

pub(crate) const PLAN: &str = "plan.toml";
pub(crate) const LOCK: &str = "run.lock";
const RECORDS: &str = "records.jsonl";
const SAMPLES: &str = "samples.parquet";
const FILES: [&str; 5] = [PLAN, LOCK, "run.json", RECORDS, SAMPLES];
const ARRAYS: &str = "arrays";
/// One folder for each shard.
pub(crate) const SHARDS: &str = "shards";
/// What passes that are not finished have measured so far.
pub(crate) const PARTS: &str = "parts";
/// Stands for a tokenizer where arrays are of the pictures themselves.
const PICTURES: &str = "pictures";
/// `prismbench status` holds the lock for a moment to see whether anybody does: whoever finds it held looks again.
const GLANCES: u32 = 10;
const GLANCE: Duration = Duration::from_millis(20);
/// How names of files begin that are not whole yet.
const WRITING: &str = ".writing-";
/// Characters of a part of a folder's name.
const MAX_SLUG: usize = 64;

/// What to do with a run folder that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Go on with it when it is of the same plan; else leave it alone.
    Resume,
    /// Measure everything anew.
    Replace,
}

impl RunFolder {
    /// Makes the folder, or opens that of the same plan with what is finished in it.
    pub(crate) fn open(
        path: &Path,
        plan: &Plan,
        existing: Existing,
        threads: usize,
    ) -> Result<Self, Failure> {
        fs::create_dir_all(path).map_err(at(path))?;
        let is_run = path.join(PLAN).is_file();
        if !is_run && !is_empty(path)? {
            let remedy = "choose an empty or new folder with --out";
            return Err(Failure::Occupied { path: path.to_owned(), remedy });
        }
        let lock = lock(path)?;
        sweep(path)?;
        if is_run && existing == Existing::Replace {
            clear(path)?;
        }
        let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let provenance = Provenance::new(name, threads);
        let (path, records) = (path.to_owned(), Vec::new());
        let (shard, at_rest, added) = (None, false, false);
        let mut folder = Self { path, _lock: lock, records, provenance, shard, at_rest, added };
        match fs::read_to_string(folder.path.join(PLAN)) {
            Ok(text) if text == plan.text => folder.take_up()?,
            Ok(_) => {
                let remedy = "choose another folder with --out, or replace it with --force";
                return Err(Failure::Occupied { path: folder.path, remedy });
            }
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::Read { path: folder.path.join(PLAN), source });
            }
            Err(_) => {
                // The lock lies in the folder before the plan does: it alone makes no run folder.
                folder.write(PLAN, plan.text.as_bytes())?;
            }
        }
        folder.write_provenance()?;
        Ok(folder)
    }

    /// The same for one shard of the run in `path`, beside whose plan it lies. Several processes may do so
    /// at once, one for each shard.
    pub(crate) fn open_shard(
        (path, shard): (&Path, Shard),
        plan: &Plan,
        existing: Existing,
        threads: usize,
    ) -> Result<Self, Failure> {
        fs::create_dir_all(path).map_err(at(path))?;
        let file = path.join(PLAN);
        match fs::read_to_string(&file) {
            Ok(text) if text == plan.text => {}
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::Read { path: file, source });
            }
            // Looked at before the plan is looked for again: another shard may write it just now.
            Err(_) if !is_empty(path)? && !file.is_file() => {
                let remedy = "choose an empty or new folder with --out";
                return Err(Failure::Occupied { path: path.to_owned(), remedy });
            }
            Err(_) if file.is_file() => {
                return Self::open_shard((path, shard), plan, existing, threads);
            }
            Err(_) => replace(&file, plan.text.as_bytes()).map_err(at(&file))?,
            _ => {
                let remedy = "choose another folder with --out";
                return Err(Failure::Occupied { path: path.to_owned(), remedy });
            }
        }
        let folder = Self::open(&shard_folder(path, shard), plan, existing, threads)?;
        Ok(Self { shard: Some(shard), ..folder })
    }

    /// Reads what an earlier run of the plan finished. What failed is measured again.
    fn take_up(&mut self) -> Result<(), Failure> {
        match read_records(&self.path.join(RECORDS)) {
            Ok(file) => self.records = file.records,
            Err(ReportError::Missing { .. } | ReportError::NoRecords { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if let Ok(text) = fs::read_to_string(self.path.join("run.json"))
            && let Ok(earlier) = serde_json::from_str::<Provenance>(&text)
        {
            self.at_rest = earlier.status == Status::Complete;
            self.provenance.pictures = earlier.pictures;
            self.provenance.weights = earlier.weights;
            self.provenance.made_of = earlier.made_of;
        }
        let failed = |record: &Record| matches!(record.outcome, Outcome::Failed { .. });
        let again: Vec<[String; 3]> =
            self.records.iter().filter(|record| failed(record)).map(job_of).collect();
        self.records.retain(|record| !again.contains(&job_of(record)));
        Ok(())
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    /// Whether this process has added records.
    pub(crate) fn has_added(&self) -> bool {
        self.added
    }

    /// Notes that something is measured.
    pub(crate) fn wake(&mut self) -> Result<(), Failure> {
        if std::mem::take(&mut self.at_rest) { self.write_provenance() } else { Ok(()) }
    }

    /// What the records of a job were made of; nothing is known of a job that nobody noted anything of.
    pub(crate) fn noted(&self, job: &MadeOf) -> Option<&MadeOf> {
        self.provenance.made_of.iter().find(|then| then.is_of(job))
    }

    /// The records of a job. `datasets` are the names of its data set that they may have.
    pub(crate) fn records_of<'r>(
        &'r self,
        job: &'r MadeOf,
        datasets: &'r [&str],
    ) -> impl Iterator<Item = &'r Record> {
        self.records.iter().filter(|record| is_of(record, job, datasets))
    }

    /// Forgets them.
    pub(crate) fn forget_records(&mut self, job: &MadeOf, datasets: &[&str]) {
        self.records.retain(|record| !is_of(record, job, datasets));
    }

    /// Notes what the records of a job are made of, those that are there or are about to be added.
    pub(crate) fn note(&mut self, made_of: MadeOf) {
        let all = &mut self.provenance.made_of;
        all.retain(|other| !other.is_of(&made_of));
        all.push(made_of);
    }

    /// Notes which pictures were measured, in place of what the same set held before.
    pub(crate) fn note_pictures(&mut self, set: PictureSet) {
        let key = |set: &PictureSet| {
            (set.dataset.clone(), set.split.clone(), set.protocol_sha256.clone())
        };
        let all = &mut self.provenance.pictures;
        match all.iter_mut().find(|other| key(other) == key(&set)) {
            Some(other) => *other = set,
            None => all.push(set),
        }
    }

    /// Whether every record of a tokenizer on a data set under a protocol is there.
    pub(crate) fn has(&self, suite: &str, tokenizer: &str, dataset: &str, protocol: &str) -> bool {
        self.records.iter().any(|record| {
            record.suite == suite
                && record.tokenizer == tokenizer
                && record.dataset == dataset
                && record.protocol_sha256 == protocol
        })
    }

    /// Adds the results of a pass and writes everything there is.
    pub(crate) fn add(
        &mut self,
        records: Vec<Record>,
        samples: Vec<SampleStream<'_>>,
    ) -> Result<(), Failure> {
        let _write = Stage::Write.enter();
        (self.added, self.at_rest) = (true, false);
        let done: Vec<[String; 3]> = self.records.iter().map(job_of).collect();
        self.records.extend(records);
        let mut lines = Vec::new();
        for record in &self.records {
            serde_json::to_writer(&mut lines, record)
                .map_err(io::Error::from)
                .map_err(at(&self.path.join(RECORDS)))?;
            lines.push(b'\n');
        }
        // Samples first: records are what says that a job is done.
        let (path, fresh) = (self.path.join(SAMPLES), self.path.join(".samples.parquet.new"));
        // What lies there is of a run that was killed.
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&fresh)(error)),
            _ => {
                let earlier = Some(path.as_path()).filter(|path| path.is_file());
                // What failed is measured again.
                let is_done = |samples: &SampleColumns| {
                    let job = [&samples.tokenizer, &samples.dataset, &samples.protocol_sha256];
                    done.iter().any(|done| done.iter().eq(job))
                };
                extend_samples(&fresh, earlier, is_done, samples)?;
            }
        }
        fs::rename(&fresh, &path).map_err(at(&path))?;
        self.write(RECORDS, &lines)?;
        self.write_provenance()
    }

    /// Notes how the run ended. What passes have left on the way to a whole run is of no more use.
    pub(crate) fn end(&mut self, status: Status) -> Result<(), Failure> {
        if status == Status::Complete && self.shard.is_none() {
            removed(&self.path.join(PARTS))?;
        }
        self.at_rest &= status == Status::Complete;
        self.provenance.end(status);
        self.write_provenance()
    }

    /// A fresh folder for arrays, named after what they are of.
    pub(crate) fn arrays(&self, parts: [&str; 3]) -> Result<PathBuf, Failure> {
        let path = array_folder(&self.path, parts);
        // What lies there is of a tokenizer without records: it was cut short.
        removed(&path)?;
        fs::create_dir_all(&path).map_err(at(&path))?;
        Ok(path)
    }

    /// Where the original pictures of a data set under a protocol are to be kept; `None` where they are already.
    pub(crate) fn originals(&self, parts: [&str; 2]) -> Result<Option<PathBuf>, Failure> {
        let path = originals_file(&self.path, parts);
        if path.is_file() {
            return Ok(None);
        }
        self.arrays([parts[0], parts[1], PICTURES])?;
        Ok(Some(path))
    }

    /// Removes the original pictures that an earlier process has kept: what follows may be of others.
    pub(crate) fn forget_originals(&self, [dataset, protocol]: [&str; 2]) -> Result<(), Failure> {
        removed(&array_folder(&self.path, [dataset, protocol, PICTURES]))
    }

    /// Notes that the run begins, with what earlier processes have done of it.
    pub(crate) fn begin(&mut self) -> Result<(), Failure> {
        self.provenance.done_before = run_status::share_done(&self.path, &self.provenance);
        self.write_provenance()
    }

    /// Notes that a pass is finished.
    pub(crate) fn passed(&mut self) -> Result<(), Failure> {
        self.provenance.passes_done += 1;
        self.write_provenance()
    }

    /// Where passes keep what they have measured, each in a folder of its own.
    pub(crate) fn parts(&self) -> PathBuf {
        self.path.join(PARTS)
    }

    /// Removes the journals of a pass whose records are there; where something failed they stay, so that
    /// the next run goes on behind what went well. A merge leaves the shards as they are.
    pub(crate) fn let_go(&self, journals: &Journals, failed: bool) -> Result<(), Failure> {
        match journals {
            Journals::Folder(path) if !failed => removed(path),
            _ => Ok(()),
        }
    }

    fn write_provenance(&self) -> Result<(), Failure> {
        if self.at_rest {
            return Ok(());
        }
        let path = self.path.join("run.json");
        let text = serde_json::to_vec_pretty(&self.provenance)
            .map_err(io::Error::from)
            .map_err(at(&path))?;
        self.write("run.json", &text)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.path.join(name);
        replace(&path, bytes).map_err(at(&path))
    }
}

/// Where a shard of the run in `path` lies.
pub(crate) fn shard_folder(path: &Path, shard: Shard) -> PathBuf {
    path.join(SHARDS).join(format!("{}-of-{}", shard.index(), shard.count()))
}

/// Removes a folder with all that is in it, if it is there.
fn removed(path: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

/// The folder of the arrays of `[data set, protocol, tokenizer]` in a run folder.
pub(crate) fn array_folder(run: &Path, parts: [&str; 3]) -> PathBuf {
    run.join(ARRAYS).join(named_after(parts))
}

/// The original pictures of `[data set, protocol]`, which all tokenizers share.
pub(crate) fn originals_file(run: &Path, [dataset, protocol]: [&str; 2]) -> PathBuf {
    array_folder(run, [dataset, protocol, PICTURES]).join("originals.npz")
}

/// `[tokenizer, dataset, protocol]`: what is measured at once or not at all.
fn job_of(record: &Record) -> [String; 3] {
    [record.tokenizer.clone(), record.dataset.clone(), record.protocol_sha256.clone()]
}

/// Whether a record is of a job, whose data set may have these names.
fn is_of(record: &Record, job: &MadeOf, datasets: &[&str]) -> bool {
    record.suite == job.suite
        && record.tokenizer == job.tokenizer
        && job.variant.as_ref().is_none_or(|variant| *variant == record.variant)
        && datasets.contains(&record.dataset.as_str())
        && record.protocol_sha256 == job.protocol_sha256
}

/// A folder's name.
pub(crate) fn named_after(parts: [&str; 3]) -> String {
    let slug = |text: &str| -> String {
        let slug = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
        // A command may be longer than a file's name, and differ from another in its end alone; paths differ in what
        // is no letter, as `a/b` and `a-b` do.
        let is_usual = |c: char| c.is_ascii_alphanumeric() || "-:=.+,_@ ".contains(c);
        match text.chars().count() > MAX_SLUG || !text.chars().all(is_usual) {
            true => {
                let digits = hexadecimal(&Sha256::digest(text)[..4]);
                slug.take(MAX_SLUG).chain(['-']).chain(digits.chars()).collect()
            }
            false => slug.collect(),
        }
    };
    let [dataset, protocol, tokenizer] = parts.map(slug);
    format!("{}.{protocol}.{tokenizer}", dataset.trim_matches('-'))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> Failure + use<> {
    let path = path.to_owned();
    move |source| Failure::Write { path, source }
}

fn lock(path: &Path) -> Result<File, Failure> {
    let file = path.join(LOCK);
    let lock = File::options().create(true).append(true).open(&file).map_err(at(&file))?;
    for _ in 0..GLANCES {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) => thread::sleep(GLANCE),
            Err(TryLockError::Error(error)) => return Err(at(&file)(error)),
        }
    }
    Err(Failure::Locked { path: path.to_owned() })
}

/// Whether a process is writing into a run folder, of which nothing but reading may be allowed here.
pub(crate) fn is_locked(path: &Path) -> bool {
    let lock = File::open(path.join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Whether nothing lies in the folder but what a run makes before its plan is there.
fn is_empty(path: &Path) -> Result<bool, Failure> {
    let read = |source| Failure::Read { path: path.to_owned(), source };
    for entry in fs::read_dir(path).map_err(read)? {
        let name = entry.map_err(read)?.file_name();
        if name != LOCK && !name.to_string_lossy().starts_with(WRITING) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes half-written files of a process that was killed.
fn sweep(path: &Path) -> Result<(), Failure> {
    let read = |source| Failure::Read { path: path.to_owned(), source };
    for entry in fs::read_dir(path).map_err(read)? {
        let entry = entry.map_err(read)?;
        if entry.file_name().to_string_lossy().starts_with(WRITING) {
            // It may be of a shard that begins just now, and gone before it is reached.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Removes what a run writes, and nothing else that somebody may have put there.
fn clear(path: &Path) -> Result<(), Failure> {
    let gone = |path: PathBuf, result: io::Result<()>| match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path)(error)),
        _ => Ok(()),
    };
    for name in FILES.into_iter().filter(|&name| name != LOCK) {
        let file = path.join(name);
        gone(file.clone(), fs::remove_file(file))?;
    }
    for name in [ARRAYS, PARTS] {
        let folder = path.join(name);
        gone(folder.clone(), fs::remove_dir_all(folder))?;
    }
    Ok(())
}

/// Writes a file beside its place and renames it: a reader sees the old one or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = beside(path)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// A new file in the folder of `path`, removed unless it is renamed.
pub(crate) fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(WRITING);
    #[cfg(unix)]
    {
        // Temporary files are private; what a run leaves is a file like any other, and the user's
        // umask decides.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder.unwrap_or(Path::new(".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_look_alike_have_folders_of_their_own() {
        let name = |dataset: &str| named_after([dataset, "default", "dct:9"]);
        assert_eq!(name("synthetic:1:9"), "synthetic-1-9.default.dct-9");
        let long = ["a".repeat(70), "a".repeat(71)];
        let alike = ["imgs/a", "imgs-a", "imgs a/", "\u{e4}", "\u{f6}", &long[0], &long[1]];
        for (at, dataset) in alike.iter().enumerate() {
            assert!(alike[..at].iter().all(|other| name(other) != name(dataset)), "{dataset}");
        }
    }
}
