"""Outputs of PyTorch's layers in f64 on hashed inputs: pooling, norms, activations, softmax, attention, upsampling.

    layers.py        makes ../golden/layers/layers.safetensors

Inputs are not stored: `values(seed, shape)` here and in kernels/tests/layers.rs. Maps are [image, row, column, channel].
"""

import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

from hashed import splitmix


def values(seed, *shape):
    """Multiples of 2^-21 in [-4, 4)."""
    hashed = splitmix(np.arange(np.prod(shape)), seed) >> np.uint64(40)
    return torch.from_numpy(hashed.astype(np.float64) / 2**21 - 4).reshape(shape)


def maps(seed, *shape):
    """As torch wants them: [image, channel, row, column]."""
    return values(seed, *shape).permute(0, 3, 1, 2)


def rows(tensor):
    return tensor.permute(0, 2, 3, 1)


def pooling():
    x = maps(1, 2, 12, 15, 5)
    for ceil in (False, True):
        mode = "ceil" if ceil else "floor"
        yield f"max.{mode}", rows(F.max_pool2d(x, 3, 2, 1, ceil_mode=ceil))
        yield f"max_unpadded.{mode}", rows(F.max_pool2d(x, (3, 2), (2, 3), 0, (2, 1), ceil_mode=ceil))
        yield f"average.{mode}", rows(F.avg_pool2d(x, 3, 2, 1, ceil_mode=ceil))
        yield f"average_of_map.{mode}", rows(F.avg_pool2d(x, 3, 2, 1, ceil_mode=ceil, count_include_pad=False))
    yield "global_average", rows(F.adaptive_avg_pool2d(x, 1))


def norms():
    weight, bias = values(3, 48), values(4, 48)
    yield "layer_norm", F.layer_norm(values(2, 1, 1, 9, 48), (48,), weight, bias, 1e-6)
    yield "group_norm_silu", rows(F.silu(F.group_norm(maps(5, 2, 17, 19, 48), 4, weight, bias, 1e-6)))[:, ::4, ::4]


def activations():
    x = 2 * values(6, 1, 1, 1, 500)
    yield "silu", F.silu(x)
    yield "gelu", F.gelu(x)
    yield "gelu_tanh", F.gelu(x, approximate="tanh")
    yield "quick_gelu", x * torch.sigmoid(1.702 * x)
    yield "softmax", F.softmax(values(7, 1, 1, 7, 100), -1)


def attention():
    q, k, v = (values(seed, 2, 150, 3, 24).transpose(1, 2) for seed in (8, 9, 10))
    for name, causal in (("attention", False), ("attention_causal", True)):
        out = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        yield name, out.transpose(1, 2).reshape(2, 1, 150, 72)[:, :, ::5]


def upsampling():
    x = maps(11, 2, 5, 7, 4)
    yield "nearest", rows(F.interpolate(x, scale_factor=2, mode="nearest"))
    yield "bilinear", rows(F.interpolate(x, (11, 9), mode="bilinear", align_corners=False))


def main():
    parts = (pooling, norms, activations, attention, upsampling)
    out = {name: tensor.float().contiguous().numpy() for part in parts for name, tensor in part()}
    folder = pathlib.Path(__file__).resolve().parent.parent / "golden" / "layers"
    folder.mkdir(exist_ok=True)
    save_file(out, folder / "layers.safetensors")


if __name__ == "__main__":
    main()
