mod samples;

use std::path::{Path, PathBuf};

use prismbench_core::{Protocol, Tokenizer, Weights};
use prismbench_data::{DataSpec, Dataset};
use prismbench_suites::{
    Context, Finished, GenerationSuite, MomentsFile, Networks, Origin, Part, Pass, Pictures,
    ReferenceChoice, SampleSource, Suite, SuiteError, enter_files,
};

use super::{Runner, Watcher, origins};
use crate::data_sets;
use crate::error::Failure;
use crate::feature_cache;
use crate::judged::Judged;
use crate::progress::Progress;
use crate::provenance::{MadeOf, PictureSet};
use crate::records::{Common, Subject, sha256_of_all};
use crate::run_folder::named_after;

/// What all samples under one protocol are compared with.
struct Comparison<'a> {
    /// What the records call it.
    name: String,
    /// What the command calls it: journals and folders are found by it, whoever knows which names.
    given: String,
    moments: Option<&'a MomentsFile>,
    /// The pictures in the file of the moments.
    inside: Option<Pictures<'a>>,
    /// The real pictures of the plan.
    real: Option<Pictures<'a>>,
    protocol: &'a Protocol,
    networks: &'a Networks,
}

/// What the run notes of samples that are only read.
const SAMPLE_FILES: &str = "the files of the samples";

/// One row to be.
struct Row {
    id: String,
    variant: String,
    weights: Vec<Weights>,
    /// What its numbers are made of besides what it is compared with.
    of: Origin,
}

impl Runner<'_, '_> {
    /// Judges everything that the plan names, under every protocol and for every set of real pictures.
    pub(super) fn generation(&mut self) -> Result<(), Failure> {
        let plan = self.plan;
        let moments = plan.reference.as_deref().map(open_moments).transpose()?;
        let recognised = match &moments {
            Some(file) => self.recognise(file),
            None => None,
        };
        let inside = match &moments {
            Some(file) if file.has_pictures() => {
                Some(data_sets::open(&DataSpec::Path(file.path().to_owned()), self.plan.limits)?)
            }
            _ => None,
        };
        let mut sets: Vec<Option<Box<dyn Dataset>>> = Vec::new();
        for data in &plan.data {
            sets.push(Some(data.open(GenerationSuite.learns(), self.plan.limits)?.measured));
        }
        if sets.is_empty() {
            sets.push(None);
        }
        for real in &sets {
            for (protocol, networks) in plan.protocols.iter().zip(self.networks) {
                let of = |dataset| Pictures {
                    dataset,
                    part: Part::All,
                    limit: None,
                    protocol,
                    on_bad: plan.on_bad,
                };
                let beside = real.as_deref().filter(|_| sets.len() > 1);
                let given = match (&plan.reference, real) {
                    (Some(path), _) => with(&path.display().to_string(), beside),
                    (None, Some(real)) => real.id().to_owned(),
                    (None, None) => String::new(),
                };
                let name = recognised.as_ref().map(|name| with(name, beside));
                let comparison = Comparison {
                    name: name.unwrap_or_else(|| given.clone()),
                    given,
                    moments: moments.as_ref(),
                    inside: inside.as_deref().map(of),
                    real: real.as_deref().map(of),
                    protocol,
                    networks,
                };
                for judged in &plan.judged {
                    match judged {
                        Judged::Samples(spec) => self.finished(spec, &comparison)?,
                        Judged::Latents(choice) => self.latents(choice, &comparison)?,
                        Judged::Generator(reference) => self.drawn(reference, &comparison)?,
                    }
                }
            }
        }
        Ok(())
    }

    /// The name under which moments are known, by themselves or by their file; says the hash of those that are not.
    fn recognise(&mut self, file: &MomentsFile) -> Option<String> {
        let fingerprint = file.fingerprint()?;
        let (known, shown) = (&self.known_references, file.path().display());
        let (name, said) = if let Some(known) = known.find(fingerprint) {
            (Some(&known.name), format!("`{shown}` has the moments of {}", known.name))
        } else if let Some(known) = known.find_file(file.path()) {
            let said = format!("`{shown}` is the file of {} (mu {fingerprint})", known.name);
            (Some(&known.name), said)
        } else {
            let said = format!(
                "`{shown}` is not among the known references (mu {fingerprint}); `prismbench list references` \
                 tells how to name it"
            );
            (None, said)
        };
        let name = name.cloned();
        self.streams.say(&said);
        name
    }

    /// Whether a row has its records, of the files that there are now; `samples` are those that are only read.
    fn is_judged(
        &mut self,
        row: &Row,
        samples: Option<&Finished<'_>>,
        comparison: &Comparison<'_>,
    ) -> Result<bool, Failure> {
        let now = made_of(row, comparison);
        let datasets = [comparison.name.as_str(), comparison.given.as_str()];
        if self.folder.records_of(&now, &datasets).next().is_none() {
            return Ok(false);
        }
        let (batch, interrupted) = (self.args.pictures.batch, self.streams.interrupted);
        let changed = self.changed_since(&now, |runner, then, files| {
            match (files, samples, &comparison.real) {
                (SAMPLE_FILES, Some(samples), _) => {
                    let hashes = samples.hashes(batch, interrupted);
                    let contents = hashes.map_err(|source| failed(&row.id, source))?.contents;
                    Ok(then.contents_sha256 == contents)
                }
                (origins::PICTURES, _, Some(real)) => {
                    let hashes = real.hashes(batch, interrupted);
                    // Nothing of a distance depends on classes or captions.
                    let pixels = hashes.map_err(|source| failed(real.dataset.id(), source))?.pixels;
                    let mut records = runner.folder.records_of(&now, &datasets);
                    Ok(records.any(|record| record.reference_sha256 == pixels))
                }
                // Latents and moments that were touched are judged again rather than read twice.
                _ => Ok(false),
            }
        })?;
        let Some(field) = changed else { return Ok(true) };
        self.streams
            .say(&format!("`{}` was judged before and is judged again: {field} changed", row.id));
        self.folder.forget_records(&now, &datasets);
        Ok(false)
    }

    /// Where the samples of a row are kept, if they are to be.
    fn saved(&self, row: &Row, comparison: &Comparison<'_>) -> Result<Option<PathBuf>, Failure> {
        if !self.plan.save.samples {
            return Ok(None);
        }
        let place = place(row, comparison);
        let folder = self.folder.arrays(place.each_ref().map(String::as_str))?;
        Ok(Some(folder.join("samples.npz")))
    }

    fn judge(
        &mut self,
        row: &Row,
        samples: &dyn SampleSource,
        decoder: Option<&dyn Tokenizer>,
        comparison: &Comparison<'_>,
    ) -> Result<(), Failure> {
        // Of the files as they are before they are read.
        let made_of = made_of(row, comparison);
        let title = format!("generation · {} · {}", row.id, comparison.protocol.name);
        let cache = feature_cache::folder(self.plan, &self.args.cached);
        let pass = place(row, comparison);
        let pass = format!("generation-{}", named_after(pass.each_ref().map(String::as_str)));
        let journals = self.journals.under(&pass);
        let save_samples = self.saved(row, comparison)?;
        let style = self.args.pace.progress;
        let progress = Progress::new(style, self.streams, title, samples.len());
        let watcher = Watcher::of(progress, self.streams);
        let mut watcher = Watcher { folder: Some(&mut *self.folder), ..watcher };
        let interrupted = watcher.streams.interrupted;
        let mut context = Context {
            metrics: &self.plan.metrics,
            device: &self.device,
            batch: self.args.pictures.batch,
            seed: self.plan.seed,
            protocol: comparison.protocol,
            networks: comparison.networks,
            allow_unlike_reference: self.plan.allow_unlike_reference,
            training: None,
            text_tower: None,
            load_times: &[],
            reference: None,
            cache: cache.as_deref(),
            save_features: None,
            journals: &journals,
            save_samples: save_samples.as_deref(),
            interrupted,
            observer: &mut watcher,
        };
        let reference = match comparison.moments {
            Some(moments) => ReferenceChoice::Moments(moments, comparison.inside.as_ref()),
            None => ReferenceChoice::Pictures,
        };
        let real = comparison.real.as_ref();
        let pass = GenerationSuite.judge(samples, decoder, reference, real, &mut context);
        watcher.progress.finish();
        let has_failed = watcher.failed;
        self.failures |= has_failed;
        let pass = pass.map_err(|source| failed(&row.id, source))?;
        // Of a shard there is nothing but its journals.
        let Some(pass) = pass else { return self.folder.passed() };
        for warning in &pass.warnings {
            self.streams.say(&format!("warning: {warning}"));
        }
        if let Some(path) = save_samples.filter(|path| path.is_file()) {
            self.streams.say(&format!("saved {}", path.display()));
        }
        self.enter(row, &pass, (made_of, comparison))?;
        self.folder.let_go(&journals, has_failed)?;
        self.folder.passed()
    }

    /// Writes the records of a pass.
    fn enter(
        &mut self,
        row: &Row,
        pass: &Pass,
        (made_of, comparison): (MadeOf, &Comparison<'_>),
    ) -> Result<(), Failure> {
        let run = self.folder.provenance.run.clone();
        let common = Common {
            run: &run,
            suite: &GenerationSuite,
            dataset: &comparison.name,
            split: Part::All.name(),
            resolution: resolution(comparison.protocol),
            protocol: comparison.protocol,
            reference_sha256: "",
            device: self.folder.provenance.device_for(GenerationSuite.concern()),
        };
        let weights_sha256 = sha256_of_all(&row.weights);
        let subject = Subject { id: &row.id, variant: &row.variant, weights_sha256 };
        let records =
            pass.reports.iter().flat_map(|report| common.of_report(&subject, report)).collect();
        let set = PictureSet {
            dataset: row.id.clone(),
            split: "samples".to_owned(),
            protocol_sha256: comparison.protocol.sha256_for(GenerationSuite.concern()),
            sha256: pass.pictures.sha256.clone(),
            n: pass.pictures.count() as u64,
            skipped: Vec::new(),
        };
        self.folder.note_pictures(set);
        let contents_sha256 = pass.pictures.contents_sha256.clone();
        self.folder.note(MadeOf { contents_sha256, ..made_of });
        self.folder.add(records, Vec::new())
    }
}

/// A reference, with the real pictures beside it where only they tell rows apart.
fn with(reference: &str, beside: Option<&dyn Dataset>) -> String {
    match beside {
        Some(real) => format!("{reference} with {}", real.id()),
        None => reference.to_owned(),
    }
}

/// What the numbers of a row are made of.
fn made_of(row: &Row, comparison: &Comparison<'_>) -> MadeOf {
    let mut of = origins::of_networks(comparison.networks);
    of.extend(row.of.clone());
    if let Some(real) = &comparison.real {
        origins::add_pictures(&mut of, real);
    }
    if let Some(moments) = comparison.moments {
        enter_files(&mut of, "the file of the reference", origins::state(&[moments.path()]));
    }
    MadeOf {
        suite: format!("{}@{}", GenerationSuite.id(), GenerationSuite.version()),
        tokenizer: row.id.clone(),
        variant: Some(row.variant.clone()),
        dataset: comparison.given.clone(),
        protocol_sha256: comparison.protocol.sha256_for(GenerationSuite.concern()),
        of,
        contents_sha256: String::new(),
    }
}

/// What the folders of a row's arrays are named after.
fn place(row: &Row, comparison: &Comparison<'_>) -> [String; 3] {
    let of = match row.variant.as_str() {
        "" => row.id.clone(),
        variant => format!("{} {variant}", row.id),
    };
    [comparison.given.clone(), comparison.protocol.name.clone(), of]
}

fn failed(what: &str, source: SuiteError) -> Failure {
    Failure::Suite { dataset: what.to_owned(), source: Box::new(source) }
}

/// Moments of a reference. Features that a reconstruction run saved are none: they are of the pictures
/// that were reconstructed.
fn open_moments(path: &Path) -> Result<MomentsFile, Failure> {
    let shown = path.display().to_string();
    if path.extension().is_some_and(|extension| extension == "safetensors") {
        let path = path.to_owned();
        return Err(failed(&shown, SuiteError::ReconstructionReference { path }));
    }
    MomentsFile::open(path).map_err(|error| failed(&shown, error.into()))
}

/// `256` or, without a crop, `native`.
pub(super) fn resolution(protocol: &Protocol) -> String {
    match protocol.crop {
        prismbench_core::Crop::None => "native".to_owned(),
        _ => protocol.size.to_string(),
    }
}
