//! diffusers' `config.json` beside the weights: what it says must be what the model is.

use std::fs;
use std::path::Path;

use prismbench_core::TokenizerError;
use serde::Deserialize;

use super::Variant;
use super::architecture::{GROUPS, Quantiser};

/// The parts that decide numbers. One that is left out says nothing: early files lack the scale.
#[derive(Debug, Deserialize)]
struct Config {
    #[serde(rename = "_class_name")]
    class: Option<String>,
    act_fn: Option<String>,
    block_out_channels: Option<Vec<usize>>,
    latent_channels: Option<usize>,
    layers_per_block: Option<usize>,
    mid_block_add_attention: Option<bool>,
    norm_num_groups: Option<usize>,
    scaling_factor: Option<f64>,
    shift_factor: Option<f64>,
    use_post_quant_conv: Option<bool>,
    use_quant_conv: Option<bool>,
}

/// Refuses a model whose own configuration contradicts the id that it was asked for by: SDXL's
/// weights, say, fit `sd-vae` in every shape.
///
/// # Errors
/// [`TokenizerError::WeightsMismatch`] listing every contradiction,
/// [`TokenizerError::WeightsUnreadable`] for a file that is no such configuration.
pub(super) fn check(path: &Path, id: &str, variant: &Variant) -> Result<(), TokenizerError> {
    let unreadable = |cause: Box<dyn std::error::Error + Send + Sync>| {
        TokenizerError::WeightsUnreadable { path: path.to_owned(), cause }
    };
    let bytes = fs::read(path).map_err(|error| unreadable(error.into()))?;
    let config: Config =
        serde_json::from_slice(&bytes).map_err(|error| unreadable(error.into()))?;
    let problems = config.problems(id, variant);
    if problems.is_empty() {
        return Ok(());
    }
    Err(TokenizerError::WeightsMismatch { path: path.to_owned(), problems })
}

impl Config {
    fn problems(&self, id: &str, variant: &Variant) -> Vec<String> {
        // Whatever lies beside the weights of another model's folder is not about them.
        if self.class.as_deref().is_some_and(|class| class != "AutoencoderKL") {
            return Vec::new();
        }
        let Variant { architecture, space, .. } = variant;
        let convolutions = architecture.quantiser == Quantiser::Convolutions;
        let mut problems = Problems { id, found: Vec::new() };
        problems.compare("act_fn", self.act_fn.as_deref(), "silu");
        let widths = self.block_out_channels.as_deref();
        problems.compare("block_out_channels", widths, &architecture.widths[..]);
        problems.compare("latent_channels", self.latent_channels, architecture.channels);
        problems.compare("layers_per_block", self.layers_per_block, architecture.blocks);
        problems.compare("mid_block_add_attention", self.mid_block_add_attention, true);
        problems.compare("norm_num_groups", self.norm_num_groups, GROUPS);
        // Decimals of the same text are the same numbers.
        problems.compare("scaling_factor", self.scaling_factor, space.scale);
        problems.compare("shift_factor", self.shift_factor, space.shift);
        problems.compare("use_post_quant_conv", self.use_post_quant_conv, convolutions);
        problems.compare("use_quant_conv", self.use_quant_conv, convolutions);
        problems.found
    }
}

struct Problems<'a> {
    id: &'a str,
    found: Vec<String>,
}

impl Problems<'_> {
    fn compare<T: PartialEq + std::fmt::Debug>(&mut self, key: &str, found: Option<T>, needed: T) {
        if let Some(found) = found.filter(|found| *found != needed) {
            let id = self.id;
            self.found.push(format!("`{key}` is {found:?}, and `{id}` has {needed:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::models::{SD, SD3};
    use super::*;

    fn check_text(text: &str, id: &str, variant: &Variant) -> Result<(), TokenizerError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        fs::write(&path, text).unwrap();
        check(&path, id, variant)
    }

    /// That of stabilityai/stable-diffusion-3-medium-diffusers, vae.
    const PUBLISHED: &str = r#"{
        "_class_name": "AutoencoderKL", "_diffusers_version": "0.29.0", "act_fn": "silu",
        "block_out_channels": [128, 256, 512, 512], "force_upcast": true, "in_channels": 3,
        "latent_channels": 16, "latents_mean": null, "layers_per_block": 2,
        "mid_block_add_attention": true, "norm_num_groups": 32, "sample_size": 1024,
        "scaling_factor": 1.5305, "shift_factor": 0.0609, "use_post_quant_conv": false,
        "use_quant_conv": false}"#;

    #[test]
    fn a_published_configuration_is_that_of_its_id() {
        check_text(PUBLISHED, "sd3-vae", &SD3).unwrap();
        check_text(r#"{"latent_channels": 4, "shift_factor": null}"#, "sd-vae", &SD).unwrap();
        check_text(r#"{"_class_name": "SD3Transformer2DModel"}"#, "sd-vae", &SD).unwrap();
    }

    #[test]
    fn every_contradiction_is_listed() {
        let error = check_text(PUBLISHED, "sd-vae", &SD).unwrap_err();
        let TokenizerError::WeightsMismatch { problems, .. } = error else {
            panic!("expected a mismatch")
        };
        let expected = [
            "`latent_channels` is 16, and `sd-vae` has 4",
            "`scaling_factor` is 1.5305, and `sd-vae` has 0.18215",
            "`shift_factor` is 0.0609, and `sd-vae` has 0.0",
            "`use_post_quant_conv` is false, and `sd-vae` has true",
            "`use_quant_conv` is false, and `sd-vae` has true",
        ];
        assert_eq!(problems, expected);
        let text = r#"{"act_fn": "mish", "block_out_channels": [64]}"#;
        let message = check_text(text, "sd-vae", &SD).unwrap_err().to_string();
        for part in [r#"`act_fn` is "mish""#, "`block_out_channels` is [64]"] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn what_is_no_configuration_is_unreadable() {
        for text in ["", "{", "[]", r#"{"latent_channels": "four"}"#, r#"{"act_fn": 1}"#] {
            let error = check_text(text, "sd-vae", &SD).unwrap_err();
            assert!(matches!(error, TokenizerError::WeightsUnreadable { .. }), "{text}: {error}");
        }
    }
}
