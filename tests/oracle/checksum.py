"""What golden files keep of a large array; `baselines/tests/it/checksum.rs` compares with it."""

import numpy as np


def checksum(values, kept=211):
    """`kept` evenly spaced values, the sum, the root mean square and the standard deviation, of double precision.

    211 is a prime: no grid of tokens has its period.
    """
    values = np.asarray(values, dtype=np.float64).ravel()
    places = np.arange(kept) * len(values) // kept
    digits = lambda value, count: float(f"{value:.{count}g}")
    return dict(
        len=len(values), values=[digits(value, 8) for value in values[places]], sum=digits(values.sum(), 12),
        rms=digits(np.sqrt((values**2).mean()), 12), std=digits(values.std(), 6),
    )
