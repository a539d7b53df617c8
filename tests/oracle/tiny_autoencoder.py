"""Golden values of the tiny autoencoders with generated weights, by diffusers' AutoencoderTiny.

Writes tests/golden/tiny_autoencoder/generated.json. A weight's values follow recipe.py from `encoder/` or `decoder/` and its name in
madebyollin's files, and are multiplied by 0.75, which keeps the scale of maps through blocks that are sums. `tensors` has that name, the
name in diffusers' file, and the shape. Of each array 256 evenly spaced values, the sum, the root mean square and the standard
deviation are kept. diffusers takes pictures in [-1, 1] and gives such back; here both are in [0, 1].

TAEF2, whose pooled branch diffusers lacks, is in taef2.py.
"""

import json
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny

import recipe
from autoencoder_kl import kept, lines
from hashed import picture

GOLDEN = Path(__file__).parent.parent / "golden" / "tiny_autoencoder"
GAIN = np.float32(0.75)
PICTURES = [(96, 64, 1, 30), (72, 200, 2, 60)]


def original(name):
    """`encoder/3.conv.0.weight` for `encoder.layers.3.conv.0.weight`; the original decoder has the clamp as its first layer."""
    half, _, position, rest = name.split(".", 3)
    return f"{half}/{int(position) + (half == 'decoder')}.{rest}"


def fill(model):
    state = {}
    for name, old in model.state_dict().items():
        state[name] = torch.from_numpy(recipe.tensor(original(name), tuple(old.shape)) * GAIN)
    model.load_state_dict(state)
    return state


@torch.no_grad()
def run(model, case):
    dtype = next(model.parameters()).dtype
    pixels = torch.from_numpy(picture(*case)).permute(2, 0, 1)[None].to(dtype) / 255
    latents = model.encode(2 * pixels - 1).latents
    return latents, (model.decode(latents).sample + 1) / 2


def cases():
    for channels in [4, 16]:
        model = AutoencoderTiny(latent_channels=channels).eval()
        state = fill(model)
        tensors = [[original(name), name, list(value.shape)] for name, value in state.items()]
        print(channels, "channels:", sum(value.numel() for value in state.values()), "parameters")
        results = []
        for case in PICTURES:
            single, double = run(model, case), run(model.double(), case)
            model.float()
            exact = [float(f"{((a - b).abs().max() / b.std()).item():.2g}") for a, b in zip(single, double)]
            print(case, [f"{x.std():.3f}" for x in single], exact)
            latents, reconstruction = map(kept, single)
            results.append(dict(picture=case, latents=latents, reconstruction=reconstruction, exact=exact))
        yield dict(channels=channels, tensors=tensors, cases=results)


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    (GOLDEN / "generated.json").write_text(lines(cases()))
