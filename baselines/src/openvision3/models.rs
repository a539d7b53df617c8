use super::encoder::OpenVision3;
use crate::model::{HubFile, Model, Part};

const BASE: &str = "UCSC-VLAA/openvision3-vit-base-patch2-32";

/// FLUX.1's autoencoder where openvision3_test.py takes it from.
pub(super) const VAE: Part = Part {
    files: &[HubFile {
        repository: "Letian2003/black-forest-labs_FLUX.1-dev_vae",
        path: "diffusion_pytorch_model.safetensors",
    }],
};

/// Parameters are those of the tower with a projection to its own width, and of the encoder of
/// FLUX.1's autoencoder: how wide the published projection is, is in its configuration.
pub(crate) const MODELS: &[Model] = &[
    Model {
        id: "openvision3-b",
        summary: "OpenVision 3 B/2 over the latents of FLUX.1's autoencoder: an encoder",
        licence: "not stated",
        parameters: 85_893_120 + 34_274_208,
        parts: &[
            Part { files: &[HubFile { repository: BASE, path: "open_clip_pytorch_model.bin" }] },
            Part { files: &[HubFile { repository: BASE, path: "open_clip_config.json" }] },
            VAE,
        ],
        open: |opening| Ok(Box::new(OpenVision3::open(opening)?)),
    },
    Model {
        id: "openvision3-l",
        summary: "OpenVision 3 L/2 over the latents of FLUX.1's autoencoder: an encoder; give it a \
            checkpoint: no repository is known",
        licence: "not stated",
        parameters: 303_689_728 + 34_274_208,
        parts: &[Part { files: &[] }, VAE],
        open: |opening| Ok(Box::new(OpenVision3::open(opening)?)),
    },
];
