"""The library's random streams, `prismbench_core::Stream`: SplitMix64 from a state that purpose, seed and key give."""

import numpy as np

MASK = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15


def mix(z):
    """SplitMix64's finaliser."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def bits(purpose, seed, key, count):
    """The first `count` numbers of `Stream::new(purpose, seed, key)`."""
    name = 0xCBF29CE484222325
    for byte in purpose.encode():
        name = ((name ^ byte) * 0x100000001B3) & MASK
    state = mix((mix(name ^ mix((seed + GAMMA) & MASK)) + mix((key + GAMMA) & MASK)) & MASK)
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GAMMA)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def normal(purpose, seed, key, count):
    """The first `count` standard normal draws, in double precision: Box and Muller's, two uniform numbers each."""
    uniform = (bits(purpose, seed, key, 2 * count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return np.sqrt(-2 * np.log(1 - uniform[0::2])) * np.cos(2 * np.pi * uniform[1::2])
