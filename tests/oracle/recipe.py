"""Generated weights: from a tensor's name and shape to its values, in integer arithmetic until the last step.

`recipe.rs` makes the same bits. A number is SplitMix64 (as in hashed.py) of its index in the tensor, from the FNV-1a hash of
the tensor's name on; its upper 24 bits, centred, are its level. Weights have the variance that keeps the scale of activations behind
ReLUs through any number of layers (He et al. 2015, equation 10), and with it the relative size of small differences: filters
without a mean, say, would make features of pictures differ more, but double a rounding error in every block of Inception.
"""

import math

import numpy as np

U64 = np.uint64
HALF = 1 << 23

# Variance of a filter's weights times its inputs.
GAIN = 2.0


def mix(z):
    with np.errstate(over="ignore"):
        z = (z ^ (z >> U64(30))) * U64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> U64(27))) * U64(0x94D049BB133111EB)
        return z ^ (z >> U64(31))


def levels(name, count):
    """`count` integers in [-2^23, 2^23)."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % (1 << 64)
    with np.errstate(over="ignore"):
        state = U64(seed) + (np.arange(count, dtype=U64) + U64(1)) * U64(0x9E3779B97F4A7C15)
    return (mix(state) >> U64(40)).astype(np.int64) - HALF


def is_scale(name):
    """Whether values multiply: those of norms and layer scales, and variances."""
    of_norm = any(part in name for part in ("bn.", "norm", "ln_"))
    return of_norm and name.endswith("weight") or name.endswith((".running_var", ".lambda1", ".gamma"))


TOKENS = ("position_embedding", "positional_embedding", "pos_embed", "cls_token", "class_embedding", "register_tokens",
          "token_embedding", "probe")


def is_token(name):
    """Whether values are added to activations, or stand in their place: they are as large."""
    return any(part in name for part in TOKENS)


def tensor(name, shape):
    """The tensor in f32."""
    count = math.prod(shape)
    level = levels(name, count)
    if name.startswith("lin"):
        # LPIPS weighs channels by numbers that are not negative: here [0, 0.5).
        values = (level + HALF) / (4 * HALF)
    elif len(shape) > 1:
        inputs = 1 if is_token(name) else count // shape[0]
        values = level * (math.sqrt(3 * GAIN / inputs) / HALF)
    else:
        centre = 1 if is_scale(name) else 0
        values = centre + level * (0.25 / HALF)
    return np.asarray(values, dtype=np.float64).astype(np.float32).reshape(shape)
