//! What decides numbers besides the plan and may change between two runs of it: files of pictures and of
//! weights. What is finished and was made of something else is measured again.
//!
//! Files of other sizes, or that were written to at another time, have changed. Files that were touched
//! otherwise are looked into: what they hold decides, by its sha256.

use std::path::{Path, PathBuf};

use prismbench_baselines::{self as baselines, Opened, TokenizerRef};
use prismbench_core::Weights;
use prismbench_data::{FileState, Stamp};
use prismbench_suites::{Difference, Networks, Origin, Pictures, enter_files};

use super::{Job, Runner, needs_fit};
use crate::data_sets;
use crate::error::Failure;
use crate::networks;
use crate::plan::Fit;
use crate::provenance::{MadeOf, PictureSet, WeightFile};
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
pub(super) fn add_pictures(
    origin: &mut Origin,
    pictures: &Pictures<'_>,
    training: Option<&Pictures<'_>>,
) {
    enter_files(origin, PICTURES, pictures.dataset.file_state());
    if let Some(training) = training {
        enter_files(origin, TRAINING, training.dataset.file_state());
    }
}

impl Runner<'_, '_> {
    /// What the numbers of a tokenizer in a job are made of, without loading it.
    pub(super) fn made_of(
        &self,
        reference: &TokenizerRef,
        job: &Job<'_>,
    ) -> Result<MadeOf, Failure> {
        let mut of = job.origin.clone();
        if let (true, Fit::On(spec)) = (needs_fit(reference), &self.plan.fit) {
            let state = data_sets::open(spec, self.plan.limits)?.file_state();
            of.insert(FITTED_ON.to_owned(), state.written);
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
        })
    }

    /// Says in what the finished numbers of a tokenizer in a job were made of something else than now.
    pub(super) fn changed(
        &mut self,
        reference: &TokenizerRef,
        job: &Job<'_>,
    ) -> Result<Option<String>, Failure> {
        let now = self.made_of(reference, job)?;
        self.changed_since(&now, |runner, files| match files {
            TOKENIZER => runner.is_same_tokenizer(reference, job),
            PICTURES => runner.are_same_pictures(&now, job),
            // What is learnt again finds most of it in the cache of features.
            _ => Ok(false),
        })
    }

    /// The same of any job. Of one that nobody noted anything of nothing is known. `are_same` looks into files
    /// that were touched, by the name that they have in the origin.
    pub(super) fn changed_since(
        &mut self,
        now: &MadeOf,
        are_same: impl Fn(&Self, &str) -> Result<bool, Failure>,
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
            if !are_same(self, files)? {
                return Ok(Some(files.to_owned()));
            }
        }
        self.streams.say(&format!("{job} stays: {all} hold the same by their sha256"));
        self.folder.note(now.clone());
        self.folder.wake()?;
        Ok(None)
    }

    /// Whether the weights are those that the run has noted.
    fn is_same_tokenizer(&self, reference: &TokenizerRef, job: &Job<'_>) -> Result<bool, Failure> {
        let noted = &self.folder.provenance.weights;
        // Programs, and what others have made, have no weights that would tell.
        if noted.get(&reference.id).is_none_or(Vec::is_empty) {
            return Ok(false);
        }
        let Opened::Ready(tokenizer) = baselines::open(reference, &self.options(job.protocol))?
        else {
            return Ok(false);
        };
        let spec = tokenizer.spec();
        let now: Vec<WeightFile> = spec.weights.iter().map(WeightFile::from).collect();
        Ok(noted.get(&spec.id) == Some(&now))
    }

    /// Whether the pictures are those that were measured, by the hash that the run has noted.
    fn are_same_pictures(&self, of: &MadeOf, job: &Job<'_>) -> Result<bool, Failure> {
        let now = match job.contents.get() {
            Some(contents) => contents,
            None => {
                let hashes =
                    job.pictures.hashes(self.args.pictures.batch, self.streams.interrupted);
                let dataset = of.dataset.clone();
                let failed = |source| Failure::Suite { dataset, source: Box::new(source) };
                let contents = hashes.map_err(failed)?.contents;
                job.contents.get_or_init(|| contents)
            }
        };
        let is_it = |set: &PictureSet| {
            set.dataset == of.dataset
                && set.split == job.pictures.part.name()
                && set.protocol_sha256 == of.protocol_sha256
                && set.contents_sha256 == *now
        };
        Ok(self.folder.provenance.pictures.iter().any(is_it))
    }
}

/// Of files, and of all files in folders.
pub(super) fn state(paths: &[PathBuf]) -> FileState {
    let (mut files, mut left) = (Vec::new(), paths.to_vec());
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

/// The same of one.
pub(super) fn state_of(path: &Path) -> FileState {
    state(&[path.to_owned()])
}
