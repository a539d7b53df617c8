use super::autoencoder::Rae;
use crate::encoders::{Dinov2Size, Family, MAE_B, SIGLIP2_B, dinov2_registers};
use crate::model::{HubFile, Model, Part};

/// What one published RAE differs in from another.
pub(super) struct Variant {
    /// The encoder; its side and head are not used.
    pub(super) family: Family,
    /// Pixels along the side of a picture, and of what the encoder sees of it.
    pub(super) side: usize,
    pub(super) seen: usize,
    /// Beside a decoder in RAE's own format.
    pub(super) statistics: &'static Part,
    pub(super) encoder: &'static Part,
}

impl Variant {
    /// Latents along the side of a picture.
    pub(super) fn grid(&self) -> usize {
        self.seen / self.family.tower.patch
    }
}

const COLLECTIONS: &str = "nyu-visionx/RAE-collections";

/// Files by repository and path.
macro_rules! part {
    ($($repository:expr, $path:literal);+) => {
        Part { files: &[$(HubFile { repository: $repository, path: $path }),+] }
    };
}

/// One row of the table: id, diffusers' repository, RAE's own decoder where there is one, what it is,
/// numbers, and the variant.
macro_rules! row {
    ($id:literal, $repository:literal, $($decoder:literal)?, $summary:literal, $parameters:literal, $variant:expr) => {
        Model {
            id: $id,
            summary: $summary,
            licence: "not stated (RAE's code is MIT)",
            parameters: $parameters,
            parts: &[part!(
                $repository, "diffusion_pytorch_model.safetensors"
                $(; COLLECTIONS, $decoder)?
            )],
            open: |opening| Ok(Box::new(Rae::open(opening, &$variant)?)),
        }
    };
}

fn dinov2(size: Dinov2Size) -> Variant {
    Variant {
        family: dinov2_registers(size),
        side: 256,
        seen: 224,
        statistics: &part!(COLLECTIONS, "stats/dinov2/wReg_base/imagenet1k/stat.pt"),
        encoder: match size {
            Dinov2Size::Small => {
                &part!("facebook/dinov2-with-registers-small", "model.safetensors")
            }
            Dinov2Size::Base => &part!("facebook/dinov2-with-registers-base", "model.safetensors"),
            Dinov2Size::Large => {
                &part!("facebook/dinov2-with-registers-large", "model.safetensors")
            }
        },
    }
}

fn dinov2_512() -> Variant {
    Variant {
        side: 512,
        seen: 448,
        statistics: &part!(COLLECTIONS, "stats/dinov2/wReg_base/imagenet1k_512/stat.pt"),
        ..dinov2(Dinov2Size::Base)
    }
}

fn mae() -> Variant {
    Variant {
        family: MAE_B,
        side: 256,
        seen: 256,
        statistics: &part!(COLLECTIONS, "stats/mae/base_p16/ImageNet1k/stat.pt"),
        encoder: &part!(
            "facebook/vit-mae-base", "model.safetensors";
            "facebook/vit-mae-base", "pytorch_model.bin"
        ),
    }
}

fn siglip2() -> Variant {
    Variant {
        family: SIGLIP2_B,
        side: 256,
        seen: 256,
        statistics: &part!(COLLECTIONS, "stats/siglip2/base_p16_i256/ImageNet1k/stat.pt"),
        encoder: &part!("google/siglip2-base-patch16-256", "model.safetensors"),
    }
}

#[rustfmt::skip]
pub(crate) const MODELS: &[Model] = &[
    row!("rae-dinov2-s", "nyu-visionx/RAE-dinov2-wReg-small-ViTXL-n08", ,
         "RAE on DINOv2-S with registers, ViT-XL decoder", 436_967_680, dinov2(Dinov2Size::Small)),
    row!("rae-dinov2-b", "nyu-visionx/RAE-dinov2-wReg-base-ViTXL-n08", "decoders/dinov2/wReg_base/ViTXL_n08/model.pt",
         "RAE on DINOv2-B with registers, ViT-XL decoder", 501_934_720, dinov2(Dinov2Size::Base)),
    row!("rae-dinov2-l", "nyu-visionx/RAE-dinov2-wReg-large-ViTXL-n08", ,
         "RAE on DINOv2-L with registers, ViT-XL decoder", 720_018_304, dinov2(Dinov2Size::Large)),
    row!("rae-dinov2-b-512", "nyu-visionx/RAE-dinov2-wReg-base-ViTXL-n08-i512", "decoders/dinov2/wReg_base/ViTXL_n08_i512/model.pt",
         "RAE on DINOv2-B with registers for pictures of 512, ViT-XL decoder", 502_819_456, dinov2_512()),
    row!("rae-mae-b", "nyu-visionx/RAE-mae-base-p16-ViTXL-n08", "decoders/mae/base_p16/ViTXL_n08/model.pt",
         "RAE on MAE-B, ViT-XL decoder", 501_149_824, mae()),
    row!("rae-siglip2-b", "nyu-visionx/RAE-siglip2-base-p16-i256-ViTXL-n08", "decoders/siglip2/base_p16_i256/ViTXL_n08/model.pt",
         "RAE on SigLIP2-B at 256, ViT-XL decoder", 501_194_368, siglip2()),
];

#[cfg(test)]
mod tests {
    use prismbench_weights::Expected;

    use super::*;
    use crate::rae::decoder::DecoderConfig;
    use crate::vit::{FinalNorm, Scope, TowerConfig};

    #[test]
    fn the_published_models_have_the_numbers_of_their_rows() {
        let sizes = [Dinov2Size::Small, Dinov2Size::Base, Dinov2Size::Large];
        let variants = sizes.map(dinov2).into_iter().chain([dinov2_512(), mae(), siglip2()]);
        for (model, variant) in MODELS.iter().zip(variants) {
            let Family { tower, layouts, .. } = variant.family;
            let depth = if tower.block.width == 1024 { 24 } else { 12 };
            let tower = TowerConfig { after: FinalNorm::Plain, ..tower };
            let scope = Scope::new(&[""]);
            let encoder = tower.expected(&scope, layouts[0], depth);
            let size = (tower.block.width, variant.grid());
            let decoder = DecoderConfig::published(28, size).parameters(&scope);
            assert_eq!(Expected::count(&encoder) + decoder, model.parameters, "{}", model.id);
        }
    }
}
