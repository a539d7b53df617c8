//! The published tiny autoencoders and where each lies.

use super::TinyAutoencoder;
use super::layout::{Form, Lowest};
use crate::model::{HubFile, Model, Part};

const DIFFUSERS: &str = "diffusion_pytorch_model.safetensors";

const FOUR: Form = Form { channels: 4, lowest: Lowest::Plain };
const SIXTEEN: Form = Form { channels: 16, lowest: Lowest::Plain };
const FLUX2: Form = Form { channels: 32, lowest: Lowest::Pooled };

/// Two files of the hub's repository, or one.
macro_rules! halves {
    ($repository:literal, first = $form:ident, $encoder:literal, $decoder:literal) => {
        &[
            Part { files: $form!($repository, $encoder) },
            Part { files: $form!($repository, $decoder) },
        ]
    };
}

/// The repository has both forms.
macro_rules! half_first {
    ($repository:literal, $half:literal) => {
        &[
            HubFile { repository: $repository, path: concat!($half, ".safetensors") },
            HubFile { repository: $repository, path: DIFFUSERS },
            HubFile { repository: $repository, path: concat!($half, ".pth") },
        ]
    };
}

/// The repository has diffusers' form; the pickled halves are in the code's.
macro_rules! whole_first {
    ($repository:literal, $half:literal) => {
        &[
            HubFile { repository: $repository, path: DIFFUSERS },
            HubFile { repository: $repository, path: concat!($half, ".safetensors") },
            HubFile { repository: $repository, path: concat!($half, ".pth") },
        ]
    };
}

pub(crate) const MODELS: &[Model] = &[
    Model {
        id: "taesd",
        summary: "tiny autoencoder for the latent space of SD 1 and 2",
        licence: "MIT",
        parameters: 2_445_063,
        parts: halves!("madebyollin/taesd", first = half_first, "taesd_encoder", "taesd_decoder"),
        open: |opening| Ok(Box::new(TinyAutoencoder::open(opening, FOUR)?)),
    },
    Model {
        id: "taesdxl",
        summary: "tiny autoencoder for the latent space of SDXL",
        licence: "MIT",
        parameters: 2_445_063,
        parts: halves!(
            "madebyollin/taesdxl",
            first = half_first,
            "taesdxl_encoder",
            "taesdxl_decoder"
        ),
        open: |opening| Ok(Box::new(TinyAutoencoder::open(opening, FOUR)?)),
    },
    Model {
        id: "taesd3",
        summary: "tiny autoencoder for the latent space of SD3",
        licence: "MIT",
        parameters: 2_458_899,
        parts: halves!(
            "madebyollin/taesd3",
            first = whole_first,
            "taesd3_encoder",
            "taesd3_decoder"
        ),
        open: |opening| Ok(Box::new(TinyAutoencoder::open(opening, SIXTEEN)?)),
    },
    Model {
        id: "taef1",
        summary: "tiny autoencoder for the latent space of FLUX.1",
        licence: "MIT",
        parameters: 2_458_899,
        parts: halves!("madebyollin/taef1", first = whole_first, "taef1_encoder", "taef1_decoder"),
        open: |opening| Ok(Box::new(TinyAutoencoder::open(opening, SIXTEEN)?)),
    },
    Model {
        id: "taef2",
        summary: "tiny autoencoder for the latent space of FLUX.2",
        licence: "MIT",
        parameters: 2_677_027,
        parts: halves!("madebyollin/taef2", first = half_first, "taef2_encoder", "taef2_decoder"),
        open: |opening| Ok(Box::new(TinyAutoencoder::open(opening, FLUX2)?)),
    },
];
