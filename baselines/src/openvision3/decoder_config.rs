use prismbench_kernels::nn::{Activation, Mask};
use prismbench_weights::Expected;
use serde::Deserialize;
use serde_json::Value;

use super::sizes;
use super::tower::BLOCK;
use crate::vit::{BlockConfig, Blocks, Names, Scope, expect_linear, expect_norm};

/// What comes before the names of a decoder's tensors.
pub(super) const PREFIXES: [&str; 2] = ["decoder.", "visual.decoder."];

pub(super) const INPUT: Names = &["conv1.weight"];
pub(super) const CLASS: Names = &["class_embedding"];
pub(super) const POSITIONS: Names = &["positional_embedding"];
pub(super) const BEFORE: Names = &["ln_pre"];
pub(super) const LAYERS: Names = &["transformer.resblocks."];
pub(super) const AFTER: Names = &["ln_post"];
pub(super) const HEAD: Names = &["head"];

/// What `decoder_cfg` says of a decoder, and what it shares with the encoder.
#[derive(Clone, Copy, Debug)]
pub(super) struct DecoderConfig {
    pub(super) block: BlockConfig,
    pub(super) layers: usize,
    pub(super) class: Presence,
    pub(super) positions: Presence,
    /// Norms before the first block and behind the last.
    pub(super) before: Presence,
    pub(super) after: Presence,
    pub(super) order: PatchOrder,
    pub(super) shared: Shared,
}

/// What both sides of the tokens agree on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shared {
    /// Channels of a token.
    pub(super) width: usize,
    /// Tokens along the side of a picture.
    pub(super) grid: usize,
    /// Channels of one of the autoencoder's latents, and latents along the side of a patch.
    pub(super) channels: usize,
    pub(super) patch: usize,
}

/// Whether a network has some tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "bool")]
pub(super) enum Presence {
    Present,
    Absent,
}

/// How the head's outputs for one token lie, the slowest first: rows, columns and channels of the
/// patch of latents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PatchOrder {
    Hwc,
    Chw,
}

/// The section. It has no defaults: nobody has published any.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    width: usize,
    layers: usize,
    head_width: usize,
    mlp_ratio: f64,
    eps: f64,
    activation: Nonlinearity,
    class_embedding: Presence,
    positional_embedding: Presence,
    ln_pre: Presence,
    ln_post: Presence,
    patch_order: PatchOrder,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Nonlinearity {
    Gelu,
    GeluTanh,
    QuickGelu,
}

impl From<bool> for Presence {
    fn from(present: bool) -> Self {
        if present { Self::Present } else { Self::Absent }
    }
}

impl DecoderConfig {
    /// Reads the section `decoder_cfg`; `Err` is what is wrong with it.
    pub(super) fn parse(section: Value, shared: Shared) -> Result<Self, String> {
        let section: Section =
            serde_json::from_value(section).map_err(|error| format!("`decoder_cfg`: {error}"))?;
        let Section { width, layers, head_width, .. } = section;
        sizes::check(&[
            ("decoder_cfg.width", width),
            ("decoder_cfg.layers", layers),
            ("decoder_cfg.head_width", head_width),
        ])?;
        let heads = ("decoder_cfg.head_width", head_width);
        let block = BlockConfig {
            width,
            hidden: sizes::hidden(width, ("decoder_cfg.mlp_ratio", section.mlp_ratio))?,
            heads: sizes::quotient(("decoder_cfg.width", width), heads)?,
            epsilon: sizes::epsilon(("decoder_cfg.eps", section.eps))?,
            activation: match section.activation {
                Nonlinearity::Gelu => Activation::Gelu,
                Nonlinearity::GeluTanh => Activation::GeluTanh,
                Nonlinearity::QuickGelu => Activation::QuickGelu,
            },
            mask: Mask::None,
        };
        Ok(Self {
            block,
            layers,
            class: section.class_embedding,
            positions: section.positional_embedding,
            before: section.ln_pre,
            after: section.ln_post,
            order: section.patch_order,
            shared,
        })
    }

    /// Every tensor of the decoder.
    pub(super) fn expected(&self, scope: &Scope) -> Vec<Expected> {
        let Shared { width: inputs, grid, channels, patch } = self.shared;
        let width = self.block.width;
        // A convolution of 1x1 is a product over channels.
        let input = scope.expect(INPUT, [width, inputs]).or_shape([width, inputs, 1, 1]);
        let mut all = vec![input];
        if self.class == Presence::Present {
            all.push(scope.expect(CLASS, [width]));
        }
        if self.positions == Presence::Present {
            let tokens = grid * grid + usize::from(self.class == Presence::Present);
            all.push(scope.expect(POSITIONS, [tokens, width]));
        }
        for (norm, names) in [(self.before, BEFORE), (self.after, AFTER)] {
            if norm == Presence::Present {
                all.extend(expect_norm(scope, names, width));
            }
        }
        let layers = scope.under(LAYERS);
        all.extend(Blocks::expected(&self.block, &layers, &BLOCK, self.layers));
        all.extend(expect_linear(scope, HEAD, (patch * patch * channels, width)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTION: &str = r#"{"width": 96, "layers": 2, "head_width": 24, "mlp_ratio": 2.5,
        "eps": 0.001, "activation": "gelu_tanh", "class_embedding": true,
        "positional_embedding": true, "ln_pre": false, "ln_post": true, "patch_order": "hwc"}"#;

    const SHARED: Shared = Shared { width: 128, grid: 4, channels: 16, patch: 2 };

    fn parse(section: &str) -> Result<DecoderConfig, String> {
        DecoderConfig::parse(serde_json::from_str(section).unwrap(), SHARED)
    }

    #[test]
    fn every_statement_is_read() {
        let config = parse(SECTION).unwrap();
        let BlockConfig { width, hidden, heads, epsilon, activation, .. } = config.block;
        assert_eq!((width, hidden, heads, config.layers), (96, 240, 4, 2));
        assert_eq!((epsilon, activation), (0.001, Activation::GeluTanh));
        assert_eq!((config.class, config.positions), (Presence::Present, Presence::Present));
        assert_eq!((config.before, config.after), (Presence::Absent, Presence::Present));
        assert_eq!(config.order, PatchOrder::Hwc);
        assert_eq!(parse(&SECTION.replace("hwc", "chw")).unwrap().order, PatchOrder::Chw);
        for (name, activation) in
            [("gelu", Activation::Gelu), ("quick_gelu", Activation::QuickGelu)]
        {
            let config = parse(&SECTION.replace("gelu_tanh", name)).unwrap();
            assert_eq!(config.block.activation, activation);
        }
    }

    #[test]
    fn nothing_that_is_not_stated_is_assumed() {
        let whole: Value = serde_json::from_str(SECTION).unwrap();
        let names: Vec<String> = whole.as_object().unwrap().keys().cloned().collect();
        assert_eq!(names.len(), 11);
        for name in names {
            let mut section = whole.clone();
            section.as_object_mut().unwrap().remove(&name);
            let error = DecoderConfig::parse(section, SHARED).unwrap_err();
            assert_eq!(error, format!("`decoder_cfg`: missing field `{name}`"));
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (from, to, expected) in [
            (r#""layers": 2"#, r#""layers": 0"#, "`decoder_cfg.layers` is 0"),
            ("96", "97", "`decoder_cfg.width` 97 is no multiple of `decoder_cfg.head_width` 24"),
            ("2.5", "0", "`decoder_cfg.mlp_ratio` is 0"),
            ("0.001", "1", "`decoder_cfg.eps` is 1, expected 0 to 1"),
            ("gelu_tanh", "relu", "`decoder_cfg`: unknown variant `relu`"),
            ("hwc", "whc", "unknown variant `whc`, expected `hwc` or `chw`"),
            (r#""eps""#, r#""depth": 3, "eps""#, "`decoder_cfg`: unknown field `depth`"),
        ] {
            let error = parse(&SECTION.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(expected), "{to}: {error}");
        }
        assert!(parse("[]").is_err() && parse("true").is_err());
    }

    #[test]
    fn tensors_are_those_that_are_stated_to_be_there() {
        let scope = Scope::new(&PREFIXES);
        let names = |section: &str| -> Vec<String> {
            let expected = parse(section).unwrap().expected(&scope);
            expected.iter().map(|tensor| tensor.name().to_owned()).collect()
        };
        let with = names(SECTION);
        // Input, class, positions, a norm, two blocks of twelve, the head.
        assert_eq!(with.len(), 1 + 1 + 1 + 2 + 24 + 2);
        assert!(with.iter().all(|name| name.starts_with("decoder.")));
        let without = names(&SECTION.replace("true", "false"));
        let missing: Vec<_> = with.iter().filter(|name| !without.contains(name)).collect();
        let expected = [
            "decoder.class_embedding",
            "decoder.positional_embedding",
            "decoder.ln_post.weight",
            "decoder.ln_post.bias",
        ];
        assert_eq!(missing, expected);
    }
}
