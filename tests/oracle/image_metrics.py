"""Golden values of PSNR, SSIM and MS-SSIM in every dialect, from the libraries that define them, in f64.

Writes tests/golden/images/metrics.json. Pictures are hashed (hashed.py): a clean one, seed and amplitude given, against
a noisier one. Sizes are odd, even, near each window's limit.
"""

import json
from pathlib import Path

import numpy as np
import piq
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from hashed import picture

GOLDEN = Path(__file__).parent.parent / "golden" / "images"
LUMA = torch.tensor([0.299, 0.587, 0.114]).double().view(1, 3, 1, 1)  # f32 constants, as pyiqa and piq keep them


def tensor(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].double() / 255


def luma(batch):
    return (batch * LUMA).sum(1, keepdim=True)


def positive_contrast_ssim(x, y):
    """pyiqa's form of SSIM on one plane of 0 to 255: valid windows, contrast term clamped at 0 per pixel."""
    taps = torch.exp(-((torch.arange(11, dtype=torch.float64) - 5) ** 2) / (2 * 1.5**2))
    window = torch.outer(taps, taps) / taps.sum() ** 2
    mean = lambda plane: torch.nn.functional.conv2d(plane, window[None, None])
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    contrast = torch.relu((2 * cov + c2) / (vx + vy + c2))
    return ((2 * mx * my + c1) / (mx**2 + my**2 + c1) * contrast).mean().item()


def values(a, b):
    x, y = tensor(a), tensor(b)
    uniform = dict(channel_axis=-1)
    gauss = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)
    rounded = [(luma(batch) * 255).round() / 255 for batch in (x, y)]
    result = {
        "psnr/per-image": peak_signal_noise_ratio(a, b),
        "psnr/piq": piq.psnr(y, x, data_range=1.0).item(),
        "psnr/pyiqa-y": -10 * torch.log10(((luma(x) - luma(y)) ** 2).mean() + 1e-8).item(),
        "ssim/torchmetrics": structural_similarity_index_measure(y, x, data_range=1.0).item(),
        "ssim/wang": structural_similarity(a.astype(float), b.astype(float), channel_axis=-1, **gauss),
        "ssim/skimage7": structural_similarity(a, b, data_range=255, **uniform),
        "ssim/llamagen": structural_similarity(a / 255.0, b / 255.0, data_range=2.0, **uniform),
    }
    result["ssim/pyiqa-y"] = positive_contrast_ssim(rounded[0] * 255, rounded[1] * 255)
    if min(a.shape[:2]) >= 176:
        result["ms-ssim/torchmetrics"] = multiscale_structural_similarity_index_measure(y, x, data_range=1.0).item()
    if min(a.shape[:2]) >= 161:
        result["ms-ssim/piq"] = piq.multi_scale_ssim(y, x, data_range=1.0).item()
    return result


def main():
    cases = []
    shapes = [(256, 256), (177, 203), (176, 301), (161, 162), (64, 48), (33, 11), (19, 40)]
    for number, (width, height) in enumerate(shapes):
        for amplitude in (3, 20, 70):
            seeds = (10 + number, 50 + number)
            a, b = picture(width, height, seeds[0], 4), picture(width, height, seeds[1], amplitude)
            cases.append(dict(width=width, height=height, seeds=seeds, amplitude=amplitude, values=values(a, b)))
    GOLDEN.mkdir(parents=True, exist_ok=True)
    (GOLDEN / "metrics.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


main()
