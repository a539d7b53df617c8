"""Runs metrics/benches/networks.rs and the Python packages in turn on the same kinds of pictures, two threads each, and prints ratios.

    network_speed.py [ROUNDS [SECONDS]]         3 rounds of 4 seconds a case unless told

Ours are `inception-*` and `lpips-*` of the bench. The peers: torch-fidelity's extractor on batches of 8, and the package lpips
on pairs, both with generated weights, each in NCHW and in channels_last. Rates are of the fastest pass of a round, because
a busy machine slows single passes; the ratio is to the faster layout. It needs cargo.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

from hashed import picture
from in_turn import compare_rates, rate
from reference_networks import inception, inception_state, lpips_network, lpips_state

LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}


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
    torch.set_num_threads(2)
    networks = {"inception": inception(inception_state())}
    networks["inception"].features_list = ["2048"]
    networks |= {net: lpips_network(net, lpips_state(net)) for net in ["alex", "vgg"]}
    # The bench's cases end in the arithmetic: `lpips-vgg-fast`.
    compare_rates("networks", lambda seconds: peers(networks, seconds), lambda case: case.rsplit("-", 1)[0])


if __name__ == "__main__":
    main()
