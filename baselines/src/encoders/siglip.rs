use prismbench_kernels::nn::{Activation, Mask};

use super::Family;
use super::encoder::Encoder;
use super::pooling::Head;
use super::text::{TextConfig, TextStyle};
use crate::model::{HubFile, Model, Part};
use crate::vit::{
    BlockConfig, FinalNorm, Interpolation, PatchBias, SIGLIP_PIXELS, SIGLIP_VISION, Side,
    TowerConfig,
};

const BLOCK: BlockConfig = BlockConfig {
    width: 768,
    hidden: 3072,
    heads: 12,
    epsilon: 1e-6,
    activation: Activation::GeluTanh,
    mask: Mask::None,
};

/// SigLIP2's tower of pictures (Tschannen et al. 2025) at one resolution: there is no class token,
/// and attention pools.
pub(crate) const SIGLIP2_B: Family = Family {
    tower: TowerConfig {
        block: BLOCK,
        channels: 3,
        patch: 16,
        patch_bias: PatchBias::Present,
        grid: 16,
        registers: 0,
        interpolation: Interpolation::Plain,
        after: FinalNorm::Learned,
    },
    layouts: &[&SIGLIP_VISION],
    prefixes: &["vision_model.", ""],
    ignored: &["text_model.", "logit_scale", "logit_bias", "vision_model.embeddings.position_ids"],
    head: Head::Attention,
    text: Some(TEXT),
    side: Side::Fixed(256),
    pixels: SIGLIP_PIXELS,
    source: "SigLIP 2, arXiv 2502.14786",
};

/// The tower of texts beside it, which knows Gemma's tokens and has no mask.
const TEXT: TextConfig = TextConfig {
    block: BLOCK,
    vocabulary: 256_000,
    context: 64,
    outputs: 768,
    style: TextStyle::Siglip,
};

const REPOSITORY: &str = "google/siglip2-base-patch16-256";

pub(crate) const MODELS: &[Model] = &[Model {
    id: "siglip2-b",
    summary: "SigLIP2 ViT-B/16 at 256: an encoder, and its tower of texts",
    licence: "Apache-2.0",
    parameters: 375_234_050,
    parts: &[
        Part { files: &[HubFile { repository: REPOSITORY, path: "model.safetensors" }] },
        Part { files: &[HubFile { repository: REPOSITORY, path: "tokenizer.json" }] },
    ],
    open: |opening| Ok(Box::new(Encoder::open(opening, &SIGLIP2_B)?)),
}];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_model_has_the_numbers_of_its_row() {
        assert_eq!(SIGLIP2_B.parameters(12), 92_930_304);
        assert_eq!(SIGLIP2_B.parameters(12) + TEXT.parameters(12), MODELS[0].parameters);
    }
}
