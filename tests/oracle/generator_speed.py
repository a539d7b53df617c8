"""Runs baselines/benches/generators.rs and PyTorch in turn, two threads each, and prints ratios.

    generator_speed.py [ROUNDS [SECONDS]]         3 rounds of at least 4 seconds a case unless told

The case is one call of DiT^DH-S for 4 latents, `ditdh-s-4`. The peer is the network of generators.py in single precision, its attention
by PyTorch's own `scaled_dot_product_attention` and by the plain formula. It needs cargo.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import math

import torch
import torch.nn.functional as F

import generators
from in_turn import compare_rates, rate


class Fused(generators.Network):
    """Attention and norms by PyTorch's functions for them."""

    def rms(self, name, x):
        return F.rms_norm(x, x.shape[-1:], self.state[name + ".weight"], generators.EPSILON)

    def attention(self, at, x, heads, rope):
        count, tokens, width = x.shape
        q, k, v = self.linear(at + ".qkv", x).view(count, tokens, 3, heads, -1).permute(2, 0, 3, 1, 4)
        cos, sin = (self.state[f"{rope}.freqs_{name}"] for name in ("cos", "sin"))

        def turn(x):
            pairs = x.unflatten(-1, (-1, 2))
            return x * cos + torch.stack([-pairs[..., 1], pairs[..., 0]], dim=-1).flatten(-2) * sin

        out = F.scaled_dot_product_attention(turn(q), turn(k), v, scale=1 / math.sqrt(width // heads))
        return self.linear(at + ".proj", out.transpose(1, 2).reshape(count, tokens, width))

    def tap(self, name, value):
        return value


@torch.no_grad()
def theirs(seconds):
    weights = generators.state(generators.S, generators.generated)
    x, t, y = torch.randn(4, 768, 16, 16), torch.ones(4), torch.arange(4)
    found = {}
    for kind, network in [("plain", generators.Network), ("fused", Fused)]:
        model = network(generators.S, weights, torch.float32)
        found["ditdh-s-4", kind] = rate(4, lambda: model(x, t, y), seconds)
        del model
    return found


if __name__ == "__main__":
    torch.set_num_threads(2)
    compare_rates("generators", theirs)
