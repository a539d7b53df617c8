"""Golden values of the Karhunen-Loeve transform, by numpy.linalg.eigh on the same patches.

Writes tests/golden/baselines/pca.safetensors:

- `training` (u8, Nx3xHxW) and `held_out` (u8, 3xHxW), pictures of filtered noise;
- `eigenvalues` (f64, descending) of the unbiased covariance of the 8x8 training patches;
- `reconstruction` (f64, 3xHxW): `held_out` from its 16 leading coordinates.

Patches are flattened as channel, row, column; pixels are u8 / 255 in f32.
"""

import pathlib

import numpy as np
from safetensors.numpy import save_file

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "baselines"
SIDE, KEPT = 8, 16


def pictures(rng, count, height, width):
    """Noise with an amplitude that falls as 1/f, its channels correlated."""
    y, x = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    amplitude = 1 / np.maximum(np.hypot(y, x), 1 / height)
    mixing = np.array([[1.0, 0.2, 0.1], [0.9, 0.3, -0.1], [0.8, 0.1, 0.3]])
    noise = np.fft.fft2(rng.normal(size=(count, 3, height, width)))
    fields = np.einsum("ij,njhw->nihw", mixing, np.fft.ifft2(noise * amplitude).real)
    fields /= np.abs(fields).max(axis=(1, 2, 3), keepdims=True)
    return np.round(127.5 + 127.5 * fields).astype(np.uint8)


def patches(picture):
    """3xHxW to one row per patch."""
    _, height, width = picture.shape
    grid = picture.reshape(3, height // SIDE, SIDE, width // SIDE, SIDE)
    return grid.transpose(1, 3, 0, 2, 4).reshape(-1, 3 * SIDE * SIDE)


def picture(rows, height, width):
    """The inverse of `patches`."""
    grid = rows.reshape(height // SIDE, width // SIDE, 3, SIDE, SIDE)
    return grid.transpose(2, 0, 3, 1, 4).reshape(3, height, width)


def pixels(levels):
    return (levels.astype(np.float32) / np.float32(255)).astype(np.float64)


def main():
    rng = np.random.default_rng(7)
    everything = pictures(rng, 5, 64, 64)
    training, held_out = everything[:4], everything[4][:, :48, :56]
    rows = np.concatenate([patches(pixels(levels)) for levels in training])
    values, vectors = np.linalg.eigh(np.cov(rows, rowvar=False))
    basis = vectors[:, ::-1][:, :KEPT]
    mean = rows.mean(axis=0)
    kept = (patches(pixels(held_out)) - mean) @ basis @ basis.T + mean
    GOLDEN.mkdir(parents=True, exist_ok=True)
    save_file(
        {
            "training": training,
            "held_out": np.ascontiguousarray(held_out),
            "eigenvalues": np.ascontiguousarray(values[::-1]),
            "reconstruction": np.ascontiguousarray(picture(kept, 48, 56)),
        },
        GOLDEN / "pca.safetensors",
    )
    print("leading eigenvalues", values[::-1][:KEPT + 2], "smallest", values[0])


if __name__ == "__main__":
    main()
