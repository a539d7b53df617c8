use prismbench_weights::WeightsFile;

/// Ends of names that only one kind of network has; the first that fits is what a file holds.
const SIGNS: &[(&str, &str)] = &[
    ("s_embedder.proj.weight", "a DiT^DH"),
    ("feat_rope.freqs_cos", "a LightningDiT"),
    ("blocks.0.adaLN_modulation.1.weight", "a DiT or SiT without rotary embeddings"),
    ("transformer_blocks.0.attn1.to_q.weight", "a transformer of diffusers"),
    ("transformer_blocks.0.attn.to_q.weight", "a transformer of diffusers"),
    ("input_blocks.0.0.weight", "a U-Net"),
    ("down_blocks.0.resnets.0.conv1.weight", "an AutoencoderKL or a U-Net of diffusers"),
    ("decoder_pred.weight", "a decoder of RAE"),
    ("decoder.conv_out.weight", "an AutoencoderKL"),
    ("attention.attention.query.weight", "a vision transformer"),
    ("attn.qkv.weight", "a vision transformer"),
    ("self_attn.q_proj.weight", "a transformer of transformers"),
];

/// The kind of network that a file holds, where its names tell.
pub(super) fn kind(file: &WeightsFile) -> Option<&'static str> {
    let has = |end: &str| file.names().any(|name| name.ends_with(end));
    SIGNS.iter().find(|(end, _)| has(end)).map(|&(_, kind)| kind)
}
