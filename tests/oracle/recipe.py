"""Generated weights: from a tensor's name and shape to its values, in integer arithmetic until the last step.

`recipe.rs` makes the same bits. A number is SplitMix64 (as in hashed.py) of its index in the tensor, from the FNV-1a hash of
the tensor's name on; its upper 24 bits, centred, are its level. The levels of a filter sum to nearly zero: behind a ReLU all
inputs have much the same mean, which would otherwise hide what differs between pictures, the more so the deeper the network.
"""

import math

import numpy as np

U64 = np.uint64
HALF = 1 << 23

# Variance of a filter's weights times its inputs. 2 keeps the scale behind a ReLU (He et al. 2015, equation 10); a filter
# without a mean sees only the variance of its inputs, two thirds of their mean square.
GAIN = 3.0


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


def tensor(name, shape):
    """The tensor in f32."""
    count = math.prod(shape)
    level = levels(name, count)
    if name.startswith("lin"):
        # LPIPS weighs channels by numbers that are not negative: here [0, 0.5).
        values = (level + HALF) / (4 * HALF)
    elif len(shape) > 1:
        inputs = count // shape[0]
        level = level.reshape(shape[0], inputs)
        centred = level * inputs - level.sum(1, keepdims=True)
        values = centred * (math.sqrt(3 * GAIN / inputs) / (inputs * HALF))
    else:
        centre = 1 if name.endswith((".bn.weight", ".running_var")) else 0
        values = centre + level * (0.25 / HALF)
    return np.asarray(values, dtype=np.float64).astype(np.float32).reshape(shape)
