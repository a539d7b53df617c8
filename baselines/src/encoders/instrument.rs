//! Encoders that pictures are compared in the space of.

use std::path::Path;

use prismbench_core::{ElementType, Tokenizer, TokenizerError};
use prismbench_weights::Expected;

use super::Family;
use super::clip::LARGE_14;
use super::dinov2::{Dinov2Size, dinov2};
use super::encoder::Encoder;
use crate::OpenOptions;
use crate::model::{HubFile, Model, Opening, Part};
use crate::vit::{Interpolation, Scope, Side, TowerConfig};

/// An encoder that measures: pictures are compared by its summaries of them.
///
/// It takes squares of [`side`](Self::side) pixels as they are, because how a picture becomes one is
/// part of each metric's definition, and normalises them as its paper has it, whatever lies beside the
/// weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instrument {
    /// DINOv2 ViT-L/14 without registers, positions as in its own repository: the class token behind
    /// the last norm, 1,024 numbers.
    Dinov2L,
    /// CLIP ViT-L/14 at 336: the projected class token, 768 numbers.
    ClipL336,
}

const DINOV2: &[HubFile] = &[
    HubFile { repository: "facebook/dinov2-large", path: "model.safetensors" },
    HubFile { repository: "facebook/dinov2-large", path: "pytorch_model.bin" },
];
const CLIP: &[HubFile] = &[
    HubFile { repository: "openai/clip-vit-large-patch14-336", path: "model.safetensors" },
    HubFile { repository: "openai/clip-vit-large-patch14-336", path: "pytorch_model.bin" },
];

static DINOV2_MODEL: Model = Model {
    id: "dinov2",
    summary: "DINOv2 ViT-L/14 as an instrument",
    licence: "Apache-2.0",
    parameters: 304_368_640,
    parts: &[Part { files: DINOV2 }],
    open: |opening| Ok(Box::new(Encoder::as_published(opening, &Instrument::Dinov2L.family())?)),
};
static CLIP_MODEL: Model = Model {
    id: "clip",
    summary: "CLIP ViT-L/14 at 336 as an instrument",
    licence: "MIT (the original's; the repository states none)",
    parameters: 304_293_888,
    parts: &[Part { files: CLIP }],
    open: |opening| Ok(Box::new(Encoder::as_published(opening, &Instrument::ClipL336.family())?)),
};

impl Instrument {
    /// Side of the pictures that it takes, in pixels.
    #[must_use]
    pub fn side(self) -> usize {
        match self {
            Self::Dinov2L => 224,
            Self::ClipL336 => 336,
        }
    }

    /// Where its weights are published. Those of `torch.hub` (`dinov2_vitl14_pretrain.pth`) are read,
    /// too.
    #[must_use]
    pub fn files(self) -> &'static [HubFile] {
        match self {
            Self::Dinov2L => DINOV2,
            Self::ClipL336 => CLIP,
        }
    }

    /// Reads its weights.
    ///
    /// # Errors
    /// [`TokenizerError::WeightsMissing`], [`TokenizerError::WeightsUnreadable`] and
    /// [`TokenizerError::WeightsMismatch`] for a file that is not there, no weights file, or another
    /// model's.
    pub fn open(
        self,
        path: &Path,
        options: &OpenOptions,
    ) -> Result<Box<dyn Tokenizer>, TokenizerError> {
        let model = match self {
            Self::Dinov2L => &DINOV2_MODEL,
            Self::ClipL336 => &CLIP_MODEL,
        };
        let opening = Opening {
            id: model.id.to_owned(),
            model,
            argument: format!("--weights {}", model.id),
            path: Some(path),
            revision: None,
            hub: &options.hub,
            device: &options.device,
            arithmetic: options.arithmetic,
            element: ElementType::F32,
        };
        (model.open)(&opening)
    }

    /// Names and shapes of the tensors of a file with so many blocks; the published ones have 24.
    #[must_use]
    pub fn tensors(self, depth: usize) -> Vec<Expected> {
        let family = self.family();
        let scope = Scope::new(family.prefixes);
        let mut all = family.tower.expected(&scope, family.layouts[0], depth);
        all.extend(family.head.expected(&family.tower.block, &scope));
        all
    }

    fn family(self) -> Family {
        let as_they_are = Side::Scaled { from: 14, to: 14 };
        let published = match self {
            Self::Dinov2L => {
                let family = dinov2(Dinov2Size::Large);
                let tower = TowerConfig { interpolation: Interpolation::Offset, ..family.tower };
                Family { tower, ..family }
            }
            Self::ClipL336 => {
                Family { tower: TowerConfig { grid: 24, ..LARGE_14.tower }, ..LARGE_14 }
            }
        };
        Family { side: as_they_are, text: None, ..published }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_files_have_the_numbers_of_their_models() {
        for (instrument, model) in
            [(Instrument::Dinov2L, &DINOV2_MODEL), (Instrument::ClipL336, &CLIP_MODEL)]
        {
            assert_eq!(Expected::count(&instrument.tensors(24)), model.parameters);
        }
    }
}
