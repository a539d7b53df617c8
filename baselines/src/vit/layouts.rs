//! The layouts that published files have.

use super::{AttentionNames, BlockNames, Form, Names, TowerNames};

/// `transformers`' names of attention in ViT, DINOv2 and MAE: those of files, then those that
/// version 5 has in memory and may save.
const HF_QUERIES_KEYS_VALUES: [Names; 3] = [
    &["attention.attention.query", "attention.q_proj"],
    &["attention.attention.key", "attention.k_proj"],
    &["attention.attention.value", "attention.v_proj"],
];
const HF_OUTPUT: Names = &["attention.output.dense", "attention.o_proj"];

const DINO_BLOCK: BlockNames = BlockNames {
    norms: [&["norm1"], &["norm2"]],
    attention: AttentionNames::Apart(HF_QUERIES_KEYS_VALUES),
    output: HF_OUTPUT,
    mlp: [&["mlp.fc1"], &["mlp.fc2"]],
    scales: Some([&["layer_scale1.lambda1"], &["layer_scale2.lambda1"]]),
};

const DINO_NATIVE_BLOCK: BlockNames = BlockNames {
    attention: AttentionNames::Joint { weight: &["attn.qkv.weight"], bias: &["attn.qkv.bias"] },
    output: &["attn.proj"],
    scales: Some([&["ls1.gamma"], &["ls2.gamma"]]),
    ..DINO_BLOCK
};

const MAE_BLOCK: BlockNames = BlockNames {
    norms: [&["layernorm_before"], &["layernorm_after"]],
    attention: AttentionNames::Apart(HF_QUERIES_KEYS_VALUES),
    output: HF_OUTPUT,
    mlp: [&["intermediate.dense", "mlp.fc1"], &["output.dense", "mlp.fc2"]],
    scales: None,
};

/// CLIP and SigLIP in `transformers`, towers of pictures and of texts.
pub(crate) const CLIP_BLOCK: BlockNames = BlockNames {
    norms: [&["layer_norm1"], &["layer_norm2"]],
    attention: AttentionNames::Apart([
        &["self_attn.q_proj"],
        &["self_attn.k_proj"],
        &["self_attn.v_proj"],
    ]),
    output: &["self_attn.out_proj"],
    mlp: [&["mlp.fc1"], &["mlp.fc2"]],
    scales: None,
};

/// RAE's decoder, in its own files and in diffusers'.
pub(crate) const RAE_DECODER_BLOCK: BlockNames = BlockNames {
    attention: AttentionNames::Apart([
        &["attention.attention.query", "attention.to_q"],
        &["attention.attention.key", "attention.to_k"],
        &["attention.attention.value", "attention.to_v"],
    ]),
    output: &["attention.output.dense", "attention.to_out.0"],
    mlp: [&["intermediate.dense"], &["output.dense"]],
    ..MAE_BLOCK
};

/// DINOv2 in `transformers`, with registers or without.
pub(crate) const DINO: TowerNames = TowerNames {
    layers: &["encoder.layer."],
    block: DINO_BLOCK,
    patches: &["embeddings.patch_embeddings.projection"],
    class: Some(&["embeddings.cls_token"]),
    registers: &["embeddings.register_tokens"],
    positions: &["embeddings.position_embeddings"],
    mask: Some(&["embeddings.mask_token"]),
    before: None,
    after: &["layernorm"],
    form: Form::Batched,
};

/// DINOv2 as `torch.hub` has it.
pub(crate) const DINO_NATIVE: TowerNames = TowerNames {
    layers: &["blocks."],
    block: DINO_NATIVE_BLOCK,
    patches: &["patch_embed.proj"],
    class: Some(&["cls_token"]),
    registers: &["register_tokens"],
    positions: &["pos_embed"],
    mask: Some(&["mask_token"]),
    after: &["norm"],
    ..DINO
};

/// MAE's encoder in `transformers`.
pub(crate) const MAE: TowerNames =
    TowerNames { layers: &["encoder.layer.", "layers."], block: MAE_BLOCK, mask: None, ..DINO };

/// CLIP's tower of pictures in `transformers`. (`pre_layrnorm` is what it is called.)
pub(crate) const CLIP_VISION: TowerNames = TowerNames {
    layers: &["encoder.layers."],
    block: CLIP_BLOCK,
    patches: &["embeddings.patch_embedding"],
    class: Some(&["embeddings.class_embedding"]),
    registers: &[],
    positions: &["embeddings.position_embedding.weight"],
    mask: None,
    before: Some(&["pre_layrnorm"]),
    after: &["post_layernorm"],
    form: Form::Plain,
};

/// SigLIP's tower of pictures in `transformers`.
pub(crate) const SIGLIP_VISION: TowerNames =
    TowerNames { class: None, before: None, ..CLIP_VISION };
