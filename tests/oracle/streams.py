"""The library's random streams, `prismbench_core::Stream`: SplitMix64 from a state that purpose, seed and key give."""

import numpy as np

from recipe import U64, mix

GAMMA = U64(0x9E3779B97F4A7C15)


def bits(purpose, seed, key, count):
    """The first `count` numbers of `Stream::new(purpose, seed, key)`."""
    name = U64(0xCBF29CE484222325)
    with np.errstate(over="ignore"):
        for byte in purpose.encode():
            name = (name ^ U64(byte)) * U64(0x100000001B3)
        state = mix(mix(name ^ mix(U64(seed) + GAMMA)) + mix(U64(key) + GAMMA))
        return mix(state + np.arange(1, count + 1, dtype=U64) * GAMMA)


def normal(purpose, seed, key, count):
    """The first `count` standard normal draws, in double precision: Box and Muller's, two uniform numbers each."""
    uniform = (bits(purpose, seed, key, 2 * count) >> U64(11)).astype(np.float64) * 2.0**-53
    return np.sqrt(-2 * np.log(1 - uniform[0::2])) * np.cos(2 * np.pi * uniform[1::2])
