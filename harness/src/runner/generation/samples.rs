use indicatif::HumanCount;
use prismbench_baselines::{self as baselines, GeneratorRef, Opened, TokenizerRef};
use prismbench_core::{Choice as _, LatentShape, Protocol, Tokenizer, Weights};
use prismbench_data::DataSpec;
use prismbench_suites::{
    Decoded, Drawn, Finished, LatentFiles, Origin, Part, Pictures, SuiteError, enter_files,
};

use super::{Comparison, Row, Runner, SAMPLE_FILES, failed, origins};
use crate::data_sets;
use crate::error::{Failure, FitError};
use crate::judged::LatentsChoice;
use crate::plan::{Drawing, Fit};
use crate::provenance::WeightFile;
use crate::records::sha256_of_all;

/// Samples that are drawn where nothing else is said: those of published tables.
const SAMPLES: u64 = 50_000;

/// Where samples come from.
impl Runner<'_, '_> {
    pub(super) fn finished(
        &mut self,
        spec: &DataSpec,
        comparison: &Comparison<'_>,
    ) -> Result<(), Failure> {
        let dataset = data_sets::open(spec, self.plan.limits)?;
        let mut of = Origin::new();
        enter_files(&mut of, SAMPLE_FILES, dataset.file_state());
        let (id, variant) = (spec.to_string(), String::new());
        let row = Row { id, variant, weights: Vec::new(), of };
        let pictures = Pictures {
            dataset: dataset.as_ref(),
            part: Part::All,
            limit: self.plan.limit,
            protocol: comparison.protocol,
            on_bad: self.plan.on_bad,
        };
        let samples = Finished { pictures };
        if self.is_judged(&row, Some(&samples), comparison)? {
            return Ok(());
        }
        self.judge(&row, &samples, None, comparison)
    }

    /// Decodes latents by every tokenizer of the plan that they fit.
    pub(super) fn latents(
        &mut self,
        choice: &LatentsChoice,
        comparison: &Comparison<'_>,
    ) -> Result<(), Failure> {
        let files = LatentFiles::open(&choice.path)
            .map_err(|error| failed(&choice.to_string(), error.into()))?;
        let mut unfit = Vec::new();
        for reference in &self.plan.tokenizers {
            let tokenizer = self.decoder(reference, comparison.protocol)?;
            let side = comparison.protocol.size;
            let expected = tokenizer.latent_shape(side, side);
            if expected != LatentShape::Tensor(files.shape().to_vec()) {
                unfit.push(format!("`{}` takes {expected}", reference.id));
                continue;
            }
            let spec = tokenizer.spec();
            let (id, variant) = (spec.id.clone(), format!("of {choice}"));
            let mut of = Origin::from([weights_of(&spec.weights)]);
            enter_files(&mut of, "the files of the latents", origins::state(&[&choice.path]));
            let row = Row { id, variant, weights: spec.weights.clone(), of };
            if self.is_judged(&row, None, comparison)? {
                continue;
            }
            let samples = Decoded {
                files: &files,
                scale: choice.scale,
                limit: self.plan.limit,
                tokenizer: tokenizer.as_ref(),
                protocol: comparison.protocol,
            };
            self.judge(&row, &samples, Some(tokenizer.as_ref()), comparison)?;
        }
        let found = LatentShape::Tensor(files.shape().to_vec()).to_string();
        self.fits(files.id(), found, unfit, comparison)
    }

    /// Draws latents and decodes them by every tokenizer of the plan that they fit.
    pub(super) fn drawn(
        &mut self,
        reference: &GeneratorRef,
        comparison: &Comparison<'_>,
    ) -> Result<(), Failure> {
        let (plan, options) = (self.plan, self.options(comparison.protocol));
        let Drawing { sampling, guide, labels } = &plan.drawing;
        let generator = baselines::open_generator(reference, *sampling, guide.as_ref(), &options)?;
        let spec = generator.spec();
        let files = spec.weights.iter().map(WeightFile::from).collect();
        self.folder.provenance.weights.insert(spec.id.clone(), files);
        let count = plan.limit.unwrap_or(SAMPLES);
        let classes = labels.labels(count, spec.classes, plan.seed)?;
        let mut unfit = Vec::new();
        for reference in &plan.tokenizers {
            let tokenizer = self.decoder(reference, comparison.protocol)?;
            let side = comparison.protocol.size;
            let expected = tokenizer.latent_shape(side, side);
            if expected != LatentShape::Tensor(spec.latent.to_vec()) {
                unfit.push(format!("`{}` takes {expected}", reference.id));
                continue;
            }
            let decoder = &tokenizer.spec().id;
            let labels = labels.id();
            let weights = [&spec.weights[..], &tokenizer.spec().weights[..]].concat();
            let row = Row {
                id: spec.id.clone(),
                variant: format!("{}, {labels} labels, decoded by {decoder}", spec.sampling),
                of: Origin::from([weights_of(&weights)]),
                weights,
            };
            if self.is_judged(&row, None, comparison)? {
                continue;
            }
            if !self.journals.is_merge() {
                self.streams.say(&format!(
                    "`{}` calls its network {} times a sample: {} multiply-accumulates",
                    spec.id,
                    spec.calls,
                    HumanCount(spec.multiply_accumulates)
                ));
            }
            let samples = Drawn {
                generator: generator.as_ref(),
                classes: &classes,
                seed: plan.seed,
                tokenizer: tokenizer.as_ref(),
                protocol: comparison.protocol,
            };
            self.judge(&row, &samples, Some(tokenizer.as_ref()), comparison)?;
        }
        let found = LatentShape::Tensor(spec.latent.to_vec()).to_string();
        self.fits(&spec.id, found, unfit, comparison)
    }

    /// Refuses latents that no tokenizer takes, and names those that do not.
    fn fits(
        &mut self,
        what: &str,
        found: String,
        unfit: Vec<String>,
        comparison: &Comparison<'_>,
    ) -> Result<(), Failure> {
        if unfit.len() == self.plan.tokenizers.len() {
            let (files, size) = (what.to_owned(), comparison.protocol.size);
            let source = SuiteError::LatentShape { files, found, size, tokenizers: unfit };
            return Err(failed(what, source));
        }
        for unfit in unfit {
            self.streams.say(&format!("warning: `{what}` is not decoded by all: {unfit}"));
        }
        Ok(())
    }

    /// A tokenizer that decodes samples.
    fn decoder(
        &mut self,
        reference: &TokenizerRef,
        protocol: &Protocol,
    ) -> Result<Box<dyn Tokenizer>, Failure> {
        let tokenizer = match (baselines::open(reference, &self.options(protocol))?, &self.plan.fit)
        {
            (Opened::Ready(tokenizer), _) => tokenizer,
            (Opened::Unfitted(fit), Fit::On(spec)) => {
                let dataset = data_sets::open(spec, self.plan.limits)?;
                let all = Pictures {
                    dataset: dataset.as_ref(),
                    part: Part::All,
                    limit: None,
                    protocol,
                    on_bad: self.plan.on_bad,
                };
                self.fit(fit, &all)?.0
            }
            (Opened::Unfitted(fit), Fit::HeldOut) => {
                let (tokenizer, source) = (fit.id().to_owned(), Box::new(FitError::Nothing));
                return Err(Failure::Fit { tokenizer, source });
            }
        };
        let spec = tokenizer.spec();
        let files = spec.weights.iter().map(WeightFile::from).collect();
        self.folder.provenance.weights.insert(spec.id.clone(), files);
        Ok(tokenizer)
    }
}

/// Weights by their sha256, which they have where they are loaded anyway.
fn weights_of(weights: &[Weights]) -> (String, String) {
    ("weights".to_owned(), sha256_of_all(weights))
}
