//! Measures what a plan of published numbers asks for, and tries other protocols where it does not agree.

use std::path::{Path, PathBuf};

use prismbench_core::{Choice, Crop, Protocol, Record};
use prismbench_reports::{Agreement, Reproduction, Suspect, Target, Trial};
use prismbench_suites::{SuiteError, suites};

use super::measured::{Measured, record_of};
use super::{DrawnBy, Given, OF_SAMPLES, Part, SAMPLES, SUSPECTS, Suspicion, UNCROPPED, UNTRIABLE};
use crate::cli::{ReproduceArgs, RunArgs};
use crate::cmd::run::measure;
use crate::error::Failure;
use crate::plan::Plan;
use crate::{Exit, Streams};

/// What gives pictures back as they are.
const IDENTITY: &str = "identity";

/// Characters of a subject in the name of a run folder.
const MAX_NAME: usize = 40;

/// Follows the parts of a plan, a run folder for each tokenizer: one whose weights are missing keeps no
/// other from being measured.
pub(crate) struct Reproducer<'a, 's> {
    /// Name of the plan.
    pub(crate) plan: &'a str,
    pub(crate) args: &'a ReproduceArgs,
    pub(crate) given: &'a Given,
    pub(crate) streams: &'a mut Streams<'s>,
    /// Samples that were drawn and kept: title of the part, generator, file.
    pub(crate) kept: Vec<(String, String, PathBuf)>,
}

/// What is other than in the plan.
#[derive(Clone, Copy)]
enum Change<'a> {
    Nothing,
    Field(&'a Suspicion),
    Reference(&'a Path),
    /// Pictures as they are, whose features are kept.
    Whole,
    /// Features of those in place of the originals'.
    Uncropped(&'a Path),
}

impl Reproducer<'_, '_> {
    /// What comes of the numbers of a part, in their order.
    ///
    /// # Errors
    /// What keeps everything from being measured: bad input, a full disk, an interrupt.
    pub(crate) fn part(&mut self, part: &Part) -> Result<Vec<Reproduction>, Failure> {
        let mut known: Vec<(&str, Measured)> = Vec::new();
        for number in &part.numbers {
            let Some(subject) = number.subjects.first() else { continue };
            if !known.iter().any(|(name, _)| name == subject) {
                let metrics = metrics_of(part, subject);
                known.push((subject, self.measure(part, subject, &metrics, Change::Nothing)?));
            }
        }
        let mut rows = Vec::new();
        for number in &part.numbers {
            let target = number.target.clone();
            let (subject, measured) = match number.subjects.first() {
                None => ("", Err(nothing_of(&target))),
                Some(subject) => {
                    let measured = known.iter().find(|(name, _)| name == subject);
                    let record = measured.map_or_else(
                        || Err(String::new()),
                        |(_, measured)| record_of(&target, measured),
                    );
                    (subject.as_str(), record)
                }
            };
            rows.push(Reproduction::of(target, (&part.title, subject), measured));
        }
        match self.args.no_explain {
            true => Ok(rows),
            false => self.explained(part, rows),
        }
    }

    /// Tries, for each number that does not agree, what is known to have been behind others.
    fn explained(
        &mut self,
        part: &Part,
        rows: Vec<Reproduction>,
    ) -> Result<Vec<Reproduction>, Failure> {
        let mut suspects: Vec<Vec<Suspect>> = vec![Vec::new(); rows.len()];
        let off = |row: &Reproduction| row.agreement == Agreement::Mismatch;
        let mut subjects: Vec<&str> = Vec::new();
        for row in rows.iter().filter(|row| off(row)) {
            if !subjects.contains(&row.subject.as_str()) {
                subjects.push(&row.subject);
            }
        }
        for subject in subjects {
            let members: Vec<usize> = (0..rows.len())
                .filter(|&at| off(&rows[at]) && rows[at].subject == subject)
                .collect();
            let mut found = self.fields(part, subject, (&rows, &members))?;
            found.extend(self.uncropped(part, subject, (&rows, &members))?);
            for (at, suspect) in found {
                suspects[at].push(suspect);
            }
            for at in members {
                suspects[at].extend(self.others(part, at, &rows[at])?);
            }
        }
        let rows = rows.into_iter().zip(suspects);
        Ok(rows.map(|(row, suspects)| row.suspecting(suspects)).collect())
    }

    /// Measures again with one field of the protocol changed, for all numbers of a subject at once.
    fn fields(
        &mut self,
        part: &Part,
        subject: &str,
        (rows, members): (&[Reproduction], &[usize]),
    ) -> Result<Vec<(usize, Suspect)>, Failure> {
        let mut found = Vec::new();
        if part.drawn.is_some() && self.finished(part, subject).is_none() {
            let reason =
                "the samples were not kept; --keep-samples keeps them to try it".to_owned();
            let evaluator = |&at: &usize| {
                let (change, effect) = ("another evaluator".to_owned(), "any way".to_owned());
                let trial = Trial::Untried { reason: reason.clone() };
                (at, Suspect { change, effect, trial })
            };
            return Ok(members.iter().map(evaluator).collect());
        }
        let fields = protocol(part)?.fields();
        let decides =
            |suspicion: &&Suspicion| part.drawn.is_none() || OF_SAMPLES.contains(&suspicion.field);
        for suspicion in SUSPECTS.iter().filter(decides) {
            let concerned: Vec<usize> = members
                .iter()
                .copied()
                .filter(|&at| suspicion.metrics.contains(&rows[at].target.metric.as_str()))
                .collect();
            let has_it = fields.get(suspicion.field).and_then(|value| value.as_str());
            if concerned.is_empty() || has_it == Some(suspicion.value) {
                continue;
            }
            let mut metrics: Vec<&str> = Vec::new();
            for &at in &concerned {
                let metric = rows[at].target.metric.as_str();
                if !metrics.contains(&metric) {
                    metrics.push(metric);
                }
            }
            let change = format!("{} = {}", suspicion.field, suspicion.value);
            self.streams.say(&format!("trying {change} with {subject}"));
            let measured = self.measure(part, subject, &metrics, Change::Field(suspicion))?;
            found.extend(concerned.into_iter().map(|at| {
                let trial = trial(&rows[at].target, &measured);
                let (change, effect) = (change.clone(), suspicion.effect.to_owned());
                (at, Suspect { change, effect, trial })
            }));
        }
        Ok(found)
    }

    /// Measures again against the originals as they are, without a crop.
    fn uncropped(
        &mut self,
        part: &Part,
        subject: &str,
        (rows, members): (&[Reproduction], &[usize]),
    ) -> Result<Vec<(usize, Suspect)>, Failure> {
        let (metrics, effect) = UNCROPPED;
        let is_of = |&at: &usize| metrics.contains(&rows[at].target.metric.as_str());
        let concerned: Vec<usize> = members.iter().copied().filter(is_of).collect();
        if part.drawn.is_some() || concerned.is_empty() || protocol(part)?.crop == Crop::None {
            return Ok(Vec::new());
        }
        self.streams.say(&format!("trying a reference of uncropped pictures with {subject}"));
        let wanted: Vec<&str> = metrics
            .iter()
            .copied()
            .filter(|metric| concerned.iter().any(|&at| rows[at].target.metric == *metric))
            .collect();
        let whole = self.run(part, IDENTITY, &wanted, Change::Whole)?;
        let features = whole.and_then(|(_, path)| {
            array(&path, "features.safetensors").ok_or_else(|| "it gave no features".to_owned())
        });
        let measured = match features {
            Ok(path) => self.measure(part, subject, &wanted, Change::Uncropped(&path))?,
            Err(reason) => Err(reason),
        };
        let suspect = |at: usize| {
            let (change, effect) =
                ("a reference of uncropped pictures".to_owned(), effect.to_owned());
            (at, Suspect { change, effect, trial: trial(&rows[at].target, &measured) })
        };
        Ok(concerned.into_iter().map(suspect).collect())
    }

    /// Other checkpoints of the name, another reference, and what cannot be tried.
    fn others(
        &mut self,
        part: &Part,
        at: usize,
        row: &Reproduction,
    ) -> Result<Vec<Suspect>, Failure> {
        let target = &row.target;
        let metric = [target.metric.as_str()];
        let mut found = Vec::new();
        let others = part.numbers.get(at).map_or(&[][..], |number| &number.subjects);
        for other in others.iter().skip(1) {
            self.streams.say(&format!("trying {other} for {}", target.tokenizer));
            let measured = self.measure(part, other, &metric, Change::Nothing)?;
            found.push(Suspect {
                change: format!("the checkpoint {other}"),
                effect: "another checkpoint of the same name".to_owned(),
                trial: trial(target, &measured),
            });
        }
        let wrong = self.args.wrong_reference.as_deref().filter(|_| match &part.drawn {
            None => metric == ["rfid"],
            Some(_) => {
                let has_moments = metric == ["gfid"] || metric == ["sfid"];
                has_moments && self.finished(part, &row.subject).is_some()
            }
        });
        if let Some(path) = wrong {
            let measured = self.measure(part, &row.subject, &metric, Change::Reference(path))?;
            found.push(Suspect {
                change: format!("the reference {}", path.display()),
                effect: "other pictures than those that were reconstructed".to_owned(),
                trial: trial(target, &measured),
            });
        }
        for (metrics, change, effect) in UNTRIABLE {
            if metrics.contains(&metric[0]) {
                let reason = "no field of a protocol brings it about".to_owned();
                let (change, effect) = ((*change).to_owned(), (*effect).to_owned());
                found.push(Suspect { change, effect, trial: Trial::Untried { reason } });
            }
        }
        Ok(found)
    }

    /// Runs one subject; a failure that concerns it alone is a reason.
    fn measure(
        &mut self,
        part: &Part,
        subject: &str,
        metrics: &[&str],
        change: Change<'_>,
    ) -> Result<Measured, Failure> {
        let ran = self.run(part, subject, metrics, change)?;
        Ok(ran.map(|(records, path)| {
            self.keep(part, subject, &path);
            records
        }))
    }

    /// The same with the folder of the run.
    fn run(
        &mut self,
        part: &Part,
        subject: &str,
        metrics: &[&str],
        change: Change<'_>,
    ) -> Result<Result<(Vec<Record>, PathBuf), String>, Failure> {
        if metrics.is_empty() {
            return Ok(Err(format!("the suite {} has no such metric", part.suite)));
        }
        let table = match self.table(part, subject, metrics, change) {
            Ok(table) => table,
            Err(reason) => return Ok(Err(reason)),
        };
        let args = self.run_args();
        let measured = Plan::written(&table, &args).and_then(|plan| {
            let runs = self.args.out.clone().unwrap_or_else(|| PathBuf::from("runs"));
            let path = runs.join(format!("{}-{}", plan.name, plan.hash()));
            measure(&plan, &path, &args, self.streams).map(|done| (done, path))
        });
        match measured {
            Ok((done, path)) => Ok(Ok((done.records, path))),
            Err(failure) if concerns_one(&failure, change) => Ok(Err(in_a_line(&failure))),
            Err(failure) => Err(failure),
        }
    }

    /// The finished samples of a subject, as data: given so, or drawn before and kept.
    fn finished(&self, part: &Part, subject: &str) -> Option<String> {
        let kept = |(title, name, path): &(String, String, PathBuf)| {
            (*title == part.title && name == subject).then(|| path.display().to_string())
        };
        let given = subject.strip_prefix(SAMPLES).map(str::to_owned);
        given.or_else(|| self.kept.iter().find_map(kept))
    }

    /// Remembers where the samples of a run are, if it kept them.
    fn keep(&mut self, part: &Part, subject: &str, run: &Path) {
        if !self.args.keep_samples || self.finished(part, subject).is_some() {
            return;
        }
        let file = array(run, "samples.npz");
        self.kept.extend(file.map(|path| (part.title.clone(), subject.to_owned(), path)));
    }

    /// The plan file of one run; an error says what is missing.
    fn table(
        &self,
        part: &Part,
        subject: &str,
        metrics: &[&str],
        change: Change<'_>,
    ) -> Result<toml::Table, String> {
        let list = |texts: &[&str]| -> toml::Value { texts.to_vec().into() };
        let mut table = toml::Table::new();
        let name: String = subject.chars().take(MAX_NAME).map(plain).collect();
        table.insert("format".to_owned(), 1.into());
        table.insert("name".to_owned(), format!("{}-{name}", self.plan).into());
        table.insert("suites".to_owned(), list(&[&part.suite]));
        table.insert("protocols".to_owned(), list(&[&part.protocol]));
        table.insert("metrics".to_owned(), list(metrics));
        let data = self.given.of(part);
        match &part.drawn {
            None => {
                table.insert("data".to_owned(), list(&[&data?]));
                table.insert("tokenizers".to_owned(), list(&[subject]));
            }
            Some(drawn) => {
                let reference = self.args.reference.as_ref().ok_or(
                    "no reference: name moments of training pictures with --reference FILE",
                )?;
                table.insert("reference".to_owned(), reference.display().to_string().into());
                if let Ok(data) = data {
                    table.insert("data".to_owned(), list(&[&data]));
                }
                match self.finished(part, subject) {
                    Some(samples) => drop(table.insert("samples".to_owned(), list(&[&samples]))),
                    None => {
                        table.insert("generators".to_owned(), list(&[subject]));
                        drawing(drawn, &mut table);
                        // As many as were published; --limit goes before it.
                        let n = part.numbers.iter().filter_map(|number| number.target.n).max();
                        if let Some(n) = n.and_then(|n| i64::try_from(n).ok()) {
                            table.insert("limit".to_owned(), n.into());
                        }
                        if self.args.keep_samples {
                            table.insert("save".to_owned(), list(&["samples"]));
                        }
                    }
                }
            }
        }
        let mut set: toml::Table = part.set.clone().into_iter().collect();
        match change {
            Change::Nothing => {}
            Change::Field(suspicion) => {
                set.insert(suspicion.field.to_owned(), suspicion.value.into());
            }
            Change::Reference(path) => {
                table.insert("reference".to_owned(), path.display().to_string().into());
            }
            Change::Whole => {
                set.insert("crop".to_owned(), Crop::None.id().into());
                table.insert("save".to_owned(), list(&["features"]));
            }
            Change::Uncropped(path) => {
                table.insert("reference".to_owned(), path.display().to_string().into());
                table.insert("allow-unlike-reference".to_owned(), true.into());
            }
        }
        table.insert("set".to_owned(), set.into());
        Ok(table)
    }

    fn run_args(&self) -> RunArgs {
        let args = self.args;
        RunArgs {
            weights: args.weights.clone(),
            limit: args.limit,
            pictures: args.pictures.clone(),
            cached: args.cached.clone(),
            pace: args.pace.clone(),
            exec_timeout: args.exec_timeout,
            ..RunArgs::default()
        }
    }
}

/// What a plan file says of how samples are drawn.
fn drawing(drawn: &DrawnBy, table: &mut toml::Table) {
    let DrawnBy { decoder, sampling, guide, labels } = drawn;
    table.insert("tokenizers".to_owned(), vec![decoder.as_str()].into());
    for (key, text) in [("sampling", sampling), ("guide", guide), ("labels", labels)] {
        if let Some(text) = text {
            table.insert(key.to_owned(), text.as_str().into());
        }
    }
}

/// The protocol of a part.
fn protocol(part: &Part) -> Result<Protocol, Failure> {
    let mut protocol = Protocol::preset(&part.protocol)?;
    for (field, value) in &part.set {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        protocol = protocol.with(field, &text)?;
    }
    Ok(protocol)
}

/// The metrics of a subject's numbers that the suite has.
fn metrics_of<'p>(part: &'p Part, subject: &str) -> Vec<&'p str> {
    let suites = suites();
    let suite = suites.iter().find(|suite| suite.id() == part.suite);
    let known: Vec<&str> = suite
        .map_or_else(Vec::new, |suite| suite.metrics().iter().map(|metric| metric.id).collect());
    let mut metrics: Vec<&str> = Vec::new();
    for number in &part.numbers {
        let metric = number.target.metric.as_str();
        let is_ours = number.subjects.first().is_some_and(|first| first == subject);
        if is_ours && known.contains(&metric) && !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    metrics
}

/// The array of a run that has this name; the first of several.
fn array(run: &Path, name: &str) -> Option<PathBuf> {
    let arrays = std::fs::read_dir(run.join("arrays")).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = arrays.map(|entry| entry.path().join(name)).collect();
    files.sort();
    files.into_iter().find(|path| path.is_file())
}

fn trial(target: &Target, measured: &Measured) -> Trial {
    let record = match record_of(target, measured) {
        Ok(record) => record,
        Err(reason) => return Trial::Untried { reason },
    };
    let (agreement, note) = target.held_against(&record);
    match record.outcome.value() {
        Some(value) => Trial::Value { value, agreement },
        None => Trial::Untried { reason: note },
    }
}

fn nothing_of(target: &Target) -> String {
    let name = &target.tokenizer;
    format!("there is no {name} here; --tokenizer {name}=recon:PATH or exec:COMMAND brings one")
}

/// Whether a failure says nothing of the other subjects. What is tried may fail in any way of its own.
fn concerns_one(failure: &Failure, change: Change<'_>) -> bool {
    match failure {
        Failure::Tokenizer(_) | Failure::Data(_) | Failure::NetworkMissing { .. } => true,
        Failure::Suite { source, .. } => !matches!(
            source.as_ref(),
            SuiteError::Interrupted { .. } | SuiteError::Spool(_) | SuiteError::Save(_)
        ),
        Failure::Fit { .. } | Failure::Network(_) => !matches!(change, Change::Nothing),
        _ => failure.exit() == Exit::Usage && !matches!(change, Change::Nothing),
    }
}

/// A failure with its causes and what helps, on one line.
fn in_a_line(failure: &Failure) -> String {
    let text = failure.render();
    let lines = text.lines().map(|line| {
        let line = line.trim();
        line.strip_prefix("error: ").or(line.strip_prefix("hint: ")).unwrap_or(line)
    });
    lines.collect::<Vec<_>>().join("; ")
}

fn plain(letter: char) -> char {
    if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' }
}
