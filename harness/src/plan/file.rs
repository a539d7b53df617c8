use std::collections::BTreeMap;
use std::path::Path;

use prismbench_baselines::{GeneratorRef, TokenizerRef};
use prismbench_core::{nearest, unversioned};
use prismbench_suites::{GenerationSuite, ReconstructionSuite, Suite};
use serde::{Deserialize, Serialize};

use super::PlanError;
use crate::cli::RunArgs;
use crate::data_sets::DataChoice;
use crate::judged::LatentsChoice;

/// A plan file as it is written. Its keys are described in `default.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanFile {
    pub(super) format: u32,
    pub(super) name: String,
    #[serde(default = "reconstruction")]
    pub(super) suites: Vec<String>,
    #[serde(default)]
    pub(super) tokenizers: Vec<String>,
    #[serde(default)]
    pub(super) data: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) samples: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) latents: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) generators: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sampling: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) guide: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) labels: Option<String>,
    #[serde(default = "held_out")]
    pub(super) fit: String,
    #[serde(default = "default_protocol")]
    pub(super) protocols: Vec<String>,
    #[serde(default)]
    pub(super) metrics: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
    #[serde(default, rename = "allow-unlike-reference", skip_serializing_if = "is_false")]
    pub(super) allow_unlike_reference: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<u64>,
    #[serde(default)]
    pub(super) seed: u64,
    #[serde(default = "stop")]
    pub(super) bad: String,
    #[serde(default)]
    pub(super) save: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) set: BTreeMap<String, toml::Value>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) weights: BTreeMap<String, String>,
}

const KEYS: [&str; 23] = [
    "format",
    "name",
    "suites",
    "tokenizers",
    "data",
    "samples",
    "latents",
    "generators",
    "sampling",
    "guide",
    "labels",
    "fit",
    "protocols",
    "metrics",
    "reference",
    "allow-unlike-reference",
    "device",
    "limit",
    "seed",
    "bad",
    "save",
    "set",
    "weights",
];
pub(super) const HELD_OUT: &str = "held-out";

fn reconstruction() -> Vec<String> {
    vec![ReconstructionSuite.id().to_owned()]
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

fn held_out() -> String {
    HELD_OUT.to_owned()
}

fn default_protocol() -> Vec<String> {
    vec!["default".to_owned()]
}

fn stop() -> String {
    "stop".to_owned()
}

pub(super) fn read(path: &Path) -> Result<PlanFile, PlanError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| PlanError::Read { path: path.to_owned(), source })?;
    let mut file = parse(&path.display().to_string(), &text)?;
    // What a plan file names stands beside it, wherever the command is run from.
    file.set_beside(path.parent().unwrap_or(Path::new("")));
    Ok(file)
}

impl PlanFile {
    /// Lets every relative path start at a folder.
    pub(super) fn set_beside(&mut self, folder: &Path) {
        let beside = |data: &mut String| {
            // What is no spec is refused when the plan is resolved.
            if let Ok(choice) = data.parse::<DataChoice>() {
                *data = choice.beside(folder).to_string();
            }
        };
        self.data.iter_mut().for_each(beside);
        if self.fit != HELD_OUT {
            beside(&mut self.fit);
        }
        self.samples.iter_mut().for_each(beside);
        for latents in &mut self.latents {
            if let Ok(choice) = latents.parse::<LatentsChoice>() {
                *latents = choice.beside(folder).to_string();
            }
        }
        for generator in self.generators.iter_mut().chain(&mut self.guide) {
            if let Ok(reference) = generator.parse::<GeneratorRef>() {
                *generator = reference.beside(folder).to_string();
            }
        }
        let config = self.sampling.iter_mut().filter(|how| is_config(how));
        for path in self.reference.iter_mut().chain(self.weights.values_mut()).chain(config) {
            *path = folder.join(&*path).display().to_string();
        }
        for tokenizer in &mut self.tokenizers {
            // What is no reference is answered when the plan is resolved.
            if let Ok(reference) = tokenizer.parse::<TokenizerRef>() {
                *tokenizer = reference.beside(folder).to_string();
            }
        }
    }
}

/// Whether what is said of sampling names a configuration.
pub(super) fn is_config(sampling: &str) -> bool {
    let extension = Path::new(sampling).extension();
    extension.is_some_and(|extension| extension == "yaml" || extension == "yml")
}

pub(super) fn parse(plan: &str, text: &str) -> Result<PlanFile, PlanError> {
    let broken = |source| PlanError::Parse { plan: plan.to_owned(), source: Box::new(source) };
    let table: toml::Table = toml::from_str(text).map_err(broken)?;
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let (plan, nearest) = (plan.to_owned(), nearest(key, KEYS));
        return Err(PlanError::UnknownKey { plan, key: key.clone(), nearest });
    }
    // From the text again, so that an error shows its line.
    let file: PlanFile = toml::from_str(text).map_err(broken)?;
    match file.format {
        1 => Ok(file),
        found => Err(PlanError::Format { plan: plan.to_owned(), found }),
    }
}

fn replace(values: &mut Vec<String>, given: &[String]) {
    if !given.is_empty() {
        *values = given.to_vec();
    }
}

/// Samples, latents and generators, and how these are sampled.
fn judge_what_is_given(file: &mut PlanFile, args: &RunArgs) {
    if [&args.samples, &args.latents, &args.generators].iter().any(|given| !given.is_empty()) {
        // What is judged brings the rest along: nothing of the plan belongs to it.
        file.suites = vec![GenerationSuite.id().to_owned()];
        file.tokenizers.clear();
        file.data.clear();
        file.metrics.clear();
    }
    replace(&mut file.samples, &args.samples);
    replace(&mut file.latents, &args.latents);
    replace(&mut file.generators, &args.generators);
    for (value, given) in [
        (&mut file.sampling, &args.sampling),
        (&mut file.guide, &args.guide),
        (&mut file.labels, &args.labels),
    ] {
        if given.is_some() {
            value.clone_from(given);
        }
    }
    file.allow_unlike_reference |= args.allow_unlike_reference;
}

pub(super) fn override_with(file: &mut PlanFile, args: &RunArgs) -> Result<(), PlanError> {
    judge_what_is_given(file, args);
    if !args.data.is_empty() {
        // The plan's pictures for fitting belong to the plan's data.
        file.fit = held_out();
    }
    replace(&mut file.data, &args.data);
    replace(&mut file.tokenizers, &args.tokenizers);
    replace(&mut file.protocols, &args.protocols);
    if !args.suites.is_empty() {
        // The plan's metrics belong to the plan's suites.
        file.metrics.clear();
    }
    replace(&mut file.suites, &args.suites);
    let judges = |suite: &String| unversioned(suite) == GenerationSuite.id();
    for (what, given) in
        [("samples", &args.samples), ("latents", &args.latents), ("generator", &args.generators)]
    {
        if !given.is_empty() && !file.suites.iter().any(judges) {
            return Err(PlanError::Unjudged { what, suites: file.suites.join(" ") });
        }
    }
    replace(&mut file.metrics, &args.metrics);
    replace(&mut file.save, &args.save);
    if let Some(reference) = &args.reference {
        file.reference = Some(reference.display().to_string());
    }
    for given in &args.weights {
        let (name, path) =
            given.split_once('=').ok_or_else(|| PlanError::Weights { found: given.clone() })?;
        file.weights.insert(name.to_owned(), path.to_owned());
    }
    if let Some(fit) = &args.fit {
        file.fit.clone_from(fit);
    }
    if let Some(device) = args.device {
        file.device = Some(device.to_string());
    }
    file.limit = args.limit.or(file.limit);
    file.seed = args.seed.unwrap_or(file.seed);
    if args.pictures.skip_bad {
        file.bad = "skip".to_owned();
    }
    for change in &args.set {
        let (field, value) =
            change.split_once('=').ok_or_else(|| PlanError::Set { found: change.clone() })?;
        // A number as TOML writes it, so that a flag and a plan file give one resolved plan.
        let value = value.parse::<i64>().map_or_else(|_| value.into(), toml::Value::from);
        file.set.insert(field.to_owned(), value);
    }
    if let Some(mask) = &args.band_mask {
        file.set.insert("band-mask".to_owned(), mask.clone().into());
    }
    Ok(())
}
