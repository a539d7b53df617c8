"""Images per second of PSNR and SSIM by torchmetrics, on the pictures of metrics/benches/fidelity.rs.

    fidelity_speed.py SECONDS

Two threads, f32, 64 pairs of 256x256 u8 pictures in batches of 1, 16 and 64, the conversion to [0, 1] included. Pictures
lie as data sets hold them (N, H, W, C), which torch then takes as `channels_last`: measured at 1.5 to 2 times the speed of
N, C, H, W. Prints what the bench prints when PRISMBENCH_RECORD_SECONDS is set, for the best batch size:

    rate R        images per second of the median pass over the pictures
    cpu C         CPU seconds per image, of all threads
    value P S     PSNR and SSIM of each pair, in f64 for comparison
"""

import sys
import time

import numpy as np
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from hashed import picture

PICTURES = 64
BATCHES = (1, 16, 64)


def pictures():
    first = np.stack([picture(256, 256, 100 + i, 4) for i in range(PICTURES)])
    second = np.stack([picture(256, 256, 200 + i, 20) for i in range(PICTURES)])
    return torch.from_numpy(first), torch.from_numpy(second)


def both(first, second, dtype=torch.float32, reduction="elementwise_mean"):
    x, y = (batch.permute(0, 3, 1, 2).to(dtype) / 255 for batch in (first, second))
    psnr = peak_signal_noise_ratio(y, x, data_range=1.0, dim=(1, 2, 3), reduction=reduction)
    return psnr, structural_similarity_index_measure(y, x, data_range=1.0, reduction=reduction)


def measure(first, second, batch, seconds):
    """Rate and CPU seconds per image."""
    passes, start, cpu = [], time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        begun = time.perf_counter()
        for at in range(0, PICTURES, batch):
            both(first[at : at + batch], second[at : at + batch])
        passes.append(time.perf_counter() - begun)
    return PICTURES / np.median(passes), (time.process_time() - cpu) / len(passes) / PICTURES


def main():
    torch.set_num_threads(2)
    first, second = pictures()
    both(first[:1], second[:1])
    seconds = float(sys.argv[1]) / len(BATCHES)
    measured = {batch: measure(first, second, batch, seconds) for batch in BATCHES}
    for batch, (rate, cpu) in measured.items():
        print(f"batch {batch}: {rate:.1f} images/s, {1e3 * cpu:.2f} ms of CPU per image", file=sys.stderr)
    rate, cpu = max(rate for rate, _ in measured.values()), min(cpu for _, cpu in measured.values())
    print(f"rate {rate}\ncpu {cpu}")
    for at in range(PICTURES):
        psnr, ssim = both(first[at : at + 1], second[at : at + 1], torch.float64, "none")
        print("value", psnr.item(), ssim.item())


if __name__ == "__main__":
    main()
