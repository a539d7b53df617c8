use std::path::Path;

use prismbench_core::TokenizerError;
use prismbench_kernels::nn::Activation;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::decoder_config::{DecoderConfig, Presence, Shared};
use super::sizes;

/// What `open_clip_config.json` says of the tower of pictures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config {
    pub(super) width: usize,
    pub(super) layers: usize,
    pub(super) heads: usize,
    /// Channels within an MLP.
    pub(super) hidden: usize,
    /// Of what the tower sees, the autoencoder's latents.
    pub(super) channels: usize,
    /// Latents along the side of a picture, and of a patch.
    pub(super) side: usize,
    pub(super) patch: usize,
    /// Channels of a pooled vector.
    pub(super) outputs: usize,
    pub(super) epsilon: f64,
    pub(super) activation: Activation,
    /// A norm before the first block.
    pub(super) before: Presence,
    pub(super) after: NormAfter,
    pub(super) pool: PoolType,
    /// `decoder_cfg`, where there is one.
    pub(super) decoder: Option<DecoderConfig>,
}

/// What goes through the last norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NormAfter {
    /// Every token; what is pooled is normalised by that.
    Tokens,
    /// The pooled vector alone: tokens are given as the last block leaves them.
    Pooled,
}

/// What makes one vector of the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PoolType {
    /// The class token.
    Tok,
    /// The mean of the patches' tokens.
    Avg,
    /// Nothing does.
    None,
}

/// The file, as far as it decides what is computed. Unknown keys of other parts are left alone.
#[derive(Deserialize)]
struct File {
    model_cfg: ModelConfig,
}

#[derive(Deserialize)]
struct ModelConfig {
    embed_dim: usize,
    #[serde(default)]
    quick_gelu: bool,
    vision_cfg: VisionConfig,
    decoder_cfg: Option<Value>,
}

/// `CLIPVisionCfg`. Defaults are those of src/convert_upload/open_clip/model.py; sizes have none
/// here. What is not understood is collected, and must be off.
#[derive(Deserialize)]
struct VisionConfig {
    width: usize,
    layers: usize,
    image_size: Side,
    patch_size: usize,
    in_channels: usize,
    #[serde(default = "head_width")]
    head_width: usize,
    #[serde(default = "mlp_ratio")]
    mlp_ratio: f64,
    #[serde(default)]
    no_ln_pre: bool,
    #[serde(default)]
    final_ln_after_pool: bool,
    #[serde(default = "pool_type")]
    pool_type: PoolType,
    act_kwargs: Option<ActivationOptions>,
    norm_kwargs: Option<NormOptions>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Side {
    Square(usize),
    Sides([usize; 2]),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActivationOptions {
    approximate: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NormOptions {
    eps: Option<f64>,
}

fn head_width() -> usize {
    64
}

fn mlp_ratio() -> f64 {
    4.0
}

fn pool_type() -> PoolType {
    PoolType::Tok
}

/// Options that do not change what the published weights compute: patches are dropped in training
/// alone, positions are stored whichever way they were made, tokens are given here in any case.
const WITHOUT_EFFECT: [&str; 5] = [
    "patch_dropout",
    "pos_embed_type",
    "output_tokens",
    "attn_pooler_queries",
    "attn_pooler_heads",
];

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    /// [`TokenizerError::Config`] naming the file and what is wrong with it.
    pub(super) fn read(path: &Path) -> Result<Self, TokenizerError> {
        let wrong = |problem: String| TokenizerError::Config { path: path.to_owned(), problem };
        let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        Self::parse(&text).map_err(wrong)
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let File { model_cfg } = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let ModelConfig { embed_dim: outputs, quick_gelu, vision_cfg: vision, decoder_cfg } =
            model_cfg;
        vision.refuse_others()?;
        let VisionConfig { width, layers, patch_size: patch, in_channels: channels, .. } = vision;
        let side = match vision.image_size {
            Side::Square(side) => side,
            Side::Sides([height, width]) if height == width => height,
            Side::Sides(sides) => return Err(format!("`image_size` {sides:?} is no square")),
        };
        sizes::check(&[
            ("embed_dim", outputs),
            ("width", width),
            ("layers", layers),
            ("image_size", side),
            ("patch_size", patch),
            ("in_channels", channels),
            ("head_width", vision.head_width),
        ])?;
        let heads = sizes::quotient(("width", width), ("head_width", vision.head_width))?;
        let grid = sizes::quotient(("image_size", side), ("patch_size", patch))?;
        let hidden = sizes::hidden(width, ("mlp_ratio", vision.mlp_ratio))?;
        let before = Presence::from(!vision.no_ln_pre);
        let after = if vision.final_ln_after_pool { NormAfter::Pooled } else { NormAfter::Tokens };
        let (activation, epsilon) = (vision.activation(quick_gelu)?, vision.epsilon()?);
        let shared = Shared { width, grid, channels, patch };
        let decoder = decoder_cfg.map(|section| DecoderConfig::parse(section, shared));
        let (pool, decoder) = (vision.pool_type, decoder.transpose()?);
        Ok(Self {
            width,
            layers,
            heads,
            hidden,
            channels,
            side,
            patch,
            outputs,
            epsilon,
            activation,
            before,
            after,
            pool,
            decoder,
        })
    }

    /// Patches along the side of a picture.
    pub(super) fn grid(&self) -> usize {
        self.side / self.patch
    }
}

impl VisionConfig {
    /// Everything else must be absent, null, false or without effect.
    fn refuse_others(&self) -> Result<(), String> {
        let is_on = |value: &Value| !matches!(value, Value::Null | Value::Bool(false));
        // Options of a tower of timm's say nothing where that is not the tower.
        let is_timms = |name: &str| name.starts_with("timm_") && name != "timm_model_name";
        let has_effect = |name: &str| !WITHOUT_EFFECT.contains(&name) && !is_timms(name);
        let mut others = self.others.iter();
        match others.find(|(name, value)| is_on(value) && has_effect(name)) {
            None => Ok(()),
            Some((name, value)) => Err(format!("`{name}` is {value}, which is not supported")),
        }
    }

    fn activation(&self, quick_gelu: bool) -> Result<Activation, String> {
        let approximate = self.act_kwargs.as_ref().map(|options| options.approximate.as_str());
        match (quick_gelu, approximate) {
            (true, None) => Ok(Activation::QuickGelu),
            (false, None | Some("none")) => Ok(Activation::Gelu),
            (false, Some("tanh")) => Ok(Activation::GeluTanh),
            (true, Some(other)) => Err(format!("`quick_gelu` has no approximation `{other}`")),
            (false, Some(other)) => {
                Err(format!("unknown activation: GELU with approximation `{other}`"))
            }
        }
    }

    /// 1e-6 unless told: the default of the published loader, which has it for all its models.
    /// (OpenCLIP itself has 1e-5.)
    fn epsilon(&self) -> Result<f64, String> {
        let epsilon = self.norm_kwargs.as_ref().and_then(|options| options.eps).unwrap_or(1e-6);
        sizes::epsilon(("norm_kwargs.eps", epsilon))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The options of OpenVision 1 and 2 on the latents of OpenVision 3.
    const BASE: &str = r#"{"embed_dim": 512, "vision_cfg": {"image_size": 32, "layers": 12,
        "width": 768, "patch_size": 2, "in_channels": 16, "no_ln_pre": true, "pool_type": "avg",
        "final_ln_after_pool": true, "norm_kwargs": {"eps": 1e-06}, "head_width": 64,
        "output_tokens": true}, "text_cfg": {"width": 512}}"#;

    fn parse(model: &str) -> Result<Config, String> {
        Config::parse(format!(r#"{{"model_cfg": {model}, "preprocess_cfg": {{}}}}"#).as_bytes())
    }

    #[test]
    fn every_option_is_read() {
        let base = parse(BASE).unwrap();
        assert_eq!((base.heads, base.hidden, base.grid(), base.outputs), (12, 3072, 16, 512));
        assert_eq!((base.before, base.after), (Presence::Absent, NormAfter::Pooled));
        assert_eq!(
            (base.pool, base.activation, base.epsilon),
            (PoolType::Avg, Activation::Gelu, 1e-6)
        );
        let with = |from: &str, to: &str| parse(&BASE.replace(from, to)).unwrap();
        assert!((with("1e-06", "1e-05").epsilon - 1e-5).abs() < 1e-12);
        assert_eq!(with(r#""no_ln_pre": true,"#, "").before, Presence::Present);
        assert_eq!(with(r#""final_ln_after_pool": true,"#, "").after, NormAfter::Tokens);
        assert_eq!(with(r#""pool_type": "avg","#, "").pool, PoolType::Tok);
        assert_eq!(with(r#""image_size": 32"#, r#""image_size": [32, 32]"#).side, 32);
        let tanh = r#""act_kwargs": {"approximate": "tanh"}, "layers""#;
        assert_eq!(with(r#""layers""#, tanh).activation, Activation::GeluTanh);
        let quick = r#"{"quick_gelu": true, "embed_dim""#;
        assert_eq!(with(r#"{"embed_dim""#, quick).activation, Activation::QuickGelu);
        with(r#""layers""#, r#""attentional_pool": false, "ls_init_value": null, "layers""#);
        with(r#""layers""#, r#""timm_model_name": null, "timm_proj": "linear", "layers""#);
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (from, to, expected) in [
            (r#""avg""#, r#""max""#, "unknown variant `max`, expected one of `tok`, `avg`, `none`"),
            (r#""width": 768,"#, "", "missing field `width`"),
            (r#""in_channels": 16,"#, "", "missing field `in_channels`"),
            ("768", "770", "`width` 770 is no multiple of `head_width` 64"),
            ("768", "0", "`width` is 0, expected 1 to 65536"),
            (r#""layers": 12"#, r#""layers": 1000000000"#, "`layers` is 1000000000"),
            (r#""image_size": 32"#, r#""image_size": 33"#, "no multiple of `patch_size` 2"),
            (r#""image_size": 32"#, r#""image_size": [32, 16]"#, "[32, 16] is no square"),
            ("1e-06", "0", "`norm_kwargs.eps` is 0"),
            (r#""layers""#, r#""attentional_pool": true, "layers""#, "`attentional_pool` is true"),
            (r#""layers""#, r#""ls_init_value": 0.1, "layers""#, "`ls_init_value` is 0.1"),
            (r#""layers""#, r#""timm_model_name": "x", "layers""#, r#"`timm_model_name` is "x""#),
            (r#""layers""#, r#""mlp_ratio": -1, "layers""#, "`mlp_ratio` is -1"),
            (
                r#""layers""#,
                r#""act_kwargs": {"approximate": "erf"}, "layers""#,
                "unknown activation: GELU with approximation `erf`",
            ),
        ] {
            let text = BASE.replacen(from, to, 1);
            let error = parse(&text).unwrap_err();
            assert!(error.contains(expected), "{to}: {error}");
        }
        assert!(Config::parse(b"{").is_err() && Config::parse(b"[]").is_err());
    }
}
