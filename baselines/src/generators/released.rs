//! Sampling as a released configuration of RAE or UAE describes it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use prismbench_core::{BadSetting, Sampling};
use serde::Deserialize;

/// Longest configuration that is read; the released ones have 3 kB.
const MAX: u64 = 1 << 20;

/// Why a configuration says nothing that can be sampled by.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleasedConfigError {
    /// It cannot be read.
    #[error("cannot read the configuration `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
    /// It is no YAML, or not of that form.
    #[error("`{}` is no sampling configuration of RAE: {problem}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
    /// It asks for what is not done here.
    #[error("`{key}` of `{}` is {found}; {expected}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key, from the top.
        key: &'static str,
        /// Its value.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// What it asks for is no sampling.
    #[error("`{}` cannot be sampled by", path.display())]
    Sampling {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: BadSetting,
    },
}

/// The sections that decide how is sampled. Others (`stage_1`, `stage_2`, `training`) describe networks, which are read
/// from their weights.
#[derive(Deserialize)]
struct Config {
    transport: Option<Section<Transport>>,
    sampler: Sampler,
    guidance: Option<Guidance>,
    misc: Option<Misc>,
}

#[derive(Deserialize)]
struct Section<T> {
    params: Option<T>,
}

#[derive(Deserialize)]
struct Transport {
    path_type: Option<String>,
    prediction: Option<String>,
}

#[derive(Deserialize)]
struct Sampler {
    mode: Option<String>,
    params: Steps,
}

#[derive(Deserialize)]
struct Steps {
    sampling_method: String,
    num_steps: u32,
    reverse: Option<bool>,
}

#[derive(Deserialize)]
struct Guidance {
    method: String,
    scale: f64,
    // Released files write dashes; the code reads both.
    #[serde(alias = "t-min")]
    t_min: Option<f64>,
    #[serde(alias = "t-max")]
    t_max: Option<f64>,
}

#[derive(Deserialize)]
struct Misc {
    latent_size: Option<Vec<u32>>,
    num_classes: Option<u32>,
    null_label: Option<u32>,
    time_dist_shift_dim: Option<u64>,
    time_dist_shift_base: Option<u64>,
    latent_format: Option<String>,
}

/// Reads how a configuration of `configs/stage2/sampling` (RAE) or `configs/stage2/latent_modeling/sampling` (UAE)
/// samples: integrator, points, guidance with its interval, shift.
///
/// Guidance of a scale up to 1 is none, as in the reference's `sample_ddp.py`.
///
/// # Errors
/// [`ReleasedConfigError`] for a file that is none, and for what is sampled otherwise here: stochastic or adaptive
/// integration, another path or prediction, a shift that is neither the latent's nor a number of three decimals.
pub fn released_sampling(path: &Path) -> Result<Sampling, ReleasedConfigError> {
    let Config { transport, sampler, guidance, misc } = read(path)?;
    let only = |key, found: Option<&str>, known: &str, expected| match found {
        Some(found) if found != known => {
            let (path, found) = (path.to_owned(), format!("`{found}`"));
            Err(ReleasedConfigError::Value { path, key, found, expected })
        }
        _ => Ok(()),
    };
    if let Some(Transport { path_type, prediction }) = transport.and_then(|section| section.params)
    {
        let path_type = path_type.as_deref();
        only("transport.params.path_type", path_type, "Linear", "the linear path is known here")?;
        let expected = "networks that give velocities are known here";
        only("transport.params.prediction", prediction.as_deref(), "velocity", expected)?;
    }
    only("sampler.mode", sampler.mode.as_deref(), "ODE", "ODE is known here")?;
    let Steps { sampling_method, num_steps, reverse } = sampler.params;
    let reverse = reverse.map(|reverse| if reverse { "True" } else { "False" });
    only("sampler.params.reverse", reverse, "False", "samples go from noise to data")?;
    let format = misc.as_ref().and_then(|misc| misc.latent_format.as_deref());
    only("misc.latent_format", format, "spatial", "latents are maps here")?;
    let guided = guidance.filter(|guidance| guidance.scale > 1.0);
    let guidance = guided.map_or(String::new(), |Guidance { method, scale, t_min, t_max }| {
        format!(",{method}:{scale}@{}..{}", t_min.unwrap_or(0.0), t_max.unwrap_or(1.0))
    });
    let shift = shift(path, misc.as_ref())?;
    let text = format!("{sampling_method}:{num_steps}{guidance}{shift}");
    text.parse().map_err(|source| ReleasedConfigError::Sampling { path: path.to_owned(), source })
}

fn read(path: &Path) -> Result<Config, ReleasedConfigError> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX).read_to_string(&mut text))
        .map_err(|source| ReleasedConfigError::Read { path: path.to_owned(), source })?;
    serde_yaml_ng::from_str(&text).map_err(|error| {
        let problem = error.to_string();
        // What else it says is a picture of the lines.
        let problem = problem.lines().next().unwrap_or_default().to_owned();
        ReleasedConfigError::Form { path: path.to_owned(), problem }
    })
}

/// The dimension that is not shifted, where nothing else is said.
const BASE: u64 = 4096;

/// How the shift is written behind the rest: not at all where it is that of the latent's dimension.
fn shift(path: &Path, misc: Option<&Misc>) -> Result<String, ReleasedConfigError> {
    let Some(misc) = misc else { return Ok(String::new()) };
    let differs = |key, found: String, expected| {
        Err(ReleasedConfigError::Value { path: path.to_owned(), key, found, expected })
    };
    if let (Some(classes), Some(null)) = (misc.num_classes, misc.null_label)
        && classes != null
    {
        let expected = "the class that stands for none is the one behind all others here";
        return differs("misc.null_label", null.to_string(), expected);
    }
    let latent = misc.latent_size.as_deref();
    let latent =
        latent.map(|sides| sides.iter().fold(1_u64, |all, &side| all.saturating_mul(side.into())));
    let base = misc.time_dist_shift_base.unwrap_or(BASE);
    let Some(dimension) = misc.time_dist_shift_dim.or(latent) else {
        return match base {
            BASE => Ok(String::new()),
            _ => differs(
                "misc.time_dist_shift_base",
                base.to_string(),
                "without misc.latent_size 4096 is known here",
            ),
        };
    };
    if base == BASE && Some(dimension) == latent {
        return Ok(String::new());
    }
    match thousandths(dimension, base) {
        Some(1000) => Ok(",shift:none".to_owned()),
        Some(found) => Ok(format!(",shift:{}.{:03}", found / 1000, found % 1000)),
        None => {
            let expected = "the product of misc.latent_size is known here, over a base of 4096, and what gives a shift of \
                            three decimals at most";
            differs("misc.time_dist_shift_dim", dimension.to_string(), expected)
        }
    }
}

/// `1000 sqrt(dimension / base)` where that is a whole number.
fn thousandths(dimension: u64, base: u64) -> Option<u128> {
    let million = 1_000_000 * u128::from(dimension);
    let found = million.checked_div(base.into())?.isqrt();
    (found * found * u128::from(base) == million).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sections as the released files have them, with the values that differ between those.
    fn text(method: &str, guidance: &str, side: u32) -> String {
        let dimension = 768 * side * side;
        format!(
            "
stage_1:
  target: stage1.RAE
  params: {{ encoder_cls: Dinov2withNorm }}
stage_2:
  target: stage2.models.DDT.DiTwDDTHead
  params:
    hidden_size: [1152, 2048]
    use_qknorm: False
transport:
  params:
    path_type: Linear
    prediction: velocity
    time_dist_type: uniform
sampler:
  mode: ODE
  params:
    sampling_method: {method}
    num_steps: 50
    atol: 0.000001
    reverse: False
guidance:
  method: {guidance}
  t-min: 0.0
  t-max: 1.0
misc:
  latent_size: [768, {side}, {side}]
  num_classes: 1000
  time_dist_shift_dim: {dimension}
  time_dist_shift_base: 4096
"
        )
    }

    const OFF: &str = "cfg\n  scale: 1.0";

    fn sampling(text: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, text).unwrap();
        let told = |error: ReleasedConfigError| match error {
            ReleasedConfigError::Sampling { source, .. } => source.to_string(),
            other => other.to_string(),
        };
        released_sampling(&path).map(|found| found.to_string()).map_err(told)
    }

    #[test]
    fn the_released_configurations_are_the_published_samplings() {
        assert_eq!(sampling(&text("euler", OFF, 16)).unwrap(), "euler:50");
        let auto = "autoguidance\n  scale: 1.42\n  guidance_model:\n    ckpt: stage2_model.pt";
        assert_eq!(sampling(&text("euler", auto, 16)).unwrap(), "euler:50,autoguidance:1.42");
        let auto = auto.replace("1.42", "1.5");
        assert_eq!(sampling(&text("euler", &auto, 32)).unwrap(), "euler:50,autoguidance:1.5");
        assert_eq!(sampling(&text("rk4", OFF, 16)).unwrap(), "rk4:50");
    }

    #[test]
    fn intervals_and_shifts_of_other_configurations_are_kept() {
        let all = text("heun2", "cfg\n  scale: 1.5", 16);
        let some = all.replace("t-min: 0.0", "t_min: 0.1").replace("t-max: 1.0", "t-max: 0.9");
        assert_eq!(sampling(&some).unwrap(), "heun2:50,cfg:1.5@0.1..0.9");
        let by_four = all.replace("shift_dim: 196608", "shift_dim: 65536");
        assert_eq!(sampling(&by_four).unwrap(), "heun2:50,cfg:1.5,shift:4");
        let not = all.replace("shift_dim: 196608", "shift_dim: 4096");
        assert_eq!(sampling(&not).unwrap(), "heun2:50,cfg:1.5,shift:none");
    }

    #[test]
    fn what_is_sampled_otherwise_here_is_refused_by_its_key() {
        let all = text("euler", OFF, 16);
        for (from, to, expected) in [
            ("mode: ODE", "mode: SDE", "`sampler.mode`"),
            ("Linear", "GVP", "`transport.params.path_type`"),
            ("velocity", "x_start", "`transport.params.prediction`"),
            ("reverse: False", "reverse: True", "`sampler.params.reverse`"),
            ("num_classes: 1000", "num_classes: 1000\n  null_label: 0", "`misc.null_label`"),
            (
                "  num_classes",
                "  latent_format: freq_tokens\n  num_classes",
                "`misc.latent_format`",
            ),
            ("shift_dim: 196608", "shift_dim: 1000", "`misc.time_dist_shift_dim`"),
            ("method: euler", "method: dopri5", "adaptive steps would depend"),
            ("num_steps: 50", "num_steps: many", "is no sampling configuration of RAE"),
            ("sampler:", "sampling:", "missing field `sampler`"),
            ("stage_1:", "stage_1: [", "is no sampling configuration of RAE"),
        ] {
            let changed = all.replacen(from, to, 1);
            assert_ne!(changed, all);
            let error = sampling(&changed).unwrap_err();
            assert!(error.contains(expected), "{to}: {error}");
        }
    }

    /// Eight levels of nine references each are 387 million numbers.
    #[test]
    fn references_to_references_do_not_fill_the_memory() {
        let mut bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
        for level in 1..9 {
            let below = vec![format!("*a{}", level - 1); 9].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        bomb.push_str(&text("euler", OFF, 16).replace("[768, 16, 16]", "*a8"));
        assert!(sampling(&bomb).unwrap_err().contains("no sampling configuration"));
    }
}
