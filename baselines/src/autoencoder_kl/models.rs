//! The published autoencoders: where each lies, and the space that its generators see.

use super::architecture::Architecture;
use super::{AutoencoderKl, Space, Variant};
use crate::model::{HubFile, Model, Part};

pub(super) const SD: Variant = Variant {
    architecture: Architecture::FOUR_CHANNELS,
    // CompVis/stable-diffusion, configs/stable-diffusion/v1-inference.yaml.
    space: Space { scale: 0.18215, shift: 0.0 },
    source: "CompVis/stable-diffusion, AutoencoderKL kl-f8 (arXiv 2112.10752)",
};

const SDXL: Variant = Variant {
    // `scaling_factor` of stabilityai/sdxl-vae, config.json.
    space: Space { scale: 0.13025, shift: 0.0 },
    source: "Stability-AI/generative-models, AutoencoderKL of SDXL (arXiv 2307.01952)",
    ..SD
};

pub(super) const SD3: Variant = Variant {
    architecture: Architecture::SIXTEEN_CHANNELS,
    // `scaling_factor` and `shift_factor` of stabilityai/stable-diffusion-3-medium-diffusers,
    // vae/config.json.
    space: Space { scale: 1.5305, shift: 0.0609 },
    source: "Stability-AI/sd3-ref, AutoencoderKL of SD3 (arXiv 2403.03206)",
};

const FLUX: Variant = Variant {
    architecture: Architecture::SIXTEEN_CHANNELS,
    // black-forest-labs/flux, src/flux/util.py.
    space: Space { scale: 0.3611, shift: 0.1159 },
    source: "black-forest-labs/flux, AutoEncoder of FLUX.1",
};

const fn file(repository: &'static str, path: &'static str) -> HubFile {
    HubFile { repository, path }
}

const DIFFUSERS: &str = "diffusion_pytorch_model.safetensors";
const PICKLED: &str = "diffusion_pytorch_model.bin";

/// Stable Diffusion 1's own autoencoder is that of v1-4: v1-1 to v1-5 have the same one.
pub(crate) const MODELS: &[Model] = &[
    Model {
        id: "sd-vae",
        summary: "AutoencoderKL f8, 4 channels: the original of Stable Diffusion 1",
        licence: "CreativeML OpenRAIL-M",
        parameters: 83_653_863,
        parts: &[Part {
            files: &[
                file("CompVis/stable-diffusion-v1-4", "vae/diffusion_pytorch_model.safetensors"),
                file("CompVis/stable-diffusion-v1-4", "vae/diffusion_pytorch_model.bin"),
            ],
        }],
        open: |opening| Ok(Box::new(AutoencoderKl::open(opening, &SD)?)),
    },
    Model {
        id: "sd-vae-ema",
        summary: "the same with the decoder tuned on L1 and LPIPS",
        licence: "MIT",
        parameters: 83_653_863,
        parts: &[Part {
            files: &[
                file("stabilityai/sd-vae-ft-ema", DIFFUSERS),
                file("stabilityai/sd-vae-ft-ema", PICKLED),
                file(
                    "stabilityai/sd-vae-ft-ema-original",
                    "vae-ft-ema-560000-ema-pruned.safetensors",
                ),
            ],
        }],
        open: |opening| Ok(Box::new(AutoencoderKl::open(opening, &SD)?)),
    },
    Model {
        id: "sd-vae-mse",
        summary: "the same with the decoder tuned on MSE and LPIPS",
        licence: "MIT",
        parameters: 83_653_863,
        parts: &[Part {
            files: &[
                file("stabilityai/sd-vae-ft-mse", DIFFUSERS),
                file("stabilityai/sd-vae-ft-mse", PICKLED),
                file(
                    "stabilityai/sd-vae-ft-mse-original",
                    "vae-ft-mse-840000-ema-pruned.safetensors",
                ),
            ],
        }],
        open: |opening| Ok(Box::new(AutoencoderKl::open(opening, &SD)?)),
    },
    Model {
        id: "sdxl-vae",
        summary: "AutoencoderKL f8, 4 channels, trained anew for SDXL",
        licence: "MIT",
        parameters: 83_653_863,
        parts: &[Part {
            files: &[
                file("stabilityai/sdxl-vae", DIFFUSERS),
                file("stabilityai/sdxl-vae", "sdxl_vae.safetensors"),
                file("stabilityai/sdxl-vae", PICKLED),
            ],
        }],
        open: |opening| Ok(Box::new(AutoencoderKl::open(opening, &SDXL)?)),
    },
    Model {
        id: "sd3-vae",
        summary: "AutoencoderKL f8, 16 channels, of Stable Diffusion 3",
        licence: "Stability AI Community License",
        parameters: 83_819_683,
        parts: &[Part {
            files: &[file(
                "stabilityai/stable-diffusion-3-medium-diffusers",
                "vae/diffusion_pytorch_model.safetensors",
            )],
        }],
        open: |opening| Ok(Box::new(AutoencoderKl::open(opening, &SD3)?)),
    },
    Model {
        id: "flux-vae",
        summary: "AutoencoderKL f8, 16 channels, of FLUX.1",
        licence: "Apache-2.0",
        parameters: 83_819_683,
        parts: &[Part {
            files: &[
                file("black-forest-labs/FLUX.1-schnell", "ae.safetensors"),
                file("black-forest-labs/FLUX.1-schnell", "vae/diffusion_pytorch_model.safetensors"),
            ],
        }],
        open: |opening| Ok(Box::new(AutoencoderKl::open(opening, &FLUX)?)),
    },
];
