#!/usr/bin/env python3
"""Statistics of a picture set: amplitude spectrum, channel correlation, JPEG fidelity.

    spectrum.py --self-test             the value that `data/synthetic/statistics.rs` pins
    spectrum.py FOLDER | FILE.npz       a report on PNG files, or on `arr_0` (N, H, W, 3 u8)

The slope is that of ln(amplitude) against ln(frequency): middle 128x128 square, mean of the three
channels, mean removed, Hann window along both sides, power averaged over rings round(|f|) = 3..48.
"""

import io
import pathlib
import sys

import numpy as np
from PIL import Image

SIDE = 128


def slope(grey):
    """Slope of one SIDE x SIDE array."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(SIDE) + 0.5) / SIDE)
    spectrum = np.fft.fft2((grey - grey.mean()) * np.outer(window, window))
    frequency = np.fft.fftfreq(SIDE, 1 / SIDE)
    # Halves are rounded up, as Rust's f64::round does.
    ring = np.floor(np.hypot(frequency[:, None], frequency) + 0.5).astype(int).ravel()
    power = np.bincount(ring, (np.abs(spectrum) ** 2).ravel()) / np.bincount(ring)
    k = np.arange(3, 49)
    return np.polyfit(np.log(k), 0.5 * np.log(power[k]), 1)[0]


def middle(pixels):
    height, width = pixels.shape[:2]
    top, left = (height - SIDE) // 2, (width - SIDE) // 2
    return pixels[top : top + SIDE, left : left + SIDE].astype(float).mean(axis=2)


def jpeg_psnr(pixels, quality):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    error = np.asarray(Image.open(stream), float) - pixels
    return 10 * np.log10(255**2 / np.mean(error**2))


def pictures(path):
    if path.is_dir():
        for file in sorted(path.glob("**/*.png")):
            yield np.asarray(Image.open(file).convert("RGB"))
    else:
        yield from np.load(path)["arr_0"]


def self_test():
    y, x = np.mgrid[:SIDE, :SIDE]
    return slope(((x * x * 7 + y * 13 + x * y * 5) % 97 + 2 * x + y).astype(float))


def report(path):
    rows = []
    for pixels in pictures(path):
        correlation = np.corrcoef(pixels.reshape(-1, 3).T.astype(float))
        rows.append(
            [slope(middle(pixels)), correlation[0, 1], correlation[1, 2], correlation[0, 2]]
            + [jpeg_psnr(pixels, quality) for quality in (50, 75, 95)]
        )
    names = ["slope", "corr RG", "corr GB", "corr RB", "JPEG 50 dB", "JPEG 75 dB", "JPEG 95 dB"]
    print(f"{len(rows)} pictures")
    for name, values in zip(names, np.array(rows).T):
        print(f"{name:<11} mean {values.mean():7.3f}  min {values.min():7.3f}  max {values.max():7.3f}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--self-test":
        print(f"{self_test():.12f}")
    else:
        report(pathlib.Path(sys.argv[1]))
