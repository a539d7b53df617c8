//! What the published files of vision encoders and RAE hold, written out once more.

use crate::planned::{Planned, planned};

/// Extents of a tower of pictures.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) width: usize,
    pub(crate) depth: usize,
    pub(crate) patch: usize,
}

impl Sizes {
    pub(crate) fn new(width: usize, depth: usize, patch: usize) -> Self {
        Self { width, depth, patch }
    }
}

pub(crate) fn linear(all: &mut Vec<Planned>, name: &str, outputs: usize, inputs: usize) {
    all.push(planned(format!("{name}.weight"), [outputs, inputs]));
    all.push(planned(format!("{name}.bias"), [outputs]));
}

pub(crate) fn norm(all: &mut Vec<Planned>, name: &str, width: usize) {
    all.push(planned(format!("{name}.weight"), [width]));
    all.push(planned(format!("{name}.bias"), [width]));
}

fn patches(all: &mut Vec<Planned>, name: &str, sizes: Sizes) {
    all.push(planned(format!("{name}.weight"), [sizes.width, 3, sizes.patch, sizes.patch]));
}

/// The same numbers under the names of another layout: parts of names, and what stands for them there.
pub(crate) fn renamed(
    tensors: impl IntoIterator<Item = Planned>,
    parts: &[(&str, &str)],
) -> Vec<Planned> {
    let rename = |mut tensor: Planned| {
        for (from, to) in parts {
            tensor.name = tensor.name.replace(from, to);
        }
        tensor
    };
    tensors.into_iter().map(rename).collect()
}

/// DINOv2 of `transformers` 4, behind a prefix.
pub(crate) fn dinov2(prefix: &str, sizes: Sizes, registers: usize) -> Vec<Planned> {
    let (mut all, width) = (Vec::new(), sizes.width);
    let embedding = |name: &str| format!("{prefix}embeddings.{name}");
    all.push(planned(embedding("cls_token"), [1, 1, width]));
    all.push(planned(embedding("mask_token"), [1, width]));
    all.push(planned(embedding("position_embeddings"), [1, 37 * 37 + 1, width]));
    if registers > 0 {
        all.push(planned(embedding("register_tokens"), [1, registers, width]));
    }
    patches(&mut all, &embedding("patch_embeddings.projection"), sizes);
    all.push(planned(embedding("patch_embeddings.projection.bias"), [width]));
    for layer in 0..sizes.depth {
        let at = |name: &str| format!("{prefix}encoder.layer.{layer}.{name}");
        norm(&mut all, &at("norm1"), width);
        for part in ["query", "key", "value"] {
            linear(&mut all, &at(&format!("attention.attention.{part}")), width, width);
        }
        linear(&mut all, &at("attention.output.dense"), width, width);
        all.push(planned(at("layer_scale1.lambda1"), [width]));
        norm(&mut all, &at("norm2"), width);
        linear(&mut all, &at("mlp.fc1"), 4 * width, width);
        linear(&mut all, &at("mlp.fc2"), width, 4 * width);
        all.push(planned(at("layer_scale2.lambda1"), [width]));
    }
    norm(&mut all, &format!("{prefix}layernorm"), width);
    all
}

/// MAE's encoder of `transformers` 4, behind a prefix.
pub(crate) fn mae(prefix: &str, depth: usize) -> Vec<Planned> {
    let (mut all, width) = (Vec::new(), 768);
    let embedding = |name: &str| format!("{prefix}embeddings.{name}");
    all.push(planned(embedding("cls_token"), [1, 1, width]));
    all.push(planned(embedding("position_embeddings"), [1, 197, width]));
    let projection = embedding("patch_embeddings.projection");
    patches(&mut all, &projection, Sizes::new(width, depth, 16));
    all.push(planned(format!("{projection}.bias"), [width]));
    for layer in 0..depth {
        let at = |name: &str| format!("{prefix}encoder.layer.{layer}.{name}");
        mae_block(&mut all, &at, (width, 4 * width));
    }
    norm(&mut all, &format!("{prefix}layernorm"), width);
    all
}

fn mae_block(all: &mut Vec<Planned>, at: &dyn Fn(&str) -> String, (width, hidden): (usize, usize)) {
    for part in ["query", "key", "value"] {
        linear(all, &at(&format!("attention.attention.{part}")), width, width);
    }
    linear(all, &at("attention.output.dense"), width, width);
    norm(all, &at("layernorm_before"), width);
    norm(all, &at("layernorm_after"), width);
    linear(all, &at("intermediate.dense"), hidden, width);
    linear(all, &at("output.dense"), width, hidden);
}

/// Blocks of CLIP's and SigLIP's towers.
pub(crate) fn clip_blocks(all: &mut Vec<Planned>, prefix: &str, sizes: Sizes) {
    let width = sizes.width;
    for layer in 0..sizes.depth {
        let at = |name: &str| format!("{prefix}encoder.layers.{layer}.{name}");
        for part in ["k_proj", "v_proj", "q_proj", "out_proj"] {
            linear(all, &at(&format!("self_attn.{part}")), width, width);
        }
        norm(all, &at("layer_norm1"), width);
        linear(all, &at("mlp.fc1"), 4 * width, width);
        linear(all, &at("mlp.fc2"), width, 4 * width);
        norm(all, &at("layer_norm2"), width);
    }
}

/// CLIP's tower of pictures of `transformers`.
pub(crate) fn clip(sizes: Sizes, projection: usize) -> Vec<Planned> {
    let (mut all, width) = (Vec::new(), sizes.width);
    let embedding = |name: &str| format!("vision_model.embeddings.{name}");
    let positions = (224 / sizes.patch).pow(2) + 1;
    all.push(planned(embedding("class_embedding"), [width]));
    patches(&mut all, &embedding("patch_embedding"), sizes);
    all.push(planned(embedding("position_embedding.weight"), [positions, width]));
    all.push(planned(embedding("position_ids"), [1, positions]));
    norm(&mut all, "vision_model.pre_layrnorm", width);
    clip_blocks(&mut all, "vision_model.", sizes);
    norm(&mut all, "vision_model.post_layernorm", width);
    all.push(planned("visual_projection.weight", [projection, width]));
    all
}

/// SigLIP2's tower of pictures of `transformers` 4, behind a prefix.
pub(crate) fn siglip2(prefix: &str, depth: usize) -> Vec<Planned> {
    let (mut all, width) = (Vec::new(), 768);
    let sizes = Sizes::new(width, depth, 16);
    let embedding = |name: &str| format!("{prefix}embeddings.{name}");
    patches(&mut all, &embedding("patch_embedding"), sizes);
    all.push(planned(embedding("patch_embedding.bias"), [width]));
    all.push(planned(embedding("position_embedding.weight"), [256, width]));
    clip_blocks(&mut all, prefix, sizes);
    norm(&mut all, &format!("{prefix}post_layernorm"), width);
    let head = |name: &str| format!("{prefix}head.{name}");
    all.push(planned(head("probe"), [1, 1, width]));
    all.push(planned(head("attention.in_proj_weight"), [3 * width, width]));
    all.push(planned(head("attention.in_proj_bias"), [3 * width]));
    linear(&mut all, &head("attention.out_proj"), width, width);
    norm(&mut all, &head("layernorm"), width);
    linear(&mut all, &head("mlp.fc1"), 4 * width, width);
    linear(&mut all, &head("mlp.fc2"), width, 4 * width);
    all
}

/// Extents of RAE's decoder.
#[derive(Clone, Copy)]
pub(crate) struct Decoder {
    pub(crate) width: usize,
    pub(crate) hidden: usize,
    pub(crate) depth: usize,
    /// Channels and side of latents.
    pub(crate) latent: (usize, usize),
}

/// RAE's decoder as diffusers has it, behind `decoder.`; its fixed positions are not in the file.
pub(crate) fn rae_decoder(decoder: Decoder) -> Vec<Planned> {
    let (mut all, width) = (Vec::new(), decoder.width);
    linear(&mut all, "decoder.decoder_embed", width, decoder.latent.0);
    all.push(planned("decoder.trainable_cls_token", [1, 1, width]));
    for layer in 0..decoder.depth {
        let at = |name: &str| {
            let name = match name.strip_prefix("attention.") {
                Some("attention.query") => "attention.to_q",
                Some("attention.key") => "attention.to_k",
                Some("attention.value") => "attention.to_v",
                Some(_) => "attention.to_out.0",
                None => name,
            };
            format!("decoder.decoder_layers.{layer}.{name}")
        };
        mae_block(&mut all, &at, (width, decoder.hidden));
    }
    norm(&mut all, "decoder.decoder_norm", width);
    linear(&mut all, "decoder.decoder_pred", 768, width);
    all
}

/// What RAE's own files and UAE's call the attention of the decoder, which diffusers renamed.
pub(crate) const RAE_ATTENTION: [(&str, &str); 4] = [
    ("attention.to_q", "attention.attention.query"),
    ("attention.to_k", "attention.attention.key"),
    ("attention.to_v", "attention.attention.value"),
    ("attention.to_out.0", "attention.output.dense"),
];

/// The buffers of diffusers' AutoencoderRAE.
pub(crate) fn rae_buffers(decoder: Decoder, pixels: [&str; 2]) -> Vec<Planned> {
    let (channels, side) = decoder.latent;
    let mut all = vec![
        planned("_latents_mean", [channels, side, side]),
        planned("_latents_std", [channels, side, side]),
    ];
    for (name, recipe) in ["encoder_mean", "encoder_std"].into_iter().zip(pixels) {
        all.push(Planned { recipe: recipe.to_owned(), ..planned(name, [1, 3, 1, 1]) });
    }
    all
}
