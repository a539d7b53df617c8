"""`python generated_weights.py FOLDER` writes the generated weights there: inception.{pth,safetensors}, which torch-fidelity
and prismbench read, and {alex,vgg,squeeze}.safetensors, trunk and linear layers of LPIPS."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from reference_networks import inception_state, lpips_state


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    state = inception_state()
    torch.save(state, folder / "inception.pth")
    save_file({name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}, folder / "inception.safetensors")
    for net in ["alex", "vgg", "squeeze"]:
        save_file(lpips_state(net), folder / f"{net}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
