mod file;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use prismbench_baselines::{GeneratorRef, ReleasedConfigError, TokenizerRef, released_sampling};
use prismbench_core::{
    BadSetting, Concern, LabelRule, Protocol, Quantiser, Sampling, hexadecimal, nearest,
};
use prismbench_data::{DataSpec, Limits};
use prismbench_suites::{NetworkKind, OnBad, Suite, suites};
use sha2::{Digest, Sha256};

use crate::cli::RunArgs;
use crate::data_sets::DataChoice;
use crate::device::DeviceChoice;
use crate::error::Failure;
use crate::judged::{Judged, LatentsChoice, NoScale};
use crate::networks;
use crate::saving::Save;
use file::{HELD_OUT, PlanFile, is_config, override_with, parse, read};

/// What a run does, with every default filled in and everything checked that needs no file.
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) suites: Vec<Box<dyn Suite>>,
    pub(crate) tokenizers: Vec<TokenizerRef>,
    pub(crate) data: Vec<DataChoice>,
    /// What the generation suite judges.
    pub(crate) judged: Vec<Judged>,
    pub(crate) drawing: Drawing,
    pub(crate) fit: Fit,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) metrics: Vec<String>,
    /// Those of them that were asked for by name.
    pub(crate) named_metrics: Vec<String>,
    /// Weights of feature networks, by the name of the network.
    pub(crate) weights: BTreeMap<String, PathBuf>,
    /// Features that stand for those of the original pictures.
    pub(crate) reference: Option<PathBuf>,
    /// Whether a reference that was made otherwise may serve.
    pub(crate) allow_unlike_reference: bool,
    /// Where features and weights are kept, if not where the environment says. No number depends
    /// on it, and it is not part of the text.
    pub(crate) cache: Option<PathBuf>,
    /// What pictures may be.
    pub(crate) limits: Limits,
    /// Where tokenizers and networks compute.
    pub(crate) device: DeviceChoice,
    pub(crate) limit: Option<u64>,
    pub(crate) seed: u64,
    pub(crate) on_bad: OnBad,
    pub(crate) save: Save,
    /// The resolved plan as a plan file.
    pub(crate) text: String,
}

/// How generators are run.
pub(crate) struct Drawing {
    /// Integrator, points and guidance; none for as each is published.
    pub(crate) sampling: Option<Sampling>,
    /// The weaker generator of autoguidance.
    pub(crate) guide: Option<GeneratorRef>,
    /// Which classes are drawn.
    pub(crate) labels: LabelRule,
}

/// What tokenizers that need training pictures are fitted on.
pub(crate) enum Fit {
    /// Every fourth picture of the data, on which nothing is then measured.
    HeldOut,
    /// Other pictures.
    On(DataSpec),
}

/// Why a plan cannot be followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("no plan file `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("plan `{plan}` is not written as it should be")]
    Parse { plan: String, source: Box<toml::de::Error> },
    #[error("plan `{plan}` has an unknown key `{key}`")]
    UnknownKey { plan: String, key: String, nearest: Option<&'static str> },
    #[error("plan `{plan}` is of format {found}; this build reads format 1")]
    Format { plan: String, found: u32 },
    #[error("the plan names no {what}")]
    Nothing { what: &'static str },
    #[error("`{value}` is twice among the {what} of the plan")]
    Twice { what: &'static str, value: String },
    #[error("plan key `{key}`: `{found}` is not {expected}")]
    BadValue { key: &'static str, found: String, expected: String },
    #[error("`--set {found}` is not FIELD=VALUE")]
    Set { found: String },
    #[error(transparent)]
    Scale(#[from] NoScale),
    #[error("the plan judges samples and names nothing to compare them with")]
    NoReference,
    #[error(transparent)]
    Setting(#[from] BadSetting),
    #[error(transparent)]
    Sampling(#[from] ReleasedConfigError),
    #[error("nothing judges what --{what} gives: the suites asked for are {suites}")]
    Unjudged { what: &'static str, suites: String },
    #[error("the plan judges latents and names no tokenizer that decodes them")]
    NoDecoder,
    #[error("`--weights {found}` is not NAME=FILE")]
    Weights { found: String },
}

impl Plan {
    /// The plan that the arguments name, with their changes.
    pub(crate) fn resolve(args: &RunArgs) -> Result<Self, Failure> {
        Ok(Self {
            cache: args.cached.cache.clone(),
            limits: limits(args),
            ..resolve(named(args)?)?
        })
    }

    /// The same, and as the text of a plan file that means it wherever it lies: paths start at `base`, an
    /// absolute path. Unlike [`text`](Self::text) it leaves metrics open that nobody named.
    pub(crate) fn portable(args: &RunArgs, base: &Path) -> Result<(Self, String), Failure> {
        let mut file = named(args)?;
        file.set_beside(base);
        let text = toml::to_string(&file).map_err(|error| unwritable(&file, &error))?;
        Ok((
            Self { cache: args.cached.cache.clone(), limits: limits(args), ..resolve(file)? },
            text,
        ))
    }

    /// The plan that a run folder keeps. Its paths are as they were given, not beside it; and it names every
    /// metric, whoever chose it, so that those whose networks are missing are left out with the reason: had
    /// one been asked for, nothing would have been measured.
    pub(crate) fn kept(path: &Path, args: &RunArgs) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| PlanError::Read { path: path.to_owned(), source })?;
        let file = parse(&path.display().to_string(), &text)?;
        let (cache, limits) = (args.cached.cache.clone(), limits(args));
        Ok(Self { cache, limits, named_metrics: Vec::new(), ..resolve(file)? })
    }

    /// A plan that another part of the program made, with the changes of the arguments. Metrics whose
    /// networks are missing are left out with the reason, although they are named.
    pub(crate) fn written(table: &toml::Table, args: &RunArgs) -> Result<Self, Failure> {
        let mut file = parse("made here", &table.to_string())?;
        override_with(&mut file, args)?;
        let (cache, limits) = (args.cached.cache.clone(), limits(args));
        Ok(Self { cache, limits, named_metrics: Vec::new(), ..resolve(file)? })
    }

    /// First digits of the sha256 of the resolved plan.
    pub(crate) fn hash(&self) -> String {
        hexadecimal(&Sha256::digest(&self.text)[..4])
    }
}

/// What pictures may be, which decides no number and is no part of the plan's text.
fn limits(args: &RunArgs) -> Limits {
    args.pictures.max_image_pixels.map_or_else(Limits::default, Limits::of_pixels)
}

/// The plan file that the arguments name, with their changes.
fn named(args: &RunArgs) -> Result<PlanFile, Failure> {
    let mut file = match args.plan.as_deref() {
        None | Some("default") => parse("default", include_str!("../default.toml"))?,
        Some(path) => read(Path::new(path))?,
    };
    override_with(&mut file, args)?;
    Ok(file)
}

fn unwritable(file: &PlanFile, error: &toml::ser::Error) -> PlanError {
    bad_value("set", &format!("{:?}", file.set), &format!("writable: {error}"))
}

fn resolve(mut file: PlanFile) -> Result<Plan, Failure> {
    let tokenizers = file
        .tokenizers
        .iter()
        .map(|text| text.parse())
        .collect::<Result<Vec<TokenizerRef>, _>>()?;
    let ids: Vec<String> = tokenizers.iter().map(|tokenizer| tokenizer.id.clone()).collect();
    let data = file.data.iter().map(|text| text.parse()).collect::<Result<Vec<DataChoice>, _>>()?;
    let protocols = file
        .protocols
        .iter()
        .map(|name| protocol(name, &file.set))
        .collect::<Result<Vec<_>, _>>()?;
    let hashes: Vec<String> = protocols.iter().map(Protocol::sha256).collect();
    some("protocols", &hashes)?;
    distinct("protocols", &hashes)?;
    file.weights.keys().try_for_each(|name| networks::check_name(name))?;
    let chosen = chosen_suites(&file.suites)?;
    let judged = judged(&file, &chosen)?;
    if chosen.iter().any(|suite| suite.concern() != Concern::Generation) {
        some("tokenizers", &ids)?;
        some("data", &file.data)?;
    }
    distinct("tokenizers", &ids)?;
    distinct("data", &file.data)?;
    let drawing = drawing(&file)?;
    // A configuration is what it says, wherever it lies.
    file.sampling = drawing.sampling.map(|sampling| sampling.to_string());
    let named_metrics = file.metrics.clone();
    let metrics = chosen_metrics(&chosen, &file.metrics)?;
    let on_bad = checked(&file, &metrics)?;
    let save = save(&file, &chosen, &protocols)?;
    let fit = if file.fit == HELD_OUT { Fit::HeldOut } else { Fit::On(file.fit.parse()?) };
    let device = device(&file)?;
    // What everything is without a word is not said, so that such plans keep their hashes.
    // Which of several GPUs computes decides no number: shards of one plan are on different ones.
    file.device = (device != DeviceChoice::Cpu).then(|| "cuda".to_owned());
    // References and metrics in full, so that equal runs have equal plans however they were asked for.
    file.tokenizers = tokenizers.iter().map(ToString::to_string).collect();
    file.metrics.clone_from(&metrics);
    let text = toml::to_string(&file).map_err(|error| unwritable(&file, &error))?;
    Ok(Plan {
        name: file.name,
        suites: chosen,
        tokenizers,
        data,
        judged,
        drawing,
        fit,
        protocols,
        metrics,
        named_metrics,
        weights: file.weights.into_iter().map(|(name, path)| (name, path.into())).collect(),
        reference: file.reference.map(PathBuf::from),
        allow_unlike_reference: file.allow_unlike_reference,
        cache: None,
        limits: Limits::default(),
        device,
        limit: file.limit,
        seed: file.seed,
        on_bad,
        save,
        text,
    })
}

fn device(file: &PlanFile) -> Result<DeviceChoice, PlanError> {
    match file.device.as_deref() {
        None => Ok(DeviceChoice::default()),
        Some(text) => text.parse().map_err(|_| bad_value("device", text, "cpu, cuda or cuda:N")),
    }
}

/// The single values of a plan file, and what a bad picture does.
fn checked(file: &PlanFile, metrics: &[String]) -> Result<OnBad, PlanError> {
    let compares = |id: &String| {
        use NetworkKind::{Clip, Dinov2, Encoder, Inception};
        matches!(NetworkKind::of(id), Some(Inception | Dinov2 | Clip | Encoder))
    };
    if let Some(reference) = file.reference.as_ref().filter(|_| !metrics.iter().any(compares)) {
        let expected = "of use to the plan's metrics; `--metric rfid` takes one";
        return Err(bad_value("reference", reference, expected));
    }
    let on_bad = match file.bad.as_str() {
        "stop" => OnBad::Stop,
        "skip" => OnBad::Skip,
        found => return Err(bad_value("bad", found, "`stop` or `skip`")),
    };
    if file.limit == Some(0) {
        return Err(bad_value("limit", "0", "a whole number above 0"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    if file.name.is_empty() || !file.name.chars().all(plain) || file.name.starts_with('.') {
        let expected = "a name of letters, digits, `-`, `_` and `.`";
        return Err(bad_value("name", &file.name, expected));
    }
    Ok(on_bad)
}

/// The arrays to keep, which every protocol must have.
fn save(
    file: &PlanFile,
    suites: &[Box<dyn Suite>],
    protocols: &[Protocol],
) -> Result<Save, PlanError> {
    let save = Save::parse(&file.save)?;
    let judging = suites.iter().filter(|suite| suite.concern() == Concern::Generation).count();
    if save.samples && judging == 0 {
        let expected = "of use without the suite `generation`, which makes samples";
        return Err(bad_value("save", "samples", expected));
    }
    if (save.anything() || save.features) && judging == suites.len() {
        let expected = "of use to the suite `generation`, which has `samples` to save";
        return Err(bad_value("save", &file.save.join(", "), expected));
    }
    let unrounded = |protocol: &Protocol| protocol.quantiser == Quantiser::None;
    if save.reconstructions && protocols.iter().any(unrounded) {
        let expected = "possible under `quantiser = \"none\"`, which leaves nothing 8-bit to save";
        return Err(bad_value("save", "reconstructions", expected));
    }
    Ok(save)
}

fn protocol(name: &str, set: &BTreeMap<String, toml::Value>) -> Result<Protocol, Failure> {
    let mut protocol = Protocol::preset(name)?;
    for (field, value) in set {
        let text = match value {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        protocol = protocol.with(field, &text)?;
    }
    Ok(protocol)
}

fn chosen_suites(wanted: &[String]) -> Result<Vec<Box<dyn Suite>>, Failure> {
    some("suites", wanted)?;
    distinct("suites", wanted)?;
    wanted
        .iter()
        .map(|id| {
            suites().into_iter().find(|suite| suite.id() == id).ok_or_else(|| {
                let known = suites();
                let nearest = nearest(id, known.iter().map(|suite| suite.id()));
                let nearest = nearest.map(str::to_owned);
                Failure::Unknown { what: "suite", found: id.clone(), nearest }
            })
        })
        .collect()
}

/// The wanted metrics in the suites' order; when none is named, all that need no naming.
fn chosen_metrics(suites: &[Box<dyn Suite>], wanted: &[String]) -> Result<Vec<String>, Failure> {
    let known: Vec<&str> =
        suites.iter().flat_map(|suite| suite.metrics()).map(|metric| metric.id).collect();
    if let Some(unknown) = wanted.iter().find(|id| !known.contains(&id.as_str())) {
        let nearest = nearest(unknown, known.iter().copied()).map(str::to_owned);
        return Err(Failure::Unknown { what: "metric", found: unknown.clone(), nearest });
    }
    let on_request: Vec<&str> =
        suites.iter().flat_map(|suite| suite.on_request()).copied().collect();
    let is_wanted = |id: &&&str| match wanted {
        [] => !on_request.contains(*id),
        wanted => wanted.iter().any(|name| name == **id),
    };
    // Two suites may share a metric.
    let mut chosen: Vec<String> = Vec::new();
    for id in known.iter().filter(is_wanted) {
        if !chosen.iter().any(|known| known == id) {
            chosen.push((*id).to_owned());
        }
    }
    Ok(chosen)
}

/// What the generation suite judges, with what that needs.
fn judged(file: &PlanFile, suites: &[Box<dyn Suite>]) -> Result<Vec<Judged>, Failure> {
    let judges = suites.iter().any(|suite| suite.concern() == Concern::Generation);
    distinct("samples", &file.samples)?;
    distinct("latents", &file.latents)?;
    distinct("generators", &file.generators)?;
    let mut judged = Vec::new();
    for samples in &file.samples {
        judged.push(Judged::Samples(samples.parse()?));
    }
    for latents in &file.latents {
        let choice: LatentsChoice = latents.parse().map_err(PlanError::from)?;
        judged.push(Judged::Latents(choice));
    }
    for generator in &file.generators {
        judged.push(Judged::Generator(generator.parse()?));
    }
    if !judges {
        return Ok(judged);
    }
    if judged.is_empty() {
        let what = "samples, latents or generators for its suite `generation`";
        return Err(PlanError::Nothing { what }.into());
    }
    if file.reference.is_none() && file.data.is_empty() {
        return Err(PlanError::NoReference.into());
    }
    let decodes = !file.latents.is_empty() || !file.generators.is_empty();
    if decodes && file.tokenizers.is_empty() {
        return Err(PlanError::NoDecoder.into());
    }
    Ok(judged)
}

fn drawing(file: &PlanFile) -> Result<Drawing, Failure> {
    let sampling = file.sampling.as_deref().map(sampling).transpose()?;
    let guide = file.guide.as_deref().map(str::parse).transpose()?;
    let labels = file.labels.as_deref().map_or(Ok(LabelRule::Balanced), str::parse)?;
    Ok(Drawing { sampling, guide, labels })
}

/// How is sampled: as it is written, or as a released configuration has it.
fn sampling(text: &str) -> Result<Sampling, PlanError> {
    match is_config(text) {
        true => Ok(released_sampling(Path::new(text))?),
        false => Ok(text.parse()?),
    }
}

fn some(what: &'static str, values: &[String]) -> Result<(), PlanError> {
    if values.is_empty() { Err(PlanError::Nothing { what }) } else { Ok(()) }
}

/// Each tokenizer, data set and protocol once: two rows that look alike would be read as one.
fn distinct(what: &'static str, values: &[String]) -> Result<(), PlanError> {
    match values.iter().enumerate().find(|(i, value)| values[..*i].contains(value)) {
        Some((_, value)) => Err(PlanError::Twice { what, value: value.clone() }),
        None => Ok(()),
    }
}

fn bad_value(key: &'static str, found: &str, expected: &str) -> PlanError {
    PlanError::BadValue { key, found: found.to_owned(), expected: expected.to_owned() }
}
