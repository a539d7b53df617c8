mod arrays;
mod fits;
mod fitting;
mod generation;
mod origins;
mod watcher;

use std::cell::OnceCell;
use std::time::{Duration, Instant};

use candle_core::Device;
use prismbench_baselines::{self as baselines, OpenOptions, Opened, TokenizerRef};
use prismbench_core::{Concern, JointSpace, Protocol, Tokenizer, hexadecimal};
use prismbench_suites::{
    Context, Dataset, Journals, Learns, Networks, Origin, Part, Pass, Pictures, Suite, SuiteError,
};
use sha2::{Digest as _, Sha256};

use crate::Streams;
use crate::cli::RunArgs;
use crate::data_sets::{self, DataSets};
use crate::error::Failure;
use crate::feature_cache;
use crate::judged::Judged;
use crate::known_references::KnownReferences;
use crate::networks;
use crate::plan::{Fit, Plan};
use crate::progress::Progress;
use crate::provenance::{MadeOf, PictureSet, SkippedPicture, WeightFile};
use crate::records::{Common, Subject, sample_stream, sha256_of_all};
use crate::run_folder::{RunFolder, named_after};
pub(crate) use watcher::Watcher;

/// Learned numbers that may be in memory at once: tokenizers share a pass over the pictures as long
/// as they stay below it together (4 GB in f32).
const PASS_PARAMETERS: u64 = 1_000_000_000;

/// Follows a plan: one pass over the pictures for each suite, data set, protocol and group of
/// tokenizers that is not finished yet.
pub(crate) struct Runner<'a, 's> {
    pub(crate) plan: &'a Plan,
    pub(crate) args: &'a RunArgs,
    pub(crate) folder: &'a mut RunFolder,
    pub(crate) streams: &'a mut Streams<'s>,
    pub(crate) device: Device,
    /// For each protocol of the plan, in their order.
    pub(crate) networks: &'a [Networks],
    /// Where passes keep what they have measured.
    pub(crate) journals: &'a Journals,
    pub(crate) known_references: KnownReferences,
    /// Whether a shard lacks something that failed.
    pub(crate) failures: bool,
}

/// A tokenizer that is loaded, with what it was fitted on.
struct Loaded {
    tokenizer: Box<dyn Tokenizer>,
    variant: String,
    made_of: MadeOf,
    /// How long that took, a fit included.
    took: Duration,
}

/// What one pass is over.
struct Job<'a> {
    suite: &'a dyn Suite,
    pictures: Pictures<'a>,
    /// What is learnt from, by the suite or by tokenizers.
    training: Option<Pictures<'a>>,
    text_tower: Option<&'a dyn Tokenizer>,
    protocol: &'a Protocol,
    networks: &'a Networks,
    /// What decides its numbers besides the plan, whatever the tokenizer.
    origin: Origin,
    /// sha256 of what is known of the pictures, where somebody had to look.
    contents: OnceCell<String>,
}

impl Runner<'_, '_> {
    pub(crate) fn run(&mut self) -> Result<(), Failure> {
        let (plan, networks) = (self.plan, self.networks);
        for (network, files) in networks.iter().flat_map(networks::weights) {
            let files = files.iter().map(WeightFile::from).collect();
            self.folder.provenance.weights.insert(network, files);
        }
        for (protocol, networks) in plan.protocols.iter().zip(networks) {
            for count in networks::counts(networks, protocol) {
                let counts = &mut self.folder.provenance.networks;
                if !counts.contains(&count) {
                    counts.push(count);
                }
            }
        }
        for name in networks::unused(plan) {
            self.streams.say(&format!("warning: nothing in this plan uses the weights `{name}`"));
        }
        let judges = |suite: &dyn Suite| suite.concern() == Concern::Generation;
        self.folder.provenance.passes = passes(plan);
        self.folder.begin()?;
        if plan.suites.iter().any(|suite| judges(suite.as_ref())) {
            self.generation()?;
        }
        for data in &plan.data {
            for suite in plan.suites.iter().filter(|suite| !judges(suite.as_ref())) {
                let sets = data.open(suite.learns(), self.plan.limits)?;
                for (protocol, networks) in plan.protocols.iter().zip(networks) {
                    let (pictures, training) = self.pictures(&sets, suite.as_ref(), protocol);
                    let text_tower = self.text_tower(suite.as_ref(), protocol)?;
                    let text_tower = text_tower.as_deref();
                    let suite = suite.as_ref();
                    let mut origin = origins::of_networks(networks);
                    origins::add_pictures(&mut origin, &pictures);
                    if let Some(tower) = text_tower {
                        let weights = sha256_of_all(&tower.spec().weights);
                        origin.insert("weights of the text tower".to_owned(), weights);
                    }
                    let contents = OnceCell::new();
                    self.passes(&Job {
                        suite,
                        pictures,
                        training,
                        text_tower,
                        protocol,
                        networks,
                        origin,
                        contents,
                    })?;
                    self.folder.passed()?;
                }
            }
        }
        Ok(())
    }

    /// The pictures to measure on and those to learn from. Of a single set every fourth picture is
    /// learnt from, and nothing measured on it, where a suite or a tokenizer learns at all.
    fn pictures<'d>(
        &self,
        sets: &'d DataSets,
        suite: &dyn Suite,
        protocol: &'d Protocol,
    ) -> (Pictures<'d>, Option<Pictures<'d>>) {
        let (limit, on_bad) = (self.plan.limit, self.plan.on_bad);
        let of =
            |dataset: &'d dyn Dataset, part| Pictures { dataset, part, limit, protocol, on_bad };
        let measured = sets.measured.as_ref();
        let held_out =
            matches!(self.plan.fit, Fit::HeldOut) && self.plan.tokenizers.iter().any(needs_fit);
        match &sets.training {
            Some(training) => (of(measured, Part::All), Some(of(training.as_ref(), Part::All))),
            None if held_out || suite.learns() == Learns::FromTraining => {
                (of(measured, Part::Test), Some(of(measured, Part::Train)))
            }
            None => (of(measured, Part::All), None),
        }
    }

    /// The tokenizer whose text tower the protocol names, where the suite asks for one.
    fn text_tower(
        &self,
        suite: &dyn Suite,
        protocol: &Protocol,
    ) -> Result<Option<Box<dyn Tokenizer>>, Failure> {
        let JointSpace::Tower(id) = &protocol.joint_space else { return Ok(None) };
        if suite.concern() != Concern::Retrieval {
            return Ok(None);
        }
        let reference = networks::tokenizer(self.plan, networks::TEXT_TOWER, id)?;
        let argument = Some(networks::argument(networks::TEXT_TOWER));
        let options = OpenOptions { argument, ..self.options(protocol) };
        match baselines::open(&reference, &options)? {
            Opened::Ready(tokenizer) => Ok(Some(tokenizer)),
            // Nothing that is fitted on pictures alone reads texts.
            Opened::Unfitted(_) => Ok(None),
        }
    }

    fn options(&self, protocol: &Protocol) -> OpenOptions {
        let exec_timeout = Duration::from_secs(self.args.exec_timeout);
        let arithmetic = networks::arithmetic(protocol);
        let limits = self.plan.limits;
        OpenOptions { arithmetic, exec_timeout, limits, ..OpenOptions::on(&self.device) }
    }

    fn passes(&mut self, job: &Job<'_>) -> Result<(), Failure> {
        let suite = format!("{}@{}", job.suite.id(), job.suite.version());
        let hash = job.protocol.sha256_for(job.suite.concern());
        let dataset = job.pictures.dataset.id();
        let mut missing: Vec<&TokenizerRef> = Vec::new();
        for tokenizer in &self.plan.tokenizers {
            let made_of = self.made_of(tokenizer, job)?;
            if self.folder.has(&suite, &tokenizer.id, dataset, &hash)
                && let Some(field) = self.changed(tokenizer, job, &made_of)?
            {
                self.streams.say(&format!(
                    "`{}` on `{dataset}` was measured before and is measured again: {field} changed",
                    tokenizer.id
                ));
                self.folder.forget_records(&made_of, &[dataset]);
                self.folder.forget_originals([dataset, &job.protocol.name])?;
            }
            if !self.folder.has(&suite, &tokenizer.id, dataset, &hash) {
                missing.push(tokenizer);
            }
        }
        let mut group = Vec::new();
        let mut parameters = 0;
        for reference in missing {
            let loaded = self.load(reference, job)?;
            let more = loaded.tokenizer.spec().parameters;
            let full = group.len() >= job.suite.subjects_at_once();
            if !group.is_empty() && (full || parameters + more > PASS_PARAMETERS) {
                self.pass(job, &std::mem::take(&mut group))?;
                parameters = 0;
            }
            parameters += more;
            group.push(loaded);
        }
        if group.is_empty() { Ok(()) } else { self.pass(job, &group) }
    }

    fn load(&mut self, reference: &TokenizerRef, job: &Job<'_>) -> Result<Loaded, Failure> {
        let (start, mut earlier) = (Instant::now(), Duration::ZERO);
        let element = job.protocol.element_type_for(job.suite.concern());
        let options = OpenOptions { element, ..self.options(job.protocol) };
        let (tokenizer, variant) = match baselines::open(reference, &options)? {
            Opened::Ready(tokenizer) => (tokenizer, String::new()),
            Opened::Unfitted(fit) => match &self.plan.fit {
                Fit::On(spec) => {
                    let dataset = data_sets::open(spec, self.plan.limits)?;
                    let variant = "fit apart".to_owned();
                    let all = Pictures {
                        dataset: dataset.as_ref(),
                        part: Part::All,
                        limit: None,
                        ..job.pictures
                    };
                    let (tokenizer, took) = self.fit(fit, &all)?;
                    earlier = took;
                    (tokenizer, variant)
                }
                Fit::HeldOut => {
                    let held_out = Pictures { part: Part::Train, ..job.pictures };
                    let train = job.training.unwrap_or(held_out);
                    let variant = "fit held out".to_owned();
                    let (tokenizer, took) = self.fit(fit, &train)?;
                    earlier = took;
                    (tokenizer, variant)
                }
            },
        };
        let made_of = self.made_of(reference, job)?;
        let loaded = Loaded { tokenizer, variant, made_of, took: start.elapsed() + earlier };
        let spec = loaded.tokenizer.spec();
        let files = spec.weights.iter().map(WeightFile::from);
        self.folder.provenance.weights.insert(spec.id.clone(), files.collect());
        Ok(loaded)
    }

    fn pass(&mut self, job: &Job<'_>, group: &[Loaded]) -> Result<(), Failure> {
        let dataset = job.pictures.dataset.id().to_owned();
        let failed = |source| Failure::Suite { dataset: dataset.clone(), source: Box::new(source) };
        let title = format!("{} · {} · {}", job.suite.id(), dataset, job.protocol.name);
        let cache = feature_cache::folder(self.plan, &self.args.cached);
        let place = [dataset.as_str(), &job.protocol.name, "originals"];
        let save_features = self.plan.save.features.then(|| self.folder.arrays(place));
        let save_features =
            save_features.transpose()?.map(|folder| folder.join("features.safetensors"));
        let (metrics, batch, seed) = (&self.plan.metrics, self.args.pictures.batch, self.plan.seed);
        let journals = self.journals(job, group);
        let (arrays, originals) = (self.arrays(job, group)?, self.originals(job)?);
        let style = self.args.pace.progress;
        let progress = Progress::new(style, self.streams, title, job.pictures.count());
        let wanted = self.plan.save.wanted();
        let watcher = Watcher::of(progress, self.streams);
        let folder = Some(&mut *self.folder);
        let mut watcher = Watcher { wanted, arrays, originals, folder, ..watcher };
        let interrupted = watcher.streams.interrupted;
        let subjects: Vec<&dyn Tokenizer> =
            group.iter().map(|loaded| loaded.tokenizer.as_ref()).collect();
        let load_times: Vec<Duration> = group.iter().map(|loaded| loaded.took).collect();
        let mut context = Context {
            metrics,
            device: &self.device,
            batch,
            seed,
            protocol: job.protocol,
            networks: job.networks,
            allow_unlike_reference: self.plan.allow_unlike_reference,
            training: job.training,
            text_tower: job.text_tower,
            load_times: &load_times,
            reference: self.plan.reference.as_deref(),
            cache: cache.as_deref(),
            save_features: save_features.as_deref(),
            journals: &journals,
            save_samples: None,
            interrupted,
            observer: &mut watcher,
        };
        let pass = job.suite.run(&subjects, &job.pictures, &mut context);
        let Watcher { progress, arrays, originals, failed: has_failed, .. } = watcher;
        progress.finish();
        self.failures |= has_failed;
        // Of a shard there is nothing but its journals.
        let Some(pass) = pass.map_err(failed)? else { return Ok(()) };
        for warning in &pass.warnings {
            self.streams.say(&format!("warning: {warning}"));
        }
        for remark in group.iter().flat_map(|loaded| loaded.tokenizer.remarks()) {
            self.streams.say(&format!("warning: {remark}"));
        }
        self.finish_arrays(arrays, originals, group, &pass)
            .map_err(|error| failed(SuiteError::Save(Box::new(error))))?;
        self.keep(job, group, &pass)?;
        self.folder.let_go(&journals, has_failed)
    }

    /// Where a pass keeps what it has measured.
    fn journals(&self, job: &Job<'_>, group: &[Loaded]) -> Journals {
        let mut hash = Sha256::new_with_prefix(job.protocol.sha256_for(job.suite.concern()));
        for loaded in group {
            hash.update([loaded.tokenizer.spec().id.as_bytes(), b"\n"].concat());
        }
        let key = hexadecimal(&hash.finalize()[..4]);
        let what = format!("{} {}", job.suite.id(), job.pictures.dataset.id());
        self.journals.under(&named_after([&what, &job.protocol.name, &key]))
    }

    /// Turns a pass into records and per-image values, and writes them.
    fn keep(&mut self, job: &Job<'_>, group: &[Loaded], pass: &Pass) -> Result<(), Failure> {
        let run = self.folder.provenance.run.clone();
        let common = Common {
            run: &run,
            suite: job.suite,
            dataset: job.pictures.dataset.id(),
            split: job.pictures.part.name(),
            resolution: job.pictures.resolution(),
            protocol: job.protocol,
            reference_sha256: &pass.pictures.sha256,
            device: self.folder.provenance.device_for(job.suite.concern()),
        };
        let (mut records, mut samples) = (Vec::new(), Vec::new());
        for (loaded, report) in group.iter().zip(&pass.reports) {
            let spec = loaded.tokenizer.spec();
            let weights_sha256 = sha256_of_all(&spec.weights);
            let subject = Subject { id: &spec.id, variant: &loaded.variant, weights_sha256 };
            records.extend(common.of_report(&subject, report));
            samples.push(sample_stream(&common, &subject, &pass.pictures, report));
        }
        let skipped = pass.pictures.skipped.iter();
        let skipped: Vec<SkippedPicture> = skipped
            .map(|skipped| SkippedPicture {
                id: skipped.id.clone(),
                reason: skipped.reason.clone(),
            })
            .collect();
        for SkippedPicture { id, reason } in &skipped {
            self.streams.say(&format!("warning: left out `{id}`: {reason}"));
        }
        if !skipped.is_empty() {
            let (left_out, all) = (skipped.len(), job.pictures.count());
            self.streams.say(&format!("warning: {left_out} of {all} pictures were left out"));
        }
        let set = PictureSet {
            dataset: job.pictures.dataset.id().to_owned(),
            split: job.pictures.part.name().to_owned(),
            protocol_sha256: job.protocol.sha256_for(job.suite.concern()),
            sha256: pass.pictures.sha256.clone(),
            n: pass.pictures.count() as u64,
            skipped,
        };
        self.folder.note_pictures(set);
        for loaded in group {
            let contents_sha256 = pass.pictures.contents_sha256.clone();
            self.folder.note(MadeOf { contents_sha256, ..loaded.made_of.clone() });
        }
        self.folder.add(records, samples)
    }
}

/// Passes that a plan needs, as far as they are known before anything is opened.
fn passes(plan: &Plan) -> u64 {
    let judges = |suite: &dyn Suite| suite.concern() == Concern::Generation;
    let (judging, others): (Vec<_>, Vec<_>) =
        plan.suites.iter().partition(|suite| judges(suite.as_ref()));
    let decoded = |judged: &Judged| match judged {
        Judged::Samples(_) => 1,
        Judged::Latents(_) | Judged::Generator(_) => plan.tokenizers.len(),
    };
    let rows: usize = plan.judged.iter().map(decoded).sum();
    let sets = judging.len() * rows * plan.data.len().max(1) + others.len() * plan.data.len();
    (sets * plan.protocols.len()) as u64
}

fn needs_fit(reference: &TokenizerRef) -> bool {
    baselines::registry().iter().any(|entry| {
        entry.needs == baselines::Needs::TrainingPictures
            && reference.id.split(':').next() == Some(entry.family)
    })
}
