"""Runs metrics/benches/networks.rs and the Python packages in turn on the same kinds of pictures, two threads each, and prints ratios.

    network_speed.py [ROUNDS [SECONDS]]         3 rounds of 4 seconds a case unless told

Ours are `inception-*` and `lpips-*` of the bench. The peers: torch-fidelity's extractor on batches of 8, and the package lpips
on pairs, both with generated weights, each in NCHW and in channels_last. Rates are of the fastest pass of a round, because
a busy machine slows single passes; the ratio is to the faster layout. It needs cargo.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np
import torch

from hashed import picture
from reference_networks import inception, inception_state, lpips_network, lpips_state

HERE = pathlib.Path(__file__).resolve().parent
BENCH = ["cargo", "bench", "--quiet", "--workspace", "--bench", "networks"]
LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}


def ours(seconds):
    environment = {**os.environ, "PRISMBENCH_RECORD_SECONDS": str(seconds)}
    output = subprocess.run(BENCH, cwd=HERE, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {name: float(rate) for name, rate in (line.split() for line in output.splitlines() if line)}


def rate(count, run, seconds):
    run()
    start, fastest = time.perf_counter(), float("inf")
    while time.perf_counter() - start < seconds:
        before = time.perf_counter()
        run()
        fastest = min(fastest, time.perf_counter() - before)
    return count / fastest


@torch.no_grad()
def peers(networks, seconds):
    pixels = np.stack([picture(256, 256, seed, 30) for seed in range(8)])
    batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    found = {}
    for layout, memory_format in LAYOUTS.items():
        extractor = networks["inception"].to(memory_format=memory_format)
        found["inception", layout] = rate(8, lambda: extractor(batch), seconds)
        pair = [each[None].float().div(255).contiguous(memory_format=memory_format) for each in batch[:2]]
        for net in ["alex", "vgg"]:
            model = networks[net].to(memory_format=memory_format)
            found[f"lpips-{net}", layout] = rate(1, lambda: model(*pair, normalize=True), seconds)
    return found


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 4.0
    torch.set_num_threads(2)
    networks = {"inception": inception(inception_state())}
    networks["inception"].features_list = ["2048"]
    networks |= {net: lpips_network(net, lpips_state(net)) for net in ["alex", "vgg"]}
    subprocess.run([*BENCH, "--no-run"], cwd=HERE, check=True)
    ratios = {}
    for number in range(1, rounds + 1):
        mine, theirs = ours(seconds), peers(networks, seconds)
        print(f"round {number}: " + ", ".join(f"{name} {value:.2f}/s" for name, value in mine.items()))
        print("  peers: " + ", ".join(f"{name} {layout} {value:.2f}/s" for (name, layout), value in theirs.items()))
        for name, value in mine.items():
            base = name.rsplit("-", 1)[0]
            best = [theirs[key] for key in theirs if key[0] == base]
            if best:
                ratios.setdefault(name, []).append(value / max(best))
    for name, values in ratios.items():
        print(f"{name}: median {statistics.median(values):.2f} of the peer's best layout ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
