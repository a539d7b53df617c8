"""Golden values of prismbench's own feature space `random-filters-v1`, from its description.

Writes tests/golden/networks/random_filters.json: all 128 features of a few pictures.
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from hashed import picture
from recipe import mix

GOLDEN = Path(__file__).parent.parent / "golden" / "networks"
LAYERS = [(7, 4, 3, 32), (3, 2, 32, 32), (3, 2, 32, 64)]
PICTURES = [(256, 256, 1, 20), (64, 48, 2, 90), (131, 200, 3, 5)]
GAMMA = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def one(z):
    return int(mix(np.uint64(z & MASK)))


def uniform(purpose, seed, key, count):
    """prismbench_core::Stream: SplitMix64 from a state that name, seed and key give; multiples of 2^-53 in [0, 1)."""
    name = 0xCBF29CE484222325
    for byte in purpose.encode():
        name = (name ^ byte) * 0x100000001B3 & MASK
    state = one(one(name ^ one(seed + GAMMA)) + one(key + GAMMA))
    with np.errstate(over="ignore"):
        states = np.uint64(state) + (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(GAMMA)
    return (mix(states) >> np.uint64(11)).astype(np.float64) / (1 << 53)


def filters(layer, taps, outputs):
    draws = -1 + 2 * uniform("random-filters-v1", 0, layer, taps * outputs).reshape(outputs, taps)
    basis = [np.full(taps, 1 / math.sqrt(taps))] if layer else []
    for draw in draws:
        for _ in range(2):
            for earlier in basis:
                draw = draw - (draw @ earlier) * earlier
        basis.append(draw / np.linalg.norm(draw))
    return np.stack(basis[1 if layer else 0 :]) * (2 if layer else 1)


def features(pixels):
    x = (torch.from_numpy(pixels).permute(2, 0, 1)[None].double() - 128) / 128
    found = []
    for layer, (side, step, inputs, outputs) in enumerate(LAYERS):
        weight = torch.from_numpy(filters(layer, inputs * side * side, outputs)).reshape(outputs, inputs, side, side)
        x = F.relu(F.conv2d(x, weight, stride=step))
        found.append(x.mean((2, 3))[0])
    return torch.cat(found).tolist()


def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    cases = [dict(picture=case, features=[float(f"{v:.10g}") for v in features(picture(*case))]) for case in PICTURES]
    (GOLDEN / "random_filters.json").write_text("[\n" + ",\n".join(map(json.dumps, cases)) + "\n]\n")


if __name__ == "__main__":
    main()
