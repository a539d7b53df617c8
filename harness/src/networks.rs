use std::path::{Path, PathBuf};

use candle_core::Device;
use prismbench_baselines::{
    self as baselines, Hub, Instrument, OpenError, OpenOptions, Opened, TokenizerRef,
};
use prismbench_core::{
    Choice, Crop, FdEncoder, JointSpace, LpipsTrunk, NetworkArithmetic, Protocol, TokenizerError,
    Weights,
};
use prismbench_kernels::nn::Arithmetic;
use prismbench_metrics::{
    FeatureNetwork, Inception, Lpips, LpipsHead, NetworkCost, NetworkError, RandomFilters,
};
use prismbench_suites::{EncoderRule, EncoderSpace, Lent, NetworkKind, Networks};

use crate::error::Failure;
use crate::plan::Plan;
use crate::provenance::NetworkCount;

/// Names of weights that `--weights NAME=FILE` and a plan's table `[weights]` know.
pub(crate) const NAMES: [&str; 11] = [
    "inception",
    "dinov2",
    "clip",
    "lpips-alex",
    "lpips-alex-head",
    "lpips-vgg",
    "lpips-vgg-head",
    "lpips-squeeze",
    "lpips-squeeze-head",
    TEXT_TOWER,
    FdEncoder::FIELD,
];

/// Name of the weights of the text tower that a protocol's `joint-space` names.
pub(crate) const TEXT_TOWER: &str = "text-tower";

/// Where weights and features are kept: `--cache`, else `PRISMBENCH_CACHE`, else the user's cache
/// folder.
pub(crate) fn cache_folder(plan: &Plan) -> Option<PathBuf> {
    cache_of(plan.cache.as_deref())
}

/// The same for what the command line says.
pub(crate) fn cache_of(given: Option<&Path>) -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let named = variable("PRISMBENCH_CACHE").map(PathBuf::from);
    let xdg = || variable("XDG_CACHE_HOME").map(|folder| PathBuf::from(folder).join("prismbench"));
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".cache/prismbench"));
    given.map(Path::to_owned).or(named).or_else(xdg).or_else(home)
}

/// The networks that the plan's metrics need under a protocol.
///
/// # Errors
/// [`Failure::NetworkMissing`] when the weights of a metric that was named are not there,
/// [`Failure::Network`] when a file is there and does not serve.
pub(crate) fn lend(plan: &Plan, protocol: &Protocol, device: &Device) -> Result<Networks, Failure> {
    let needs = |kind| plan.metrics.iter().any(|id| NetworkKind::of(id) == Some(kind));
    let arithmetic = arithmetic(protocol);
    let mut networks = Networks::default();
    if needs(NetworkKind::Random) {
        networks.random = Lent::Ready(Box::new(RandomFilters::new(device)?));
    }
    if needs(NetworkKind::Inception) {
        networks.inception = match find(plan, "inception") {
            Some(path) => {
                let resize = protocol.inception;
                Lent::Ready(Box::new(Inception::open(&path, resize, arithmetic, device)?))
            }
            None => missing(plan, NetworkKind::Inception, "inception")?,
        };
    }
    if needs(NetworkKind::Lpips) {
        let name = format!("lpips-{}", protocol.lpips.id());
        networks.lpips = match find(plan, &name) {
            Some(trunk) => {
                let head = find(plan, &format!("{name}-head"));
                let head = head.as_deref().map_or(LpipsHead::InTrunkFile, LpipsHead::File);
                let network = Lpips::open(protocol.lpips, &trunk, head, arithmetic, device)?;
                Lent::Ready(Box::new(network))
            }
            None => missing(plan, NetworkKind::Lpips, &name)?,
        };
    }
    if needs(NetworkKind::Dinov2) {
        let rule = EncoderRule::Dinov2(protocol.dinov2);
        networks.dinov2 = encoder(plan, "dinov2", (NetworkKind::Dinov2, rule), (protocol, device))?;
    }
    if needs(NetworkKind::Clip) {
        let rule = EncoderRule::Clip;
        networks.clip = encoder(plan, "clip", (NetworkKind::Clip, rule), (protocol, device))?;
    }
    if needs(NetworkKind::Encoder) {
        networks.encoder = Lent::Ready(Box::new(named_encoder(plan, protocol, device)?));
    }
    Ok(networks)
}

/// The space of an encoder, read from the file that was named or a known one.
fn encoder(
    plan: &Plan,
    name: &str,
    (kind, rule): (NetworkKind, EncoderRule),
    (protocol, device): (&Protocol, &Device),
) -> Result<Lent<dyn FeatureNetwork>, Failure> {
    let instrument = match kind {
        NetworkKind::Clip => Instrument::ClipL336,
        _ => Instrument::Dinov2L,
    };
    let Some(path) = find(plan, name).or_else(|| in_hub(plan, instrument)) else {
        return missing(plan, kind, name);
    };
    let options = OpenOptions { arithmetic: arithmetic(protocol), ..OpenOptions::on(device) };
    let encoder = instrument.open(&path, &options).map_err(OpenError::from)?;
    Ok(Lent::Ready(Box::new(EncoderSpace::new(encoder, rule))))
}

/// The space of the encoder that the protocol names.
fn named_encoder(
    plan: &Plan,
    protocol: &Protocol,
    device: &Device,
) -> Result<EncoderSpace, Failure> {
    let FdEncoder::Tokenizer(id) = &protocol.fd_encoder else {
        return Err(Failure::NoEncoder { protocol: protocol.name.clone() });
    };
    let (arithmetic, argument) = (arithmetic(protocol), Some(argument(FdEncoder::FIELD)));
    let options = OpenOptions { arithmetic, argument, ..OpenOptions::on(device) };
    let encoder = match baselines::open(&tokenizer(plan, FdEncoder::FIELD, id)?, &options)? {
        Opened::Ready(encoder) => encoder,
        // What is fitted on pictures has latents alone, and no weights that would tell two fits apart.
        Opened::Unfitted(_) => {
            let (tokenizer, capability) = (id.clone(), "features besides its latents");
            return Err(of_encoder(TokenizerError::Unsupported { tokenizer, capability }));
        }
    };
    let rule = EncoderRule::of(encoder.as_ref(), protocol.size).map_err(of_encoder)?;
    Ok(EncoderSpace::new(encoder, rule))
}

fn of_encoder(cause: TokenizerError) -> Failure {
    NetworkError::Encoder { network: FdEncoder::FIELD, cause: Box::new(cause) }.into()
}

/// A tokenizer that a protocol names, with the weights that `--weights NAME=FILE` gives.
pub(crate) fn tokenizer(plan: &Plan, name: &str, id: &str) -> Result<TokenizerRef, Failure> {
    let reference = match plan.weights.get(name) {
        Some(path) => format!("{id}={}", path.display()),
        None => id.to_owned(),
    };
    Ok(reference.parse()?)
}

/// What the command line gives weights with that are asked for by this name.
pub(crate) fn argument(name: &str) -> String {
    format!("--weights {name}")
}

/// Where the hub's cache has an encoder, as `prismbench fetch` or a program of somebody else's put it
/// there. A cache on the command line stands before it.
fn in_hub(plan: &Plan, instrument: Instrument) -> Option<PathBuf> {
    let hub = plan.cache.is_none().then(Hub::from_environment)?;
    instrument.files().iter().find_map(|file| hub.find(file, None))
}

/// How a protocol lets networks compute.
pub(crate) fn arithmetic(protocol: &Protocol) -> Arithmetic {
    match protocol.arithmetic {
        NetworkArithmetic::Fast => Arithmetic::Fast,
        NetworkArithmetic::Strict => Arithmetic::Strict,
    }
}

/// Names of weights in the plan that nothing in it takes.
pub(crate) fn unused(plan: &Plan) -> impl Iterator<Item = &str> {
    let wants = |kind| plan.metrics.iter().any(|id| NetworkKind::of(id) == Some(kind));
    let is_used = move |name: &str| match name.strip_prefix("lpips-") {
        Some(trunk) => {
            let trunk = trunk.trim_end_matches("-head");
            let is_trunk = |protocol: &Protocol| protocol.lpips.id() == trunk;
            wants(NetworkKind::Lpips) && plan.protocols.iter().any(is_trunk)
        }
        None if name == TEXT_TOWER => {
            let aligns = |protocol: &Protocol| matches!(protocol.joint_space, JointSpace::Tower(_));
            plan.protocols.iter().any(aligns)
        }
        None if name == "dinov2" => wants(NetworkKind::Dinov2),
        None if name == "clip" => wants(NetworkKind::Clip),
        None if name == FdEncoder::FIELD => wants(NetworkKind::Encoder),
        None => wants(NetworkKind::Inception),
    };
    plan.weights.keys().map(String::as_str).filter(move |name| !is_used(name))
}

/// What the networks were read from, for the run's provenance.
pub(crate) fn weights(networks: &Networks) -> Vec<(String, Vec<Weights>)> {
    let mut all = Vec::new();
    for space in [&networks.inception, &networks.dinov2, &networks.clip, &networks.encoder] {
        if let Lent::Ready(network) = space {
            all.push((network.id().to_owned(), network.weights().to_vec()));
        }
    }
    if let Lent::Ready(network) = &networks.lpips {
        all.push((lpips_id(network), network.weights().to_vec()));
    }
    all
}

/// What the networks do with one picture as the protocol crops it, for the run's provenance. Left out are those
/// whose input is the picture where `crop = "none"` leaves pictures their sizes, and those that it is too small
/// for.
pub(crate) fn counts(networks: &Networks, protocol: &Protocol) -> Vec<NetworkCount> {
    let cropped = (protocol.crop != Crop::None).then_some(protocol.size);
    let counted =
        |network: &str, side, cost: &dyn Fn(usize) -> Result<NetworkCost, NetworkError>| {
            let side: usize = side?;
            Some(NetworkCount::new(network.to_owned(), side, cost(side).ok()?))
        };
    let mut all = Vec::new();
    let Networks { inception, dinov2, clip, encoder, random, .. } = networks;
    for space in [inception, dinov2, clip, encoder, random] {
        if let Lent::Ready(network) = space {
            let side = network.input_side().or(cropped);
            all.extend(counted(network.id(), side, &|side| network.cost(side, side)));
        }
    }
    if let Lent::Ready(network) = &networks.lpips {
        all.extend(counted(&lpips_id(network), cropped, &|side| network.cost(side, side)));
    }
    all
}

/// How provenance names a network of LPIPS.
fn lpips_id(network: &Lpips) -> String {
    format!("lpips-{}", network.trunk().id())
}

fn missing<T: ?Sized>(plan: &Plan, kind: NetworkKind, name: &str) -> Result<Lent<T>, Failure> {
    let files = file_names(name);
    let files: Vec<String> = files.iter().map(|file| format!("`{file}`")).collect();
    let folder = folders(plan).first().map_or_else(
        || "the folder PRISMBENCH_WEIGHTS".to_owned(),
        |folder| format!("`{}`", folder.display()),
    );
    let remedy = format!(
        "name its weights with --weights {name}=FILE, or put {} into {folder}",
        files.join(" or ")
    );
    let named = plan.named_metrics.iter().find(|id| NetworkKind::of(id) == Some(kind));
    match named {
        Some(metric) => {
            let (metric, network) = (metric.clone(), name.to_owned());
            Err(Failure::NetworkMissing { metric, network, remedy })
        }
        None => Ok(Lent::Missing(format!("no weights of the network `{name}`: {remedy}"))),
    }
}

/// The file that was named, or one of a known name in a known folder.
fn find(plan: &Plan, name: &str) -> Option<PathBuf> {
    if let Some(path) = plan.weights.get(name) {
        return Some(path.clone());
    }
    let names = file_names(name);
    let candidates = folders(plan)
        .into_iter()
        .flat_map(|folder| names.iter().map(|name| folder.join(name)).collect::<Vec<_>>());
    candidates.into_iter().find(|path| path.is_file())
}

/// A folder on the command line stands before the environment, of which then nothing is taken.
fn folders(plan: &Plan) -> Vec<PathBuf> {
    let named = std::env::var_os("PRISMBENCH_WEIGHTS");
    let named = named.filter(|value| plan.cache.is_none() && !value.is_empty());
    let cached = cache_folder(plan).map(|folder| folder.join("weights"));
    named.map(PathBuf::from).into_iter().chain(cached).collect()
}

/// What the published files of a network are called.
fn file_names(name: &str) -> Vec<String> {
    let own = format!("{name}.safetensors");
    let published: &[&str] = match name {
        "inception" => {
            &["pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth"]
        }
        "dinov2" => &["dinov2_vitl14_pretrain.pth"],
        "lpips-alex" => &["alexnet-owt-7be5be79.pth"],
        "lpips-vgg" => &["vgg16-397923af.pth"],
        "lpips-squeeze" => &["squeezenet1_1-b8a52dc0.pth"],
        "lpips-alex-head" => &["alex.pth"],
        "lpips-vgg-head" => &["vgg.pth"],
        "lpips-squeeze-head" => &["squeeze.pth"],
        _ => &[],
    };
    std::iter::once(own).chain(published.iter().map(|&file| file.to_owned())).collect()
}

/// Checks a name of `--weights`.
pub(crate) fn check_name(name: &str) -> Result<(), Failure> {
    if NAMES.contains(&name) {
        return Ok(());
    }
    let nearest = prismbench_core::nearest(name, NAMES).map(str::to_owned);
    Err(Failure::Unknown { what: "network", found: name.to_owned(), nearest })
}

const _: () = assert!(LpipsTrunk::ALL.len() == 3, "file_names knows three trunks");
