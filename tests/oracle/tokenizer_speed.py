"""Runs baselines/benches/tokenizers.rs and the Python packages in turn on the same pictures, two threads each, and prints ratios.

    tokenizer_speed.py [ROUNDS [SECONDS]]         3 rounds of at least 4 seconds a case unless told

A case is a pass of a tokenizer over a batch of 256x256 pictures: `sd-vae-encode-4`. The peers run the same architectures with
generated weights in single precision, each in NCHW and in channels_last. Rates are of the fastest pass of a round, because a busy
machine slows single passes; the ratio is to the faster layout. It needs cargo.

To add a tokenizer, add its row to the bench and a function here that gives its passes.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

from hashed import picture
from in_turn import compare_rates, rate

LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
BATCHES = [1, 4]


def sd_vae():
    """diffusers' AutoencoderKL: the model, and its passes from a batch of pictures in [0, 1]."""
    import autoencoder_kl

    model = autoencoder_kl.build(autoencoder_kl.FULL, autoencoder_kl.FOUR)
    autoencoder_kl.fill(model)

    def passes(images):
        latents = model.encode(2 * images - 1).latent_dist.mode()
        return {
            "encode": lambda: model.encode(2 * images - 1).latent_dist.mode(),
            "decode": lambda: (model.decode(latents).sample + 1) / 2,
        }

    return model, passes


def rae():
    """diffusers' AutoencoderRAE of DINOv2-B with its ViT-XL decoder."""
    import vision

    model = vision.autoencoder_rae("rae-dinov2-b", (12, 28), "xl")

    def passes(images):
        latents = model.encode(images).latent
        return {"encode": lambda: model.encode(images).latent, "decode": lambda: model.decode(latents).sample}

    return model, passes


def dinov2():
    """transformers' DINOv2-B with registers, behind the resize that it stands behind in RAE."""
    import vision

    model = vision.dinov2("b", True, 12)
    run = lambda images: model(vision.seen(images, (224, 224), vision.IMAGENET)).last_hidden_state
    return model, lambda images: {"encode": lambda: run(images)}


# Made one at a time, each when its turn comes.
PEERS = {"sd-vae": sd_vae, "rae-dinov2-b": rae, "dinov2-reg-b": dinov2}


@torch.no_grad()
def theirs(seconds):
    pixels = np.stack([picture(256, 256, seed, 30) for seed in range(max(BATCHES))])
    pictures = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    found = {}
    for name, make in PEERS.items():
        model, passes = make()
        for layout, memory_format in LAYOUTS.items():
            model.to(memory_format=memory_format)
            for count in BATCHES:
                images = pictures[:count].contiguous(memory_format=memory_format)
                for kind, run in passes(images).items():
                    found[f"{name}-{kind}-{count}", layout] = rate(count, run, seconds)
    return found


if __name__ == "__main__":
    torch.set_num_threads(2)
    compare_rates("tokenizers", theirs)
