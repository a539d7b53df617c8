use super::autoencoder::Uae;
use crate::encoders::{CLIP_L, Dinov2Size, Family, SIGLIP2_B, dinov2_registers};
use crate::model::{HubFile, Model, Part};
use crate::rae::Extents;

/// What one UAE differs in from another.
pub(super) struct Variant {
    /// The encoder; its side and head are not used.
    pub(super) family: Family,
    /// What comes before the names of its tensors.
    pub(super) encoder: &'static [&'static str],
    /// Pixels along the side of what it sees of a picture.
    seen: usize,
    pub(super) generation: Generation,
    /// Whether it is for latents that a generator makes, and nothing without their statistics.
    pub(super) of_generator: bool,
}

/// How frequencies are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// The first: rings of the Fourier transform.
    Rings,
    /// The second: the cosine transform.
    Cosine,
}

/// Pixels along the side of a picture.
const SIDE: usize = 256;

impl Variant {
    /// Latents along the side of a picture.
    pub(super) fn grid(&self) -> usize {
        self.seen / self.family.tower.patch
    }

    /// Sizes of pictures and latents.
    pub(super) fn extents(&self) -> Extents {
        let channels = self.family.tower.block.width;
        Extents { side: SIDE, seen: self.seen, channels, grid: self.grid() }
    }

    /// The dictionary of a training checkpoint that its evaluation takes.
    pub(super) fn dictionaries(&self) -> &'static [&'static str] {
        match self.generation {
            Generation::Rings => &["model"],
            Generation::Cosine => &["ema", "model"],
        }
    }

    /// The paper.
    pub(super) fn source(&self) -> &'static str {
        match self.generation {
            Generation::Rings => "UAE, arXiv 2512.19693 version 1 (branch old_uae)",
            Generation::Cosine => "UAE, arXiv 2512.19693 version 5",
        }
    }
}

fn dinov2(generation: Generation) -> Variant {
    let family = dinov2_registers(Dinov2Size::Base);
    Variant { family, encoder: &["encoder.encoder."], seen: 224, generation, of_generator: false }
}

/// `vision_model.` comes before names or not, by the version of transformers that saved them.
fn transformers(family: Family, seen: usize) -> Variant {
    let family = Family { prefixes: &["vision_model.", ""], ..family };
    let (encoder, generation) = (&["encoder.model."], Generation::Cosine);
    Variant { family, encoder, seen, generation, of_generator: false }
}

const LICENCE: &str = "not stated";

/// A file of the published generator on 64 coefficients a channel
/// (`configs/stage2/latent_modeling/sampling/ImageNet256/64token.yaml`).
macro_rules! of_64_coefficients {
    ($name:literal) => {
        HubFile {
            repository: "weepiess2383/UAE",
            path: concat!("checkpoints/Generative_Modeling/Latent_Modeling/64_tokens/", $name),
        }
    };
}

pub(crate) const MODELS: &[Model] = &[
    Model {
        id: "uae-dinov2-b",
        summary: "UAE on DINOv2-B with registers, ViT-XL decoder",
        licence: LICENCE,
        parameters: 501_934_720,
        parts: &[Part {
            files: &[HubFile {
                repository: "weepiess2383/UAE",
                path: "checkpoints/DINOv2-B/ep-last.pt",
            }],
        }],
        open: |opening| Ok(Box::new(Uae::open(opening, &dinov2(Generation::Cosine))?)),
    },
    Model {
        id: "uae-64-dinov2-b",
        summary: "UAE on DINOv2-B with registers for latents of 64 coefficients a channel, as \
            uae-ditdh-xl draws them; --band-mask zigzag:64 encodes such",
        licence: LICENCE,
        parameters: 501_934_720,
        parts: &[
            Part { files: &[of_64_coefficients!("stage_1.pt")] },
            Part { files: &[of_64_coefficients!("normalization_stats.pt")] },
        ],
        open: |opening| {
            let variant = Variant { of_generator: true, ..dinov2(Generation::Cosine) };
            Ok(Box::new(Uae::open(opening, &variant)?))
        },
    },
    Model {
        id: "uae-siglip2-b",
        summary: "UAE on SigLIP2-B at 256, ViT-XL decoder; give it a checkpoint: none is known to be \
            published",
        licence: LICENCE,
        parameters: 501_194_368,
        parts: &[Part { files: &[] }],
        open: |opening| Ok(Box::new(Uae::open(opening, &transformers(SIGLIP2_B, 256))?)),
    },
    Model {
        id: "uae-clip-l",
        summary: "UAE on CLIP ViT-L/14 at 224, ViT-XL decoder; give it a checkpoint: none is known to \
            be published",
        licence: LICENCE,
        parameters: 718_825_344,
        parts: &[Part { files: &[] }],
        open: |opening| Ok(Box::new(Uae::open(opening, &transformers(CLIP_L, 224))?)),
    },
    Model {
        id: "uae-v1-dinov2-b",
        summary: "UAE's first generation on DINOv2-B with registers, with its modulator of bands; give \
            it a checkpoint: none is known by its path",
        licence: LICENCE,
        parameters: 533_787_528,
        parts: &[Part { files: &[] }],
        open: |opening| Ok(Box::new(Uae::open(opening, &dinov2(Generation::Rings))?)),
    },
];

#[cfg(test)]
mod tests {
    use prismbench_weights::Expected;

    use super::super::modulator::Modulator;
    use super::*;
    use crate::rae::DecoderConfig;
    use crate::vit::{FinalNorm, Scope, TowerConfig};

    #[test]
    fn the_models_have_the_numbers_of_their_rows() {
        let variants = [
            (dinov2(Generation::Cosine), 12),
            (dinov2(Generation::Cosine), 12),
            (transformers(SIGLIP2_B, 256), 12),
            (transformers(CLIP_L, 224), 24),
            (dinov2(Generation::Rings), 12),
        ];
        for (model, (variant, depth)) in MODELS.iter().zip(variants) {
            // The last norm has neither weight nor bias.
            let tower = TowerConfig { after: FinalNorm::None, ..variant.family.tower };
            let scope = Scope::new(&[""]);
            let encoder = tower.expected(&scope, variant.family.layouts[0], depth);
            let size = (tower.block.width, variant.grid());
            let decoder = DecoderConfig::published(28, size).parameters(&scope);
            let modulator = match variant.generation {
                Generation::Rings => Expected::count(&Modulator::expected(size.0)),
                Generation::Cosine => 0,
            };
            let found = Expected::count(&encoder) + decoder + modulator;
            assert_eq!(found, model.parameters, "{}", model.id);
        }
    }
}
