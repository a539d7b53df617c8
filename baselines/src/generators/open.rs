use prismbench_core::{Generator, GeneratorSpec, Guidance, Sampling, TokenizerError, Weights};
use prismbench_weights::WeightsFile;

use super::architecture;
use super::config::Config;
use super::models::Row;
use super::network::Network;
use super::read::Reading;
use super::reference::GeneratorRef;
use super::sampler::Sampler;
use crate::model::Opening;
use crate::{OpenError, OpenOptions};

/// What weights are called in folders.
const NAMES: [&str; 5] =
    ["stage2_model.pt", "stage_2.pt", "ep-last.pt", "model.safetensors", "model.pt"];
/// The dictionaries of a checkpoint, the best first: averaged weights, then others.
const DICTIONARIES: [&str; 3] = ["ema", "model", "state_dict"];

/// Makes the generator that `reference` names, sampled as `sampling` says, or as its published
/// configuration does; `guide` is the weaker network of autoguidance.
///
/// # Errors
/// [`OpenError::UnknownGenerator`] and [`OpenError::BadGenerator`] for a reference that was not made
/// by parsing; [`OpenError::Sampling`] for autoguidance without a guide, a guide without
/// autoguidance, one for other latents or classes, or a shift that such small latents do not have;
/// [`OpenError::Tokenizer`] when weights are missing, unreadable or of another architecture.
pub fn open_generator(
    reference: &GeneratorRef,
    sampling: Option<Sampling>,
    guide: Option<&GeneratorRef>,
    options: &OpenOptions,
) -> Result<Box<dyn Generator>, OpenError> {
    let row = reference.row()?;
    let sampling = sampling.unwrap_or(Sampling::published(row.integrator));
    let refuse = |problem: String| OpenError::Sampling { generator: reference.id.clone(), problem };
    check_guide(row, sampling.guidance, guide).map_err(refuse)?;
    let (network, origin) = load(reference, options)?;
    let config = network.config;
    let latent = config.latent();
    let times = sampling.times(latent.iter().product()).ok_or_else(|| {
        refuse(format!(
            "{latent:?} are fewer than the 4096 numbers from which on the shift of the dimension is \
             defined; ask for shift:none or shift:NUMBER"
        ))
    })?;
    let mut spec = GeneratorSpec {
        id: reference.id.clone(),
        parameters: config.parameters(),
        weights: vec![origin],
        source: row.family.source().to_owned(),
        latent,
        classes: config.classes as u32,
        sampling: String::new(),
        calls: 0,
        multiply_accumulates: 0,
    };
    let mut weaker = None;
    if let Some(guide) = guide {
        let (network, origin) = load(guide, options)?;
        check_shapes(&config, &network.config, guide).map_err(refuse)?;
        spec.parameters += network.config.parameters();
        spec.weights.push(origin);
        weaker = Some(network);
    }
    Ok(Box::new(Sampler::new(spec, network, weaker, (sampling, &times), &options.device)))
}

fn check_guide(row: &Row, guidance: Guidance, guide: Option<&GeneratorRef>) -> Result<(), String> {
    match (guidance, guide) {
        (Guidance::Auto(_), None) => {
            let published = row.guide.map_or(String::new(), |guide| {
                format!(" (RAE has {} by `{}`)", guide.guidance, guide.id)
            });
            Err(format!("autoguidance needs a weaker generator to guide it{published}"))
        }
        (Guidance::None | Guidance::ClassifierFree(_), Some(guide)) => Err(format!(
            "`{}` would guide it, which only autoguidance:SCALE has a use for, not {guidance}",
            guide.id
        )),
        _ => Ok(()),
    }
}

fn check_shapes(own: &Config, other: &Config, guide: &GeneratorRef) -> Result<(), String> {
    if own.latent() == other.latent() && own.classes == other.classes {
        return Ok(());
    }
    let describe =
        |config: &Config| format!("latents {:?} of {} classes", config.latent(), config.classes);
    Err(format!(
        "it makes {}, and `{}`, which is to guide it, {}",
        describe(own),
        guide.id,
        describe(other)
    ))
}

/// A network, and the file that it is from.
fn load(reference: &GeneratorRef, options: &OpenOptions) -> Result<(Network, Weights), OpenError> {
    let row = reference.row()?;
    let opening = Opening {
        id: reference.id.clone(),
        model: &row.model,
        argument: format!("--generator {}", reference.id),
        path: reference.weights.as_deref(),
        revision: reference.revision(),
        hub: &options.hub,
        device: &options.device,
        arithmetic: options.arithmetic,
        element: options.element,
    };
    let path = opening.find_named(0, &NAMES)?;
    let file = WeightsFile::open_one_of(&path, &opening.remedy(), &DICTIONARIES)
        .map_err(TokenizerError::from)?;
    let config = config(row, &file)?;
    let (scope, origin) = (Reading::new(&file).scope(), file.origin().clone());
    Ok((Network::load(config, file, &scope, &options.device)?, origin))
}

/// What a file is taken for: the row's own network, whose every difference is then named, or what the
/// file says.
fn config(row: &Row, file: &WeightsFile) -> Result<Config, TokenizerError> {
    let id = row.model.id;
    let refuse = |problem: String| TokenizerError::WeightsMismatch {
        path: file.path().to_owned(),
        problems: vec![problem],
    };
    let kind = architecture::kind(file);
    if let Some(kind) = kind.filter(|&kind| kind != row.family.kind()) {
        return Err(refuse(format!("it is {kind}, and `{id}` is {}", row.family.kind())));
    }
    let reading = Reading::new(file);
    match (reading.config(), row.config) {
        (Ok(found), None) => Ok(found),
        (Err(problem), None) => Err(refuse(problem)),
        // A whole network of another size is told as such, not tensor by tensor.
        (Ok(found), Some(expected))
            if found != expected && file.check(&found.expected(&reading.scope()), &[]).is_ok() =>
        {
            let any = row.family.of_any_size();
            Err(refuse(format!(
                "it is a {found}, and `{id}` is a {expected}; {any} takes any size"
            )))
        }
        (_, Some(expected)) => Ok(expected),
    }
}
