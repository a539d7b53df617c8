//! What decides numbers besides the plan and may change between two runs of it: files of pictures and of
//! weights. What is finished and was made of something else is measured again.
//!
//! Files of other sizes, or that were written to at another time, have changed. Files that were touched
//! otherwise are looked into: what they hold decides, by its sha256.

use std::path::{Path, PathBuf};

use prismbench_baselines::{self as baselines, Opened, TokenizerRef};
use prismbench_core::Weights;
use prismbench_data::{FileState, Stamp};
use prismbench_suites::{Difference, Learns, Networks, Origin, Pictures, enter_files};

use super::{Job, Runner, needs_fit};
use crate::data_sets;
use crate::error::Failure;
use crate::networks;
use crate::plan::Fit;
use crate::provenance::MadeOf;
use crate::records::sha256_of_all;

pub(super) const PICTURES: &str = "pictures' files";
const TRAINING: &str = "training pictures' files";
const FITTED_ON: &str = "the pictures that it is fitted on";
const TOKENIZER: &str = "its files";

/// Networks by the sha256 of their weights.
pub(super) fn of_networks(networks: &Networks) -> Origin {
    let named = |(network, weights): (String, Vec<Weights>)| {
        (format!("weights of {network}"), sha256_of_all(&weights))
    };
    networks::weights(networks).into_iter().map(named).collect()
}

/// Pictures by the state of their files, as journals know them.
pub(super) fn add_pictures(origin: &mut Origin, pictures: &Pictures<'_>) {
    enter_files(origin, PICTURES, pictures.dataset.file_state());
}

impl Runner<'_, '_> {
    /// What the numbers of a tokenizer in a job are made of, without loading it.
    pub(super) fn made_of(
        &self,
        reference: &TokenizerRef,
        job: &Job<'_>,
    ) -> Result<MadeOf, Failure> {
        let mut of = job.origin.clone();
        let (learns, is_fitted) = (learns(job), needs_fit(reference));
        if let Some(training) = job.training.as_ref().filter(|_| learns || is_fitted) {
            enter_files(&mut of, TRAINING, training.dataset.file_state());
        }
        if let (true, Fit::On(spec)) = (is_fitted, &self.plan.fit) {
            let state = data_sets::open(spec, self.plan.limits)?.file_state();
            enter_files(&mut of, FITTED_ON, state);
        }
        let files = reference.files(&self.options(job.protocol).hub);
        if !files.is_empty() {
            enter_files(&mut of, TOKENIZER, state(&files));
        }
        Ok(MadeOf {
            suite: format!("{}@{}", job.suite.id(), job.suite.version()),
            tokenizer: reference.id.clone(),
            variant: None,
            dataset: job.pictures.dataset.id().to_owned(),
            protocol_sha256: job.protocol.sha256_for(job.suite.concern()),
            of,
            contents_sha256: String::new(),
        })
    }

    /// Says in what the finished numbers of a tokenizer in a job were made of something else than now.
    pub(super) fn changed(
        &mut self,
        reference: &TokenizerRef,
        job: &Job<'_>,
        now: &MadeOf,
    ) -> Result<Option<String>, Failure> {
        self.changed_since(now, |runner, then, files| match files {
            // What is learnt again finds most of it in the cache of features, and fits are of baselines.
            _ if learns(job) || needs_fit(reference) => Ok(false),
            TOKENIZER => runner.is_same_tokenizer(now, reference, job),
            PICTURES => Ok(then.contents_sha256 == *runner.contents(job)?),
            _ => Ok(false),
        })
    }

    /// The same of any job. Of one that nobody noted anything of nothing is known. `are_same` looks into files
    /// that were touched, by the name that they have in the origin, for what was noted then.
    pub(super) fn changed_since(
        &mut self,
        now: &MadeOf,
        are_same: impl Fn(&Self, &MadeOf, &str) -> Result<bool, Failure>,
    ) -> Result<Option<String>, Failure> {
        let Some(then) = self.folder.noted(now).cloned() else { return Ok(None) };
        let touched = match Difference::between(&then.of, &now.of) {
            Difference::None => return Ok(None),
            Difference::Field(field) => return Ok(Some(field.to_owned())),
            Difference::Doubt(touched) => touched,
        };
        let (job, all) =
            (format!("`{}` on `{}`", now.tokenizer, now.dataset), touched.join(" and "));
        self.streams.say(&format!(
            "{job} was measured before: {all} were touched, and what they hold is compared"
        ));
        for files in touched {
            if !are_same(self, &then, files)? {
                return Ok(Some(files.to_owned()));
            }
        }
        self.streams.say(&format!("{job} stays: {all} hold the same by their sha256"));
        let contents_sha256 = then.contents_sha256.clone();
        self.folder.note(MadeOf { contents_sha256, ..now.clone() });
        self.folder.wake()?;
        Ok(None)
    }

    /// Whether the weights are those that the records of a job name.
    fn is_same_tokenizer(
        &self,
        of: &MadeOf,
        reference: &TokenizerRef,
        job: &Job<'_>,
    ) -> Result<bool, Failure> {
        let dataset = [of.dataset.as_str()];
        let mut noted = self.folder.records_of(of, &dataset).map(|record| &record.weights_sha256);
        // Programs, and what others have made, have no weights that would tell.
        let Some(first) = noted.next().filter(|sha256| !sha256.is_empty()) else {
            return Ok(false);
        };
        match baselines::open(reference, &self.options(job.protocol))? {
            Opened::Ready(tokenizer) => {
                let now = sha256_of_all(&tokenizer.spec().weights);
                Ok(*first == now && noted.all(|other| *other == now))
            }
            Opened::Unfitted(_) => Ok(false),
        }
    }

    /// sha256 over everything that is known of a job's pictures now; nobody looks twice.
    fn contents<'j>(&self, job: &'j Job<'_>) -> Result<&'j String, Failure> {
        if let Some(known) = job.contents.get() {
            return Ok(known);
        }
        let hashes = job.pictures.hashes(self.args.pictures.batch, self.streams.interrupted);
        let dataset = job.pictures.dataset.id().to_owned();
        let failed = |source| Failure::Suite { dataset, source: Box::new(source) };
        let contents = hashes.map_err(failed)?.contents;
        Ok(job.contents.get_or_init(|| contents))
    }
}

/// Whether the suite itself learns from pictures.
fn learns(job: &Job<'_>) -> bool {
    job.suite.learns() == Learns::FromTraining
}

/// Of files, and of all files in folders.
pub(super) fn state(paths: &[impl AsRef<Path>]) -> FileState {
    let mut left: Vec<PathBuf> = paths.iter().map(|path| path.as_ref().to_owned()).collect();
    let mut files = Vec::new();
    while let Some(next) = left.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else {
            files.push(next);
            continue;
        };
        for entry in entries.filter_map(Result::ok) {
            // A link is a file: what it leads to may be what it is in.
            match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true => left.push(entry.path()),
                false => files.push(entry.path()),
            }
        }
    }
    files.sort();
    let stamp = |stamp: Stamp, file: &PathBuf| {
        stamp.with_bytes(file.as_os_str().as_encoded_bytes()).with(file)
    };
    files.iter().fold(Stamp::default(), stamp).finish()
}
