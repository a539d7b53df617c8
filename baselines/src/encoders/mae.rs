use prismbench_kernels::nn::{Activation, Mask};

use super::Family;
use super::encoder::Encoder;
use super::pooling::Head;
use crate::model::{HubFile, Model, Part};
use crate::vit::{
    BlockConfig, FinalNorm, IMAGENET_PIXELS, Interpolation, MAE, PatchBias, Side, TowerConfig,
};

/// MAE's encoder (He et al. 2022) as `transformers` has it: nothing is masked, and the epsilon of
/// its norms is 1e-12 where the original has 1e-6.
pub(crate) const MAE_B: Family = Family {
    tower: TowerConfig {
        block: BlockConfig {
            width: 768,
            hidden: 3072,
            heads: 12,
            epsilon: 1e-12,
            activation: Activation::Gelu,
            mask: Mask::None,
        },
        channels: 3,
        patch: 16,
        patch_bias: PatchBias::Present,
        grid: 14,
        registers: 0,
        interpolation: Interpolation::Plain,
        after: FinalNorm::Learned,
    },
    layouts: &[&MAE],
    prefixes: &["vit.", ""],
    ignored: &["decoder."],
    head: Head::None,
    text: None,
    side: Side::Fixed(224),
    pixels: IMAGENET_PIXELS,
    source: "MAE, arXiv 2111.06377",
};

const REPOSITORY: &str = "facebook/vit-mae-base";

pub(crate) const MODELS: &[Model] = &[Model {
    id: "mae-b",
    summary: "MAE ViT-B/16: an encoder",
    licence: "CC-BY-NC-4.0",
    parameters: 85_798_656,
    parts: &[Part {
        files: &[
            HubFile { repository: REPOSITORY, path: "model.safetensors" },
            HubFile { repository: REPOSITORY, path: "pytorch_model.bin" },
        ],
    }],
    open: |opening| Ok(Box::new(Encoder::open(opening, &MAE_B)?)),
}];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_model_has_the_numbers_of_its_row() {
        assert_eq!(MAE_B.parameters(12), MODELS[0].parameters);
    }
}
