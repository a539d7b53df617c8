//! What files call the tensors.

use prismbench_weights::{Expected, WeightsFile};

use super::architecture::{Architecture, LEVELS};

/// How a file names its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// Before every name: `first_stage_model.` in checkpoints of whole generators.
    prefix: &'static str,
    style: Style,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// diffusers.
    Diffusers,
    /// diffusers before version 0.18: the attention is `query`, `key`, `value`, `proj_attn`.
    OldDiffusers,
    /// CompVis' latent-diffusion, Stability's and Black Forest Labs' own files: levels of the
    /// decoder are counted from the picture down, the attention is of 1x1 convolutions.
    Native,
}

const PREFIXES: [&str; 3] = ["", "first_stage_model.", "vae."];

/// A tensor that each style names differently, and none is without.
const TELLTALES: [(Style, &str); 3] = [
    (Style::Diffusers, "decoder.mid_block.attentions.0.to_q.weight"),
    (Style::OldDiffusers, "decoder.mid_block.attentions.0.query.weight"),
    (Style::Native, "decoder.mid.attn_1.q.weight"),
];

/// What else such files hold: the rest of a generator, the discriminator that the autoencoder was
/// trained against.
pub(super) const IGNORED: [&str; 7] = [
    "model.diffusion_model.",
    "model_ema.",
    "cond_stage_model.",
    "conditioner.",
    "text_encoders.",
    "loss.",
    "first_stage_model.loss.",
];

/// Parts of names: diffusers' and native ones.
const NATIVE: [(&str, &str); 12] = [
    ("mid_block.resnets.0", "mid.block_1"),
    ("mid_block.resnets.1", "mid.block_2"),
    ("mid_block.attentions.0.group_norm", "mid.attn_1.norm"),
    ("mid_block.attentions.0.to_out.0", "mid.attn_1.proj_out"),
    ("mid_block.attentions.0.to_", "mid.attn_1."),
    ("down_blocks.", "down."),
    (".resnets.", ".block."),
    ("downsamplers.0.", "downsample."),
    ("upsamplers.0.", "upsample."),
    ("conv_shortcut", "nin_shortcut"),
    ("conv_norm_out", "norm_out"),
    ("up_blocks.", "up."),
];

/// Parts of names: diffusers' and those it had before.
const OLD: [(&str, &str); 4] =
    [("to_q.", "query."), ("to_k.", "key."), ("to_v.", "value."), ("to_out.0.", "proj_attn.")];

impl Names {
    /// As the file has them; diffusers' where it is of no known style, so that what is missing is
    /// listed by names that the hub's files have.
    pub(super) fn of(file: &WeightsFile) -> Self {
        let all = PREFIXES.into_iter().flat_map(|prefix| {
            TELLTALES.into_iter().map(move |(style, name)| (Self { prefix, style }, name))
        });
        let has = |prefix: &str, name: &str| file.shape(&format!("{prefix}{name}")).is_some();
        let mut fitting = all.filter(|(names, name)| has(names.prefix, name));
        fitting.next().map_or(Self { prefix: "", style: Style::Diffusers }, |(names, _)| names)
    }

    /// The file's name for the tensor that diffusers calls `name`.
    pub(super) fn of_file(self, name: &str) -> String {
        let replace = |name: &str, parts: &[(&str, &str)]| {
            parts.iter().fold(name.to_owned(), |name, (from, to)| name.replacen(from, to, 1))
        };
        let name = match self.style {
            Style::Diffusers => name.to_owned(),
            Style::OldDiffusers => replace(name, &OLD),
            Style::Native => replace(&count_down(name), &NATIVE),
        };
        format!("{}{name}", self.prefix)
    }

    /// Every tensor, as the file should have it.
    pub(super) fn expected(self, architecture: &Architecture) -> Vec<Expected> {
        let expected = |(name, shape): (String, Vec<usize>)| {
            let attention = name.contains(".attentions.");
            let tensor = Expected::new(self.of_file(&name), shape.clone());
            match *shape {
                // A product over channels may be kept as a convolution.
                [outputs, inputs] if attention => tensor.or_shape([outputs, inputs, 1, 1]),
                _ => tensor,
            }
        };
        architecture.tensors().into_iter().map(expected).collect()
    }
}

/// The name with the decoder's levels counted from the picture down.
fn count_down(name: &str) -> String {
    for level in 0..LEVELS {
        let start = format!("decoder.up_blocks.{level}.");
        if let Some(rest) = name.strip_prefix(&start) {
            return format!("decoder.up_blocks.{}.{rest}", LEVELS - 1 - level);
        }
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(prefix: &'static str, style: Style, name: &str) -> String {
        Names { prefix, style }.of_file(name)
    }

    #[test]
    fn native_names_are_those_of_the_specification() {
        for (name, native) in [
            ("encoder.conv_in.weight", "encoder.conv_in.weight"),
            (
                "encoder.down_blocks.1.resnets.0.conv_shortcut.bias",
                "encoder.down.1.block.0.nin_shortcut.bias",
            ),
            (
                "encoder.down_blocks.2.downsamplers.0.conv.weight",
                "encoder.down.2.downsample.conv.weight",
            ),
            ("encoder.mid_block.resnets.0.norm1.weight", "encoder.mid.block_1.norm1.weight"),
            ("encoder.mid_block.attentions.0.group_norm.weight", "encoder.mid.attn_1.norm.weight"),
            ("decoder.mid_block.attentions.0.to_q.bias", "decoder.mid.attn_1.q.bias"),
            (
                "decoder.mid_block.attentions.0.to_out.0.weight",
                "decoder.mid.attn_1.proj_out.weight",
            ),
            ("decoder.mid_block.resnets.1.conv2.weight", "decoder.mid.block_2.conv2.weight"),
            ("decoder.up_blocks.0.upsamplers.0.conv.weight", "decoder.up.3.upsample.conv.weight"),
            ("decoder.up_blocks.3.resnets.2.conv1.bias", "decoder.up.0.block.2.conv1.bias"),
            ("decoder.conv_norm_out.weight", "decoder.norm_out.weight"),
            ("post_quant_conv.weight", "post_quant_conv.weight"),
        ] {
            assert_eq!(named("", Style::Native, name), native);
        }
        let name = "encoder.conv_in.bias";
        assert_eq!(
            named("first_stage_model.", Style::Native, name),
            "first_stage_model.encoder.conv_in.bias"
        );
    }

    #[test]
    fn old_names_differ_in_the_attention_alone() {
        for (name, old) in [
            ("to_q.weight", "query.weight"),
            ("to_k.bias", "key.bias"),
            ("to_v.weight", "value.weight"),
            ("to_out.0.weight", "proj_attn.weight"),
            ("group_norm.weight", "group_norm.weight"),
        ] {
            let start = "encoder.mid_block.attentions.0.";
            let found = named("", Style::OldDiffusers, &format!("{start}{name}"));
            assert_eq!(found, format!("{start}{old}"));
        }
        let name = "decoder.up_blocks.0.resnets.0.conv1.weight";
        assert_eq!(named("", Style::OldDiffusers, name), name);
    }

    #[test]
    fn no_two_tensors_share_a_name_in_any_style() {
        for (style, telltale) in TELLTALES {
            let names = Names { prefix: "vae.", style };
            let mut all: Vec<String> = names
                .expected(&Architecture::FOUR_CHANNELS)
                .iter()
                .map(|tensor| tensor.name().to_owned())
                .collect();
            assert!(all.contains(&format!("vae.{telltale}")));
            all.sort();
            all.dedup();
            assert_eq!(all.len(), 248);
        }
    }
}
