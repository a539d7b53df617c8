"""Golden values of the 8x8 DCT: four blocks and their transforms by SciPy.

Writes tests/golden/baselines/dct.f64: little-endian f64, for each block its 64 samples (row by
row) and then its 64 coefficients (row = vertical frequency). The blocks: noise, a horizontal ramp
(tells rows from columns), one bright pixel off the diagonal, and 8-bit levels.
"""

import pathlib

import numpy as np
from scipy.fft import dctn

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "baselines"


def main():
    rng = np.random.default_rng(20251)
    one_pixel = np.zeros((8, 8))
    one_pixel[2, 5] = 1.0
    blocks = [
        rng.normal(size=(8, 8)),
        np.tile(np.arange(8) / 7.0, (8, 1)),
        one_pixel,
        rng.integers(0, 256, size=(8, 8)).astype(np.float64),
    ]
    pairs = [part for block in blocks for part in (block, dctn(block, norm="ortho"))]
    GOLDEN.mkdir(parents=True, exist_ok=True)
    np.stack(pairs).astype("<f8").tofile(GOLDEN / "dct.f64")


if __name__ == "__main__":
    main()
