"""PyTorch's bicubic interpolations in f32, with antialiasing and without, of the inputs of layers.py.

    bicubic.py        makes ../golden/layers/bicubic.safetensors

In f32 because the places between inputs are part of the definition: at 448 they are rounded by 3e-5.
"""

import pathlib

import torch.nn.functional as F
from safetensors.numpy import save_file

from layers import maps, rows

# Sizes (rows, columns) before and after, channels, and which rows are kept.
CASES = [((37, 37), (16, 32), 3, 1), ((256, 16), (224, 37), 2, 7), ((512, 37), (448, 16), 1, 7)]


def main():
    out = {}
    for seed, (before, after, channels, step) in enumerate(CASES, 20):
        x = maps(seed, 1, *before, channels).float()
        for name, antialias in (("off", False), ("on", True)):
            y = F.interpolate(x, after, mode="bicubic", align_corners=False, antialias=antialias)
            out[f"{seed}.{name}"] = rows(y)[:, ::step].contiguous().numpy()
    save_file(out, pathlib.Path(__file__).resolve().parent.parent / "golden" / "layers" / "bicubic.safetensors")


if __name__ == "__main__":
    main()
