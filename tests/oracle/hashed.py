"""Test pictures from integer arithmetic alone, so that any language can make them again."""

import numpy as np

U64 = np.uint64


def splitmix(index, seed):
    """SplitMix64 of `index` under `seed`, wrapping; the constants are the published ones."""
    with np.errstate(over="ignore"):
        z = (np.asarray(index, dtype=U64) + U64(1) + (U64(seed) << U64(40))) * U64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> U64(30))) * U64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> U64(27))) * U64(0x94D049BB133111EB)
        return z ^ (z >> U64(31))


def picture(width, height, seed, amplitude):
    """Triangle waves in both directions plus hash noise of +-amplitude: u8, height x width x 3."""
    y, x = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    base = np.stack([(y * 3 + x * 5 + channel * 40) % 512 for channel in range(3)], -1)
    triangle = np.where(base < 256, base, 511 - base)
    noise = splitmix(np.arange(height * width * 3), seed) % U64(2 * amplitude + 1)
    noise = noise.astype(np.int64).reshape(height, width, 3) - amplitude
    return np.clip(triangle + noise, 0, 255).astype(np.uint8)
