use std::path::PathBuf;

use prismbench_core::{Concern, Outcome};
use prismbench_suites::{ArrayError, Measurement, Pass, SuiteError};

use super::{Job, Loaded, Runner};
use crate::error::Failure;
use crate::saving::{Arrays, Originals};

/// What `--save` keeps of a pass.
impl Runner<'_, '_> {
    /// The pictures themselves, where reconstructions are kept and they are not there yet.
    pub(super) fn originals(&self, job: &Job<'_>) -> Result<Option<Originals>, Failure> {
        // A shard leaves them in its journal.
        if !self.plan.save.reconstructions || !self.makes_arrays(job) {
            return Ok(None);
        }
        let dataset = job.pictures.dataset.id();
        let path = self.folder.originals([dataset, &job.protocol.name])?;
        path.map(|path| Originals::create(&path)).transpose().map_err(|error| Failure::Suite {
            dataset: dataset.to_owned(),
            source: Box::new(SuiteError::Save(Box::new(error))),
        })
    }

    /// Whether a pass ends with arrays: another suite passes none on, and a shard leaves them in its journal.
    fn makes_arrays(&self, job: &Job<'_>) -> bool {
        job.suite.concern() == Concern::Reconstruction && !self.journals.is_shard()
    }

    /// One set of arrays per tokenizer, if any are to be saved.
    pub(super) fn arrays(&self, job: &Job<'_>, group: &[Loaded]) -> Result<Vec<Arrays>, Failure> {
        if !self.plan.save.anything() || !self.makes_arrays(job) {
            return Ok(Vec::new());
        }
        let dataset = job.pictures.dataset.id();
        let create = |loaded: &Loaded| {
            let id = &loaded.tokenizer.spec().id;
            let path = self.folder.arrays([dataset, &job.protocol.name, id])?;
            Arrays::create(&path, self.plan.save).map_err(|error| Failure::Suite {
                dataset: dataset.to_owned(),
                source: Box::new(SuiteError::Save(Box::new(error))),
            })
        };
        group.iter().map(create).collect()
    }

    pub(super) fn finish_arrays(
        &mut self,
        arrays: Vec<Arrays>,
        mut originals: Option<Originals>,
        group: &[Loaded],
        pass: &Pass,
    ) -> Result<(), ArrayError> {
        let reports = group.iter().zip(&pass.reports);
        for (arrays, (loaded, report)) in arrays.into_iter().zip(reports) {
            let failed = |m: &Measurement| matches!(m.outcome, Outcome::Failed { .. });
            let skipped = |m: &Measurement| matches!(m.outcome, Outcome::Skipped { .. });
            // Dropped, they leave nothing behind: half an array would be taken for a whole one, and of a tokenizer
            // that cannot do what is asked for there is none.
            let of_report = &report.measurements;
            if of_report.iter().any(failed) || of_report.iter().all(skipped) {
                continue;
            }
            let wanted = self.plan.save;
            // One tokenizer has been through all pictures, so all of them have been shown.
            if let Some(originals) = originals.take() {
                originals.finish()?;
            }
            let (folder, saved): (PathBuf, _) = arrays.finish()?;
            if wanted.latents && !saved.latents {
                let id = &loaded.tokenizer.spec().id;
                self.streams.say(&format!(
                    "warning: no latents.npz for `{id}`: its latents are no numbers"
                ));
            }
            if saved.anything() {
                self.streams.say(&format!("saved {}", folder.display()));
            }
        }
        Ok(())
    }
}
