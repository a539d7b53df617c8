"""Golden values of frequency filters, latent spectra and the Prism paper's figure, by SciPy, numpy and PyTorch in f64.

Writes tests/golden/filters/{filters,spectrum}.json. Pictures are those of `hashed.py`; masks are the formulas of
the paper's released script (WeichenFan/UAE main, prelim_analysis/retrival_exp.py and energy_exp.py) and, for the
Fourier transform, of METHODOLOGY.md, evaluated in floating point with a slack of 1e-9 where a radius may lie on an edge.
"""

import json
import pathlib

import numpy as np
import torch
from scipy.fft import dctn, idctn

from hashed import picture, splitmix

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "filters"
SIZES = [(256, 256), (64, 48), (37, 53), (16, 1), (50, 30), (100, 225)]  # width, height
CUTOFFS = [0.05, 0.15, 0.4, 1.0]
SHAPES = ["dct-radial-axis", "dct-radial-corner", "dct-square", "dct-zigzag", "fft-ideal", "fft-cosine"]
BANDS = 10


def zigzag(height, width):
    """Coordinates by rising y + x; even diagonals from the top right down, odd ones up."""
    places = [(y, x) for y in range(height) for x in range(width)]
    return sorted(places, key=lambda at: (sum(at), at[0] if sum(at) % 2 == 0 else -at[0]))


def ranks(height, width):
    table = np.empty((height, width), dtype=int)
    for rank, at in enumerate(zigzag(height, width)):
        table[at] = rank
    return table


def mask(shape, cutoff, height, width):
    y, x = np.mgrid[:height, :width].astype(float)
    shorter = min(height, width)
    if shape == "dct-radial-axis":
        return np.sqrt(y**2 + x**2) <= cutoff * (shorter - 1) + 1e-9
    if shape == "dct-radial-corner":
        return np.sqrt(y**2 + x**2) <= cutoff * np.hypot(height - 1, width - 1) + 1e-9
    if shape == "dct-square":
        side = max(1, min(round(cutoff * shorter), shorter))
        return np.ones((height, width)) if cutoff >= 1 else (y < side) & (x < side)
    if shape == "dct-zigzag":
        return ranks(height, width) < max(1, min(round(cutoff * height * width), height * width))
    radius = 2 * np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    if shape == "fft-ideal":
        return radius <= cutoff + 1e-9
    part = np.clip((radius - 0.75 * cutoff) / (0.5 * cutoff), 0, 1)
    return 0.5 + 0.5 * np.cos(np.pi * part)


def low_pass(planes, shape, weights):
    axes = (-2, -1)
    if shape.startswith("dct"):
        return idctn(dctn(planes, axes=axes, norm="ortho") * weights, axes=axes, norm="ortho")
    filtered = np.fft.ifft2(np.fft.fft2(planes) * weights)
    assert np.abs(filtered.imag).max() < 1e-12
    return filtered.real


def probes(planes):
    """Values at nine places, and what a wrong value elsewhere would move."""
    flat = planes.reshape(-1)
    places = [int(p) for p in np.linspace(0, flat.size - 1, 9)]
    return {
        "values": [float(flat[p]) for p in places],
        "mean": float(flat.mean()),
        "square": float((flat**2).mean()),
        "least": float(flat.min()),
        "largest": float(flat.max()),
    }


def filters():
    cases = []
    for seed, (width, height) in enumerate(SIZES):
        pixels = picture(width, height, seed, 60)
        planes = (pixels.astype(np.float32) / np.float32(255)).astype(np.float64).transpose(2, 0, 1)
        for shape in SHAPES:
            for cutoff in CUTOFFS:
                low = low_pass(planes, shape, mask(shape, cutoff, height, width))
                high = planes - low + planes.mean((1, 2), keepdims=True)
                for name, found in (("low", low), ("high", high)):
                    case = {"width": width, "height": height, "seed": seed, "shape": shape, "pass": name}
                    cases.append({**case, "thousandths": round(1000 * cutoff), **probes(found)})
        table = ranks(height, width)
        for band, part in enumerate(np.array_split(np.arange(height * width), BANDS)):
            kept = np.isin(table, part)
            case = {"width": width, "height": height, "seed": seed, "shape": "zigzag-band", "pass": "low"}
            cases.append({**case, "thousandths": band, **probes(low_pass(planes, "dct", kept))})
    return cases


def uniforms(n, seed):
    return (splitmix(np.arange(n), seed) >> np.uint64(40)).astype(np.float64) / 2**24


def latents(samples, channels, height, width, seed):
    """Uniforms about 0 plus a wave down the rows, a different one for each sample, as f32."""
    noise = uniforms(samples * channels * height * width, seed).reshape(samples, channels, height, width) - 0.5
    ramp = (np.arange(height) % 5 - 2.0)[:, None] * (1 + np.arange(samples))[:, None, None, None]
    return (noise + ramp).astype(np.float32)


def energies(values):
    """Squared coefficients, mean over channels and samples: `height x width`."""
    return (dctn(values.astype(np.float64), axes=(-2, -1), norm="ortho") ** 2).mean((0, 1))


def band_shares(power):
    height, width = power.shape
    by_rank = np.array([power[at] for at in zigzag(height, width)])
    sums = np.array([by_rank[part].sum() for part in np.array_split(np.arange(by_rank.size), BANDS)])
    return sums / sums.sum()


def spectrum_case(samples, channels, height, width, seed):
    values = latents(samples, channels, height, width, seed)
    power = energies(values)
    y, x = np.mgrid[:height, :width]
    frequency = np.hypot(y / height, x / width)
    shorter = min(height, width)
    radius = np.floor(frequency * shorter + 0.5).astype(int)
    rings = [power[radius == r].mean() for r in range(1, shorter)]
    slope = np.polyfit(np.log(np.arange(1, shorter)), np.log(rings), 1)[0] if shorter > 2 else None
    pooled = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(values), (16, 16)).numpy()
    return {
        "samples": samples,
        "channels": channels,
        "height": height,
        "width": width,
        "seed": seed,
        "shares": band_shares(power).tolist(),
        "below": np.cumsum(band_shares(power)).tolist(),
        "centroid": float((power * frequency).sum() / power.sum()),
        "slope": slope,
        "pooled": band_shares(energies(pooled)).tolist(),
    }


def figure(energy, response):
    """What the released script's post-processing does to the curves of a figure, one per row."""

    def shares(curves):
        raised = np.maximum(curves, 1e-30)
        return raised / raised.sum(1, keepdims=True)

    energy, response = shares(energy), shares(response)
    flatness = energy[:, 1:].mean(1) / energy[:, 1:].std(1)
    variation = flatness.std() / flatness.mean()
    entropy = -(energy * np.log(energy)).sum(1, keepdims=True) / np.log(energy.shape[1])
    power = -variation / (1 + variation) * (flatness - flatness.mean()) / flatness.std()
    curves = np.maximum(energy**entropy * response ** power[:, None], 1e-30)
    curves[:, 0] *= (flatness / flatness.mean()) ** (1 / (1 + variation))
    curves = shares(curves)
    curves[:, 0] *= (energy[:, 0].mean() / curves[:, 0].mean()) ** (1 / (1 + variation))
    curves = shares(curves)
    return curves * 0.1 / curves.mean(1, keepdims=True)


def figure_case():
    falling = np.exp(-np.arange(BANDS) * np.array([[0.9], [0.5], [0.2], [0.7]]))
    energy = falling * (0.5 + uniforms(40, 11).reshape(4, BANDS))
    response = 0.1 + uniforms(40, 12).reshape(4, BANDS)
    energy, response = (curves / curves.sum(1, keepdims=True) for curves in (energy, response))
    return {"energy": energy.tolist(), "response": response.tolist(), "figure": figure(energy, response).tolist()}


def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    spectra = [
        spectrum_case(3, 4, 32, 32, 21),
        spectrum_case(2, 5, 16, 16, 22),
        spectrum_case(4, 3, 14, 22, 23),
        spectrum_case(2, 2, 37, 37, 24),
        spectrum_case(1, 3, 2, 9, 25),
    ]
    write("filters.json", filters())
    write("spectrum.json", {"spectra": spectra, "figure": figure_case()})


def write(name, content):
    cases = content if isinstance(content, list) else [content]
    lines = ",\n".join(json.dumps(case) for case in cases)
    (GOLDEN / name).write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
