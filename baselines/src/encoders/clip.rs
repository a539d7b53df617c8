use prismbench_kernels::nn::{Activation, Mask};

use super::Family;
use super::encoder::Encoder;
use super::pooling::Head;
use super::text::{TextConfig, TextStyle};
use crate::model::{HubFile, Model, Part};
use crate::vit::{
    BlockConfig, CLIP_PIXELS, CLIP_VISION, FinalNorm, Interpolation, PatchBias, Side, TowerConfig,
};

const BASE_BLOCK: BlockConfig = BlockConfig {
    width: 768,
    hidden: 3072,
    heads: 12,
    epsilon: 1e-5,
    activation: Activation::QuickGelu,
    mask: Mask::None,
};

/// CLIP's tower of pictures (Radford et al. 2021). Patch tokens are those of the last block; its
/// last norm is of the class token alone.
const BASE_32: Family = Family {
    tower: TowerConfig {
        block: BASE_BLOCK,
        channels: 3,
        patch: 32,
        patch_bias: PatchBias::Absent,
        grid: 7,
        registers: 0,
        interpolation: Interpolation::Plain,
        after: FinalNorm::None,
    },
    layouts: &[&CLIP_VISION],
    prefixes: &["vision_model."],
    ignored: &[
        "text_model.",
        "text_projection.",
        "logit_scale",
        "vision_model.embeddings.position_ids",
    ],
    head: Head::Projection { outputs: 512 },
    text: Some(BASE_TEXT),
    side: Side::Fixed(224),
    pixels: CLIP_PIXELS,
    source: "CLIP, arXiv 2103.00020",
};

pub(crate) const LARGE_14: Family = Family {
    tower: TowerConfig {
        block: BlockConfig { width: 1024, hidden: 4096, heads: 16, ..BASE_BLOCK },
        patch: 14,
        grid: 16,
        ..BASE_32.tower
    },
    head: Head::Projection { outputs: 768 },
    text: Some(LARGE_TEXT),
    ..BASE_32
};

/// The tower of texts beside ViT-B/32.
const BASE_TEXT: TextConfig = TextConfig {
    block: BlockConfig { width: 512, hidden: 2048, heads: 8, mask: Mask::Causal, ..BASE_BLOCK },
    vocabulary: 49_408,
    context: 77,
    outputs: 512,
    style: TextStyle::Clip,
};

/// The tower of texts beside ViT-L/14.
const LARGE_TEXT: TextConfig = TextConfig {
    block: BlockConfig { width: 768, hidden: 3072, heads: 12, ..BASE_TEXT.block },
    outputs: 768,
    ..BASE_TEXT
};

const LARGE_REPOSITORY: &str = "openai/clip-vit-large-patch14";
const BASE_REPOSITORY: &str = "openai/clip-vit-base-patch32";
const LICENCE: &str = "MIT (the original's; the repository states none)";

pub(crate) const MODELS: &[Model] = &[
    Model {
        id: "clip-l",
        summary: "CLIP ViT-L/14 at 224: an encoder, and its tower of texts",
        licence: LICENCE,
        parameters: 427_616_513,
        parts: &[
            Part {
                files: &[
                    HubFile { repository: LARGE_REPOSITORY, path: "model.safetensors" },
                    HubFile { repository: LARGE_REPOSITORY, path: "pytorch_model.bin" },
                ],
            },
            Part { files: &[HubFile { repository: LARGE_REPOSITORY, path: "tokenizer.json" }] },
        ],
        open: |opening| Ok(Box::new(Encoder::open(opening, &LARGE_14)?)),
    },
    Model {
        id: "clip-b32",
        summary: "CLIP ViT-B/32 at 224: an encoder, and its tower of texts",
        licence: LICENCE,
        parameters: 151_277_313,
        parts: &[
            Part {
                files: &[
                    HubFile { repository: BASE_REPOSITORY, path: "model.safetensors" },
                    HubFile { repository: BASE_REPOSITORY, path: "pytorch_model.bin" },
                ],
            },
            Part { files: &[HubFile { repository: BASE_REPOSITORY, path: "tokenizer.json" }] },
        ],
        open: |opening| Ok(Box::new(Encoder::open(opening, &BASE_32)?)),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_models_have_the_numbers_of_their_rows() {
        // The towers of pictures with their projections, which are 1024 x 768 and 768 x 512, then
        // those of texts with theirs and the logit's scale.
        assert_eq!(LARGE_14.parameters(24), 303_179_776 + 1024 * 768);
        assert_eq!(LARGE_14.parameters(24) + LARGE_TEXT.parameters(12), MODELS[0].parameters);
        assert_eq!(BASE_32.parameters(12), 87_849_216);
        assert_eq!(BASE_32.parameters(12) + BASE_TEXT.parameters(12), MODELS[1].parameters);
    }
}
