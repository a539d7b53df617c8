//! What decides numbers besides the plan and may change between two runs of it: files of pictures and of
//! weights. What is finished and was made of something else is measured again.

use std::path::{Path, PathBuf};

use prismbench_baselines::TokenizerRef;
use prismbench_core::Weights;
use prismbench_data::Stamp;
use prismbench_suites::{Networks, Pictures};

use super::{Job, Runner, needs_fit};
use crate::data_sets;
use crate::error::Failure;
use crate::networks;
use crate::plan::Fit;
use crate::provenance::{MadeOf, Origin};
use crate::records::sha256_of_all;

/// Networks by the sha256 of their weights.
pub(super) fn of_networks(networks: &Networks) -> Origin {
    let named = |(network, weights): (String, Vec<Weights>)| {
        (format!("weights of {network}"), sha256_of_all(&weights))
    };
    networks::weights(networks).into_iter().map(named).collect()
}

/// Pictures by their files' sizes and times, as journals know them.
pub(super) fn add_pictures(
    origin: &mut Origin,
    pictures: &Pictures<'_>,
    training: Option<&Pictures<'_>>,
) {
    origin.insert("pictures' files".to_owned(), pictures.dataset.stamp());
    if let Some(training) = training {
        origin.insert("training pictures' files".to_owned(), training.dataset.stamp());
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
        self.add_tokenizer(&mut of, reference)?;
        Ok(MadeOf {
            suite: format!("{}@{}", job.suite.id(), job.suite.version()),
            tokenizer: reference.id.clone(),
            variant: None,
            dataset: job.pictures.dataset.id().to_owned(),
            protocol_sha256: job.protocol.sha256_for(job.suite.concern()),
            of,
        })
    }

    /// Adds the files that a tokenizer is read from, or the pictures that it is fitted on.
    pub(super) fn add_tokenizer(
        &self,
        of: &mut Origin,
        reference: &TokenizerRef,
    ) -> Result<(), Failure> {
        if let (true, Fit::On(spec)) = (needs_fit(reference), &self.plan.fit) {
            let stamp = data_sets::open(spec, self.plan.limits)?.stamp();
            of.insert("the pictures that it is fitted on".to_owned(), stamp);
        }
        let finished = reference.id.strip_prefix("recon:").map(PathBuf::from);
        if let Some(path) = reference.weights.as_ref().or(finished.as_ref()) {
            of.insert("the files of its weights".to_owned(), stamp(path));
        }
        Ok(())
    }
}

/// Sizes and times of a file, or of all files in a folder.
pub(super) fn stamp(path: &Path) -> String {
    let (mut files, mut folders) = (Vec::new(), vec![path.to_owned()]);
    while let Some(next) = folders.pop() {
        match std::fs::read_dir(&next) {
            Ok(entries) => folders.extend(entries.filter_map(Result::ok).map(|entry| entry.path())),
            Err(_) => files.push(next),
        }
    }
    files.sort();
    let stamp = |stamp: Stamp, file: &PathBuf| {
        stamp.with_bytes(file.as_os_str().as_encoded_bytes()).with(file)
    };
    files.iter().fold(Stamp::default(), stamp).finish()
}
