//! Plans that name published numbers: what is measured for each, and on what.

mod file;
mod measured;
mod pictures;
mod reproducer;
mod suspects;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use prismbench_core::{Unit, nearest};
use prismbench_reports::{PublishedRow, Target, published};

use crate::error::Failure;
use file::{Contents, PartFile};
pub(crate) use pictures::Given;
pub(crate) use reproducer::Reproducer;
use suspects::{OF_SAMPLES, SUSPECTS, Suspicion, UNCROPPED, UNTRIABLE};

/// Plans that are part of the program.
const EMBEDDED: [(&str, &str); 3] = [
    ("rae", include_str!("../../suites/plans/rae.toml")),
    ("uae", include_str!("../../suites/plans/uae.toml")),
    ("openvision3", include_str!("../../suites/plans/openvision3.toml")),
];

/// How a subject begins that is samples which somebody has drawn.
const SAMPLES: &str = "samples:";

/// What is to come out again.
#[derive(Debug)]
pub(crate) struct ReproductionPlan {
    pub(crate) name: String,
    /// In one line, for listings.
    pub(crate) about: String,
    pub(crate) parts: Vec<Part>,
}

/// Published numbers that one protocol on one set of pictures answers.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) suite: String,
    /// Id of the data set, as published.
    pub(crate) dataset: String,
    /// The pictures, where the plan has them.
    pub(crate) data: Option<String>,
    pub(crate) protocol: String,
    pub(crate) set: BTreeMap<String, toml::Value>,
    pub(crate) drawn: Option<DrawnBy>,
    /// What is said of the part in a report.
    pub(crate) title: String,
    pub(crate) numbers: Vec<Number>,
}

/// How samples come about.
#[derive(Clone, Debug)]
pub(crate) struct DrawnBy {
    pub(crate) decoder: String,
    pub(crate) sampling: Option<String>,
    pub(crate) guide: Option<String>,
    pub(crate) labels: Option<String>,
}

/// A published number and what is run for it.
#[derive(Clone, Debug)]
pub(crate) struct Number {
    pub(crate) target: Target,
    /// Tokenizers, generators or finished samples (`samples:DATA`): the first is measured, the others are tried
    /// where it does not agree. Empty where this build has none.
    pub(crate) subjects: Vec<String>,
}

/// Why nothing can be reproduced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReproductionError {
    #[error("`{found}` is no plan, no plan file, and no published row's key or words")]
    Unknown { found: String, nearest: Option<&'static str> },
    #[error("{count} published rows match `{found}`", count = keys.len())]
    Several { found: String, keys: Vec<String> },
    #[error("no plan names the published row `{key}`, so nobody knows its protocol")]
    NoProtocol { key: String },
    #[error("plan `{plan}` is not written as it should be: {reason}")]
    Plan { plan: String, reason: String },
    #[error("`--data {found}` is for one data set, and the plan has {}", names.join(" and "))]
    WhichData { found: String, names: Vec<String> },
    #[error("`--tokenizer {found}` replaces nothing in the plan, which has {}", names.join(", "))]
    NoSubject { found: String, names: Vec<String> },
}

impl ReproductionPlan {
    /// The embedded plans.
    ///
    /// # Errors
    /// [`ReproductionError::Plan`] for one that is none; a test reads them all.
    pub(crate) fn embedded() -> Result<Vec<Self>, Failure> {
        EMBEDDED.iter().map(|(name, text)| Self::parse(name, text)).collect()
    }

    /// The plan of a name, a file, or a published row's key or words.
    ///
    /// # Errors
    /// [`ReproductionError`], with what is near.
    pub(crate) fn find(what: &str, protocol: Option<&str>) -> Result<Self, Failure> {
        if let Some((name, text)) = EMBEDDED.iter().find(|(name, _)| *name == what) {
            return Self::parse(name, text);
        }
        let path = Path::new(what);
        if path.extension().is_some_and(|extension| extension == "toml") || path.is_file() {
            let read = |source| crate::plan::PlanError::Read { path: path.to_owned(), source };
            let text = std::fs::read_to_string(path).map_err(read)?;
            let mut plan = Self::parse(what, &text)?;
            let folder = path.parent().unwrap_or(Path::new(""));
            for part in &mut plan.parts {
                if let Some(data) = &mut part.data {
                    *data =
                        data.parse::<crate::data_sets::DataChoice>()?.beside(folder).to_string();
                }
            }
            return Ok(plan);
        }
        Self::of_row(&found(what)?, protocol)
    }

    /// One published row: by the plan that names it, else as the protocol says.
    fn of_row(row: &PublishedRow, protocol: Option<&str>) -> Result<Self, Failure> {
        for mut plan in Self::embedded()? {
            for part in &mut plan.parts {
                part.numbers.retain(|number| number.target.key == row.key);
                if let Some(protocol) = protocol {
                    protocol.clone_into(&mut part.protocol);
                }
            }
            plan.parts.retain(|part| !part.numbers.is_empty());
            if !plan.parts.is_empty() {
                return Ok(plan);
            }
        }
        let Some(protocol) = protocol else {
            return Err(ReproductionError::NoProtocol { key: row.key.clone() }.into());
        };
        let part = PartFile::of_row(row, protocol);
        let part = part.resolved("row", &BTreeMap::new(), std::slice::from_ref(row))?;
        let (name, about) = ("row".to_owned(), row.key.clone());
        Ok(Self { name, about, parts: vec![part] })
    }

    pub(crate) fn parse(plan: &str, text: &str) -> Result<Self, Failure> {
        let contents = Contents::parse(plan, text)?;
        let rows = published()?;
        let parts = contents.part.into_iter();
        let parts = parts.map(|part| part.resolved(plan, &contents.tolerance, &rows));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { name: contents.name, about: contents.about, parts })
    }

    /// Ids of the data sets, each once.
    pub(crate) fn datasets(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for part in &self.parts {
            if !names.contains(&part.dataset) {
                names.push(part.dataset.clone());
            }
        }
        names
    }

    /// Replaces what is run: `NAME=REF` or `NAME=PATH`, NAME published or of a reference.
    ///
    /// # Errors
    /// [`ReproductionError::NoSubject`] for a name that the plan has not.
    pub(crate) fn replace(&mut self, given: &[String]) -> Result<(), ReproductionError> {
        for text in given {
            let mut replaced = false;
            for part in &mut self.parts {
                for number in &mut part.numbers {
                    replaced |= number.replace(text);
                }
                replaced |= part.drawn.as_mut().is_some_and(|drawn| drawn.replace(text));
            }
            if !replaced {
                let mut names: Vec<String> = Vec::new();
                for number in self.parts.iter().flat_map(|part| &part.numbers) {
                    if !names.contains(&number.target.tokenizer) {
                        names.push(number.target.tokenizer.clone());
                    }
                }
                return Err(ReproductionError::NoSubject { found: text.clone(), names });
            }
        }
        Ok(())
    }
}

impl DrawnBy {
    /// Whether `ID=PATH` names the weights of the decoder or the guide.
    fn replace(&mut self, text: &str) -> bool {
        let mut replaced = false;
        for model in std::iter::once(&mut self.decoder).chain(&mut self.guide) {
            let id = model.split('=').next().unwrap_or_default();
            if text.strip_prefix(id).is_some_and(|rest| rest.starts_with('=')) {
                text.clone_into(model);
                replaced = true;
            }
        }
        replaced
    }
}

impl Number {
    /// Whether `NAME=...` is of this number, which then runs it.
    fn replace(&mut self, text: &str) -> bool {
        let behind = |name: &str| text.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
        let id = |subject: &str| subject.split('=').next().unwrap_or_default().to_owned();
        let is_it = |subject: &&mut String| behind(&id(subject)).is_some();
        if let Some(subject) = self.subjects.iter_mut().find(is_it) {
            // An id with the path of its weights.
            text.clone_into(subject);
            return true;
        }
        let Some(given) = behind(&self.target.tokenizer) else { return false };
        let is_reference = given.starts_with(SAMPLES)
            || given.parse::<prismbench_baselines::TokenizerRef>().is_ok();
        let reference = match self.subjects.first() {
            Some(model) if !is_reference => format!("{}={given}", id(model)),
            _ => given,
        };
        self.subjects = vec![reference];
        true
    }
}

/// The row of a key, or the only one that has all these words.
fn found(what: &str) -> Result<PublishedRow, Failure> {
    let rows = published()?;
    if let Some(row) = rows.iter().find(|row| row.key == what) {
        return Ok(row.clone());
    }
    let mut rows: Vec<_> = rows.into_iter().filter(|row| row.matches(what)).collect();
    match rows.len() {
        1 => Ok(rows.remove(0)),
        0 => {
            let nearest = nearest(what, EMBEDDED.iter().map(|(name, _)| *name));
            Err(ReproductionError::Unknown { found: what.to_owned(), nearest }.into())
        }
        _ => {
            let keys = rows.into_iter().map(|row| row.key).collect();
            Err(ReproductionError::Several { found: what.to_owned(), keys }.into())
        }
    }
}

/// Unit of a metric that some suite has.
fn unit_of(metric: &str) -> Option<Unit> {
    let suites = prismbench_suites::suites();
    let mut metrics = suites.iter().flat_map(|suite| suite.metrics());
    metrics.find(|known| known.id == metric).map(|metric| metric.unit)
}
