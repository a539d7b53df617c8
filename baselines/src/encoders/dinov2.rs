use prismbench_kernels::nn::{Activation, Mask};

use super::Family;
use super::encoder::Encoder;
use super::pooling::Head;
use crate::model::{HubFile, Model, Part};
use crate::vit::{
    BlockConfig, DINO, DINO_NATIVE, FinalNorm, IMAGENET_PIXELS, Interpolation, PatchBias, Side,
    TowerConfig,
};

/// The published sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dinov2Size {
    Small,
    Base,
    Large,
}

/// DINOv2 with four registers (Darcet et al. 2024).
pub(crate) fn dinov2_registers(size: Dinov2Size) -> Family {
    family(size, 4, Interpolation::Antialiased)
}

/// DINOv2 as first published (Oquab et al. 2024).
///
/// Positions as `transformers`' `Dinov2Model` interpolates them: to the size, without antialiasing.
/// The original repository scales by `(rows + 0.1) / 37` instead, which differs a little:
/// [`Interpolation::Offset`].
pub(super) fn dinov2(size: Dinov2Size) -> Family {
    family(size, 0, Interpolation::Plain)
}

fn family(size: Dinov2Size, registers: usize, interpolation: Interpolation) -> Family {
    let width = match size {
        Dinov2Size::Small => 384,
        Dinov2Size::Base => 768,
        Dinov2Size::Large => 1024,
    };
    let block = BlockConfig {
        width,
        hidden: 4 * width,
        heads: width / 64,
        epsilon: 1e-6,
        activation: Activation::Gelu,
        mask: Mask::None,
    };
    let tower = TowerConfig {
        block,
        channels: 3,
        patch: 14,
        patch_bias: PatchBias::Present,
        grid: 37,
        registers,
        interpolation,
        after: FinalNorm::Learned,
    };
    Family {
        tower,
        layouts: &[&DINO, &DINO_NATIVE],
        prefixes: &["", "dinov2.", "dinov2_with_registers."],
        ignored: &[],
        head: Head::None,
        text: None,
        side: Side::Scaled { from: 16, to: 14 },
        pixels: IMAGENET_PIXELS,
        source: match registers {
            0 => "DINOv2, arXiv 2304.07193",
            _ => "DINOv2 with registers, arXiv 2309.16588",
        },
    }
}

/// One row of the table.
macro_rules! row {
    ($id:literal, $repository:literal, $summary:literal, $parameters:literal, $family:ident, $size:ident) => {
        Model {
            id: $id,
            summary: $summary,
            licence: "Apache-2.0",
            parameters: $parameters,
            parts: &[Part {
                files: &[
                    HubFile { repository: $repository, path: "model.safetensors" },
                    HubFile { repository: $repository, path: "pytorch_model.bin" },
                ],
            }],
            open: |opening| Ok(Box::new(Encoder::open(opening, &$family(Dinov2Size::$size))?)),
        }
    };
}

#[rustfmt::skip]
pub(crate) const MODELS: &[Model] = &[
    row!("dinov2-reg-s", "facebook/dinov2-with-registers-small", "DINOv2 ViT-S/14 with registers: an encoder", 22_058_112, dinov2_registers, Small),
    row!("dinov2-reg-b", "facebook/dinov2-with-registers-base", "DINOv2 ViT-B/14 with registers: an encoder", 86_583_552, dinov2_registers, Base),
    row!("dinov2-reg-l", "facebook/dinov2-with-registers-large", "DINOv2 ViT-L/14 with registers: an encoder", 304_372_736, dinov2_registers, Large),
    row!("dinov2-s", "facebook/dinov2-small", "DINOv2 ViT-S/14: an encoder", 22_056_576, dinov2, Small),
    row!("dinov2-b", "facebook/dinov2-base", "DINOv2 ViT-B/14: an encoder", 86_580_480, dinov2, Base),
    row!("dinov2-l", "facebook/dinov2-large", "DINOv2 ViT-L/14: an encoder", 304_368_640, dinov2, Large),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_models_have_the_numbers_of_their_rows() {
        let sizes = [Dinov2Size::Small, Dinov2Size::Base, Dinov2Size::Large];
        let families = sizes.map(dinov2_registers).into_iter().chain(sizes.map(dinov2));
        for (model, family) in MODELS.iter().zip(families) {
            let depth = if family.tower.block.width == 1024 { 24 } else { 12 };
            assert_eq!(family.parameters(depth), model.parameters, "{}", model.id);
        }
    }
}
