"""`python lpips_kodak.py SHARED WEIGHTS` writes tests/golden/lpips/kodak.json: LPIPS of Kodak pictures against themselves with
noise and blurred, with the weights that lpips_weights.py wrote to the folder WEIGHTS."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from hashed import splitmix
from reference_networks import lpips_network

GOLDEN = Path(__file__).parent.parent / "golden" / "lpips"
PICTURES = [1, 4, 8, 13, 19, 23]
# Left, upper, right, lower.
CROP = (200, 100, 456, 356)


def noisy(pixels, seed, amplitude):
    noise = splitmix(np.arange(pixels.size), seed) % np.uint64(2 * amplitude + 1)
    return np.clip(pixels + (noise.astype(np.int64) - amplitude).reshape(pixels.shape), 0, 255).astype(np.uint8)


def blurred(pixels):
    """Mean of 3x3 neighbours, rounded down, borders repeated."""
    padded = np.pad(pixels.astype(np.int64), ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows, columns, _ = pixels.shape
    total = sum(padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3))
    return (total // 9).astype(np.uint8)


def tensor(pixels):
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float() / 255


@torch.no_grad()
def main(shared, weights):
    cases = []
    for net in ["alex", "vgg"]:
        model = lpips_network(net, load_file(weights / f"{net}.safetensors"))
        for number in PICTURES:
            name = f"{number:02}.png"
            pixels = np.asarray(Image.open(shared / "data" / "kodak" / name).convert("RGB").crop(CROP))
            for distortion, other in [("noise", noisy(pixels, number, 25)), ("blur", blurred(pixels))]:
                distance = model(tensor(pixels), tensor(other), normalize=True).item()
                cases.append(dict(trunk=net, picture=name, distortion=distortion, distance=distance))
    GOLDEN.mkdir(parents=True, exist_ok=True)
    (GOLDEN / "kodak.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
